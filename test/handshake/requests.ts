// Requests and options for the tests of both sides of the handshake.

import { HandshakeError } from '../../lib/errors.js'
import { HeadParser, REQUEST, type RequestHead } from '../../lib/handshake/head-parser.js'
import { readOptions, type Settings, type WebSocketOptions } from '../../lib/options.js'
import { latin1 } from './feed.js'

/** The example of RFC 6455 §1.3: the key, and the accept value for it. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** A valid request, whose lines can be replaced by name, removed with null, or repeated. */
export function request(
  changes: Record<string, string | string[] | null> = {},
  line = 'GET /chat HTTP/1.1'
): RequestHead {
  const fields: Record<string, string | string[] | null> = {
    Host: 'example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...changes
  }
  const lines = [line]
  for (const [name, value] of Object.entries(fields)) {
    for (const item of value === null ? [] : [value].flat()) lines.push(`${name}: ${item}`)
  }
  return new HeadParser(REQUEST, readOptions(undefined)).parse(latin1(`${lines.join('\r\n')}\r\n\r\n`))!
}

export const settings = (options: WebSocketOptions = {}): Settings => readOptions(options)

/** The HandshakeError that `act` throws. */
export function caught(act: () => unknown): HandshakeError {
  try {
    act()
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The lines of a head. */
export const lines = (bytes: Buffer): string[] => bytes.toString('latin1').split('\r\n')
