// Masking (RFC 6455 §5.3). A mask is one 32-bit number whose lowest byte is applied to the first byte of a payload.

import { fillRandom, loadOptional } from '../runtime/node.js'

/** Below this size, creating a view of 32-bit words costs more than it saves (benchmarks/questions/decode.js). */
export const WORDS_FROM = 64

/** From this size on, a native call is faster, if there is one (benchmarks/questions/echo.js). */
const NATIVE_FROM = 256

/** The function of `bufferutil`, which uses vector instructions that JavaScript cannot use. */
export interface NativeMasking {
  /** Masks `source` with the four bytes of `mask` into `output` at `offset`; the two may overlap. */
  mask(source: Uint8Array, mask: Uint8Array, output: Uint8Array, offset: number, length: number): void
}

/** The optional module of this name; null if it is not installed or does not support this machine. */
export function loadNative(name: string): NativeMasking | null {
  return loadOptional(name) as NativeMasking | null
}

const native = loadNative('bufferutil')

/** The mask rotated so that it applies from byte `offset` of the payload on. */
export function shiftMask(mask: number, offset: number): number {
  const bits = (offset & 3) << 3
  return bits === 0 ? mask : (mask >>> bits) | (mask << (32 - bits))
}

/** Writes `source[start, end)` to `target` at `at`, masked or unmasked; both may be the same bytes. */
export function applyMask(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  mask: number
): void {
  if (end - start >= WORDS_FROM) {
    const moves = source === target && start !== at
    if (native !== null && mask !== 0 && end - start >= NATIVE_FROM && !moves) {
      const bytes = source.subarray(start, end)
      // its length: memory that was made smaller meanwhile must not be read behind its end
      native.mask(bytes, bytesOf(mask), target, at, bytes.length)
      return
    }
    if (source !== target || start !== at) target.set(source.subarray(start, end), at)
    if (mask !== 0) maskWords(target, at, at + end - start, mask)
    return
  }
  const m0 = mask & 255
  const m1 = (mask >>> 8) & 255
  const m2 = (mask >>> 16) & 255
  const m3 = mask >>> 24
  for (const stop = end - 3; start < stop; start += 4, at += 4) {
    target[at] = source[start]! ^ m0
    target[at + 1] = source[start + 1]! ^ m1
    target[at + 2] = source[start + 2]! ^ m2
    target[at + 3] = source[start + 3]! ^ m3
  }
  if (start < end) target[at] = source[start]! ^ m0
  if (start + 1 < end) target[at + 1] = source[start + 1]! ^ m1
  if (start + 2 < end) target[at + 2] = source[start + 2]! ^ m2
}

// in place, eight words in each iteration: 11 bytes/ns instead of 4 with a plain loop (benchmarks/questions/decode.js)
function maskWords(bytes: Uint8Array, start: number, end: number, mask: number): void {
  while (((bytes.byteOffset + start) & 3) !== 0) {
    bytes[start++]! ^= mask & 255
    mask = (mask >>> 8) | (mask << 24)
  }
  const words = wordsOf(bytes)
  const word = nativeWord(mask)
  let i = (bytes.byteOffset + start) >>> 2
  const last = i + ((end - start) >>> 2)
  for (const stop = last - 7; i < stop; i += 8) {
    words[i]! ^= word
    words[i + 1]! ^= word
    words[i + 2]! ^= word
    words[i + 3]! ^= word
    words[i + 4]! ^= word
    words[i + 5]! ^= word
    words[i + 6]! ^= word
    words[i + 7]! ^= word
  }
  for (; i < last; i++) words[i]! ^= word
  for (let at = end - ((end - start) & 3); at < end; at++) {
    bytes[at]! ^= mask & 255
    mask >>>= 8
  }
}

/** The memory of a chunk above this size is not kept alive by its view. */
const KEPT_UP_TO = 2 ** 17

/**
 * The last view, which the payloads of one chunk share. Process-wide, since chunks are unmasked one at a time. It is looked up by the
 * identity of the bytes, so another connection that runs in between replaces it, but cannot make it wrong.
 */
const last: { bytes: Uint8Array | null; words: Int32Array } = { bytes: null, words: new Int32Array(0) }

/** A view of the whole memory of the bytes. Getting `.buffer` is an expensive call, so it is done once for the payloads of one chunk. */
function wordsOf(bytes: Uint8Array): Int32Array {
  if (bytes === last.bytes) return last.words
  const { buffer } = bytes
  const words = last.words.buffer === buffer ? last.words : new Int32Array(buffer, 0, buffer.byteLength >>> 2)
  if (buffer.byteLength > KEPT_UP_TO) return words
  last.bytes = bytes
  last.words = words
  return words
}

// overwritten by each call, and read before anything else runs
const order = new Uint8Array(4)
const orderedWord = new Int32Array(order.buffer)

/** The mask as bytes. */
function bytesOf(mask: number): Uint8Array {
  order[0] = mask
  order[1] = mask >>> 8
  order[2] = mask >>> 16
  order[3] = mask >>> 24
  return order
}

/** The mask as a word of this machine's byte order. */
function nativeWord(mask: number): number {
  bytesOf(mask)
  return orderedWord[0]!
}

/**
 * Masks from a cryptographic source, 2,048 at a time, since each call costs a microsecond. Process-wide, since no connection can tell from
 * its masks what another got. Each is taken out before anything else runs, and is never used again.
 */
class MaskPool {
  private readonly masks = new Int32Array(2048)
  private left = 0

  take(): number {
    const { masks } = this
    if (this.left === 0) {
      fillRandom(masks)
      this.left = masks.length
    }
    const at = --this.left
    const mask = masks[at]!
    masks[at] = 0
    return mask
  }
}

const pool = new MaskPool()

/** Returns an unpredictable mask for the next frame (RFC 6455 §5.3, §10.3). */
export function freshMask(): number {
  return pool.take()
}
