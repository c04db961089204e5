// Memory for what zlib makes. One run of it writes to memory that all connections share; what is kept is as large as it has to be.

/** Bytes that one run of zlib makes at most. */
export const PIECE = 65536
/** So many bytes are free at least where a piece begins, so that a message of usual size is one. */
const LEAST = 16384

/** What bytes are in: a part of larger memory. */
export interface Span {
  data: Buffer
  start: number
  size: number
}

/** A slab that is filled piece by piece, and replaced when it is full: nothing in it is copied, and nothing is overwritten. */
export const slab = { bytes: Buffer.alloc(0), used: 0 }

/** Makes room for a piece; answers how many bytes of it there are behind `slab.used`. */
export function slabRoom(): number {
  const room = slab.bytes.length - slab.used
  if (room >= LEAST) return room
  slab.bytes = Buffer.allocUnsafeSlow(PIECE)
  slab.used = 0
  return PIECE
}

/** Where input and output pass through that nobody keeps. */
export const scratch = Buffer.allocUnsafeSlow(PIECE)

/** A copy of `bytes[start, start + size)` that keeps little more than itself alive, however long it waits. */
export function keep(bytes: Buffer, start: number, size: number): Buffer {
  const copy = Buffer.allocUnsafe(size)
  bytes.copy(copy, 0, start, start + size)
  return copy
}
