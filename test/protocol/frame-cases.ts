// The rules of RFC 6455 §5 for single frames, as a table: FrameParser and FrameDecoder both run it.

import type { ErrorCode } from '../../lib/errors.js'
import {
  BINARY,
  binary,
  CLOSE,
  close,
  header,
  more,
  PING,
  PONG,
  pattern,
  ping,
  pong,
  TEXT,
  text,
  type WireFrame,
  wire
} from '../support/frames.js'
import type { Arrival } from './ways.js'

export interface FrameCase extends Arrival {
  says: string
  maxFrameSize?: number
  rsv?: number
}

type Limits = Pick<FrameCase, 'maxFrameSize' | 'rsv'>

const right = (says: string, frames: WireFrame[], limits: Limits = {}): FrameCase => ({ says, frames, ...limits })

/** Only the header of the wrong frame is sent: the parser must not wait for its payload. */
function wrong(says: string, error: ErrorCode, frame: WireFrame, limits: Limits = {}): FrameCase {
  return { says, error, frames: BEFORE, wrong: masked => header(masked, frame), ...limits }
}

/** What must be read before the error. */
const BEFORE = [text('a', false), ping('b'), more('c')]

const CONTROL: [string, number][] = [
  ['Close', CLOSE],
  ['Ping', PING],
  ['Pong', PONG]
]

const LENGTHS = [0, 1, 2, 3, 4, 5, 63, 64, 125, 126, 127, 128, 65535, 65536, 65537]

export const FRAME_CASES: FrameCase[] = [
  // §5.2: lengths
  ...LENGTHS.map(length => right(`a frame of ${length} bytes is read`, [binary(pattern(length))])),
  right('text frames are read', [text('Hello')]),
  right('an empty frame is read', [text('')]),
  ...[0, 1, 125].map(length => wrong16(length)),
  ...[0, 1, 125, 126, 127, 65535].map(length => wrong64(BigInt(length))),
  ...[2n ** 63n, 2n ** 63n + 5n, 2n ** 64n - 1n].map(length =>
    wrong(
      `a 64-bit length with its top bit set is refused: ${length}`,
      'WS_ERR_INVALID_LENGTH',
      { ...binary(''), length },
      { maxFrameSize: Number.POSITIVE_INFINITY }
    )
  ),
  ...[2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n].map(length =>
    wrong(
      `A09: a length over 2^53-1 is refused whatever the limit: ${length}`,
      'WS_ERR_FRAME_TOO_LARGE',
      { ...binary(''), length },
      { maxFrameSize: Number.POSITIVE_INFINITY }
    )
  ),

  // §10.4: the limit, on the header
  ...[6, 125, 126, 65535, 65536].flatMap(limit => [
    right(`a frame of ${limit} bytes passes that limit`, [binary(pattern(limit))], { maxFrameSize: limit }),
    wrong(
      `a frame of ${limit + 1} bytes is refused over a limit of ${limit}, on its header`,
      'WS_ERR_FRAME_TOO_LARGE',
      { ...binary(''), length: BigInt(limit + 1) },
      { maxFrameSize: limit }
    )
  ]),
  {
    ...wrong('where the limit is 0, one byte is refused', 'WS_ERR_FRAME_TOO_LARGE', { ...text(''), length: 1n }),
    frames: [text(''), ping()],
    maxFrameSize: 0
  },

  // §5.2: reserved bits and opcodes
  ...[1, 2, 4, 3, 5, 6, 7].flatMap(rsv => [
    right(`reserved bits ${rsv} pass where they are negotiated`, [{ ...text('x'), rsv }], { rsv }),
    wrong(`reserved bits ${rsv} are refused where nothing is negotiated`, 'WS_ERR_UNEXPECTED_RSV', {
      ...text(''),
      rsv
    }),
    wrong(
      `reserved bits ${rsv} are refused where others are negotiated`,
      'WS_ERR_UNEXPECTED_RSV',
      { ...text(''), rsv },
      {
        rsv: rsv === 7 ? 3 : 7 & ~rsv
      }
    )
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(opcode =>
    wrong(`the reserved opcode ${opcode} is refused`, 'WS_ERR_INVALID_OPCODE', { ...text(''), opcode })
  ),

  // §5.5: control frames
  ...CONTROL.flatMap(([name, opcode]) => [
    ...[0, 1, 124, 125].map(length =>
      right(`a ${name} of ${length} bytes is read`, [{ ...ping(pattern(length)), opcode }])
    ),
    wrong(`a ${name} that is not final is refused`, 'WS_ERR_CONTROL_FRAGMENTED', { ...ping(''), opcode, fin: false }),
    ...([16, 64] as const).map(form =>
      wrong(`a ${name} with a length of ${form} bits is refused`, 'WS_ERR_CONTROL_TOO_LARGE', {
        ...ping(''),
        opcode,
        form,
        length: 126n
      })
    )
  ]),
  right('control frames are read between fragments', [
    text('a', false),
    ping('1'),
    more('b', false),
    pong('2'),
    more('c'),
    close('')
  ]),
  right('empty fragments are read', [binary('', false), more('', false), more('', false), more('')]),

  // §5.3: masks
  right('a mask of zeros is a mask', [{ ...text('plain'), mask: Buffer.alloc(4) }, ping('x')]),
  right('each frame has a mask of its own', [
    { ...text('one'), mask: Buffer.from('00000001', 'hex') },
    { ...text('two'), mask: Buffer.from('ffffffff', 'hex') },
    { ...binary(pattern(1000)), mask: Buffer.from('80ff007f', 'hex') }
  ])
]

function wrong16(length: number): FrameCase {
  const frame: WireFrame = { ...binary(''), form: 16, length: BigInt(length) }
  const masked = `a length of ${length} in 16 bits is not the shortest form`
  // the mask does not matter: the length comes first
  return { ...wrong(masked, 'WS_ERR_INVALID_LENGTH', frame), wrong: isMasked => header(isMasked, frame).subarray(0, 4) }
}

function wrong64(length: bigint): FrameCase {
  const frame: WireFrame = { ...binary(''), form: 64, length }
  const says = `a length of ${length} in 64 bits is not the shortest form`
  return { ...wrong(says, 'WS_ERR_INVALID_LENGTH', frame), wrong: masked => header(masked, frame).subarray(0, 10) }
}

/** §5.1: for each opcode, a frame that is masked or unmasked against the rules. */
export const MASK_CASES = [TEXT, BINARY, CLOSE, PING, PONG].map(opcode => ({
  opcode,
  frames: BEFORE,
  wrong: (masked: boolean) => wire(!masked, { ...text('x'), opcode }).subarray(0, 2)
}))
