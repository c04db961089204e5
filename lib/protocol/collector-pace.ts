// Makes V8 collect young objects early enough when large messages arrive. V8 does so when the young generation is full, but an ArrayBuffer
// takes little of it: its bytes are external, and count toward the old generation. A connection with large messages allocates few objects
// and many bytes, so V8 marks the whole heap again and again to free buffers that died young: a quarter of the CPU, and pauses of 7 to
// 13 ms. Some garbage in proportion to the bytes fills the young generation first, and collecting that, which frees those buffers too,
// takes 1 ms (benchmarks/questions/echo.js, 16 KiB and 64 KiB, one in flight).

import { heapLimit, youngCapacity } from '../runtime/node.js'

/**
 * External bytes between two collections of young objects. After each of them V8 decides whether to mark the heap, and counts these bytes
 * as if they were still in use; in a small heap it marks from 30 MiB on.
 */
const BETWEEN_COLLECTIONS = 20 * 2 ** 20
/** Minimum bytes of garbage for each byte that is allocated. It is more if the young generation has grown, as it does in a busy process. */
const LEAST_SHARE = 0.25
/** Bytes that are allocated before the size of the young generation is looked up again. */
const LOOK_EVERY = 2 ** 22
/** Larger allocations count as this size: V8 has started a collection by then anyway. */
const PACED_UP_TO = 2 ** 23
/** Smaller chunks and messages make enough garbage themselves. */
export const PACED_FROM = 4096
const WORD = 8
/** V8 allocates larger arrays outside the young generation. */
const WORDS_UP_TO = 8192
/**
 * Garbage is allocated only if the heap may grow to this size: V8 ends a process whose young generation, which grows with garbage, might not
 * fit in what is left of the old one.
 */
const LEAST_LIMIT = 2 ** 29

/**
 * Process-wide, like the heap. `latest` is the latest garbage, since V8 would not allocate an array that is never stored. While V8 marks the
 * heap, what is stored counts as live; but the young generation grows with it, and collections are fewer than if nothing were stored
 * (benchmarks/questions/echo.js, 16 KiB, 20 in flight: 13 µs and not 23).
 */
const heap: { share: number; unseen: number; freed: number; latest: unknown } = {
  share: LEAST_SHARE,
  unseen: LOOK_EVERY,
  freed: 0,
  latest: null
}

/** Must be called when an ArrayBuffer of this size has been allocated, or a payload of this size has been read to one. */
export function paceCollector(bytes: number): void {
  if (bytes < PACED_FROM) return
  if (heap.freed > 0) {
    const fromFreed = Math.min(bytes, heap.freed)
    heap.freed -= fromFreed
    bytes -= fromFreed
  }
  heap.unseen += bytes
  if (heap.unseen >= LOOK_EVERY) look()
  for (let words = (Math.min(bytes, PACED_UP_TO) * heap.share) / WORD; words > 0; words -= WORDS_UP_TO) {
    heap.latest = new Array(Math.min(WORDS_UP_TO, Math.ceil(words)))
  }
  heap.latest = null
}

/** Must be called when memory was freed without the collector; as many bytes can then be allocated without garbage. */
export function bytesFreed(bytes: number): void {
  // bounded, since for some of this memory `paceCollector` was not called
  heap.freed = Math.min(heap.freed + bytes, BETWEEN_COLLECTIONS)
}

function look(): void {
  heap.unseen = 0
  heap.share = heapLimit() < LEAST_LIMIT ? 0 : Math.max(LEAST_SHARE, youngCapacity() / BETWEEN_COLLECTIONS)
}
