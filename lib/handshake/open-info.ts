// What both sides know when the handshake is done.

import type { Headers } from '../errors.js'
import type { HybiVersion } from './server-handshake.js'

/** RFC 6455 and its drafts, the two drafts before these, and RFC 6455 on a stream of HTTP/2. */
export type ProtocolVersion = HybiVersion | 'hixie-75' | 'hixie-76' | 'rfc8441'

/** What was agreed in the opening handshake. */
export interface OpenInfo {
  /** The protocol version. */
  readonly version: ProtocolVersion
  /** The subprotocol, '' for none (RFC 6455 §1.9). */
  readonly protocol: string
  /** The extensions as in `Sec-WebSocket-Extensions`, '' for none (RFC 6455 §9). */
  readonly extensions: string
  /** The URL of the connection, `ws:` or `wss:`. */
  readonly url: string
  /** The status of the server's answer. */
  readonly status: number
  /** The header fields of the server's answer. */
  readonly headers: Headers
}
