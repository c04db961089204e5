// While it is installed, zlib does at once what it otherwise does in a thread, and says so in the next turn of the event loop: a run with
// compression takes the same course each time.

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
/** What Node has called when the work of a handle is done. */
const callbacks = new WeakMap<Handle, () => void>()

/** Work that is done, and has not been told of. */
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
