// Memory for output: one piece of each size for the whole process, used again as soon as a wire has written it, which a socket that is
// not full does before its write returns. Output then costs no memory at all (benchmarks/questions/echo.js, 100 in flight).

import { Buffer } from '../runtime/node.js'

/** As much as leaves at once: what a turn gathers, and one more frame that is not too large to be copied. */
export const MEMORY_SIZE = 131072
/** A socket that is full keeps the piece: it is at most four times as large as what lies in it. */
const SIZES = [2048, 8192, 32768, MEMORY_SIZE]
/** Below this a piece of Buffer's own pool is as cheap (benchmarks/questions/echo.js, 1 KiB, one in flight). */
const FROM = 256

const memory: (Buffer | null)[] = SIZES.map(() => null)
let lent: Buffer | null = null
let lentFrom = 0

/** Memory of this size that `giveBack` must be told of; other memory where it is small, large, or the piece is in use. */
export function borrow(size: number): Buffer {
  if (size < FROM || size > MEMORY_SIZE || lent !== null) return Buffer.allocUnsafe(size)
  lentFrom = size <= 2048 ? 0 : size <= 8192 ? 1 : size <= 32768 ? 2 : 3
  memory[lentFrom] ??= Buffer.allocUnsafeSlow(SIZES[lentFrom]!)
  lent = memory[lentFrom]!.subarray(0, size)
  return lent
}

/**
 * Something has been written: perhaps the very piece that `borrow` gave last.
 * @param isFree - the wire is done with it
 */
export function giveBack(bytes: Buffer, isFree: boolean): void {
  if (bytes !== lent) return
  if (!isFree) memory[lentFrom] = null
  lent = null
}
