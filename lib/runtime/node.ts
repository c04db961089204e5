// What this library needs of its surroundings, on Node. Bundlers for browsers put browser.ts in its place, which has the same exports;
// package.json says so.

import { AsyncResource } from 'node:async_hooks'
import { constants, isAscii, isUtf8 } from 'node:buffer'
import { createRequire } from 'node:module'
import process, { nextTick } from 'node:process'
import { setImmediate } from 'node:timers'
import { builtin } from './builtin.js'

export { isAscii, isUtf8, nextTick, setImmediate }

/** Node's own; its type is that of the global of this name. */
export const { Buffer } = globalThis

/** Bytes in a Buffer, and UTF-16 units in a string, at most. */
export const { MAX_LENGTH, MAX_STRING_LENGTH } = constants

/** The SHA-1 of ASCII text, in base64. */
export function sha1(text: string): string {
  return builtin('node:crypto').hash('sha1', text, 'base64')
}

export function md5(bytes: Uint8Array): Buffer {
  return builtin('node:crypto').hash('md5', bytes, 'buffer')
}

/** Fills memory from a cryptographic source, at most 65,536 bytes of it. */
export function fillRandom(bytes: Uint8Array | Int32Array): void {
  builtin('node:crypto').randomFillSync(bytes)
}

/** Tells the developer of something that nothing in the program takes care of. */
export function warn(message: string, code: string): void {
  process.emitWarning(message, { type: 'WebSocketWarning', code })
}

/** The optional module of that name; null where it is not installed, or not for this machine. */
export function loadOptional(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name)
  } catch {
    return null
  }
}

/**
 * Has `postMessage` and `structuredClone` refuse to transfer memory that several messages lie in; false where the platform cannot, and
 * memory must not be shared. `node:worker_threads` takes 2 ms to load, so this waits for the first such memory.
 */
export function markAsShared(memory: ArrayBufferLike): boolean {
  builtin('node:worker_threads').markAsUntransferable(memory)
  return true
}

/** A function that runs in the asynchronous context in which this is called, wherever it is called later (`AsyncLocalStorage`). */
export function bindContext(run: () => void): () => void {
  return AsyncResource.bind(run)
}

const shared = new AsyncResource('websocket-duplex')

/** Makes what many connections share in no connection's asynchronous context: it would keep that, and what is stored in it, alive. */
export function outsideContexts<T>(make: () => T): T {
  return shared.runInAsyncScope(make)
}
