// The rules of RFC 6455 §5.4, §5.6 and §8.1 for messages, as a table: MessageJoiner and MessageAssembler both run it.

import type { ErrorCode } from '../../lib/errors.js'
import type { Message } from '../../lib/protocol/message-joiner.js'
import {
  binary,
  bytesOf,
  describe,
  header,
  more,
  pattern,
  ping,
  pong,
  text,
  type WireFrame,
  wire
} from '../support/frames.js'
import { INVALID, isTruncated, VALID } from './utf8-cases.js'
import type { Arrival } from './ways.js'

export interface MessageCase extends Arrival {
  says: string
  messages: Message[]
  maxMessageSize?: number
  maxFragments?: number
}

type Limits = Pick<MessageCase, 'maxMessageSize' | 'maxFragments'>

export function describeMessage(message: Message): string {
  const rest = { fin: true, rsv: 0, payload: bytesOf(message) }
  return typeof message === 'string' ? describe({ opcode: 1, ...rest }) : describe({ opcode: 2, ...rest })
}

const right = (says: string, frames: WireFrame[], messages: Message[], limits: Limits = {}): MessageCase => ({
  says,
  frames,
  messages,
  ...limits
})

const wrong = (
  says: string,
  error: ErrorCode,
  frames: WireFrame[],
  messages: Message[],
  bad: (masked: boolean) => Buffer,
  limits: Limits = {}
): MessageCase => ({ says, error, frames, messages, wrong: bad, ...limits })

/** Only a header: the parser must not wait for the announced payload. */
const only =
  (frame: WireFrame, length = frame.payload.length) =>
  (masked: boolean): Buffer =>
    header(masked, { ...frame, length: BigInt(length) })

/** The beginning of a frame that announces 100 bytes more than it has. */
const unfinished =
  (frame: WireFrame) =>
  (masked: boolean): Buffer =>
    wire(masked, { ...frame, length: BigInt(frame.payload.length + 100) })

const LENGTHS = [0, 1, 125, 126, 127, 8191, 8192, 8193, 65535, 65536]
const ASCII = 'The quick brown fox jumps over the lazy dog. '
const WORDS = 'Gr\u00fc\u00dfe, \u4e16\u754c \u{1f30d}! '
const SAID = [text('before'), ping('between')]

export const MESSAGE_CASES: MessageCase[] = [
  // §5.6
  ...LENGTHS.flatMap(length => [
    right(`a binary message of ${length} bytes is whole`, [binary(pattern(length))], [pattern(length)]),
    right(`a text of ${length} ASCII characters is whole`, [text('x'.repeat(length))], ['x'.repeat(length)]),
    right(`a text of ${length} bytes is whole with a wide character at its end`, [text(wide(length))], [wide(length)])
  ]),
  right(
    'messages keep their order and their kind',
    [text('a'), binary('b'), text(''), binary('')],
    ['a', Buffer.from('b'), '', Buffer.alloc(0)]
  ),

  // §5.4: fragments
  right('a text comes in fragments', [text('Hel', false), more('lo')], ['Hello']),
  right(
    'a binary message comes in fragments',
    [binary('Hel', false), more('', false), more('lo')],
    [Buffer.from('Hello')]
  ),
  right(
    'empty fragments add nothing',
    [text('', false), more('', false), more('a', false), more('', false), more('')],
    ['a']
  ),
  right(
    'a message of nothing but empty fragments is empty',
    [text('', false), more(''), binary('', false), more('')],
    ['', Buffer.alloc(0)]
  ),
  right(
    'control frames between fragments, and inside a chunk, change no message',
    [ping('1'), text('a', false), ping('2'), more('b', false), pong('3'), ping('4'), more('c'), ping('5'), text('d')],
    ['abc', 'd']
  ),
  right(
    'large fragments are joined',
    [binary(pattern(5000), false), more(pattern(9000), false), more(pattern(20000))],
    [Buffer.concat([pattern(5000), pattern(9000), pattern(20000)])]
  ),
  right(
    'a long text in fragments may begin as ASCII and go on otherwise',
    [text(ASCII.repeat(300), false), more(WORDS.repeat(300), false), more(ASCII)],
    [ASCII.repeat(300) + WORDS.repeat(300) + ASCII]
  ),
  ...[more(''), more('x'), more('', false), more('x', false)].flatMap(frame => {
    const what = `a continuation of ${frame.payload.length} bytes, ${frame.fin ? 'final' : 'not final'},`
    return [
      wrong(`${what} is refused where nothing came before`, 'WS_ERR_UNEXPECTED_CONTINUATION', [], [], masked =>
        wire(masked, frame)
      ),
      wrong(
        `${what} is refused behind a message that ended`,
        'WS_ERR_UNEXPECTED_CONTINUATION',
        [text('a', false), more('b')],
        ['ab'],
        masked => wire(masked, frame)
      )
    ]
  }),
  ...[text(''), text('x'), binary('x'), text('x', false), binary('', false)].map(frame =>
    wrong(
      `${describe(frame)} is refused before the last message ended`,
      'WS_ERR_EXPECTED_CONTINUATION',
      [...SAID, text('a', false), ping('')],
      ['before'],
      masked => wire(masked, frame)
    )
  ),
  wrong(
    'a new message before the last one ended is refused on its header',
    'WS_ERR_EXPECTED_CONTINUATION',
    [binary('a', false)],
    [],
    only(binary(''), 5)
  ),

  // §10.4: limits
  right(
    'a message of just maxMessageSize passes',
    [binary('12345678'), text('12345678')],
    [Buffer.from('12345678'), '12345678'],
    {
      maxMessageSize: 8
    }
  ),
  right(
    'fragments that sum up to maxMessageSize pass',
    [text('1234', false), more('5678', false), more('')],
    ['12345678'],
    {
      maxMessageSize: 8
    }
  ),
  ...[text, binary].map(kind =>
    wrong(
      `a ${kind === text ? 'text' : 'binary message'} of one byte over maxMessageSize is refused on its header`,
      'WS_ERR_MESSAGE_TOO_LARGE',
      [text('12345678')],
      ['12345678'],
      only(kind(''), 9),
      { maxMessageSize: 8 }
    )
  ),
  wrong(
    'A11: fragments that each pass and together do not are refused, on the header of the last',
    'WS_ERR_MESSAGE_TOO_LARGE',
    [text('12345678'), text('1234', false), more('5678', false)],
    ['12345678'],
    only(more('', false), 1),
    { maxMessageSize: 8 }
  ),
  ...[2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER].map(length =>
    wrong(
      `A11: a sum of 4 and ${length} does not overflow`,
      'WS_ERR_MESSAGE_TOO_LARGE',
      [binary('1234', false)],
      [],
      only(more('', false), length),
      { maxMessageSize: 8 }
    )
  ),
  right(
    'the sum begins anew with each message',
    [binary('12345', false), more('678'), binary('12345', false), more('678')],
    [Buffer.from('12345678'), Buffer.from('12345678')],
    { maxMessageSize: 8 }
  ),
  right(
    'a message of just maxFragments passes, empty ones counted',
    [text('', false), more('', false), more('a')],
    ['a'],
    {
      maxFragments: 3
    }
  ),
  ...['', 'x'].map(payload =>
    wrong(
      `A10: one fragment more than maxFragments is refused: each of ${payload.length} bytes`,
      'WS_ERR_TOO_MANY_FRAGMENTS',
      [...SAID, text(payload, false), more(payload, false), ping(''), more(payload, false)],
      ['before'],
      only(more(payload)),
      { maxFragments: 3 }
    )
  ),
  right(
    'fragments are counted anew for each message',
    [text('', false), more(''), text('', false), more(''), text('')],
    ['', '', ''],
    { maxFragments: 2 }
  ),
  right('a frame in many chunks is one fragment', [binary(pattern(100))], [pattern(100)], { maxFragments: 1 }),

  // §8.1: UTF-8
  ...VALID.filter(hex => hex !== '').flatMap(hex => {
    const bytes = Buffer.from(hex, 'hex')
    const cuts = Array.from(
      { length: bytes.length - 1 },
      (_, i) => [bytes.subarray(0, i + 1), bytes.subarray(i + 1)] as const
    )
    return [
      right(`${hex} is text`, [text(bytes)], [bytes.toString()]),
      right(
        `${hex} is text in two frames, cut at any byte`,
        cuts.flatMap(([head, tail]) => [text(head, false), more(tail)]),
        cuts.map(() => bytes.toString())
      ),
      right(
        `${hex} is text, each byte in a frame of its own`,
        [text('', false), ...Array.from(bytes, byte => more(Buffer.from([byte]), false)), more('')],
        [bytes.toString()]
      )
    ]
  }),
  right(
    'a byte order mark is kept',
    [text('\ufeffa'), text('\ufeff'), text(Buffer.from('efbb', 'hex'), false), more(Buffer.from('bf', 'hex'))],
    ['\ufeffa', '\ufeff', '\ufeff']
  ),
  right(
    'what is not UTF-8 is fine as binary',
    INVALID.map(([, hex]) => binary(Buffer.from(hex, 'hex'))),
    [...INVALID.map(([, hex]) => Buffer.from(hex, 'hex'))]
  ),
  ...INVALID.filter(([, hex, shown]) => !isTruncated(hex, shown)).flatMap(([says, hex, shown]) => {
    const bytes = Buffer.from(hex, 'hex')
    const first = bytes.subarray(0, shown)
    return [
      invalid(`${says} (${hex}) in a frame`, [], masked => wire(masked, text(bytes))),
      invalid(`${says} (${hex}) inside an unfinished frame`, [], unfinished(text(first))),
      invalid(`${says} (${hex}) in the first of many fragments`, [], masked => wire(masked, text(first, false))),
      ...Array.from({ length: shown - 1 }, (_, i) =>
        invalid(
          `${says} (${hex}) in two frames, cut at ${i + 1}`,
          [text(first.subarray(0, i + 1), false)],
          unfinished(more(first.subarray(i + 1)))
        )
      )
    ]
  }),
  ...INVALID.filter(([, hex, shown]) => isTruncated(hex, shown)).flatMap(([says, hex]) => {
    const bytes = Buffer.from(hex, 'hex')
    return [
      invalid(`at the end, ${says} (${hex})`, [], masked => wire(masked, text(bytes))),
      invalid(`at the end of fragments, ${says} (${hex})`, [text(bytes, false)], masked => wire(masked, more(''))),
      invalid(`at the end of long fragments, ${says} (${hex})`, [text(WORDS.repeat(90), false)], masked =>
        wire(masked, more(bytes))
      )
    ]
  })
]

function invalid(says: string, frames: WireFrame[], bad: (masked: boolean) => Buffer): MessageCase {
  return wrong(`text is refused for ${says}`, 'WS_ERR_INVALID_UTF8', [...SAID, ...frames], ['before'], bad)
}

/** Text of this many bytes; the last ones are a single character if there is room. */
function wide(length: number): string {
  return length < 3 ? 'x'.repeat(length) : `${'x'.repeat(length - 3)}\u20ac`
}
