// SHA-1 (RFC 3174) and MD5 (RFC 1321) for browsers, whose own functions are asynchronous: the handshake needs few bytes and cannot wait.
// Neither is used for secrecy.

const BLOCK = 64

export function sha1Digest(bytes: Uint8Array): Uint8Array {
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0])
  const words = new Uint32Array(80)
  const padded = pad(bytes, false)
  for (let at = 0; at < padded.byteLength; at += BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = padded.getUint32(at + i * 4)
    for (let i = 16; i < 80; i++) {
      words[i] = rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1)
    }
    mixSha1(state, words)
  }
  return toBytes(state, false)
}

function mixSha1(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number]
  for (let i = 0; i < 80; i++) {
    const round = SHA1_ROUNDS[Math.floor(i / 20)]!
    const next = rotate(a, 5) + round.mix(b, c, d) + e + round.constant + words[i]!
    e = d
    d = c
    c = rotate(b, 30)
    b = a
    a = next | 0
  }
  add(state, [a, b, c, d, e])
}

type Mix = (x: number, y: number, z: number) => number

const parity: Mix = (x, y, z) => x ^ y ^ z

/** RFC 3174 §5 */
const SHA1_ROUNDS: readonly { mix: Mix; constant: number }[] = [
  { mix: (x, y, z) => (x & y) | (~x & z), constant: 0x5a827999 },
  { mix: parity, constant: 0x6ed9eba1 },
  { mix: (x, y, z) => (x & y) | (x & z) | (y & z), constant: 0x8f1bbcdc },
  { mix: parity, constant: 0xca62c1d6 }
]

export function md5Digest(bytes: Uint8Array): Uint8Array {
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476])
  const words = new Uint32Array(16)
  const padded = pad(bytes, true)
  for (let at = 0; at < padded.byteLength; at += BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = padded.getUint32(at + i * 4, true)
    mixMd5(state, words)
  }
  return toBytes(state, true)
}

function mixMd5(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number]
  for (let i = 0; i < 64; i++) {
    const { mix, step, first, turns } = MD5_ROUNDS[i >> 4]!
    const sum = a + mix(b, c, d) + sine(i) + words[(first + step * i) & 15]!
    a = d
    d = c
    c = b
    b = (b + rotate(sum, turns[i & 3]!)) | 0
  }
  add(state, [a, b, c, d])
}

/** RFC 1321 §3.4: the word used in step `i`, and the number of bits by which the sum is rotated. */
const MD5_ROUNDS: readonly { mix: Mix; first: number; step: number; turns: readonly number[] }[] = [
  { mix: (x, y, z) => (x & y) | (~x & z), first: 0, step: 1, turns: [7, 12, 17, 22] },
  { mix: (x, y, z) => (x & z) | (y & ~z), first: 1, step: 5, turns: [5, 9, 14, 20] },
  { mix: parity, first: 5, step: 3, turns: [4, 11, 16, 23] },
  { mix: (x, y, z) => y ^ (x | ~z), first: 0, step: 7, turns: [6, 10, 15, 21] }
]

/** RFC 1321 §3.4: the formula for the table of constants. */
function sine(i: number): number {
  return Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32)
}

/** Appends one bit, zeros, and the number of bits: RFC 3174 §4, RFC 1321 §3.1. */
function pad(bytes: Uint8Array, littleEndian: boolean): DataView {
  const size = Math.ceil((bytes.length + 9) / BLOCK) * BLOCK
  const padded = new Uint8Array(size)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  const bits = BigInt(bytes.length) * 8n
  view.setBigUint64(size - 8, bits, littleEndian)
  return view
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function add(state: Uint32Array, words: readonly number[]): void {
  for (const [i, word] of words.entries()) state[i]! += word
}

function toBytes(words: Uint32Array, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(words.length * 4))
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word, littleEndian)
  return new Uint8Array(view.buffer)
}
