// The frame parser and the joiner: the same bytes whole and in pieces give the same frames, messages and errors, and the memory held
// in between stays within the limits.

import { WebSocketError } from '../../../lib/errors.js'
import { FrameParser } from '../../../lib/protocol/frame-parser.js'
import { MessageJoiner } from '../../../lib/protocol/message-joiner.js'
import { isControl } from '../../../lib/protocol/opcode.js'
import { demand, given, pieces, type Target } from './target.js'

const SIZES = [125, 1000, 70000, Number.POSITIVE_INFINITY]
/** The longest header plus the payload of a control frame. */
const HELD_BYTES = 14 + 125

const payloads = [Buffer.alloc(2 ** 17), Buffer.alloc(2 ** 17)]

/** The output, in a form that is cheap to compare. */
interface Reading {
  /** First byte and length of each frame. */
  readonly headers: number[]
  /** All payloads, concatenated. */
  readonly payload: Buffer
  readonly error: string
}

/** The code of an expected error; others are rethrown. */
export function codeOf(error: unknown): string {
  if (error instanceof WebSocketError) return error.code
  throw error
}

const HEX: readonly (string | Buffer)[] = [
  '810548656c6c6f',
  '8200',
  '0100',
  '0001',
  '8000',
  '8900',
  '880203e8',
  '817e007e',
  '827f0000000000010000',
  'ffbf',
  'f4908080',
  'eda080',
  'c3a9',
  'f09f9880'
].map(hex => Buffer.from(hex, 'hex'))

function readFrames(parser: FrameParser, chunks: Iterable<Buffer>, owned: boolean, into: Buffer): Reading {
  const headers: number[] = []
  let used = 0
  let error = ''
  let rest = 0
  try {
    for (const chunk of chunks) {
      parser.push(chunk, owned)
      for (let frame = parser.next(); frame !== null; frame = parser.next()) {
        if (frame.first) headers.push((frame.fin ? 128 : 0) | (frame.rsv << 4) | frame.opcode, frame.length)
        demand(frame.offset === (frame.first ? 0 : rest), 'a part is out of place')
        demand(!isControl(frame.opcode) || (frame.first && frame.complete), 'a control frame came in parts')
        demand(frame.offset + frame.size <= frame.length, 'a part is longer than its frame')
        rest = frame.offset + frame.size
        frame.copy(into, used)
        used += frame.size
      }
      const { chunk: held } = parser as unknown as { chunk: Buffer | null }
      demand(held === null || held.length <= HELD_BYTES, `the parser holds ${held?.length} bytes`)
    }
  } catch (thrown) {
    error = codeOf(thrown)
  }
  return { headers, payload: into.subarray(0, used), error }
}

function sameReading(one: Reading, two: Reading): boolean {
  return (
    one.error === two.error &&
    one.headers.length === two.headers.length &&
    one.headers.every((value, i) => value === two.headers[i]) &&
    one.payload.equals(two.payload)
  )
}

export const frameParser: Target = {
  name: 'frame-parser',
  words: HEX,
  run(input) {
    const { flags, cut, bytes } = given(input)
    const make = (): FrameParser => {
      const parser = new FrameParser({ masked: (flags & 1) === 0, maxFrameSize: SIZES[(flags >> 1) & 3]! })
      parser.allowedRsv = (flags & 8) === 0 ? 0 : 4
      return parser
    }
    const whole = readFrames(make(), [bytes], false, payloads[0]!)
    demand(bytes.equals(input.subarray(2)), 'the memory of another was changed')
    const inPieces = readFrames(make(), pieces(bytes, cut), (flags & 16) !== 0, payloads[1]!)
    demand(sameReading(whole, inPieces), 'pieces are read differently from the whole')
  }
}

interface Joined {
  readonly messages: (string | Buffer)[]
  readonly error: string
}

const MESSAGE_SIZES = [0, 100, 1000, 100000]
const FRAGMENTS = [1, 3, 100, Number.POSITIVE_INFINITY]
const FIRST_ROOM = 32
/** A lone surrogate. */
const LONE = /\p{Surrogate}/u

function join(masked: boolean, flags: number, chunks: Iterable<Buffer>, owned: boolean): Joined {
  const maxMessageSize = MESSAGE_SIZES[(flags >> 1) & 3]!
  const parser = new FrameParser({ masked, maxFrameSize: Number.POSITIVE_INFINITY })
  const joiner = new MessageJoiner({ maxMessageSize, maxFragments: FRAGMENTS[(flags >> 3) & 3]! })
  const messages: (string | Buffer)[] = []
  let error = ''
  try {
    for (const chunk of chunks) {
      parser.push(chunk, owned)
      for (let frame = parser.next(); frame !== null; frame = parser.next()) {
        if (isControl(frame.opcode)) continue
        const message = joiner.add(frame)
        if (message !== null) messages.push(message)
        checkHeld(joiner, maxMessageSize)
      }
    }
  } catch (thrown) {
    error = codeOf(thrown)
  }
  return { messages, error }
}

function checkHeld(joiner: MessageJoiner, maxMessageSize: number): void {
  const { progress } = joiner as unknown as { progress: { bytes: Buffer; used: number } | null }
  if (progress === null) return
  const { bytes, used } = progress
  demand(used <= maxMessageSize, `${used} bytes of a message are held`)
  demand(bytes.length <= 2 * maxMessageSize, `${bytes.length} bytes of room for a message`)
  demand(bytes.length <= FIRST_ROOM * Math.max(used, 1), `${bytes.length} bytes of room for ${used} bytes of a message`)
}

const sameMessage = (one: string | Buffer, two: string | Buffer | undefined): boolean =>
  typeof one === 'string' ? one === two : typeof two === 'object' && one.equals(two)

export const sameMessages = (one: readonly (string | Buffer)[], two: readonly (string | Buffer)[]): boolean =>
  one.length === two.length && one.every((message, i) => sameMessage(message, two[i]))

export const joiner: Target = {
  name: 'joiner',
  words: HEX,
  run(input) {
    const { flags, cut, bytes } = given(input)
    const masked = (flags & 1) === 0
    const whole = join(masked, flags, [Buffer.from(bytes)], false)
    const inPieces = join(masked, flags, pieces(bytes, cut), (flags & 32) !== 0)
    demand(whole.error === inPieces.error, `'${whole.error}' for the whole, '${inPieces.error}' for pieces`)
    demand(sameMessages(whole.messages, inPieces.messages), 'pieces give other messages')
    for (const message of whole.messages) {
      if (typeof message === 'string') demand(!LONE.test(message), 'text with a surrogate on its own')
    }
  }
}
