// Every error of this library in one table: code, text, close code, whose fault it is, and the RFC section.

import { Buffer } from './runtime/node.js'

interface Entry {
  readonly text: string
  /** The close code to send for this error; 1006 if none is sent. */
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
  WS_ERR_INVALID_MESSAGE: peer(1007, 'invalid message'), // §7.4.1
  WS_ERR_INCOMPLETE_MESSAGE: peer(1006, 'the connection ended before the message did'), // §5.4
  WS_ERR_BYTES_CUT: peer(1006, 'the peer closed the connection before the bytes were complete'), // §7.4.1
  WS_ERR_MESSAGE_SKIPPED: local(1006, 'the message was not read before the next one was asked for'),
  WS_ERR_TOO_MANY_FRAGMENTS: peer(1008, 'a message has more fragments than maxFragments'), // §10.4

  // Close: RFC 6455 §5.5.1, §7
  WS_ERR_INVALID_CLOSE_PAYLOAD: peer(1002, 'a close frame carries a single byte'), // §5.5.1
  WS_ERR_INVALID_CLOSE_CODE: peer(1002, 'a close frame carries a code that must not be sent'), // §7.4
  WS_ERR_CONNECTION_LOST: peer(1006, 'the connection ended without a closing handshake'), // §7.1.5
  WS_ERR_CLOSED: peer(1006, 'the connection was closed'), // §7.1.5
  WS_ERR_CLOSE_TIMEOUT: peer(1006, 'the closing handshake was not finished in time'), // §7.1.1
  WS_ERR_KEEPALIVE_TIMEOUT: peer(1006, 'the peer did not answer a keepalive ping in time'), // §5.5.2
  WS_ERR_PING_UNANSWERED: peer(1006, 'more than 1024 pings wait for a Pong; the oldest is given up'), // §5.5.2
  WS_ERR_DESTROYED: local(1006, 'the connection was destroyed'),
  WS_ERR_NOT_OPEN: local(1006, 'the connection no longer takes messages'), // §5.5.1
  WS_ERR_NO_BINARY: local(1006, 'hixie-75 and hixie-76 have no binary messages'),
  WS_ERR_MEMORY_TRANSFERRED: local(1011, 'the application transferred or resized memory that is still in use'),
  WS_ERR_EXTENSION: local(1011, 'an extension failed'), // RFC 7692 §7, or the code that the extension gives

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
  WS_ERR_BAD_RESPONSE: peer(1006, 'invalid handshake response'), // §4.1
  WS_ERR_HANDED_OVER: local(1006, 'the connection was handed over to another server'),
  WS_ERR_ABORTED: local(1006, 'the handshake was aborted')
} as const satisfies Record<string, Entry>

/** The stable name of an error, as in `error.code`. */
export type ErrorCode = keyof typeof ERRORS

/** The values that broke a rule, if the code of the error does not imply them. */
export interface ErrorDetails {
  /** The opcode of the frame (RFC 6455 §5.2). */
  readonly opcode?: number
  /** The reserved bits that were set: 4, 2 and 1 for RSV1, RSV2 and RSV3. */
  readonly rsv?: number
  /** The actual or announced bytes of a frame or a message. */
  readonly length?: number
  /** The close code in a Close frame. */
  readonly closeCode?: number
  /** zlib's name for the error in compressed data: `'Z_DATA_ERROR'`, `'Z_BUF_ERROR'`. */
  readonly zlib?: string
  /** zlib's own message, such as `'invalid distance too far back'`. */
  readonly zlibMessage?: string
  /** The header field of the response that is wrong, in lower case: `'sec-websocket-accept'`. */
  readonly field?: string
  /** The extension that the server chose although it was not offered. */
  readonly extension?: string
}

const NO_DETAILS: ErrorDetails = Object.freeze({})

/** The parts of an error besides its code. */
export interface WebSocketErrorOptions {
  /** More about this error, appended to the text of the table. */
  detail?: string
  /** Replaces the text and `detail`, for example with the message of the operating system. */
  message?: string
  /** The error that caused this one, if any. */
  cause?: unknown
  /** Which side broke the rules. Default: from the table of codes. */
  fault?: 'local' | 'peer'
  /** The close code to send. Default: from the table of codes. */
  closeCode?: number
  /** The values that broke a rule. Default: none. */
  details?: ErrorDetails
}

/** Sets the name on the prototype, like JavaScript's own errors, so that an application may set another name. */
function nameErrors(type: typeof WebSocketError, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true })
}

/** An error that ends a connection, or keeps data from being sent. */
export class WebSocketError extends Error {
  /** A stable name, `WS_ERR_…`. */
  readonly code: ErrorCode
  /** The close code that is sent for this error (RFC 6455 §7.4); 1006 if no frame is sent. */
  readonly closeCode: number
  /** Which side broke the rules: this side or the peer. */
  readonly fault: 'local' | 'peer'
  /** The opcode, length, close code, header field or other value that broke the rule; empty if the code implies it. */
  readonly details: ErrorDetails

  constructor(code: ErrorCode, options: WebSocketErrorOptions = {}) {
    const { text, close, fault } = ERRORS[code]
    // the peer's fault has no useful stack trace, and capturing one is slow (benchmarks/questions/handshakes.js)
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

// not in the class: if the class referred to itself by name, bundlers would rename it, and printed errors would have the new name
nameErrors(WebSocketError, 'WebSocketError')

/** Header fields by lower-case name, as in `node:http`: repeated fields are an array of strings, or joined by commas. */
export interface Headers {
  /** Request: credentials. */
  authorization?: string | undefined
  /** Request: cookies, `name=value` joined by `; `. */
  cookie?: string | undefined
  /** Request: the requested host and port. */
  host?: string | undefined
  /** Response: the target of a redirect. */
  location?: string | undefined
  /** Request: the origin of the page that connects. */
  origin?: string | undefined
  /** The extensions that are offered or accepted (RFC 6455 §11.3.2). */
  'sec-websocket-extensions'?: string | undefined
  /** Request: the key of the handshake (RFC 6455 §11.3.1). */
  'sec-websocket-key'?: string | undefined
  /** The subprotocols that are offered, or the one that was chosen (RFC 6455 §11.3.4). */
  'sec-websocket-protocol'?: string | undefined
  /** The version of the protocol, or those that a server supports (RFC 6455 §11.3.5). */
  'sec-websocket-version'?: string | undefined
  /** Response: one string for each cookie. */
  'set-cookie'?: string[] | undefined
  /** Request: the name of the client program. */
  'user-agent'?: string | undefined
  [name: string]: string | string[] | undefined
}

/** The parts of a handshake error besides its code. */
export interface HandshakeErrorOptions extends WebSocketErrorOptions {
  /** The HTTP status. Default: 0. */
  status?: number
  /** The header fields of the request or response. Default: none. */
  headers?: Headers
  /** The body of the response. Default: none. */
  body?: Buffer
}

/** A failed handshake: refused by this side, or answered by the other side with a status other than 101. */
export class HandshakeError extends WebSocketError {
  /** The HTTP status that was sent (server) or received (client); 0 if there was none. */
  readonly status: number
  /** The header fields that were sent or received with it. */
  readonly headers: Headers
  /** The body that was sent or received with it, up to a limit. */
  readonly body: Buffer
  /** Client: the requested URL without its query; '' on a server. */
  url = ''

  constructor(code: ErrorCode, options: HandshakeErrorOptions = {}) {
    super(code, options)
    this.status = options.status ?? 0
    this.headers = options.headers ?? {}
    this.body = options.body ?? Buffer.alloc(0)
  }
}

nameErrors(HandshakeError, 'HandshakeError')
