// Memory for what goes out: one piece for the whole process, where a wire has taken all of it before it returns, as a socket does
// that is not full. Output then costs no memory at all (benchmarks/questions/echo.js, 100 in flight).

import { Buffer } from '../runtime/node.js'

/** As much as leaves at once: what a turn gathers, and one more frame that is not too large to be copied. */
export const MEMORY_SIZE = 131072
/** Below this a piece of Buffer's own pool is as cheap (benchmarks/questions/echo.js, 1 KiB, one in flight). */
const FROM = 256

let memory: Buffer | null = null
let lent: Buffer | null = null

/** Memory of this size that `giveBack` must be told of; other memory where it is small, large, or nothing is there. */
export function borrow(size: number): Buffer {
  if (size < FROM || size > MEMORY_SIZE || lent !== null) return Buffer.allocUnsafe(size)
  memory ??= Buffer.allocUnsafeSlow(MEMORY_SIZE)
  lent = memory.subarray(0, size)
  return lent
}

/**
 * Something has been written: perhaps the very piece that `borrow` gave last.
 * @param isFree - nobody looks at it any more
 */
export function giveBack(bytes: Buffer, isFree: boolean): void {
  if (bytes !== lent) return
  // whoever still has it keeps it
  if (!isFree) memory = null
  lent = null
}
