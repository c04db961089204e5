// Makes V8 collect young objects early enough when large messages arrive. V8 does so when the young generation is full, but an ArrayBuffer
// takes little of it: its bytes are external, and count toward the old generation. A connection with large messages allocates few objects
// and many bytes, so V8 marks the whole heap again and again to free buffers that died young: a quarter of the CPU, and pauses of 7 to
// 13 ms. Some garbage in proportion to the bytes fills the young generation first, and collecting that, which frees those buffers too,
// takes 1 ms (benchmarks/questions/echo.js, 16 KiB and 64 KiB, one in flight).

/** Bytes of garbage for each byte that arrives. */
const SHARE = 0.5
/** Larger ones are treated like this size: V8 has started a collection by then anyway. */
const PACED_UP_TO = 2 ** 23
/** Smaller chunks and messages consist mostly of objects anyway. */
const PACED_FROM = 4096
const WORD = 8
/** V8 allocates larger arrays outside the young generation. */
const WORDS_UP_TO = 8192

/** Refers to the latest garbage, since V8 would not allocate an array that is never stored. */
const heap: { latest: unknown } = { latest: null }

/** Must be called when an ArrayBuffer of this size has been allocated. */
export function paceCollector(bytes: number): void {
  if (bytes < PACED_FROM) return
  for (let words = (Math.min(bytes, PACED_UP_TO) * SHARE) / WORD; words > 0; words -= WORDS_UP_TO) {
    heap.latest = new Array(Math.min(WORDS_UP_TO, Math.ceil(words)))
  }
  heap.latest = null
}
