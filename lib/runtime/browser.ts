// The platform functions that this library needs, in a browser: the exports of node.ts, implemented with browser API and the packages that
// readable-stream also uses for Buffer and nextTick.

import { kMaxLength, Buffer as PackageBuffer } from 'buffer/index.js'
import process from 'process/browser.js'
import { md5Digest, sha1Digest } from './digests.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const strictDecoder = new TextDecoder('utf-8', { fatal: true })

/** Characters made by one call: the number of arguments is limited. */
const CHARACTERS_AT_ONCE = 4096

/**
 * The Buffer of the package `buffer`, but converting text to UTF-8 with the browser's own functions: the package converts through an array
 * of numbers, which takes eight times the memory.
 */
function BrowserBuffer(memory: ArrayBuffer, at: number, size: number): Buffer {
  return PackageBuffer.from(memory, at, size)
}

BrowserBuffer.prototype = PackageBuffer.prototype
Object.setPrototypeOf(BrowserBuffer, PackageBuffer)

Object.assign(BrowserBuffer, {
  from(value: string | ArrayBuffer, ...rest: [BufferEncoding | undefined] | [number?, number?]): Buffer {
    if (typeof value !== 'string' || !isForUtf8(rest[0])) {
      return (PackageBuffer.from as (...args: unknown[]) => Buffer)(value, ...rest)
    }
    const { buffer, byteOffset, byteLength } = encoder.encode(value)
    return PackageBuffer.from(buffer, byteOffset, byteLength)
  },
  byteLength(value: string | ArrayBuffer, encoding?: BufferEncoding): number {
    const isOurs = typeof value === 'string' && isForUtf8(encoding)
    return isOurs ? utf8Length(value) : PackageBuffer.byteLength(value, encoding)
  }
})

export const decodesUtf8Fast = false

export function youngCapacity(): number {
  return 0
}

export function heapLimit(): number {
  return 0
}

/** Chunks of a browser's WebSocket belong to the application. */
export function freeMemory(_memory: ArrayBufferLike): boolean {
  return false
}

export const Buffer = BrowserBuffer as unknown as BufferConstructor

/** The limit of the package for a Buffer, and of V8 for a string. */
export const MAX_LENGTH: number = kMaxLength
export const MAX_STRING_LENGTH = 2 ** 29 - 24

function isForUtf8(encoding: unknown): boolean {
  return encoding === undefined || encoding === 'utf8' || encoding === 'utf-8'
}

function utf8Length(text: string): number {
  let size = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    size += unit < 0x800 ? 1 : 2
    // a surrogate pair takes four bytes
    if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++
  }
  return size
}

// Methods of Node's Buffer for each encoding, added to the package's class, since readable-stream creates Buffers too.
Object.assign(PackageBuffer.prototype, {
  latin1Slice(this: Buffer, start = 0, end = this.length): string {
    let text = ''
    for (let at = start; at < end; at += CHARACTERS_AT_ONCE) {
      const part = this.subarray(at, Math.min(at + CHARACTERS_AT_ONCE, end))
      text += String.fromCharCode.apply(null, part as unknown as number[])
    }
    return text
  },
  utf8Slice(this: Buffer, start = 0, end = this.length): string {
    return decoder.decode(this.subarray(start, end))
  },
  ucs2Slice(this: Buffer, start = 0, end = this.length): string {
    return this.toString('utf16le', start, end)
  },
  latin1Write(this: Buffer, text: string, offset = 0, length = this.length - offset): number {
    const count = Math.min(text.length, length)
    for (let i = 0; i < count; i++) this[offset + i] = text.charCodeAt(i)
    return count
  },
  utf8Write(this: Buffer, text: string, offset = 0, length = this.length - offset): number {
    return encoder.encodeInto(text, this.subarray(offset, offset + length)).written
  }
})

export function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false
  return true
}

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** The nextTick of readable-stream, so that its ticks and ours run in the order in which they were scheduled. */
export const { nextTick } = process

/** Runs after all ticks of this turn, as in Node: process/browser runs ticks in a timer, which may be set after our first one. */
export function setImmediate(callback: () => void): void {
  setTimeout(() => setTimeout(callback, 0), 0)
}

/** The SHA-1 of ASCII text, in base64. */
export function sha1(text: string): string {
  return PackageBuffer.from(sha1Digest(encoder.encode(text))).toString('base64')
}

export function md5(bytes: Uint8Array): Buffer {
  return PackageBuffer.from(md5Digest(bytes))
}

/** Fills memory from a cryptographic source, at most 65,536 bytes. */
export function fillRandom(bytes: Uint8Array | Int32Array): void {
  globalThis.crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
}

/** Warns the developer about something that the program does not handle. */
export function warn(message: string, code: string): void {
  console.warn(`[${code}] WebSocketWarning: ${message}`)
}

/** A browser has no modules to load. */
export function loadOptional(_name: string): unknown {
  return null
}

/** A browser cannot prevent the transfer of an ArrayBuffer. */
export function markAsShared(_memory: ArrayBufferLike): boolean {
  return false
}

/** A browser has no asynchronous contexts. */
export function bindContext(run: () => void): () => void {
  return run
}

export function outsideContexts<T>(make: () => T): T {
  return make()
}
