// What this library needs of its surroundings, in a browser: the exports of node.ts, made of what browsers have and of the packages that
// readable-stream has its Buffer and its ticks from.

import { kMaxLength, Buffer as PackageBuffer } from 'buffer/index.js'
import process from 'process/browser.js'
import { md5Digest, sha1Digest } from './digests.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const strictDecoder = new TextDecoder('utf-8', { fatal: true })

/** Characters that are made of one call: a call has only so much room for arguments. */
const CHARACTERS_AT_ONCE = 4096

/**
 * The Buffer of the package `buffer`, which makes the same objects, but text to UTF-8 by way of the browser: the package goes by way
 * of an array of numbers, eight times the size.
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

export const Buffer = BrowserBuffer as unknown as BufferConstructor

/** What the package allows for a Buffer, and V8 for a string. */
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
    // both halves of a pair make four bytes
    if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++
  }
  return size
}

// What Node's Buffer has for each encoding. They are put on the package's class, since readable-stream makes Buffers too.
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

/** The one that readable-stream has its ticks from: theirs and ours run in the order in which they were asked for. */
export const { nextTick } = process

/** Later than all ticks of this turn, as on Node: their timer may be set behind the first of these two. */
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

/** Fills memory from a cryptographic source, at most 65,536 bytes of it. */
export function fillRandom(bytes: Uint8Array | Int32Array): void {
  globalThis.crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
}

/** Tells the developer of something that nothing in the program takes care of. */
export function warn(message: string, code: string): void {
  console.warn(`[${code}] WebSocketWarning: ${message}`)
}

/** There are no modules to load. */
export function loadOptional(_name: string): unknown {
  return null
}

/** Browsers have no way to refuse the transfer of an ArrayBuffer. */
export function markAsShared(_memory: ArrayBufferLike): boolean {
  return false
}

/** Browsers have no asynchronous contexts. */
export function bindContext(run: () => void): () => void {
  return run
}

export function outsideContexts<T>(make: () => T): T {
  return make()
}
