// Close codes and the body of a Close frame (RFC 6455 §5.5.1, §7.4, and the IANA registry).

import { WebSocketError } from '../errors.js'
import { Buffer, isUtf8 } from '../runtime/node.js'

/** Close codes (RFC 6455 §7.4.1 and the IANA close code registry). */
export const CloseCode = {
  /** The connection has served its purpose. */
  Normal: 1000,
  /** A server shuts down, or the user leaves a page. */
  GoingAway: 1001,
  /** The peer broke a rule of the protocol. */
  ProtocolError: 1002,
  /** The peer sent data of a kind that this side does not accept. */
  UnsupportedData: 1003,
  /** Never sent: the peer's Close frame had no code. */
  NoStatus: 1005,
  /** Never sent: there was no Close frame. */
  Abnormal: 1006,
  /** Data does not match its type: text that is not UTF-8, or malformed compressed data. */
  InvalidPayload: 1007,
  /** A message violates a policy. */
  PolicyViolation: 1008,
  /** A message is too large. */
  MessageTooBig: 1009,
  /** A client requires an extension that the server did not accept. */
  MandatoryExtension: 1010,
  /** An unexpected condition keeps this side from continuing. */
  InternalError: 1011,
  /** The service restarts. */
  ServiceRestart: 1012,
  /** The service is overloaded. */
  TryAgainLater: 1013,
  /** A gateway got an invalid response from the server behind it. */
  BadGateway: 1014,
  /** Never sent: TLS failed. */
  TlsHandshake: 1015
} as const

/** A close code that the registry names; 3000 to 4999 are for libraries and applications. */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** The content of a Close frame. */
export interface CloseBody {
  readonly code: number
  readonly reason: string
}

const NO_STATUS: CloseBody = Object.freeze({ code: CloseCode.NoStatus, reason: '' })

/** RFC 6455 §7.4 */
export function isSendable(code: number): boolean {
  if (!Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
}

/** @throws WebSocketError if the peer must not send this */
export function readCloseBody(payload: Buffer): CloseBody {
  if (payload.length === 0) return NO_STATUS
  if (payload.length === 1) throw new WebSocketError('WS_ERR_INVALID_CLOSE_PAYLOAD') // RFC 6455 §5.5.1
  const code = payload.readUInt16BE(0)
  if (!isSendable(code)) throw invalidCode(code) // §7.4
  const reason = payload.subarray(2)
  if (!isUtf8(reason)) throw new WebSocketError('WS_ERR_INVALID_UTF8', { detail: 'in a close reason' }) // §5.5.1
  return { code, reason: reason.utf8Slice() }
}

/** Whether the peer may send this. */
export function isCloseBody(payload: Buffer): boolean {
  try {
    readCloseBody(payload)
    return true
  } catch {
    return false
  }
}

function invalidCode(code: number): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_CLOSE_CODE', { detail: String(code), details: { closeCode: code } })
}

/**
 * @param code - null for an empty body
 * @throws TypeError, RangeError if the code or the reason must not be sent
 */
export function writeCloseBody(code: number | null, reason: string): Buffer {
  if (code === null) {
    // RFC 6455 §5.5.1: a reason needs a code
    if (reason !== '') throw new TypeError('a Close without a code cannot have a reason')
    return Buffer.alloc(0)
  }
  if (typeof code !== 'number') throw new TypeError('a close code must be a number')
  if (!isSendable(code)) throw new RangeError(`close code ${code} must not be sent: 1000-1003, 1007-1014 or 3000-4999`)
  if (typeof reason !== 'string') throw new TypeError('a close reason must be a string')
  const length = Buffer.byteLength(reason)
  if (length > 123) throw new RangeError('a close reason must be at most 123 bytes of UTF-8') // RFC 6455 §5.5
  const body = Buffer.allocUnsafe(2 + length)
  body.writeUInt16BE(code, 0)
  body.utf8Write(reason, 2)
  return body
}
