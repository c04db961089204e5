// Has V8 collect young objects in time where large messages arrive. V8 does that when the memory for young objects is full, and an ArrayBuffer
// takes little of it: its bytes lie outside, and count toward the old generation. A connection with large messages makes few objects and
// many bytes, so V8 marks the whole heap again and again to free buffers that died young: a quarter of the CPU, and pauses of 7 to 13 ms.
// Some garbage in proportion to the bytes fills the young memory first, and a collection of young objects, which frees those buffers too,
// takes 1 ms (benchmarks/questions/echo.js, 16 KiB and 64 KiB, one in flight).

/** Bytes of garbage for each byte that arrives. */
const SHARE = 0.5
/** Smaller chunks and messages are mostly objects anyhow. */
const PACED_FROM = 4096
const WORD = 8
/** V8 puts larger arrays elsewhere. */
const WORDS_UP_TO = 8192

/** The latest piece of garbage, which must look as if it were kept, or no memory would be taken for it. */
const heap: { latest: unknown } = { latest: null }

/** Tells that an ArrayBuffer of this size has been made. */
export function paceCollector(bytes: number): void {
  if (bytes < PACED_FROM) return
  for (let words = (bytes * SHARE) / WORD; words > 0; words -= WORDS_UP_TO) {
    heap.latest = new Array(Math.min(WORDS_UP_TO, Math.ceil(words)))
  }
  heap.latest = null
}
