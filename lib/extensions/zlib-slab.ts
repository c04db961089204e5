// Memory for what zlib makes. One run of it writes to memory that all connections share; what is kept is as large as it has to be.

import { Buffer } from '../runtime/node.js'

/** Bytes that one run of zlib makes at most. */
export const PIECE = 65536
/** So many bytes are free at least where a piece begins, so that a message of usual size is one. */
const LEAST = 16384

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

/** Memory for input and output that is not kept. */
export const scratch = Buffer.allocUnsafeSlow(PIECE)

/** Node's own pool has grown from 8 to 64 KiB, and a frame may wait for a slow peer. */
const KEPT_SIZE = 8192
let kept = Buffer.alloc(0)
let keptUsed = 0

/** A copy of `bytes[start, start + size)` that keeps little more than itself alive, however long it waits. */
export function keep(bytes: Buffer, start: number, size: number): Buffer {
  if (size > KEPT_SIZE / 2) {
    const copy = Buffer.allocUnsafeSlow(size)
    bytes.copy(copy, 0, start, start + size)
    return copy
  }
  if (keptUsed + size > kept.length) {
    kept = Buffer.allocUnsafeSlow(KEPT_SIZE)
    keptUsed = 0
  }
  const at = keptUsed
  keptUsed += size
  bytes.copy(kept, at, start, start + size)
  return kept.subarray(at, keptUsed)
}
