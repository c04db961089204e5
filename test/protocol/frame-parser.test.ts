import t from 'tap'
import type { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import {
  binary,
  byteByByte,
  bytesOf,
  cut,
  describe,
  header,
  pattern,
  ping,
  random,
  text,
  wire
} from '../support/frames.js'
import { FRAME_CASES, MASK_CASES } from './frame-cases.js'
import { collectGarbage } from './memory.js'
import { BEHIND, codeOf, Gatherer, inAllWays, type Outcome, SIDES, type Side } from './ways.js'

const NO_LIMIT = Number.POSITIVE_INFINITY

function parserFor({ masked }: Side, maxFrameSize = NO_LIMIT, rsv = 0): FrameParser {
  const parser = new FrameParser({ masked, maxFrameSize })
  parser.allowedRsv = rsv
  return parser
}

function read(parser: FrameParser, chunks: Buffer[], owned: boolean): Outcome {
  const gatherer = new Gatherer()
  let fed = 0
  try {
    for (const chunk of chunks) {
      fed += chunk.length
      parser.push(chunk, owned)
      for (let frame = parser.next(); frame !== null; frame = parser.next()) gatherer.take(frame)
    }
  } catch (error) {
    return { got: gatherer.got, error: codeOf(error), fed }
  }
  return { got: gatherer.got, fed }
}

/** All frames that the parser has at present. */
function rest(parser: FrameParser): Frame[] {
  const frames: Frame[] = []
  for (let frame = parser.next(); frame !== null; frame = parser.next()) frames.push(frame)
  return frames
}

for (const { says, maxFrameSize, rsv, ...arrival } of FRAME_CASES) {
  t.test(says, async t => {
    inAllWays(t, arrival, arrival.frames.map(describe), describe(BEHIND), (side, chunks, owned) =>
      read(parserFor(side, maxFrameSize, rsv), chunks, owned)
    )
  })
}

for (const { opcode, frames, wrong } of MASK_CASES) {
  for (const [role, error, says] of [
    ['server', 'WS_ERR_EXPECTED_MASK', 'a server refuses an unmasked frame'],
    ['client', 'WS_ERR_UNEXPECTED_MASK', 'a client refuses a masked frame']
  ] as const) {
    t.test(`${says}: opcode ${opcode}`, async t => {
      inAllWays(t, { frames, wrong, error }, frames.map(describe), '', (side, chunks, owned) =>
        side.role === role ? read(parserFor(side), chunks, owned) : { got: frames.map(describe), error, fed: 0 }
      )
    })
  }
}

t.test('the examples of RFC 6455 §5.7 are read', async t => {
  const examples: [string, string, string][] = [
    ['a client', '810548656c6c6f', 'text 48656c6c6f'],
    ['a server', '818537fa213d7f9f4d5158', 'text 48656c6c6f'],
    ['a client', '890548656c6c6f', 'ping 48656c6c6f'],
    ['a server', '8a8537fa213d7f9f4d5158', 'pong 48656c6c6f']
  ]
  for (const [who, hex, expected] of examples) {
    t.same(read(parserFor(SIDES[who]!), [Buffer.from(hex, 'hex')], false).got, [expected], hex)
  }
  const fragments = Buffer.from('010348656c80026c6f', 'hex')
  t.same(read(parserFor(SIDES['a client']!), [fragments], false).got, ['text+ 48656c', 'more 6c6f'])
})

for (const [who, side] of Object.entries(SIDES)) {
  t.test(`${who} reads frames split at any byte, and at any two`, async t => {
    const frames = [text('ab'), ping('c'), binary(pattern(130)), text('')]
    const bytes = wire(side.masked, ...frames)
    const expected = frames.map(describe)
    const wrong: string[] = []
    for (let i = 0; i <= bytes.length; i++) {
      for (let j = i; j <= bytes.length; j++) {
        const outcome = read(parserFor(side), cut(bytes, i, j), (i + j) % 2 === 0)
        if (outcome.error !== undefined || outcome.got.join() !== expected.join()) wrong.push(`${i}, ${j}`)
      }
    }
    t.same(wrong, [])
  })

  t.test(`${who} reads random frames in random pieces`, async t => {
    const next = random(6455)
    for (let round = 0; round < 60; round++) {
      const frames = Array.from({ length: 1 + next() * 8 }, () => ({
        ...binary(pattern(Math.floor(next() ** 4 * 70_000)), next() < 0.5),
        mask: Buffer.from(Array.from({ length: 4 }, () => next() * 256))
      }))
      const bytes = wire(side.masked, ...frames)
      const cuts = Array.from({ length: next() * 20 }, () => Math.floor(next() * bytes.length)).sort((a, b) => a - b)
      const { got } = read(parserFor(side), cut(bytes, ...cuts), next() < 0.5)
      if (got.join() !== frames.map(describe).join()) t.fail(`round ${round}, cut at ${cuts}`)
    }
    t.pass('60 rounds')
  })

  t.test(`${who} passes on parts of a data frame as they arrive, the first part marked`, async t => {
    const payload = pattern(10)
    const parser = parserFor(side)
    const parts = cut(wire(side.masked, binary(payload)), side.masked ? 6 : 2, side.masked ? 9 : 5).flatMap(chunk => {
      parser.push(chunk, false)
      return rest(parser)
    })
    t.ok(
      parts.every(part => part.length === 10 && part.fin && part.opcode === 2),
      'each knows its frame'
    )
    t.same(Buffer.concat(parts.map(part => part.payload)), payload)
    t.same(
      parts.map(part => [part.offset, part.size, part.first]),
      [
        [0, 0, true],
        [0, 3, false],
        [3, 7, false]
      ],
      'a first part may be empty: its header alone is there'
    )
    t.same(
      parts.map(part => part.complete),
      parts.map((_, i) => i === parts.length - 1),
      'only the last part completes the frame'
    )
  })

  t.test(`${who} passes a control frame on when it is whole`, async t => {
    const bytes = wire(side.masked, ping(pattern(125)))
    const parser = parserFor(side)
    for (const byte of byteByByte(bytes.subarray(0, -1))) {
      parser.push(byte, false)
      t.equal(parser.next(), null)
    }
    parser.push(bytesOf(bytes.subarray(-1)), false)
    const frame = parser.next()!
    t.ok(frame.complete)
    t.same(frame.payload, pattern(125))
  })

  t.test(`${who} can stop inside a chunk, and continue later`, async t => {
    const bytes = wire(side.masked, text('a'), text('b'), text('c'))
    const parser = parserFor(side)
    parser.push(bytesOf(bytes), false)
    t.equal(parser.next()!.payload.toString(), 'a')
    t.equal(parser.next()!.payload.toString(), 'b')
    parser.push(wire(side.masked, text('d')), false)
    t.same(
      rest(parser).map(frame => frame.payload.toString()),
      ['c', 'd'],
      'what is pushed meanwhile comes behind'
    )
  })

  t.test(`${who} ignores empty chunks`, async t => {
    const bytes = wire(side.masked, text('ab'), ping('c'))
    const empty = Buffer.alloc(0)
    const chunks = byteByByte(bytes).flatMap(byte => [empty, byte, empty])
    t.same(read(parserFor(side), chunks, false).got, [text('ab'), ping('c')].map(describe))
  })

  t.test(`${who} accepts lengths up to 2^53-1 if there is no limit`, async t => {
    for (const length of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
      const parser = parserFor(side)
      parser.push(
        Buffer.concat([header(side.masked, { ...binary(''), length: BigInt(length) }), Buffer.from('x')]),
        false
      )
      const frame = parser.next()!
      t.equal(frame.length, length)
      t.equal(frame.size, 1)
      t.notOk(frame.complete)
    }
  })
}

t.test('without input it returns no frame', async t => {
  const parser = parserFor(SIDES['a server']!)
  t.equal(parser.next(), null)
})

t.test('reserved bits may be negotiated later', async t => {
  const parser = parserFor(SIDES['a client']!)
  const frame = { ...text('x'), rsv: 4 }
  parser.push(wire(false, text('a')), false)
  t.equal(parser.next()!.rsv, 0)
  parser.allowedRsv = 4
  parser.push(wire(false, frame), false)
  t.equal(parser.next()!.rsv, 4)
})

t.test('A30: the end of a chunk, even a part of a frame, does not keep the chunk alive', async t => {
  for (const [who, side] of Object.entries(SIDES)) {
    const tails: [string, Buffer][] = [
      ['nothing', Buffer.alloc(0)],
      ['one byte of a header', wire(side.masked, text('x')).subarray(0, 1)],
      ['a part of a header', wire(side.masked, binary(pattern(300))).subarray(0, 3)],
      ['a part of a Ping', wire(side.masked, ping('xyz')).subarray(0, -1)],
      ['a part of a text frame', wire(side.masked, text('xyz')).subarray(0, -1)]
    ]
    for (const [what, tail] of tails) {
      for (const ahead of [text('ahead'), null]) {
        const parser = parserFor(side)
        const memory = feed(parser, ahead === null ? tail : Buffer.concat([wire(side.masked, ahead), tail]))
        // a WeakRef keeps its target until the end of the turn
        await new Promise(setImmediate)
        collectGarbage()
        const alone = ahead === null ? 'alone' : 'behind a frame'
        t.equal(memory.deref(), undefined, `${who}: ${what}, ${alone} in its chunk`)
      }
    }
  }

  // in its own function, so that no local variable holds the objects
  function feed(parser: FrameParser, bytes: Buffer): WeakRef<ArrayBuffer> {
    const memory = new ArrayBuffer(2 ** 20)
    const chunk = Buffer.from(memory, 1000, bytes.length)
    bytes.copy(chunk)
    parser.push(chunk, false)
    rest(parser)
    return new WeakRef(memory)
  }
})
