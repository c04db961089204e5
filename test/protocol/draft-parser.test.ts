import t, { type Test } from 'tap'
import { DraftParser, type DraftVersion, isDraft } from '../../lib/protocol/draft-parser.js'
import type { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { base128, CLOSE_76, ended, measured, quoted, readDraft, VERSIONS } from '../support/draft-frames.js'
import { byteByByte, bytesOf, cut, random } from '../support/frames.js'
import { collectGarbage } from './memory.js'
import { codeOf, WAYS } from './ways.js'

const NO_LIMIT = Number.POSITIVE_INFINITY

const parserFor = (version: DraftVersion, maxFrameSize = NO_LIMIT): DraftParser =>
  new DraftParser({ version, maxFrameSize })

interface Outcome {
  got: string[]
  error?: string | undefined
  /** The number of bytes that had been fed when it failed. */
  fed: number
}

function read(parser: DraftParser, chunks: Buffer[], owned = false): Outcome {
  const got: string[] = []
  let parts: Buffer[] = []
  let size = 0
  let fed = 0
  const take = (frame: Frame): void => {
    if (frame.opcode === Opcode.Close) {
      got.push(frame.length === 0 && frame.complete ? 'close' : 'a strange close')
      return
    }
    const isSound =
      frame.opcode === Opcode.Text && frame.fin && frame.rsv === 0 && frame.owner === (owned ? 'us' : 'wire')
    if (!isSound || frame.offset !== size || frame.first !== (parts.length === 0)) got.push('a strange frame')
    parts.push(bytesOf(frame.payload))
    size += frame.size
    if (frame.length !== (frame.complete ? size : -1)) got.push(`a length of ${frame.length}`)
    if (!frame.complete) return
    got.push(quoted(Buffer.concat(parts)))
    parts = []
    size = 0
  }
  try {
    for (const chunk of chunks) {
      fed += chunk.length
      parser.push(chunk, owned)
      for (const frame of rest(parser)) take(frame)
    }
  } catch (error) {
    return { got, error: codeOf(error), fed }
  }
  return { got, fed }
}

/** All messages that the parser has at present. */
function* rest(parser: DraftParser): Generator<Frame> {
  for (let frame = parser.next(); frame !== null; frame = parser.next()) yield frame
}

/** Whole and byte by byte, alone and with a frame after it, on memory that the parser owns and on memory that it does not. */
function inAllWays(
  t: Test,
  version: DraftVersion,
  right: Buffer,
  wrong?: Buffer,
  error?: string,
  limit?: number
): void {
  const expected = readDraft(version, right)
  const bytes = Buffer.concat([right, wrong ?? Buffer.alloc(0)])
  for (const [way, cutUp] of Object.entries(WAYS)) {
    for (const owned of [false, true]) {
      for (const followed of [false, true]) {
        const circumstances = `${version}, ${way}, ${owned ? 'its own memory' : "another's memory"}`
        const chunks = cutUp(followed ? Buffer.concat([bytes, ended('behind')]) : bytes)
        const outcome = read(parserFor(version, limit), chunks, owned)
        const all = followed && error === undefined ? [...expected, '"behind"'] : expected
        t.same(
          { got: outcome.got, error: outcome.error },
          { got: all, error },
          `${circumstances}${followed ? ', a frame behind' : ''}`
        )
        if (error !== undefined && way !== 'whole' && outcome.fed > bytes.length) {
          t.fail(`${circumstances}: failed after ${outcome.fed} bytes, where ${bytes.length} show the fault`)
        }
      }
    }
  }
}

const LENGTHS = [0, 1, 2, 127, 128, 129, 1000, 16383, 16384]

const RIGHT: [string, ...Buffer[]][] = [
  ['text between 00 and FF is a message', ended('Hello')],
  ['an empty text is a message', ended('')],
  ['text of every kind of character comes through', ended('a\u0000\u007f\u0080ü€😀')],
  ...LENGTHS.map((length): [string, Buffer] => [`a text of ${length} bytes is read`, ended('x'.repeat(length))]),
  ['many messages come out of one chunk', ended('a'), ended(''), ended('b'), ended('c')],
  ...[0x01, 0x2a, 0x7f].map((type): [string, ...Buffer[]] => [
    `a frame of type ${type} goes to the next FF, and is discarded`,
    ended('a'),
    ended('unknown', type),
    ended('', type),
    ended('b')
  ]),
  ...[0x80, 0xc1, 0xfe, 0xff].flatMap(type =>
    LENGTHS.slice(1).map((length): [string, ...Buffer[]] => [
      `a frame of type ${type} and ${length} bytes is skipped, whatever is in it`,
      ended('a'),
      measured(type, Buffer.alloc(length, Buffer.from([0x00, 0xff, 0x80]))),
      ended('b')
    ])
  ),
  ['an empty frame with a length is skipped', ended('a'), measured(0x80, ''), measured(0xfe, ''), ended('b')],
  ['a length with zeros ahead is read', measured(0x80, 'abc', 2), ended('a'), measured(0x80, 'abc', 8), ended('b')],
  ['FF 00 is the Close of hixie-76, and a skipped frame of hixie-75', ended('a'), CLOSE_76],
  ['FF with a length of zero in several digits is a Close as well', ended('a'), measured(0xff, '', 3)],
  ['FF with a length is no Close', ended('a'), measured(0xff, '\u0000'), ended('b')]
]

for (const version of VERSIONS) {
  for (const [says, ...frames] of RIGHT) {
    t.test(`${version}: ${says}`, async t => inAllWays(t, version, Buffer.concat(frames)))
  }

  const before = Buffer.concat([ended('a'), measured(0x80, 'b'), ended('c', 0x01)])
  for (const limit of [3, 127, 128, 1000]) {
    for (const [what, frame, over] of [
      ['text', ended('x'.repeat(limit)), Buffer.from(`\0${'x'.repeat(limit + 1)}`)],
      ['discarded', ended('x'.repeat(limit), 0x05), Buffer.from(`\x05${'x'.repeat(limit + 1)}`)],
      ['skipped', measured(0x80, 'x'.repeat(limit)), Buffer.concat([Buffer.from([0x80]), base128(limit + 1)])]
    ] as const) {
      t.test(`${version}: a ${what} frame of ${limit} bytes passes that limit, and one more byte does not`, async t => {
        inAllWays(t, version, Buffer.concat([before, frame]), undefined, undefined, limit + 3)
        const parser = parserFor(version, limit)
        t.equal(read(parser, [frame]).error, undefined)
        const parts = over.subarray(-1)
        t.equal(read(parser, [over.subarray(0, -1)]).error, undefined, 'up to the limit nothing is wrong')
        t.equal(read(parser, [parts]).error, 'WS_ERR_FRAME_TOO_LARGE', 'at the first byte over it')
      })
    }
  }

  t.test(`${version}: frames before an error are returned`, async t => {
    const wrong = Buffer.concat([Buffer.from([0x80]), base128(1001)])
    inAllWays(t, version, before, wrong, 'WS_ERR_FRAME_TOO_LARGE', 1000)
  })

  t.test(`${version}: with a limit of 0, empty frames pass and one byte does not`, async t => {
    t.same(read(parserFor(version, 0), [ended(''), measured(0x80, '')]).got, ['""'])
    for (const wrong of [Buffer.from('\0x'), Buffer.from('\x01x'), Buffer.from([0x80, 0x01])]) {
      t.equal(read(parserFor(version, 0), [wrong]).error, 'WS_ERR_FRAME_TOO_LARGE')
    }
  })

  for (const type of [0x80, 0xff]) {
    t.test(`A01: ${version}: an endless length is refused while it is read, type ${type}`, async t => {
      for (const limit of [1000, 2 ** 26 - 1, 2 ** 40, NO_LIMIT]) {
        for (const digit of [0x81, 0xc0, 0xff]) {
          const outcome = read(parserFor(version, limit), byteByByte(Buffer.alloc(100, digit).fill(type, 0, 1)))
          t.match(outcome.error, /^WS_ERR_(FRAME_TOO_LARGE|INVALID_LENGTH)$/)
          t.ok(outcome.fed <= 9, `${outcome.fed} bytes`)
        }
        const zeros = read(parserFor(version, limit), byteByByte(Buffer.alloc(100, 0x80).fill(type, 0, 1)))
        t.same(zeros, { got: [], error: 'WS_ERR_INVALID_LENGTH', fed: 9 }, 'zeros, too')
      }
      t.equal(
        read(parserFor(version, 1000), byteByByte(Buffer.alloc(100, 0xff).fill(type, 0, 1))).error,
        'WS_ERR_FRAME_TOO_LARGE'
      )
    })
  }

  t.test(`A01: ${version}: a length over 2^53-1 is refused whatever the limit`, async t => {
    const parser = parserFor(version)
    parser.push(Buffer.concat([Buffer.from([0x80]), base128(Number.MAX_SAFE_INTEGER)]), false)
    t.equal(parser.next(), null)
    const over = Buffer.concat([Buffer.from([0x80]), base128(2 ** 53)])
    t.equal(read(parserFor(version), [over]).error, 'WS_ERR_FRAME_TOO_LARGE')
  })

  t.test(`A01: ${version}: nothing of a skipped or discarded frame is buffered`, async t => {
    const skipped = parserFor(version)
    skipped.push(Buffer.concat([Buffer.from([0x80]), base128(2 ** 40)]), false)
    const discarded = parserFor(version)
    discarded.push(Buffer.from([0x01]), false)
    for (const parser of [skipped, discarded]) {
      t.equal(parser.next(), null)
      const chunks = Array.from({ length: 16 }, () => feed(parser))
      // a WeakRef keeps its target until the end of the turn
      await new Promise(setImmediate)
      collectGarbage()
      t.same(
        chunks.filter(chunk => chunk.deref() !== undefined),
        [],
        'every chunk is gone'
      )
    }

    function feed(parser: DraftParser): WeakRef<Buffer> {
      const chunk = Buffer.alloc(2 ** 20, 0x41)
      parser.push(chunk, false)
      if (parser.next() !== null) t.fail('a frame came out')
      return new WeakRef(chunk)
    }
  })

  t.test(`${version}: frames split at any byte, and at any two, are read`, async t => {
    const bytes = Buffer.concat([ended('aü'), measured(0x90, '\0b\xff', 2), ended('c', 0x11), ended(''), ended('€d')])
    const expected = readDraft(version, bytes).join()
    const wrong: string[] = []
    for (let i = 0; i <= bytes.length; i++) {
      for (let j = i; j <= bytes.length; j++) {
        const { got, error } = read(parserFor(version), cut(bytes, i, j), (i + j) % 2 === 0)
        if (error !== undefined || got.join() !== expected) wrong.push(`${i}, ${j}`)
      }
    }
    t.same(wrong, [])
  })

  t.test(`${version}: random frames in random pieces are read`, async t => {
    const next = random(7576)
    for (let round = 0; round < 60; round++) {
      const frames = Array.from({ length: 1 + next() * 8 }, () => {
        const payload = 'zß€'.repeat(Math.floor(next() ** 4 * 10_000))
        const type = Math.floor(next() * 256)
        if (next() < 0.5) return ended(payload)
        return type < 0x80 ? ended(payload, type) : measured(type, payload)
      })
      const bytes = Buffer.concat(frames)
      const cuts = Array.from({ length: next() * 20 }, () => Math.floor(next() * bytes.length)).sort((a, b) => a - b)
      const { got } = read(parserFor(version), cut(bytes, ...cuts))
      if (got.join() !== readDraft(version, bytes).join()) t.fail(`round ${round}, cut at ${cuts}`)
    }
    t.pass('60 rounds')
  })

  t.test(`${version}: text is passed on as it arrives, its length unknown until its end`, async t => {
    const parser = parserFor(version)
    const parts = [Buffer.from([0x00]), Buffer.from('ab'), Buffer.from('cde'), Buffer.from([0xff])].flatMap(chunk => {
      parser.push(chunk, false)
      return [...rest(parser)]
    })
    t.same(
      parts.map(({ first, offset, size, length, complete, fin }) => [first, offset, size, length, complete, fin]),
      [
        [true, 0, 2, -1, false, true],
        [false, 2, 3, -1, false, true],
        [false, 5, 0, 5, true, true]
      ],
      'the last part may be empty'
    )
  })

  t.test(`${version}: parsing can stop inside a chunk, and continue later`, async t => {
    const parser = parserFor(version)
    parser.push(Buffer.concat([ended('a'), ended('b'), ended('c')]), false)
    t.equal(parser.next()!.payload.toString(), 'a')
    t.equal(parser.next()!.payload.toString(), 'b')
    parser.push(ended('d'), false)
    t.same(
      [...rest(parser)].map(frame => [frame.owner === 'us', frame.payload.toString()].reverse()),
      [
        ['c', true],
        ['d', true]
      ],
      'what is pushed meanwhile comes behind, in memory of its own'
    )
    t.equal(parser.next(), null)
  })

  t.test(`${version}: empty chunks are ignored`, async t => {
    const empty = Buffer.alloc(0)
    const bytes = Buffer.concat([ended('ab'), measured(0x80, 'x'), ended('c')])
    t.same(
      read(
        parserFor(version),
        byteByByte(bytes).flatMap(byte => [empty, byte, empty])
      ).got,
      ['"ab"', '"c"']
    )
  })

  t.test(`A30: ${version}: the end of a chunk does not keep the chunk alive`, async t => {
    const tails: Buffer[] = [
      Buffer.alloc(0),
      Buffer.from([0x00]),
      Buffer.from('\0abc'),
      Buffer.from('\x01abc'),
      Buffer.from([0x80]),
      Buffer.from([0x80, 0x81]),
      Buffer.from([0x80, 0x09, 0x41])
    ]
    for (const tail of tails) {
      const parser = parserFor(version)
      const memory = feed(parser, Buffer.concat([ended('ahead'), tail]))
      // a WeakRef keeps its target until the end of the turn
      await new Promise(setImmediate)
      collectGarbage()
      t.equal(memory.deref(), undefined, tail.toString('hex'))
    }

    // in its own function, so that no local variable holds the objects
    function feed(parser: DraftParser, bytes: Buffer): WeakRef<ArrayBuffer> {
      const memory = new ArrayBuffer(2 ** 20)
      const chunk = Buffer.from(memory, 1000, bytes.length)
      bytes.copy(chunk)
      parser.push(chunk, false)
      for (const frame of rest(parser)) t.equal(frame.opcode, Opcode.Text)
      return new WeakRef(memory)
    }
  })
}

t.test('hixie-75: the end of the wire between frames counts as a Close, and inside one does not', async t => {
  const parser = parserFor('hixie-75')
  t.match(parser.end(), { opcode: Opcode.Close, size: 0, complete: true }, 'at the very beginning')
  for (const frame of [ended('ab'), ended('ab', 0x01), measured(0x80, 'ab', 2)]) {
    const cutAt = Array.from({ length: frame.length }, (_, i) => {
      read(parser, [frame.subarray(i, i + 1)])
      return parser.end()?.opcode
    })
    t.same(cutAt, [...new Array(frame.length - 1).fill(undefined), Opcode.Close])
  }
})

t.test('hixie-76: the end of the wire does not count as a Close', async t => {
  const parser = parserFor('hixie-76')
  t.equal(parser.end(), null)
  read(parser, [ended('ab')])
  t.equal(parser.end(), null)
})

t.test('frames are counted when they begin, and messages when they end', async t => {
  for (const version of VERSIONS) {
    const parser = parserFor(version)
    t.same([parser.frames, parser.messages], [0, 0])
    const arrivals = [
      ended('a'),
      ended('b', 0x01),
      measured(0x80, 'c', 2),
      Buffer.from('\0d'),
      Buffer.from([0xff]),
      CLOSE_76
    ]
    const counts = arrivals.map(bytes => {
      read(parser, [bytes])
      return [parser.frames, parser.messages]
    })
    t.same(counts, [
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
      [4, 2],
      [5, 2]
    ])
  }
})

t.test('the drafts are distinguished from later versions', async t => {
  t.same(['hixie-75', 'hixie-76', 'hybi-7', 'hybi-8', 'hybi-13', 'rfc8441', ''].map(isDraft), [
    ...[true, true],
    ...new Array(5).fill(false)
  ])
})

t.test('both have the interface of FrameParser', async t => {
  const parser = parserFor('hixie-76')
  t.equal(parser.allowedRsv, 0)
  t.equal(parser.next(), null, 'without input there is no frame')
})
