// Every error this library reports, in one table: code, text, close code, whose fault, and the section that asks for it.

import { Buffer } from './runtime/node.js'

interface Entry {
  readonly text: string
  /** The code that a Close frame for this error carries, or 1006 where none is sent. */
  readonly close: number
  readonly fault: 'local' | 'peer'
}

const peer = (close: number, text: string): Entry => ({ close, text, fault: 'peer' })
const local = (close: number, text: string): Entry => ({ close, text, fault: 'local' })

const ERRORS = {
  // Frames: RFC 6455 §5
  WS_ERR_UNEXPECTED_RSV: peer(1002, 'a reserved bit is set that no extension negotiated'), // §5.2
  WS_ERR_INVALID_OPCODE: peer(1002, 'unknown opcode'), // §5.2
  WS_ERR_EXPECTED_MASK: peer(1002, 'a frame from a client must be masked'), // §5.1
  WS_ERR_UNEXPECTED_MASK: peer(1002, 'a frame from a server must not be masked'), // §5.1
  WS_ERR_INVALID_LENGTH: peer(1002, 'a payload length is not in its shortest form, or its top bit is set'), // §5.2
  WS_ERR_FRAME_TOO_LARGE: peer(1009, 'a frame is larger than maxFrameSize'), // §10.4
  WS_ERR_CONTROL_FRAGMENTED: peer(1002, 'a control frame must not be fragmented'), // §5.5
  WS_ERR_CONTROL_TOO_LARGE: peer(1002, 'a control frame carries more than 125 bytes'), // §5.5
  WS_ERR_UNEXPECTED_CONTINUATION: peer(1002, 'a continuation frame came outside a message'), // §5.4
  WS_ERR_EXPECTED_CONTINUATION: peer(1002, 'a new message began before the last one ended'), // §5.4

  // Messages: RFC 6455 §5.6, §8.1, §10.4
  WS_ERR_UNEXPECTED_TEXT: peer(1003, 'a text message came to ws.bytes, which takes binary ones'), // §7.4.1
  WS_ERR_INVALID_UTF8: peer(1007, 'text is not valid UTF-8'), // §8.1
  WS_ERR_INVALID_COMPRESSED_DATA: peer(1007, 'compressed data is malformed'), // RFC 7692 §7.2.2
  WS_ERR_MESSAGE_TOO_LARGE: peer(1009, 'a message is larger than maxMessageSize'), // §10.4
  WS_ERR_INVALID_MESSAGE: peer(1007, 'a message is not what the application takes'), // §7.4.1
  WS_ERR_INCOMPLETE_MESSAGE: peer(1006, 'the connection ended before the message did'), // §5.4
  WS_ERR_BYTES_CUT: peer(1006, 'the peer closed the connection before the bytes were complete'), // §7.4.1
  WS_ERR_MESSAGE_SKIPPED: local(1006, 'the message was not read before the next one was asked for'),
  WS_ERR_TOO_MANY_FRAGMENTS: peer(1008, 'a message has more fragments than maxFragments'), // §10.4

  // Close: RFC 6455 §5.5.1, §7
  WS_ERR_INVALID_CLOSE_PAYLOAD: peer(1002, 'a close frame carries a single byte'), // §5.5.1
  WS_ERR_INVALID_CLOSE_CODE: peer(1002, 'a close frame carries a code that must not be sent'), // §7.4
  WS_ERR_CONNECTION_LOST: peer(1006, 'the wire ended without a closing handshake'), // §7.1.5
  WS_ERR_CLOSED: peer(1006, 'the connection was closed'), // §7.1.5
  WS_ERR_CLOSE_TIMEOUT: peer(1006, 'the closing handshake was not finished in time'), // §7.1.1
  WS_ERR_KEEPALIVE_TIMEOUT: peer(1006, 'the peer did not answer a keepalive ping in time'), // §5.5.2
  WS_ERR_PING_UNANSWERED: peer(1006, 'more than 1024 pings wait for a Pong; the oldest is given up'), // §5.5.2
  WS_ERR_DESTROYED: local(1006, 'the connection was destroyed'),
  WS_ERR_NOT_OPEN: local(1006, 'the connection no longer takes messages'), // §5.5.1
  WS_ERR_MEMORY_TRANSFERRED: local(1011, 'the application transferred memory that other messages lie in'),
  WS_ERR_EXTENSION: local(1011, 'an extension failed'), // RFC 7692 §7, or whatever the extension says

  // Handshake: RFC 6455 §4, RFC 9110, RFC 9112
  WS_ERR_MALFORMED_HEAD: peer(1006, 'malformed HTTP head'), // RFC 9112 §2.2
  WS_ERR_MALFORMED_BODY: peer(1006, 'malformed HTTP body'), // RFC 9112 §7.1
  WS_ERR_TARGET_TOO_LONG: peer(1006, 'the request target is too long'), // RFC 9110 §15.5.15
  WS_ERR_HEAD_TOO_LARGE: peer(1006, 'the HTTP head is too large'), // RFC 6585 §5
  WS_ERR_HTTP_VERSION: peer(1006, 'HTTP/1.1 is required'), // §4.1
  WS_ERR_METHOD: peer(1006, 'the method must be GET'), // §4.1
  WS_ERR_UPGRADE_REQUIRED: peer(1006, 'not a WebSocket handshake'), // §4.2.1
  WS_ERR_UNSUPPORTED_VERSION: peer(1006, 'unsupported WebSocket version'), // §4.2.2
  WS_ERR_BAD_REQUEST: peer(1006, 'malformed WebSocket handshake'), // §4.2.1
  WS_ERR_FORBIDDEN_ORIGIN: peer(1006, 'this origin is not allowed'), // §10.2
  WS_ERR_HANDSHAKE_TIMEOUT: peer(1006, 'the handshake was not finished in time'),
  WS_ERR_REJECTED: local(1006, 'the application rejected the handshake'), // §4.2.2
  WS_ERR_UNEXPECTED_STATUS: peer(1006, 'unexpected server response'), // §4.1
  WS_ERR_PROXY: peer(1006, 'unexpected proxy response'), // RFC 9110 §9.3.6
  WS_ERR_BAD_RESPONSE: peer(1006, 'wrong answer to the handshake'), // §4.1
  WS_ERR_HANDED_OVER: local(1006, 'the connection was handed over to another server'),
  WS_ERR_ABORTED: local(1006, 'the handshake was aborted')
} as const satisfies Record<string, Entry>

/** The stable name of an error, in `error.code`. */
export type ErrorCode = keyof typeof ERRORS

/** What of the peer's bytes broke a rule, as far as the code of an error does not say it. */
export interface ErrorDetails {
  /** The opcode of the frame (RFC 6455 §5.2). */
  readonly opcode?: number
  /** The reserved bits that were set: 4, 2 and 1 for RSV1, RSV2 and RSV3. */
  readonly rsv?: number
  /** The bytes that a frame or a message has, or announces. */
  readonly length?: number
  /** The close code in a Close frame. */
  readonly closeCode?: number
  /** The name that zlib has for what is wrong with compressed data: `'Z_DATA_ERROR'`, `'Z_BUF_ERROR'`. */
  readonly zlib?: string
}

const NO_DETAILS: ErrorDetails = Object.freeze({})

/** What an error says besides its code. */
export interface WebSocketErrorOptions {
  /** What happened in particular, put behind the general text. */
  detail?: string
  /** Stands in place of both: what the operating system says of a connection, for example. */
  message?: string
  /** What led to it, where something else did. */
  cause?: unknown
  /** Who broke the rules. Default: as the table of codes says. */
  fault?: 'local' | 'peer'
  /** The code of the Close frame that this error asks for. Default: as the table of codes says. */
  closeCode?: number
  /** The numbers that belong to it. Default: none. */
  details?: ErrorDetails
}

/** As JavaScript names its own errors: on the prototype, and such that an application may set another name. */
function nameErrors(type: typeof WebSocketError, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true })
}

/** Whatever ends a connection other than cleanly. */
export class WebSocketError extends Error {
  /** A stable name, `WS_ERR_…`. */
  readonly code: ErrorCode
  /** The code of the Close frame this error asks for (RFC 6455 §7.4); 1006 where no frame is sent for it. */
  readonly closeCode: number
  /** Who broke the rules: this side, or the peer. */
  readonly fault: 'local' | 'peer'
  /** The opcode, the reserved bits, the length, the close code or zlib's name that belong to it; empty where there are none. */
  readonly details: ErrorDetails

  constructor(code: ErrorCode, options: WebSocketErrorOptions = {}) {
    const { text, close, fault } = ERRORS[code]
    // what a peer does wrong has no place in this program, and looking for one is slow (benchmarks/questions/handshakes.js)
    const { stackTraceLimit } = Error
    if (fault === 'peer') Error.stackTraceLimit = 0
    super(options.message ?? (options.detail === undefined ? text : `${text}: ${options.detail}`), {
      cause: options.cause
    })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.closeCode = options.closeCode ?? close
    this.fault = options.fault ?? fault
    this.details = options.details ?? NO_DETAILS
  }
}

// not in the class: one that names itself gets another name where it is bundled, and errors would be printed with that
nameErrors(WebSocketError, 'WebSocketError')

/** Header fields by lower-case name, as `node:http` gives them: what may come more than once is an array of strings or is joined by commas. */
export interface Headers {
  /** Request: credentials. */
  authorization?: string | undefined
  /** Request: cookies, `name=value` joined by `; `. */
  cookie?: string | undefined
  /** Request: host and port that were asked for. */
  host?: string | undefined
  /** Answer: where a redirect leads. */
  location?: string | undefined
  /** Request: the origin of the page that dials. */
  origin?: string | undefined
  /** Extensions that are offered, or accepted (RFC 6455 §11.3.2). */
  'sec-websocket-extensions'?: string | undefined
  /** Request: the key of the handshake (RFC 6455 §11.3.1). */
  'sec-websocket-key'?: string | undefined
  /** Subprotocols that are offered, or the one that was chosen (RFC 6455 §11.3.4). */
  'sec-websocket-protocol'?: string | undefined
  /** The version of the protocol, or those that a server speaks (RFC 6455 §11.3.5). */
  'sec-websocket-version'?: string | undefined
  /** Answer: one string for each cookie. */
  'set-cookie'?: string[] | undefined
  /** Request: the name of the client program. */
  'user-agent'?: string | undefined
  [name: string]: string | string[] | undefined
}

/** What the error of a handshake says besides its code. */
export interface HandshakeErrorOptions extends WebSocketErrorOptions {
  /** The HTTP status. Default: 0. */
  status?: number
  /** The header fields along with it. Default: none. */
  headers?: Headers
  /** The body along with it. Default: none. */
  body?: Buffer
}

/** A handshake that failed: refused by this side, or answered otherwise than with 101 by the other. */
export class HandshakeError extends WebSocketError {
  /** The HTTP status that was sent (server) or received (client); 0 where there was none. */
  readonly status: number
  /** The header fields sent or received along with it. */
  readonly headers: Headers
  /** The body sent or received along with it, up to a limit. */
  readonly body: Buffer

  constructor(code: ErrorCode, options: HandshakeErrorOptions = {}) {
    super(code, options)
    this.status = options.status ?? 0
    this.headers = options.headers ?? {}
    this.body = options.body ?? Buffer.alloc(0)
  }
}

nameErrors(HandshakeError, 'HandshakeError')
