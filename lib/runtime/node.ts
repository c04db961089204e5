// What this library needs of its surroundings, on Node. Bundlers for browsers put browser.ts in its place, which has the same exports;
// package.json says so.

import { isAscii, isUtf8 } from 'node:buffer'
import { hash, randomFillSync } from 'node:crypto'
import { createRequire } from 'node:module'
import process, { nextTick } from 'node:process'
import { setImmediate } from 'node:timers'

export { isAscii, isUtf8, nextTick, setImmediate }

/** Node's own; its type is that of the global of this name. */
export const { Buffer } = globalThis

/** The SHA-1 of ASCII text, in base64. */
export function sha1(text: string): string {
  return hash('sha1', text, 'base64')
}

export function md5(bytes: Uint8Array): Buffer {
  return hash('md5', bytes, 'buffer')
}

/** Fills memory from a cryptographic source, at most 65,536 bytes of it. */
export function fillRandom(bytes: Uint8Array | Int32Array): void {
  randomFillSync(bytes)
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
