// Unmasks and copies small payloads in one pass, into cheap memory. This file, and only this one, puts speed before readability
// (benchmarks/questions/decode.js: 2.5 times as fast as ws instead of 1.3 times).

import { WebSocketError } from '../errors.js'
import { Buffer, decodesUtf8Fast, isUtf8, markAsShared } from '../runtime/node.js'
import type { Frame } from './frame.js'

/** Payloads below this size always use this file. */
export const SMALL_UP_TO = 1024
/** Chunks of at least this size get a view that their payloads share; the last view is kept. */
const VIEW_FROM = 1024
const VIEW_UP_TO = 2 ** 20
const SLAB_SIZE = 8192
/** From this size on, the engine decodes text (benchmarks/questions/decode.js, 125 B). */
/* c8 ignore next - which of them depends on the version of Node */
const DECODED_BY_ENGINE_FROM = decodesUtf8Fast ? 48 : SMALL_UP_TO

// Node's own Buffer class; its constructor makes a view without the checks of Buffer.from
const NodeBuffer = (
  Buffer as unknown as { [Symbol.species]: new (memory: ArrayBufferLike, at: number, size: number) => Buffer }
)[Symbol.species]

const { utf8Slice } = Buffer.prototype

/** Memory as bytes and as words of either byte order. Getting the memory of a view is an expensive call, so it is done once. */
interface Memory {
  readonly bytes: Buffer
  readonly view: DataView
  readonly buffer: ArrayBufferLike
  readonly offset: number
}

function memory(size: number): Memory {
  const bytes = Buffer.allocUnsafeSlow(size)
  const { buffer, byteOffset: offset } = bytes
  return { bytes, view: new DataView(buffer, offset, size), buffer, offset }
}

/**
 * Binary payloads are copied to slabs: one payload keeps at most one slab alive, as with Buffer.allocUnsafe. Process-wide, so that small
 * payloads of many connections fill one slab. Each payload has its place to itself, which is reserved and written before anything else
 * runs; after an exception it is left empty. A slab cannot be transferred, since that would detach the payloads of others.
 */
const slab: { memory: Memory; used: number } = { memory: memory(0), used: 0 }

// for text before it becomes a string; overwritten by each call, and read before anything else runs
const scratch = memory(SMALL_UP_TO + 3)
const units = new Uint16Array(SMALL_UP_TO)
const unitBytes = Buffer.from(units.buffer) as Buffer & { ucs2Slice(start: number, end: number): string }

/**
 * The last chunk and its view; dropped with the next chunk. Process-wide, since chunks are decoded one at a time. It is found by the
 * identity of the chunk: if a listener makes another connection decode in between, the view is made again.
 */
const last: { chunk: Uint8Array | null; view: DataView; memorySize: number; isShared: boolean } = {
  chunk: null,
  view: new DataView(new ArrayBuffer(0)),
  memorySize: 0,
  isShared: false
}

/** A copy of a binary payload. Below SMALL_UP_TO it shares memory that cannot be transferred. */
export function smallBytes(frame: Frame): Buffer {
  const { size } = frame
  if (size >= SMALL_UP_TO) {
    const bytes = Buffer.allocUnsafeSlow(size)
    frame.copy(bytes, 0)
    return bytes
  }
  if (size === 0) return Buffer.alloc(0)
  const at = reserve(size)
  const { memory } = slab
  unmask(frame, memory, at)
  return new NodeBuffer(memory.buffer, memory.offset + at, size)
}

/** A copy of a text payload below SMALL_UP_TO, like `smallBytes`; null if it is not UTF-8 (RFC 6455 §8.1). */
export function smallTextBytes(frame: Frame): Buffer | null {
  const { size } = frame
  if (size === 0) return Buffer.alloc(0)
  const at = reserve(size)
  const { memory } = slab
  const isAscii = (unmask(frame, memory, at) & 0x80808080) === 0
  const bytes = new NodeBuffer(memory.buffer, memory.offset + at, size)
  return isAscii || isUtf8(bytes) ? bytes : null
}

/** Reserves space in the slab. */
function reserve(size: number): number {
  // in Node 22 ArrayBuffer.prototype.transfer detaches even a slab, and leaves it with length 0
  if (slab.used + size > slab.memory.bytes.length) renewSlab(size)
  const at = slab.used
  slab.used = at + size
  return at
}

function renewSlab(needed: number): void {
  slab.memory = memory(SLAB_SIZE)
  slab.used = 0
  if (!markAsShared(slab.memory.buffer)) slab.memory = memory(needed)
}

/** A copy in memory of its own. */
export function copyBytes(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/** A text payload as a string; null if it is not UTF-8 (RFC 6455 §8.1). */
export function smallText(frame: Frame): string | null {
  const { size } = frame
  const isForEngine = size >= DECODED_BY_ENGINE_FROM
  /* c8 ignore next - from Node 24 on */
  if (isForEngine && frame.mask === 0) return decodeByEngine(frame.data as Uint8Array, frame.start, size)
  if ((unmask(frame, scratch, 0) & 0x80808080) === 0) return scratch.bytes.latin1Slice(0, size)
  /* c8 ignore next - which of them depends on the version of Node */
  return isForEngine ? decodeByEngine(scratch.bytes, 0, size) : decodeByLoop(scratch.bytes, size)
}

/** `size` bytes from `start` as a string; null if they are not UTF-8. */
export function decodeByEngine(bytes: Uint8Array, start: number, size: number): string | null {
  const end = start + size
  if (end > bytes.length) throw new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
  // frames made by an application may have a plain Uint8Array
  const text = utf8Slice.call(bytes as Buffer, start, end)
  // utf8Slice replaces invalid bytes with U+FFFD, which valid text may contain too
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? null : text
}

/** Writes the payload to `target` at `at`; returns all its bytes ORed together, in the four bytes of a word. */
function unmask(frame: Frame, target: Memory, at: number): number {
  const { data, start, size, mask } = frame as Frame & { data: Buffer }
  const end = start + size
  if (end > data.length) throw new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
  let from = start
  let seen = 0
  if (data === last.chunk || (data.length >= VIEW_FROM && take(data))) {
    const words = last.view
    const to = target.view
    for (const stop = end - 15; from < stop; from += 16, at += 16) {
      const a = words.getInt32(from, true) ^ mask
      const b = words.getInt32(from + 4, true) ^ mask
      const c = words.getInt32(from + 8, true) ^ mask
      const d = words.getInt32(from + 12, true) ^ mask
      to.setInt32(at, a, true)
      to.setInt32(at + 4, b, true)
      to.setInt32(at + 8, c, true)
      to.setInt32(at + 12, d, true)
      seen |= a | b | c | d
    }
    for (const stop = end - 3; from < stop; from += 4, at += 4) {
      const a = words.getInt32(from, true) ^ mask
      to.setInt32(at, a, true)
      seen |= a
    }
  }
  const { bytes } = target
  for (let turned = mask; from < end; from++) {
    const byte = (data[from]! ^ turned) & 255
    turned = (turned >>> 8) | (turned << 24)
    bytes[at++] = byte
    seen |= byte
  }
  return seen
}

/** Bytes that a view of this chunk keeps alive. */
export function memorySize(data: Uint8Array): number {
  return data === last.chunk || take(data) ? last.memorySize : data.buffer.byteLength
}

/** Lets several payloads be views of one chunk, which can then no longer be transferred; false if they must be copied. */
export function shareChunk(data: Uint8Array): boolean {
  if (data !== last.chunk) return markAsShared(data.buffer)
  last.isShared ||= markAsShared(data.buffer)
  return last.isShared
}

/** Makes a view of a chunk; false if the chunk is too large to be kept alive. */
function take(data: Uint8Array): boolean {
  const { buffer } = data
  if (buffer.byteLength > VIEW_UP_TO) return false
  last.chunk = data
  last.isShared = false
  last.memorySize = buffer.byteLength
  last.view = new DataView(buffer, data.byteOffset, data.length)
  return true
}

/**
 * Does what `decodeByEngine` does, by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Faster than a call for short text
 * (benchmarks/questions/decode.js, mixed). Overwrites three bytes after the text: NUL sentinels replace bounds checks.
 */
function decodeByLoop(bytes: Buffer, size: number): string | null {
  bytes[size] = bytes[size + 1] = bytes[size + 2] = 0
  // read once: V8 reads a variable of the module again after each write
  const target = units
  let at = 0
  let length = 0
  while (at < size) {
    const first = bytes[at]!
    if (first < 0x80) {
      target[length++] = first
      at++
    } else if (first < 0xe0) {
      const second = bytes[at + 1]! ^ 0x80
      if (first < 0xc2 || second > 0x3f) return null
      target[length++] = ((first & 0x1f) << 6) | second
      at += 2
    } else if (first < 0xf0) {
      const second = bytes[at + 1]! ^ 0x80
      const third = bytes[at + 2]! ^ 0x80
      const unit = ((first & 0x0f) << 12) | (second << 6) | third
      if ((second | third) > 0x3f || unit < 0x800 || (unit & 0xf800) === 0xd800) return null
      target[length++] = unit
      at += 3
    } else {
      const second = bytes[at + 1]! ^ 0x80
      const third = bytes[at + 2]! ^ 0x80
      const fourth = bytes[at + 3]! ^ 0x80
      const point = ((first & 0x0f) << 18) | (second << 12) | (third << 6) | fourth
      if ((second | third | fourth) > 0x3f || point < 0x10000 || point > 0x10ffff) return null
      target[length] = 0xd7c0 + (point >> 10)
      target[length + 1] = 0xdc00 | (point & 0x3ff)
      length += 2
      at += 4
    }
  }
  return unitBytes.ucs2Slice(0, length * 2)
}
