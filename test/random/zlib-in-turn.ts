// While it is installed, zlib works synchronously instead of in a thread, and calls back in the next turn of the event loop: a run with
// compression is the same each time.

import zlib from 'node:zlib'

interface Handle {
  onerror: ((...args: unknown[]) => void) | undefined
  write(...args: unknown[]): void
  writeSync(...args: unknown[]): void
  init(...args: unknown[]): void
}

const stream = zlib.createInflateRaw() as unknown as { _handle: Handle; close(): void }
const handles = Object.getPrototypeOf(stream._handle) as Handle
const { write, init } = handles
stream.close()
/** The function that Node calls when the work of a handle is done. */
const callbacks = new WeakMap<Handle, () => void>()

/** Work that is done, and not reported yet. */
export let pending = 0

function writeInTurn(this: Handle, ...args: unknown[]): void {
  const callback = callbacks.get(this)
  if (callback === undefined) {
    write.apply(this, args)
    return
  }
  const { onerror } = this
  let tell = (): void => callback.call(this)
  this.onerror = (...error) => {
    tell = () => onerror?.apply(this, error)
  }
  this.writeSync(...args)
  this.onerror = onerror
  pending++
  setImmediate(() => {
    pending--
    tell()
  })
}

export function install(): void {
  handles.init = function (this: Handle, ...args: unknown[]) {
    callbacks.set(this, args.find(arg => typeof arg === 'function') as () => void)
    init.apply(this, args)
  }
  handles.write = writeInTurn
}

export function uninstall(): void {
  Object.assign(handles, { write, init })
}
