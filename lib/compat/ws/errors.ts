// Converts the errors of the core to those of `ws`: codes, texts and classes.

import zlib from 'node:zlib'
import { type ErrorDetails, HandshakeError, WebSocketError } from '../../index.js'

/** A text of undefined keeps that of zlib. */
type CodeAndText = readonly [code: string, text: string | undefined]

const frame = (text: string): string => `Invalid WebSocket frame: ${text}`

/** The errors of `ws` for mistakes of the peer. */
const ERRORS: Record<string, (details: ErrorDetails) => CodeAndText> = {
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
  WS_ERR_INVALID_COMPRESSED_DATA: ({ zlib = 'Z_DATA_ERROR' }) => [zlib, undefined]
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

/** The texts of `ws` for an invalid response, by the wrong header field. */
const RESPONSES: Record<string, (details: ErrorDetails) => string> = {
  'sec-websocket-accept': () => 'Invalid Sec-WebSocket-Accept header',
  'sec-websocket-extensions': ({ extension }) =>
    extension === undefined
      ? 'Invalid Sec-WebSocket-Extensions header'
      : 'Server indicated an extension that was not requested'
}

/** The error that `ws` would emit; null if it would only emit `close`, as for a broken connection. */
export function errorOf(error: Error): Error | null {
  if (error instanceof HandshakeError) return handshakeError(error)
  if (!(error instanceof WebSocketError)) return error
  const describe = ERRORS[error.code]
  if (describe === undefined) return error.closeCode === 1006 ? null : error
  const [code, text] = describe(error.details)
  if (text === undefined) return zlibError(error, code)
  const Class = error.code === 'WS_ERR_INVALID_UTF8' ? Error : RangeError
  return Object.assign(new Class(text, { cause: error }), { code })
}

/** Like the errors of node:zlib, which `ws` passes on. */
function zlibError(error: WebSocketError, code: string): Error {
  const { zlibMessage = error.message } = error.details
  const errno = zlib.constants[code as 'Z_DATA_ERROR']
  return Object.assign(new Error(zlibMessage, { cause: error }), { code, errno })
}

function handshakeError(error: HandshakeError): Error {
  const { field = '' } = error.details
  return new Error(RESPONSES[field]?.(error.details) ?? error.message, { cause: error })
}
