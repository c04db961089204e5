// Bytes on a wire, for fast-check: valid conversations in any fragments, and the same with something wrong in them. The bytes
// are made by test/support/frames, which shares no code with lib.

import fc, { type Arbitrary } from 'fast-check'
import type { Message } from '../../lib/protocol/message-joiner.js'
import { BINARY, CONTINUATION, close, PING, PONG, pattern, TEXT, type WireFrame, wire } from '../support/frames.js'

/** Sizes at which the form of a length or the way of copying changes. */
const EDGES = [
  0, 1, 2, 3, 4, 15, 16, 17, 63, 64, 124, 125, 126, 127, 255, 256, 1023, 1024, 4095, 4096, 8191, 8192, 65535, 65536
]

export const bytes = (maxLength: number): Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map(array => Buffer.from(array))

const sized = (most: number): Arbitrary<Buffer> =>
  fc.oneof({ weight: 4, arbitrary: bytes(40) }, fc.constantFrom(...EDGES.filter(size => size <= most)).map(pattern))

const text = (most: number): Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map(wellFormed) },
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom(...EDGES.filter(size => size <= most)).map(size => 'é'.repeat(size >> 1) + 'a'.repeat(size & 1)),
    fc.constantFrom('\ufeffa', '\u0000', '\ud7ff\ue000', '\u{10ffff}', '\u0080\u07ff\u0800\uffff')
  )

/** A lone surrogate becomes U+FFFD on the wire. */
const wellFormed = (string: string): string => Buffer.from(string).toString()

/** A message of about `most` bytes at most. */
export const message = (most = 65536): Arbitrary<Message> => fc.oneof(text(most), sized(most))

export const messages = (most?: number): Arbitrary<Message[]> => fc.array(message(most), { maxLength: 6 })

/** A conversation, and its frames. */
export interface Conversation {
  readonly messages: Message[]
  /** Payloads of pings and pongs, each after its opcode. */
  readonly controls: Buffer[]
  readonly frames: WireFrame[]
}

const mask = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(array => Buffer.from(array)),
  fc.constantFrom('00000000', 'ff000000', '000000ff').map(hex => Buffer.from(hex, 'hex'))
)

const control = fc.record({
  opcode: fc.constantFrom(PING, PONG),
  payload: fc.oneof(bytes(20), fc.constant(pattern(125))),
  mask
})

/** One message in fragments, control frames between them. */
const said = fc.record({
  message: message(),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  controls: fc.array(fc.option(control, { freq: 3 }), { maxLength: 5 }),
  masks: fc.array(mask, { minLength: 5, maxLength: 5 })
})

export const conversation: Arbitrary<Conversation> = fc.array(said, { maxLength: 4 }).map(items => {
  const frames: WireFrame[] = []
  const controls: Buffer[] = []
  for (const { message, cuts, controls: between, masks } of items) {
    const payload = Buffer.from(message as string)
    const ends = [...cuts.map(cut => Math.floor(cut * payload.length)).sort((a, b) => a - b), payload.length]
    ends.forEach((end, i) => {
      const opcode = i > 0 ? CONTINUATION : typeof message === 'string' ? TEXT : BINARY
      const part = payload.subarray(i === 0 ? 0 : ends[i - 1], end)
      frames.push({ opcode, payload: part, fin: i === ends.length - 1, rsv: 0, mask: masks[i]! })
      const next = between[i]
      if (next == null) return
      frames.push({ ...next, fin: true, rsv: 0 })
      controls.push(Buffer.concat([Buffer.from([next.opcode]), next.payload]))
    })
  }
  return { messages: items.map(({ message }) => message), controls, frames }
})

/** A change to frames before they are written. */
const wrongFrames = fc.oneof(
  // two swapped, one repeated, one omitted
  fc.tuple(fc.nat(20), fc.nat(20)).map(([a, b]) => (frames: WireFrame[]) => {
    const [one, two] = [frames[a % frames.length]!, frames[b % frames.length]!]
    return frames.map(frame => (frame === one ? two : frame === two ? one : frame))
  }),
  fc
    .nat(20)
    .map(
      at => (frames: WireFrame[]) => frames.flatMap((frame, i) => (i === at % frames.length ? [frame, frame] : [frame]))
    ),
  fc.nat(20).map(at => (frames: WireFrame[]) => frames.filter((_, i) => i !== at % frames.length)),
  // one with another header
  fc
    .tuple(
      fc.nat(20),
      fc.oneof(
        fc.integer({ min: 1, max: 7 }).map(rsv => ({ rsv })),
        fc.nat(15).map(opcode => ({ opcode })),
        fc.boolean().map(fin => ({ fin })),
        fc.constantFrom(7 as const, 16 as const, 64 as const).map(form => ({ form })),
        fc.bigInt(0n, 2n ** 64n - 1n).map(length => ({ form: 64 as const, length })),
        fc.integer({ min: 0, max: 65535 }).map(length => ({ form: 16 as const, length: BigInt(length) })),
        fc.integer({ min: 0, max: 125 }).map(length => ({ form: 7 as const, length: BigInt(length) }))
      )
    )
    .map(
      ([at, change]) =>
        (frames: WireFrame[]) =>
          frames.map((frame, i) => (i === at % frames.length ? { ...frame, ...change } : frame))
    ),
  // a Close, right or wrong
  fc
    .tuple(fc.nat(20), fc.integer({ min: 0, max: 65535 }), bytes(10))
    .map(([at, code, reason]) => (frames: WireFrame[]) => [
      ...frames.slice(0, at % frames.length),
      close(Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]).subarray(0, code % 3 === 0 ? 1 : 12)),
      ...frames.slice(at % frames.length)
    ])
)

/** A change to bytes: flipped bits, parts that are cut off, doubled or lost. */
export const wrongBytes = fc.oneof(
  fc.array(fc.nat(2 ** 20), { minLength: 1, maxLength: 4 }).map(bits => (wire: Buffer) => {
    const changed = Buffer.from(wire)
    for (const bit of bits) if (wire.length > 0) changed[(bit >> 3) % wire.length]! ^= 1 << (bit & 7)
    return changed
  }),
  fc.nat(70_000).map(length => (wire: Buffer) => wire.subarray(0, length % (wire.length + 1))),
  fc.tuple(fc.nat(70_000), fc.nat(30)).map(([at, size]) => (wire: Buffer) => {
    const from = at % (wire.length + 1)
    return Buffer.concat([wire.subarray(0, from + size), wire.subarray(from)])
  }),
  fc.tuple(fc.nat(70_000), fc.nat(30)).map(([at, size]) => (wire: Buffer) => {
    const from = at % (wire.length + 1)
    return Buffer.concat([wire.subarray(0, from), wire.subarray(from + size)])
  })
)

const same = <T>(value: T): T => value

/** Bytes that are valid, or were before a change; and whether they are masked. */
export const damagedWire: Arbitrary<{ bytes: Buffer; masked: boolean }> = fc
  .record({
    conversation,
    frameFault: fc.option(wrongFrames, { freq: 3 }),
    byteFault: fc.option(wrongBytes, { freq: 2 }),
    masked: fc.boolean(),
    // sometimes the wrong side speaks
    isOther: fc.integer({ min: 0, max: 9 }).map(n => n === 0)
  })
  .map(({ conversation, frameFault, byteFault, masked, isOther }) => {
    const frames = conversation.frames.length === 0 ? [] : (frameFault ?? same)(conversation.frames)
    return { bytes: (byteFault ?? same)(wire(masked, ...frames)), masked: masked !== isOther }
  })

/** Where a wire is split into chunks, as fractions of its length. */
export const cuts: Arbitrary<number[]> = fc.oneof(
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
  fc.constant<number[]>([])
)

/** `bytes` as separate chunks. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map(cut => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
  return ends.map((end, i) => Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)))
}

/** Names and values of header fields, as they may appear on a wire. */
const name = fc.oneof(
  fc.constantFrom('Host', 'X-More', 'Cookie', 'Set-Cookie', 'Origin', '__proto__', 'constructor', 'Accept', 'Upgrade'),
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
)
const value = fc.oneof(
  fc.constantFrom('', 'a', 'websocket', 'keep-alive, Upgrade', 'a;b="c"', 'x'.repeat(300)),
  fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$/)
)
export const fields: Arbitrary<[string, string][]> = fc.array(fc.tuple(name, value), { maxLength: 12 })

export const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}$/)
export const blanks = fc.stringMatching(/^[ \t]{0,3}$/)
