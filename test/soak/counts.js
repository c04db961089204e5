// What both processes of the soak test count for each kind of connection, and what they send. The sums ignore order; each connection
// checks its own.

import { crc32 } from 'node:zlib'

/** Kinds whose connections end cleanly, with the same counts on both sides. */
export const WHOLE = ['text', 'binary', 'compressed', 'streamed', 'slow']
/** Kinds that are broken off, each in another way. */
export const KINDS = [...WHOLE, 'broken']

export class Counts {
  opened = 0
  clean = 0
  sent = 0
  received = 0
  bytesSent = 0
  bytesReceived = 0
  sumSent = 0
  sumReceived = 0

  didSend(bytes, sum) {
    this.sent++
    this.bytesSent += bytes
    this.sumSent = (this.sumSent + sum) >>> 0
  }

  didReceive(bytes, sum) {
    this.received++
    this.bytesReceived += bytes
    this.sumReceived = (this.sumReceived + sum) >>> 0
  }
}

export const newCounts = () => Object.fromEntries(KINDS.map(kind => [kind, new Counts()]))

export const sumOf = message => crc32(message)
export const sizeOf = message => (typeof message === 'string' ? Buffer.byteLength(message) : message.length)

const NOISE = Buffer.alloc(2 ** 17)
for (let i = 0, x = 1; i < NOISE.length; i++) NOISE[i] = (x = (x * 1103515245 + 12345) >>> 0) >>> 16
const WORDS = Array.from({ length: 4000 }, (_, i) => `{"n":${(i * 7919) % 4001},"läuft":"…${i % 13}😀"}`).join(',')

const within = most => Math.floor(Math.random() * most)

/** Bytes that do not compress well. */
export function bytes(most) {
  const length = within(most)
  const start = within(NOISE.length - length)
  return NOISE.subarray(start, start + length)
}

/** Text of more than ASCII. */
export function text(most) {
  const start = within(WORDS.length - most)
  // half a surrogate pair is not text
  return WORDS.slice(start, start + within(most)).toWellFormed()
}

/** Bytes in use after garbage collection. */
export async function heapInUse() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    await new Promise(setImmediate)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

export const rest = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
