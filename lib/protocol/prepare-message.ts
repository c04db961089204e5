// A message of the application's comes in, what many connections can send comes out.

import { Buffer } from '../runtime/node.js'
import { type Sendable, toBytes } from './message-splitter.js'
import { Opcode } from './opcode.js'
import { PreparedMessage } from './prepared-message.js'

/** How a prepared message is sent. */
export interface PrepareOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/**
 * Frames a message once, and compresses it once for each set of parameters, so that any number of server connections share its
 * bytes: `messages.write(prepared)`, `streams.write(prepared)`, `send(prepared)`. The data is copied, and may change afterwards. A
 * client has to mask, and a connection with a `fragmentSize` to cut, which is done for each. Where context is taken over, what was
 * compressed without context is sent, and the connection's own context begins anew (RFC 7692 §7.2.1).
 * @throws TypeError where it is no message, or an option is wrong
 */
export function prepareMessage(data: Sendable, options: PrepareOptions = {}): PreparedMessage {
  const { compress = true } = options
  if (typeof compress !== 'boolean') throw new TypeError('compress must be a boolean')
  if (typeof data === 'string') return new PreparedMessage(Opcode.Text, Buffer.from(data), compress)
  const bytes = toBytes(data)
  return new PreparedMessage(Opcode.Binary, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), compress)
}
