// Converts the errors of the core to those of `ws`: codes, texts and classes.

import zlib from 'node:zlib'
import { type ErrorDetails, HandshakeError, WebSocketError } from '../../index.js'

type CodeAndText = readonly [code: string, text: string]

const frame = (text: string): string => `Invalid WebSocket frame: ${text}`

/** The errors of `ws` for mistakes of the peer. */
const FAULTS: Record<string, (details: ErrorDetails) => CodeAndText> = {
  WS_ERR_UNEXPECTED_RSV: ({ rsv = 0 }) =>
    (rsv & 3) !== 0
      ? ['WS_ERR_UNEXPECTED_RSV_2_3', frame('RSV2 and RSV3 must be clear')]
      : ['WS_ERR_UNEXPECTED_RSV_1', frame('RSV1 must be clear')],
  WS_ERR_INVALID_OPCODE: invalidOpcode,
  WS_ERR_UNEXPECTED_CONTINUATION: invalidOpcode,
  WS_ERR_EXPECTED_CONTINUATION: invalidOpcode,
  WS_ERR_EXPECTED_MASK: () => ['WS_ERR_EXPECTED_MASK', frame('MASK must be set')],
  WS_ERR_UNEXPECTED_MASK: () => ['WS_ERR_UNEXPECTED_MASK', frame('MASK must be clear')],
  WS_ERR_CONTROL_FRAGMENTED: () => ['WS_ERR_EXPECTED_FIN', frame('FIN must be set')],
  WS_ERR_CONTROL_TOO_LARGE: ({ length }) => invalidLength(length),
  WS_ERR_INVALID_CLOSE_PAYLOAD: () => invalidLength(1),
  WS_ERR_INVALID_LENGTH: ({ length }) => invalidLength(length),
  WS_ERR_INVALID_CLOSE_CODE: ({ closeCode }) => [
    'WS_ERR_INVALID_CLOSE_CODE',
    frame(`invalid status code ${closeCode}`)
  ],
  WS_ERR_INVALID_UTF8: () => ['WS_ERR_INVALID_UTF8', frame('invalid UTF-8 sequence')],
  WS_ERR_FRAME_TOO_LARGE: ({ length }) =>
    length === undefined
      ? ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 'Unsupported WebSocket frame: payload length > 2^53 - 1']
      : tooLarge(),
  WS_ERR_MESSAGE_TOO_LARGE: tooLarge,
  WS_ERR_TOO_MANY_FRAGMENTS: () => ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'Too many message fragments'],
  WS_ERR_INVALID_COMPRESSED_DATA: ({ zlib = 'Z_DATA_ERROR' }) => [zlib, '']
}

function invalidOpcode({ opcode }: ErrorDetails): CodeAndText {
  return ['WS_ERR_INVALID_OPCODE', frame(`invalid opcode ${opcode}`)]
}

function invalidLength(length: number | undefined): CodeAndText {
  return ['WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', frame(`invalid payload length ${length}`)]
}

function tooLarge(): CodeAndText {
  return ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'Max payload size exceeded']
}

/** The texts of `ws` for an invalid response, found by a part of our text. */
const ANSWERS: readonly (readonly [part: string, text: string])[] = [
  ['Sec-WebSocket-Accept', 'Invalid Sec-WebSocket-Accept header'],
  ['an extension that was not offered', 'Server indicated an extension that was not requested'],
  ['xtension', 'Invalid Sec-WebSocket-Extensions header']
]

/** The error that `ws` would emit; null if it would only emit `close`, as for a broken connection. */
export function errorOf(error: Error): Error | null {
  if (error instanceof HandshakeError) return handshakeError(error)
  if (!(error instanceof WebSocketError)) return error
  const fault = FAULTS[error.code]
  if (fault === undefined) return error.closeCode === 1006 ? null : error
  const [code, text] = fault(error.details)
  // remove our own text before that of zlib
  const message = text === '' ? error.message.replace(/^compressed data is malformed: /, '') : text
  const Class = text === '' || error.code === 'WS_ERR_INVALID_UTF8' ? Error : RangeError
  const told = Object.assign(new Class(message, { cause: error }), { code })
  return text === '' ? Object.assign(told, { errno: zlib.constants[code as 'Z_DATA_ERROR'] }) : told
}

function handshakeError(error: HandshakeError): Error {
  const known = ANSWERS.find(([part]) => error.message.includes(part))
  return new Error(known?.[1] ?? error.message, { cause: error })
}
