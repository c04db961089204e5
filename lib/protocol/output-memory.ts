// Memory for output: one buffer of each size for the whole process, reused as soon as a wire has written it. A socket that is not full
// writes before the call returns, so that output allocates nothing (benchmarks/questions/echo.js, 100 in flight).

import { Buffer } from '../runtime/node.js'

/** Enough for one flush: the output of one turn plus one frame that is small enough to be copied. */
export const MEMORY_SIZE = 131072
/** A full socket keeps the buffer, which is at most four times as large as its content. */
const SIZES = [2048, 8192, 32768, MEMORY_SIZE]
/** Below this size, Buffer's own pool costs the same (benchmarks/questions/echo.js, 1 KiB, one in flight). */
const FROM = 256

/**
 * Process-wide, so that an idle connection holds no output memory. Only one buffer is lent at a time: a connection that writes while
 * another one does, because that write has called a listener, gets memory of its own. No function of the application is kept here, and so
 * no asynchronous context.
 */
const pool: { readonly buffers: (Buffer | null)[]; lent: Buffer | null; index: number } = {
  buffers: SIZES.map(() => null),
  lent: null,
  /** The place of `lent` among the buffers. */
  index: 0
}

/** Memory of this size, to be returned with `giveBack`. Allocated if the size is too small or too large, or the buffer is in use. */
export function borrow(size: number): Buffer {
  if (size < FROM || size > MEMORY_SIZE || pool.lent !== null) return Buffer.allocUnsafe(size)
  const index = size <= 2048 ? 0 : size <= 8192 ? 1 : size <= 32768 ? 2 : 3
  const whole = (pool.buffers[index] ??= Buffer.allocUnsafeSlow(SIZES[index]!))
  const lent = whole.subarray(0, size)
  pool.index = index
  pool.lent = lent
  return lent
}

/**
 * Called after a write; `bytes` may be the buffer that `borrow` returned last.
 * @param isFree - whether the wire no longer uses it
 */
export function giveBack(bytes: Buffer, isFree: boolean): void {
  if (bytes !== pool.lent) return
  if (!isFree) pool.buffers[pool.index] = null
  pool.lent = null
}

/** A write has thrown: the buffer that is lent is dropped, and output after it gets another one. */
export function dropLent(): void {
  if (pool.lent !== null) giveBack(pool.lent, false)
}
