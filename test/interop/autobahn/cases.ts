// The cases of groups 1 to 7 of the Autobahn suite, as a table: what a peer sends to an echo, and what must come back. The numbers are those
// of the suite. Knows neither roles nor wires.

import { INVALID, isTruncated, VALID } from '../../protocol/utf8-cases.js'
import { BINARY, CLOSE, closeBody, type FrameChanges, PING, PONG, type RawPeer, TEXT } from '../../support/raw-peer.js'

/** The bytes of one frame, as the peer sends it. */
export type Frame = (peer: RawPeer) => Buffer

export interface Case {
  id: string
  says: string
  /** One entry for each frame. */
  sends: Frame[]
  /** The replies, before the Close. */
  gets: string[]
  /**
   * The code and reason of the Close that comes back. After an error it is sent at once; otherwise it answers the peer's Close, which may be
   * sent after the other frames.
   */
  closes: string
  /** The echo ends because of an error. */
  isFault: boolean
}

const f =
  (opcode: number, payload: string | Uint8Array = '', changes: FrameChanges = {}): Frame =>
  peer =>
    peer.frame(opcode, payload, changes)
const text = (payload: string | Uint8Array = 'Hello', changes: FrameChanges = {}) => f(TEXT, payload, changes)
const more = (payload: string | Uint8Array = '', fin = true) => f(0, payload, { fin })
const first = (payload: string | Uint8Array, opcode = TEXT) => f(opcode, payload, { fin: false })
const ping = (payload: string | Uint8Array = '') => f(PING, payload)
const pong = (payload: string | Uint8Array = '') => f(PONG, payload)
const close = (code: number, reason: string | Uint8Array = '') =>
  f(CLOSE, Buffer.concat([closeBody(code), Buffer.from(reason as string)]))

/** The replies, as text. */
export function describe(opcode: number, payload: Buffer): string {
  const kind = { [TEXT]: 'text', [BINARY]: 'binary', [PING]: 'ping', [PONG]: 'pong' }[opcode] ?? `opcode ${opcode}`
  return `${kind} ${payload.length > 200 ? `of ${payload.length} bytes` : payload.toString('latin1')}`
}

const echoed = (payload: string | Uint8Array, opcode: number = TEXT) => describe(opcode, Buffer.from(payload as string))

const right = (id: string, says: string, sends: Frame[], gets: string[], closes = '1000'): Case => ({
  id,
  says,
  sends,
  gets,
  closes,
  isFault: false
})

const wrong = (id: string, says: string, sends: Frame[], code = 1002, gets: string[] = []): Case => ({
  id,
  says,
  sends,
  gets,
  closes: String(code),
  isFault: true
})

const LENGTHS = [0, 125, 126, 127, 128, 65535, 65536]
const BYTES = Buffer.from('00fffefdfcfb00ff', 'hex')
const WORD = Buffer.from('cebae1bdb9cf83cebcceb5', 'hex')
const LONG = 'x'.repeat(125)
const TEN = Array.from({ length: 10 }, (_, i) => `payload-${i}`)

const framing = [TEXT, BINARY].flatMap((opcode, i) =>
  LENGTHS.map((length, j) => {
    const payload = opcode === TEXT ? '*'.repeat(length) : Buffer.alloc(length, 0xfe)
    const kind = opcode === TEXT ? 'text' : 'binary message'
    return right(`1.${i + 1}.${j + 1}`, `${kind} of ${length} bytes`, [f(opcode, payload)], [echoed(payload, opcode)])
  })
)

const pings = [
  right('2.1', 'a Ping without a payload', [ping()], ['pong ']),
  right('2.2', 'a Ping with text in it', [ping('Hello')], ['pong Hello']),
  right('2.3', 'a Ping with bytes in it', [ping(BYTES)], [echoed(BYTES, PONG)]),
  right('2.4', 'a Ping of 125 bytes', [ping(LONG)], [`pong ${LONG}`]),
  wrong('2.5', 'a Ping of 126 bytes', [ping(`${LONG}x`)]),
  right('2.7', 'a Pong that nobody asked for', [pong()], []),
  right('2.8', 'a Pong that nobody asked for, with a payload', [pong('unsolicited')], []),
  right('2.9', 'such a Pong, and a Ping', [pong('unsolicited'), ping('asked')], ['pong asked']),
  right(
    '2.10',
    'ten Pings',
    TEN.map(payload => ping(payload)),
    TEN.map(payload => `pong ${payload}`)
  )
]

const reserved = [
  wrong('3.1', 'text with RSV3', [text('Hello', { rsv: 1 })]),
  wrong('3.2', 'text, text with RSV2, a Ping', [text(), text('Hello', { rsv: 2 }), ping()], 1002, ['text Hello']),
  wrong('3.3', 'text, text with RSV2 and 3, a Ping', [text(), text('Hello', { rsv: 3 }), ping()], 1002, ['text Hello']),
  wrong('3.4', 'text, text with RSV1, a Ping', [text(), text('Hello', { rsv: 4 }), ping()], 1002, ['text Hello']),
  wrong('3.5', 'bytes with RSV1 and 3', [f(BINARY, BYTES, { rsv: 5 })]),
  wrong('3.6', 'a Ping with RSV1 and 2', [f(PING, 'Hello', { rsv: 6 })]),
  wrong('3.7', 'a Close with all three', [f(CLOSE, closeBody(1000), { rsv: 7 })])
]

const opcodes = [
  [3, 4, 5, 6, 7],
  [11, 12, 13, 14, 15]
].flatMap((group, i) =>
  group.map((opcode, j) => {
    const id = `4.${i + 1}.${j + 1}`
    const bad = f(opcode, j % 2 === 0 ? '' : 'reserved')
    return j < 2
      ? wrong(id, `opcode ${opcode}`, [bad])
      : wrong(id, `text, opcode ${opcode}, a Ping`, [text(), bad, ping()], 1002, ['text Hello'])
  })
)

const nothingToContinue = [true, false].map((fin, i) =>
  wrong(`5.${i === 0 ? '9-11' : '12-14'}`, `a continuation of nothing, FIN ${fin}, and text`, [
    more('nothing', fin),
    text()
  ])
)

const fragmentation = [
  wrong('5.1', 'a Ping in two fragments', [first('one', PING), more('two')]),
  wrong('5.2', 'a Pong in two fragments', [first('one', PONG), more('two')]),
  right('5.3-5', 'text in two fragments', [first('one'), more('two')], ['text onetwo']),
  right(
    '5.6-8',
    'text in two fragments, a Ping between',
    [first('one'), ping('now'), more('two')],
    ['pong now', 'text onetwo']
  ),
  ...nothingToContinue,
  wrong(
    '5.15',
    'text in two fragments, a continuation of nothing, text',
    [first('one'), more('two'), more('three', false), text()],
    1002,
    ['text onetwo']
  ),
  wrong('5.16', 'continuations without FIN before each text', [
    more('one', false),
    text('two'),
    more('three', false),
    text('four')
  ]),
  wrong('5.17', 'continuations with FIN before each text', [more('one'), text('two'), more('three'), text('four')]),
  wrong('5.18', 'a second text inside the first', [first('one'), text('two')]),
  right(
    '5.19-20',
    'text in five fragments, Pings between',
    [first('1'), more('2', false), ping('a'), more('3', false), more('4', false), ping('b'), more('5')],
    ['pong a', 'pong b', 'text 12345']
  )
]

const complete = INVALID.filter(([, hex, shown]) => !isTruncated(hex, shown))
const truncated = INVALID.filter(([, hex, shown]) => isTruncated(hex, shown))

const utf8 = [
  right('6.1.1', 'empty text', [text('')], ['text ']),
  right('6.1.2', 'text of three empty fragments', [first(''), more('', false), more('')], ['text ']),
  right(
    '6.1.3',
    'empty fragments around one that is not',
    [first(''), more('middle', false), more('')],
    ['text middle']
  ),
  right('6.2.1', 'text of characters of two and three bytes', [text(WORD)], [echoed(WORD)]),
  right('6.2.2', 'cut between characters', [first(WORD.subarray(0, 5)), more(WORD.subarray(5))], [echoed(WORD)]),
  right('6.2.3-4', 'each byte in a fragment', inBytes(WORD), [echoed(WORD)]),
  ...complete.flatMap(([says, hex, shown], i) => {
    const bytes = Buffer.from(hex, 'hex')
    return [
      wrong(`6.3.1 (${i})`, `${says}, whole`, [text(bytes)], 1007),
      wrong(`6.3.2 (${i})`, `${says}, each byte in a fragment`, inBytes(bytes), 1007),
      wrong(
        `6.4.1 (${i})`,
        `${says}, and more fragments are to come`,
        [first(WORD), more(bytes.subarray(0, shown), false)],
        1007
      ),
      wrong(
        `6.4.3 (${i})`,
        `${says}, and more of the frame is to come`,
        [text(bytes.subarray(0, shown), { declared: shown + 100 })],
        1007
      )
    ]
  }),
  ...truncated.map(([says, hex], i) =>
    wrong(`6.6 (${i})`, `${says}, at the end`, [text(Buffer.from(hex, 'hex'))], 1007)
  ),
  ...VALID.map((hex, i) => {
    const bytes = Buffer.from(hex, 'hex')
    return right(
      `6.5-6.23 (${i})`,
      `${hex || 'nothing'} is text`,
      [text(bytes), ...inBytes(bytes)],
      [echoed(bytes), echoed(bytes)]
    )
  })
]

const closing = [
  right('7.1.1', 'text, Close', [text(), close(1000)], ['text Hello']),
  right('7.1.2', 'Close twice', [close(1000), close(1000)], []),
  right('7.1.3', 'a Ping behind Close', [close(1000), ping()], []),
  right('7.1.4', 'text behind Close', [close(1000), text()], []),
  right('7.1.5', 'Close inside a message', [first('one'), close(1000), more('two')], []),
  right(
    '7.1.6',
    '256 KiB, text, Close, a Ping',
    [text('B'.repeat(2 ** 18)), text(), close(1000), ping()],
    [`text of ${2 ** 18} bytes`, 'text Hello']
  ),
  right('7.3.1', 'an empty Close', [f(CLOSE)], [], '1005'),
  wrong('7.3.2', 'a Close of one byte', [f(CLOSE, 'a')]),
  right('7.3.3', 'a Close with a code', [close(1000)], []),
  right('7.3.4', 'and a reason', [close(1000, 'Hello')], [], '1000 Hello'),
  right('7.3.5', 'of 123 bytes', [close(1000, '*'.repeat(123))], [], `1000 ${'*'.repeat(123)}`),
  wrong('7.3.6', 'of 124 bytes', [close(1000, '*'.repeat(124))]),
  wrong('7.5.1', 'a reason that is not UTF-8', [close(1000, Buffer.from('cebaeda080', 'hex'))], 1007),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code, i) =>
    right(`7.7.${i + 1}`, `code ${code}`, [close(code)], [], String(code))
  ),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map((code, i) =>
    wrong(`7.9.${i + 1}`, `code ${code}`, [close(code)])
  ),
  wrong('7.13.1', 'code 5000', [close(5000)]),
  wrong('7.13.2', 'code 65535', [close(65535)])
]

export const CASES: readonly Case[] = [
  ...framing,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragmentation,
  ...utf8,
  ...closing
]

/** A text in fragments of one byte each. */
function inBytes(bytes: Uint8Array): Frame[] {
  return [first(''), ...Array.from(bytes, byte => more(Buffer.from([byte]), false)), more('')]
}
