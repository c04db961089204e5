// The types that describe an open connection.

import type { Headers } from '../errors.js'
import type { HybiVersion } from './server-handshake.js'

/** RFC 6455 and its drafts, the two older drafts, and RFC 6455 on an HTTP/2 stream. */
export type ProtocolVersion = HybiVersion | 'hixie-75' | 'hixie-76' | 'rfc8441'

/** The result of the opening handshake. */
export interface OpenInfo {
  /** The protocol version. */
  readonly version: ProtocolVersion
  /** The subprotocol; '' for none (RFC 6455 §1.9). */
  readonly protocol: string
  /** The extensions as in `Sec-WebSocket-Extensions`; '' for none (RFC 6455 §9). */
  readonly extensions: string
  /** The URL of the connection, `ws:` or `wss:`. */
  readonly url: string
  /** The status of the server's response. */
  readonly status: number
  /** The header fields of the server's response. */
  readonly headers: Headers
}
