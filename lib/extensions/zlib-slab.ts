// Memory for zlib's output. A run writes to shared memory; output that is kept uses no more memory than it needs.

import { HEADER_UP_TO } from '../protocol/received-bytes.js'
import { Buffer } from '../runtime/node.js'

/** Maximum output of one run of zlib in bytes. */
export const PIECE = 65536
/** Minimum free bytes where a piece begins, so that a message of usual size is in one piece. */
const LEAST = 16384

/**
 * A slab that is filled piece by piece and replaced when it is full; nothing in it is copied or overwritten. Process-wide, so that small
 * messages of many connections fill one slab. A run of zlib is synchronous and calls nothing of the application; `used` grows only after
 * it has succeeded, so what a failed run wrote is overwritten.
 */
export const slab = { bytes: Buffer.alloc(0), used: 0 }

/** Makes room for a piece; returns the number of free bytes after `slab.used`. */
export function slabRoom(): number {
  const room = slab.bytes.length - slab.used
  if (room >= LEAST) return room
  slab.bytes = Buffer.allocUnsafeSlow(PIECE)
  slab.used = 0
  return PIECE
}

/** Keeps what a run wrote. The next piece starts beyond HEADER_UP_TO, so that `isAlone` of received-bytes.ts is false for it. */
export function takeFromSlab(size: number): void {
  if (size > 0) slab.used = Math.max(slab.used + size, HEADER_UP_TO + 1)
}

/** Memory for the input or output of one run, which the next run overwrites. Process-wide, like `slab`. */
export const scratch = Buffer.allocUnsafeSlow(PIECE)

/** Node's own pool for small copies has grown from 8 to 64 KiB, and a frame that waits for a slow peer would keep it alive. */
const KEPT_SIZE = 8192

/** A pool for small copies. Process-wide, as Node's own; each copy has its place to itself. */
const kept = { bytes: Buffer.alloc(0), used: 0 }

/** A copy of `bytes[start, start + size)` that keeps little more than its own size alive, however long it waits. */
export function keep(bytes: Buffer, start: number, size: number): Buffer {
  if (size > KEPT_SIZE / 2) {
    const copy = Buffer.allocUnsafeSlow(size)
    bytes.copy(copy, 0, start, start + size)
    return copy
  }
  if (kept.used + size > kept.bytes.length) {
    kept.bytes = Buffer.allocUnsafeSlow(KEPT_SIZE)
    kept.used = 0
  }
  const at = kept.used
  kept.used = at + size
  bytes.copy(kept.bytes, at, start, start + size)
  return kept.bytes.subarray(at, at + size)
}
