// How often each branch of lib was taken by one input, and whether any of it is new. The counters are in one piece of memory,
// a part for each module; instrument.js adds the counting to the code.

const MOST_BRANCHES = 2 ** 15

const hits = new Uint8Array(MOST_BRANCHES)
const words = new Uint32Array(hits.buffer)
/** The counts that have been seen for each branch, as a set of the classes below. */
const seen = new Uint8Array(MOST_BRANCHES)
let used = 0

// 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more: a loop that runs twice is new, one that runs 101 times instead of 100 is not
const CLASS = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count === 0) return 0
  if (count < 4) return 1 << (count - 1)
  return 1 << (count < 8 ? 3 : count < 16 ? 4 : count < 32 ? 5 : count < 128 ? 6 : 7)
})

/** The counters of one module. */
export function allot(_file: string, count: number): Uint8Array {
  const part = hits.subarray(used, used + count)
  used += count
  if (used > MOST_BRANCHES) throw new RangeError(`more than ${MOST_BRANCHES} branches`)
  return part
}

/** Resets the counts of the last input. */
export function clearHits(): void {
  hits.fill(0, 0, used)
}

/** Forgets everything: a new target begins. */
export function clearSeen(): void {
  seen.fill(0)
}

/** Whether the last input did anything that none did before it; after this call it is no longer new. */
export function takeNews(): boolean {
  let isNew = false
  for (let word = 0, last = (used + 3) >> 2; word < last; word++) {
    if (words[word] === 0) continue
    for (let at = word * 4, end = at + 4; at < end; at++) {
      const counted = CLASS[hits[at]!]!
      if ((counted & ~seen[at]!) === 0) continue
      seen[at]! |= counted
      isNew = true
    }
  }
  return isNew
}

/** Number of branches taken by any input. */
export function branchesSeen(): number {
  let count = 0
  for (let at = 0; at < used; at++) if (seen[at] !== 0) count++
  return count
}
