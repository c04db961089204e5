// Prepares a message of the application for many connections.

import { Buffer } from '../runtime/node.js'
import { type Sendable, toBytes } from './message-splitter.js'
import { Opcode } from './opcode.js'
import { PreparedMessage } from './prepared-message.js'

/** Options of a prepared message. */
export interface PrepareOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/**
 * Frames a message once, and compresses it once for each set of parameters, so that any number of server connections share its bytes:
 * `messages.write(prepared)`, `streams.write(prepared)`, `send(prepared)`. The data is copied, and may change afterwards. Connections of a
 * client, which mask, and those with a `fragmentSize` frame it themselves. On connections with context takeover, the message is compressed
 * without context, and the connection's own context starts anew after it (RFC 7692 §7.2.1).
 * @throws TypeError if it is not a message, or an option is invalid
 */
export function prepareMessage(data: Sendable, options: PrepareOptions = {}): PreparedMessage {
  const { compress = true } = options
  if (typeof compress !== 'boolean') throw new TypeError('compress must be a boolean')
  if (typeof data === 'string') return new PreparedMessage(Opcode.Text, Buffer.from(data), compress)
  const bytes = toBytes(data)
  return new PreparedMessage(Opcode.Binary, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), compress)
}
