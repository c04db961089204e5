// The platform functions that this library needs, in Node. scripts/build.js replaces this file with browser.ts, which has the same exports,
// in the bundle for browsers.

import { AsyncResource } from 'node:async_hooks'
import { constants, isAscii, isUtf8 } from 'node:buffer'
import { builtin } from './builtin.js'

export { isAscii, isUtf8 }

// from the globals: imports of node:process, node:timers and node:module would load modules that are not needed here
/** Node's own Buffer, typed like the global, and its own `setImmediate`. */
export const { Buffer, setImmediate } = globalThis
export const { nextTick } = process

/** Whether the engine decodes short UTF-8 faster than a loop: V8 does since Node 24. */
export const decodesUtf8Fast = Number.parseInt(process.versions.node, 10) >= 24

/** Maximum size of a Buffer in bytes, and of a string in UTF-16 code units. */
export const { MAX_LENGTH, MAX_STRING_LENGTH } = constants

/** Bytes of objects that V8 allocates before it collects young ones; 0 if that is not known. It changes, and asking takes 3 µs. */
export function youngCapacity(): number {
  const space = builtin('node:v8')
    .getHeapSpaceStatistics()
    .find(({ space_name }) => space_name === 'new_space')
  /* c8 ignore next - engines other than V8 have no such space */
  return space === undefined ? 0 : space.space_used_size + space.space_available_size
}

/** Maximum size of the heap in bytes, `--max-old-space-size` and the young generation together. */
export function heapLimit(): number {
  return builtin('node:v8').getHeapStatistics().heap_size_limit
}

/** Frees memory now instead of when it is collected, and leaves all views of it empty; false where the platform cannot (before Node 22). */
export function freeMemory(memory: ArrayBufferLike): boolean {
  const { transfer } = memory as { transfer?: (size: number) => unknown }
  transfer?.call(memory, 0)
  return transfer !== undefined
}

/** The SHA-1 of ASCII text, in base64. */
export function sha1(text: string): string {
  return builtin('node:crypto').hash('sha1', text, 'base64')
}

export function md5(bytes: Uint8Array): Buffer {
  return builtin('node:crypto').hash('md5', bytes, 'buffer')
}

/** Fills memory from a cryptographic source, at most 65,536 bytes. */
export function fillRandom(bytes: Uint8Array | Int32Array): void {
  builtin('node:crypto').randomFillSync(bytes)
}

/** Warns the developer about something that the program does not handle. */
export function warn(message: string, code: string): void {
  process.emitWarning(message, { type: 'WebSocketWarning', code })
}

/** The optional module of this name; null if it is not installed or does not support this machine. */
export function loadOptional(name: string): unknown {
  try {
    return builtin('node:module').createRequire(import.meta.url)(name)
  } catch {
    return null
  }
}

/**
 * Makes `postMessage` and `structuredClone` refuse to transfer memory that several messages share; false if the platform cannot, and memory
 * must not be shared. The first call loads `node:worker_threads`, which takes 2 ms.
 */
export function markAsShared(memory: ArrayBufferLike): boolean {
  builtin('node:worker_threads').markAsUntransferable(memory)
  return true
}

/** A function that runs `run` in the current asynchronous context (`AsyncLocalStorage`), wherever it is called later. */
export function bindContext(run: () => void): () => void {
  return AsyncResource.bind(run)
}

const shared = new AsyncResource('websocket-duplex')

/**
 * Runs `make` in the asynchronous context in which this module was loaded: an object that connections share would otherwise keep one
 * connection's context alive.
 */
export function outsideContexts<T>(make: () => T): T {
  return shared.runInAsyncScope(make)
}
