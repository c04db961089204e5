// The key of a client, and the value with which a server proves that it read the key: RFC 6455 §1.3.

import { Buffer, fillRandom, sha1 } from '../runtime/node.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

// 16 bytes are 21 characters of 6 bits, one of 2 bits whose other four are 0, and padding: RFC 4648 §3.5
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** RFC 6455 §4.1: 16 random bytes. */
export function freshKey(): string {
  const key = Buffer.allocUnsafe(16)
  fillRandom(key)
  return key.toString('base64')
}

export function isKey(value: string): boolean {
  return KEY.test(value)
}

/** RFC 6455 §4.2.2 */
export function acceptValue(key: string): string {
  return sha1(key + GUID)
}
