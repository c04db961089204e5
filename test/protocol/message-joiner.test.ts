import { constants } from 'node:buffer'
import t from 'tap'
import type { MessageLimits } from '../../lib/protocol/fragment-rules.js'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { type Message, MessageJoiner } from '../../lib/protocol/message-joiner.js'
import { isControl, Opcode } from '../../lib/protocol/opcode.js'
import { allocate } from '../../lib/protocol/received-bytes.js'
import { binary, bytesOf, cut, more, pattern, random, text, type WireFrame, wire } from '../support/frames.js'
import { collectGarbage, held } from './memory.js'
import { describeMessage, MESSAGE_CASES } from './message-cases.js'
import { BEHIND, codeOf, inAllWays, type Outcome, SIDES } from './ways.js'

const NO_LIMITS: MessageLimits = {
  maxMessageSize: Number.POSITIVE_INFINITY,
  maxFragments: Number.POSITIVE_INFINITY
}

/** A joiner after a parser. */
class Reader {
  readonly messages: Message[] = []
  private readonly parser: FrameParser
  private readonly joiner: MessageJoiner

  constructor(masked: boolean, limits: MessageLimits = NO_LIMITS) {
    this.parser = new FrameParser({ masked, maxFrameSize: Number.POSITIVE_INFINITY })
    this.joiner = new MessageJoiner(limits)
  }

  read(chunk: Buffer, owned = false): void {
    this.parser.push(chunk, owned)
    for (let frame = this.parser.next(); frame !== null; frame = this.parser.next()) {
      const message = isControl(frame.opcode) ? null : this.joiner.add(frame)
      if (message !== null) this.messages.push(message)
    }
  }
}

function read(reader: Reader, chunks: Buffer[], owned: boolean): Outcome {
  let fed = 0
  try {
    for (const chunk of chunks) {
      fed += chunk.length
      reader.read(chunk, owned)
    }
  } catch (error) {
    return { got: reader.messages.map(describeMessage), error: codeOf(error), fed }
  }
  return { got: reader.messages.map(describeMessage), fed }
}

for (const { says, messages, maxMessageSize, maxFragments, ...arrival } of MESSAGE_CASES) {
  t.test(says, async t => {
    const limits = {
      maxMessageSize: maxMessageSize ?? NO_LIMITS.maxMessageSize,
      maxFragments: maxFragments ?? NO_LIMITS.maxFragments
    }
    inAllWays(
      t,
      arrival,
      messages.map(describeMessage),
      describeMessage(bytesOf(BEHIND.payload).toString()),
      (side, chunks, owned) => read(new Reader(side.masked, limits), chunks, owned)
    )
  })
}

t.test('a message larger than a Buffer or a string fails with 1009, whatever the limits', async t => {
  const NONE = { maxMessageSize: Number.POSITIVE_INFINITY, maxFragments: Number.POSITIVE_INFINITY }
  const tooLarge = { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009 }
  const real = new MessageJoiner(NONE)
  // from Node 22 on a Buffer may have any size up to 2^53 - 1
  if (constants.MAX_LENGTH < Number.MAX_SAFE_INTEGER) {
    t.throws(() => real.add(new Frame(Opcode.Binary, '').asPart(0, Number.MAX_SAFE_INTEGER)), tooLarge, 'as announced')
  }
  const capacity = { bytes: 100, characters: 20 }
  const sent = (opcode: Opcode, ...pieces: string[]) => {
    const joiner = new MessageJoiner(NONE, capacity)
    const frames = pieces.map((piece, i) => {
      return new Frame(i === 0 ? opcode : Opcode.Continuation, piece, i === pieces.length - 1)
    })
    return frames.map(frame => joiner.add(frame)).at(-1)
  }
  t.same(sent(Opcode.Binary, 'a'.repeat(60), 'b'.repeat(40)), Buffer.from('a'.repeat(60) + 'b'.repeat(40)))
  t.throws(() => sent(Opcode.Binary, 'a'.repeat(60), 'b'.repeat(41)), tooLarge)
  t.equal(sent(Opcode.Text, 'a'.repeat(10), 'b'.repeat(10)), 'a'.repeat(10) + 'b'.repeat(10))
  t.throws(() => sent(Opcode.Text, 'a'.repeat(10), 'b'.repeat(11), ''), tooLarge, 'as soon as it is certain')
  t.equal(sent(Opcode.Text, '€'.repeat(10), '€'.repeat(10)), '€'.repeat(20))
  t.throws(() => sent(Opcode.Text, '€'.repeat(10), '€'.repeat(11), ''), tooLarge)
})

t.test('running out of memory ends the connection, not the process', async t => {
  t.throws(() => allocate(2 ** 53), { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009, fault: 'local' })
})

t.test("an invalid message fails with 1002, 1007, 1008 or 1009, and is the peer's fault", async t => {
  const failure = (frames: Frame[], limits: Partial<MessageLimits> = {}): unknown => {
    const joiner = new MessageJoiner({ ...NO_LIMITS, ...limits })
    try {
      for (const frame of frames) joiner.add(frame)
    } catch (error) {
      return error
    }
    return null
  }
  t.match(failure([new Frame(Opcode.Continuation, 'a')]), { closeCode: 1002, fault: 'peer' })
  t.match(failure([new Frame(Opcode.Text, 'a', false), new Frame(Opcode.Text, 'b')]), {
    closeCode: 1002,
    fault: 'peer'
  })
  t.match(failure([new Frame(Opcode.Text, Buffer.from([0xff]))]), { closeCode: 1007, fault: 'peer' })
  t.match(failure([new Frame(Opcode.Text, 'a', false)], { maxFragments: 0 }), { closeCode: 1008, fault: 'peer' })
  t.match(failure([new Frame(Opcode.Text, 'ab')], { maxMessageSize: 1 }), { closeCode: 1009, fault: 'peer' })
})

for (const [who, { masked }] of Object.entries(SIDES)) {
  t.test(`${who} reads random messages in random fragments and random pieces`, async t => {
    const next = random(13)
    const integer = (below: number): number => Math.floor(next() * below)
    for (let round = 0; round < 80; round++) {
      const frames: WireFrame[] = []
      const expected: string[] = []
      for (let i = integer(6); i >= 0; i--) {
        const isText = next() < 0.6
        const characters = Array.from({ length: integer(next() < 0.2 ? 9000 : 60) }, () =>
          String.fromCodePoint(
            [65 + integer(26), 0xe0 + integer(30), 0x4e00 + integer(900), 0x1f600 + integer(60)][integer(4)]!
          )
        )
        const payload = isText ? Buffer.from(characters.join('')) : pattern(integer(20_000))
        const ends = Array.from({ length: integer(4) }, () => integer(payload.length + 1)).sort((a, b) => a - b)
        const parts = cut(payload, ...ends)
        for (const [j, part] of parts.entries()) {
          const fin = j === parts.length - 1
          frames.push(j > 0 ? more(part, fin) : isText ? text(part, fin) : binary(part, fin))
        }
        expected.push(describeMessage(isText ? characters.join('') : payload))
      }
      const bytes = wire(masked, ...frames)
      const ends = Array.from({ length: integer(12) }, () => integer(bytes.length + 1)).sort((a, b) => a - b)
      const outcome = read(new Reader(masked), cut(bytes, ...ends), next() < 0.5)
      if (outcome.error !== undefined || outcome.got.join() !== expected.join()) {
        t.fail(`round ${round}, cut at ${ends}: ${outcome.error}`)
      }
    }
    t.pass('80 rounds')
  })

  t.test(`A30: ${who} returns no small message that keeps its chunk alive`, async t => {
    for (const owned of [false, true]) {
      for (const size of [1, 64, 1000, 8000]) {
        for (const frames of [
          [binary(pattern(size))],
          [{ ...binary(pattern(size)), mask: Buffer.alloc(4) }],
          [binary(pattern(size), false), more('')],
          [binary('', false), more(pattern(size))]
        ]) {
          const bytes = wire(masked, ...frames)
          const chunk = Buffer.from(new ArrayBuffer(2 ** 20), 5, bytes.length)
          bytes.copy(chunk)
          const reader = new Reader(masked)
          reader.read(chunk, owned)
          const [message] = reader.messages as [Buffer]
          t.same(message, pattern(size))
          t.not(message.buffer.byteLength, 2 ** 20, `${size} bytes`)
        }
      }
    }
  })

  t.test(`A30: ${who} keeps at most 1 MiB after a message, though it may keep its last chunk`, async t => {
    const reader = new Reader(masked)
    const memories = [2 ** 20 + 4, 2 ** 26].flatMap(size =>
      [64, 2000, 100_000].map(length => feed(reader, size, length))
    )
    await new Promise(setImmediate)
    collectGarbage()
    t.same(
      memories.map(memory => memory.deref()?.byteLength),
      memories.map(() => undefined)
    )

    function feed(reader: Reader, size: number, length: number): WeakRef<ArrayBuffer> {
      const memory = new ArrayBuffer(size)
      const bytes = wire(masked, text('x'.repeat(50)), binary(pattern(100)), binary(pattern(length)))
      const chunk = Buffer.from(memory, 1000, bytes.length)
      bytes.copy(chunk)
      reader.read(chunk, true)
      reader.messages.length = 0
      return new WeakRef(memory)
    }
  })

  t.test(`A30: ${who} returns no large message in memory of more than twice its size`, async t => {
    for (const size of [9000, 20_000, 100_000]) {
      for (const pieces of [1, 2, 3, 10, 100]) {
        const bytes = wire(masked, binary(pattern(size)))
        const ends = Array.from({ length: pieces - 1 }, (_, i) => Math.floor(((i + 1) * bytes.length) / pieces))
        const reader = new Reader(masked)
        // each chunk in its own memory, as from a socket
        for (const chunk of cut(bytes, ...ends)) reader.read(Buffer.from(new Uint8Array(chunk).buffer))
        const [message] = reader.messages as [Buffer]
        t.same(message.length, size)
        t.ok(message.buffer.byteLength <= 2 * size, `${size} bytes in ${message.buffer.byteLength}`)
      }
    }
  })

  t.test(`${who} returns messages that outlive their chunk, and the next messages`, async t => {
    const reader = new Reader(masked)
    const frames = [binary(pattern(100)), binary(pattern(3), false), more(pattern(5)), text('text')]
    for (const frame of [...frames, ...frames]) {
      const chunk = wire(masked, frame)
      reader.read(chunk)
      chunk.fill(0xee)
    }
    const once = [pattern(100), Buffer.concat([pattern(3), pattern(5)]), 'text']
    t.same(reader.messages, [...once, ...once])
  })

  t.test(`A31: ${who} refuses 4 MiB of text whose last byte is invalid`, async t => {
    const payload = Buffer.alloc(2 ** 22, 'x')
    payload[payload.length - 1] = 0xff
    const wide = Buffer.from('\u20ac'.repeat(2 ** 21))
    wide[wide.length - 1] = 0x20
    for (const [what, bytes] of [
      ['ASCII', payload],
      ['other text', wide]
    ] as const) {
      const whole = wire(masked, text(bytes))
      const half = bytes.length >> 1
      const fragments = wire(masked, text(bytes.subarray(0, half), false), more(bytes.subarray(half)))
      const chunked = Array.from({ length: Math.ceil(whole.length / 65536) }, (_, i) =>
        bytesOf(whole.subarray(i * 65536, i * 65536 + 65536))
      )
      for (const [how, chunks] of [
        ['in one chunk', [whole]],
        ['in chunks', chunked],
        ['in fragments', [fragments]]
      ] as const) {
        t.same(
          read(new Reader(masked), [...chunks], false),
          { got: [], error: 'WS_ERR_INVALID_UTF8', fed: fedOf(chunks) },
          `${what} ${how}`
        )
      }
    }
  })

  t.test(`A10: ${who} takes at most three times the size of a message that arrives byte by byte`, async t => {
    const partly = (size: number) => (): Reader => {
      const reader = new Reader(masked)
      const bytes = wire(masked, binary(pattern(size)))
      for (let i = 0; i < bytes.length - 1; i++) reader.read(Buffer.from([bytes[i]!]))
      return reader
    }
    const [small, large] = [held(partly(2 ** 16)), held(partly(2 ** 18))]
    t.ok(large < 3 * 2 ** 18, `${large} bytes for ${2 ** 18}`)
    t.ok(large < 6 * Math.max(small, 2 ** 16), `four times the message: ${small}, then ${large} bytes`)
  })

  t.test(`A10: ${who} takes almost no memory for fragments of one byte or none`, async t => {
    for (const payload of ['', 'x']) {
      const many = (count: number) => (): Reader => {
        const reader = new Reader(masked)
        reader.read(wire(masked, text(payload, false)))
        const fragment = wire(masked, more(payload, false))
        for (let i = 1; i < count; i++) reader.read(bytesOf(fragment))
        return reader
      }
      const size = held(many(2 ** 17))
      t.ok(size < 2 ** 22, `131072 fragments of ${payload.length} bytes: ${size} bytes`)
    }
  })

  t.test(`A09: ${who} allocates no memory for a length that is only announced`, async t => {
    const announced = wire(masked, { ...binary('x'), length: BigInt(2 ** 26 - 1) })
    const size = held(() =>
      Array.from({ length: 200 }, () => {
        const reader = new Reader(masked)
        reader.read(bytesOf(announced))
        return reader
      })
    )
    t.ok(size < 200 * 4096, `${size / 200} bytes for each frame of 64 MiB that began`)
  })
}

const fedOf = (chunks: readonly Buffer[]): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0)

t.test('a large unmasked binary message is a view of its chunk if that is ours, otherwise a copy', async t => {
  for (const owned of [true, false]) {
    const chunk = wire(false, binary(pattern(10_000)))
    const reader = new Reader(false)
    reader.read(chunk, owned)
    t.equal((reader.messages[0] as Buffer).buffer === chunk.buffer, owned)
    t.same(reader.messages[0], pattern(10_000))
  }
})

t.test('a large binary message is unmasked in place, in our own memory', async t => {
  const chunk = Buffer.from(new Uint8Array(wire(true, binary(pattern(10_000)))).buffer)
  const [ours, others] = [new Reader(true), new Reader(true)]
  others.read(chunk, false)
  t.not((others.messages[0] as Buffer).buffer, chunk.buffer)
  ours.read(chunk, true)
  t.equal((ours.messages[0] as Buffer).buffer, chunk.buffer)
  t.same(ours.messages, others.messages)
})

t.test('frames of text that is already a string are joined as well', async t => {
  const joiner = new MessageJoiner(NO_LIMITS)
  t.equal(joiner.add(new Frame(Opcode.Text, 'w\u00e4hrend')), 'w\u00e4hrend')
  t.same(joiner.add(new Frame(Opcode.Binary, 'x'.repeat(9000))), Buffer.alloc(9000, 'x'))
  t.equal(joiner.add(new Frame(Opcode.Text, 'w\u00e4h', false)), null)
  t.equal(joiner.add(new Frame(Opcode.Continuation, 'rend')), 'w\u00e4hrend')
})

t.test('a text longer than any string fails with 1009', async t => {
  // 512 MiB of zeros, for which the system allocates no memory
  const bytes = new Uint8Array(2 ** 29)
  const joiner = new MessageJoiner(NO_LIMITS)
  t.throws(() => joiner.add(new Frame(Opcode.Text, bytes)), { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009 })
})

// Node 20 has no such method; there our memory is left to the collector
if (!('transfer' in ArrayBuffer.prototype)) {
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', {
    configurable: true,
    value(this: ArrayBuffer): ArrayBuffer {
      return structuredClone(this, { transfer: [this] })
    }
  })
}

/** Copies of these bytes in chunks of this size, each in memory of its own. */
function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    const chunk = Buffer.allocUnsafeSlow(part.length)
    part.copy(chunk)
    chunks.push(chunk)
  }
  return chunks
}

t.test('chunks are freed as soon as they have been copied or decoded, if they are ours', async t => {
  const long = 'g\u00fct '.repeat(42_000)
  const bytes = pattern(210_000)
  const fragments = [binary(bytes.subarray(0, 70_000), false), more(bytes.subarray(70_000))]
  // with a chunk that contains parts of two payloads, which is not freed
  const cases: [what: string, wanted: string | Buffer, frames: Buffer, kept: number][] = [
    ['binary in one frame', bytes, wire(true, binary(bytes)), 0],
    ['binary in fragments', bytes, wire(true, ...fragments), 1],
    ['text in one frame', long, wire(true, text(long)), 0],
    ['text in one chunk', 'x'.repeat(10_000), wire(true, text('x'.repeat(10_000))), 0]
  ]
  for (const [what, wanted, frames, kept] of cases) {
    for (const owned of [true, false]) {
      const chunks = chunksOf(frames, 65536)
      const reader = new Reader(true)
      for (const chunk of chunks) reader.read(chunk, owned)
      t.same(reader.messages, [wanted], what)
      if (!owned) t.same(Buffer.concat(chunks), frames, `${what}: nothing of a foreign chunk is freed or changed`)
      if (owned) t.equal(chunks.filter(chunk => chunk.length > 0).length, kept, what)
    }
  }
})

t.test('a chunk that contains more than one payload is not freed', async t => {
  const texts = ['x'.repeat(5000), 'y'.repeat(5000)]
  const [chunk] = chunksOf(wire(true, text(texts[0]!), text(texts[1]!)), 65536)
  const reader = new Reader(true)
  reader.read(chunk!, true)
  t.same(reader.messages, texts)
  t.ok(chunk!.length > 10_000)
})

t.test('memory that a message has outgrown, or does not need, is freed', async t => {
  const freed: number[] = []
  const { transfer } = ArrayBuffer.prototype as unknown as { transfer(size: number): ArrayBuffer }
  t.intercept(ArrayBuffer.prototype, 'transfer' as keyof ArrayBuffer, {
    configurable: true,
    value(this: ArrayBuffer, size: number): ArrayBuffer {
      freed.push(this.byteLength)
      return transfer.call(this, size)
    }
  })
  const parts = [pattern(40_000), pattern(1000), pattern(5000)]
  const frames = [binary(parts[0]!, false), more(parts[1]!, false), more(parts[2]!)]
  const reader = new Reader(true)
  for (const frame of frames) reader.read(wire(true, frame))
  t.same(reader.messages, [Buffer.concat(parts)])
  // among them the copies of two chunks, which are not ours
  t.same(freed, [40_008, 40_000, 5008, 80_000], 'what it has outgrown, and what was too large for it')
})

t.test('where the platform cannot free memory, the collector does', async t => {
  const { prototype } = ArrayBuffer
  const transfer = Object.getOwnPropertyDescriptor(prototype, 'transfer')!
  t.teardown(() => Object.defineProperty(prototype, 'transfer', transfer))
  Reflect.deleteProperty(prototype, 'transfer')
  const chunks = chunksOf(wire(true, binary(pattern(200_000))), 65536)
  const reader = new Reader(true)
  for (const chunk of chunks) reader.read(chunk, true)
  t.same(reader.messages, [pattern(200_000)])
  t.ok(chunks.every(chunk => chunk.length > 0))
})
