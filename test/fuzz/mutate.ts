// Returns an input that differs a little from the given one. Knows no format: the meaning of the bytes is in the seeds and in the
// words of the target.

export type Random = () => number

/** Bytes and lengths at which codecs change their behaviour. */
const EDGES = [0x00, 0x01, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xbf, 0xc0, 0xed, 0xf4, 0xfe, 0xff]
const WIDE_EDGES = [125, 126, 127, 1000, 1005, 1006, 1015, 1016, 3000, 4999, 5000, 32767, 65535]

type Change = (bytes: Buffer, random: Random, other: Buffer, words: readonly Buffer[]) => Buffer

const upTo = (random: Random, limit: number): number => Math.floor(random() * limit)
const replace = (bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)])

/** A part of `bytes`, most often a short one. */
function part(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = upTo(random, bytes.length + 1)
  const most = random() < 0.7 ? 8 : bytes.length
  return [from, Math.min(bytes.length, from + 1 + upTo(random, most))]
}

function set(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  if (at < changed.length) changed[at] = value
  return changed
}

const CHANGES: readonly Change[] = [
  // one bit
  (bytes, random) => {
    const at = upTo(random, bytes.length)
    return set(bytes, at, (bytes[at] ?? 0) ^ (1 << upTo(random, 8)))
  },
  // one byte: any, a boundary value, one more or less
  (bytes, random) => set(bytes, upTo(random, bytes.length), upTo(random, 256)),
  (bytes, random) => set(bytes, upTo(random, bytes.length), EDGES[upTo(random, EDGES.length)]!),
  (bytes, random) => {
    const at = upTo(random, bytes.length)
    return set(bytes, at, ((bytes[at] ?? 0) + upTo(random, 17) - 8) & 255)
  },
  // a number of 16 bits
  (bytes, random) => {
    if (bytes.length < 2) return bytes
    const changed = Buffer.from(bytes)
    changed.writeUInt16BE(WIDE_EDGES[upTo(random, WIDE_EDGES.length)]!, upTo(random, bytes.length - 1))
    return changed
  },
  // a part removed, repeated, moved, cut off
  (bytes, random) => replace(bytes, ...part(bytes, random), Buffer.alloc(0)),
  (bytes, random) => {
    const [from, to] = part(bytes, random)
    return replace(bytes, to, to, bytes.subarray(from, to))
  },
  (bytes, random) => {
    const [from, to] = part(bytes, random)
    const at = upTo(random, bytes.length + 1)
    return replace(bytes, at, at, bytes.subarray(from, to))
  },
  (bytes, random) => bytes.subarray(0, upTo(random, bytes.length + 1)),
  // parts of other inputs
  (bytes, random, other) => {
    const at = upTo(random, bytes.length + 1)
    return replace(bytes, at, at, other.subarray(...part(other, random)))
  },
  (bytes, random, other) => {
    const [from, to] = part(bytes, random)
    return replace(bytes, from, to, other.subarray(...part(other, random)))
  },
  (bytes, random, other) =>
    replace(bytes, upTo(random, bytes.length + 1), bytes.length, other.subarray(part(other, random)[0])),
  // words of the format
  (bytes, random, _other, words) => {
    const at = upTo(random, bytes.length + 1)
    return words.length === 0 ? bytes : replace(bytes, at, at, words[upTo(random, words.length)]!)
  },
  (bytes, random, _other, words) => {
    if (words.length === 0) return bytes
    const word = words[upTo(random, words.length)]!
    const at = upTo(random, bytes.length + 1)
    return replace(bytes, at, Math.min(bytes.length, at + word.length), word)
  },
  // one byte many times
  (bytes, random) => {
    const at = upTo(random, bytes.length + 1)
    const byte = random() < 0.5 ? (bytes[at] ?? 0) : upTo(random, 256)
    return replace(bytes, at, at, Buffer.alloc(1 + upTo(random, random() < 0.9 ? 16 : 1200), byte))
  }
]

/**
 * An input that differs from `bytes` in one to five ways.
 * @param other - another input, to take parts from
 * @param words - what means something in this format
 */
export function mutate(
  bytes: Buffer,
  random: Random,
  other: Buffer,
  words: readonly Buffer[],
  maxLength: number
): Buffer {
  let changed = bytes
  // mostly one change: two at once are rarely both useful
  do {
    changed = CHANGES[upTo(random, CHANGES.length)]!(changed, random, other, words)
  } while (random() < 0.4)
  return changed.length > maxLength ? changed.subarray(0, maxLength) : changed
}
