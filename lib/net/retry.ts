// What ended a connection, or kept it from opening, comes in; whether it would happen again, and how long the server asks to wait, go out.

import { HandshakeError, WebSocketError } from '../errors.js'
import { CloseCode } from '../protocol/close-code.js'

/** Refusals that may be others the next time (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const PASSING_STATUSES: readonly number[] = [408, 425, 429]

/** What answers is no server of WebSockets, or not one for this client. */
const FINAL_ERRORS: readonly string[] = [
  'WS_ERR_BAD_RESPONSE',
  'WS_ERR_MALFORMED_HEAD',
  'WS_ERR_MALFORMED_BODY',
  'WS_ERR_HTTP_VERSION',
  'WS_ERR_HEAD_TOO_LARGE'
]

/** One side says that the other does what it must not, and would again. */
const FINAL_CLOSE_CODES: readonly number[] = [
  CloseCode.ProtocolError,
  CloseCode.UnsupportedData,
  CloseCode.InvalidPayload,
  CloseCode.PolicyViolation,
  CloseCode.MessageTooBig,
  CloseCode.MandatoryExtension,
  // unauthorized and forbidden, in IANA's registry
  3000,
  3003
]

/** Certificates that an administrator has to change. That one is expired, or not valid yet, passes: it is renewed, or this machine's clock is set. */
const FINAL_TLS_ERRORS: readonly unknown[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  // no TLS at all
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG'
]

/** Whether the same would happen again, as far as that can be known. */
export function isFinal(error: Error): boolean {
  if (!(error instanceof WebSocketError)) return false
  if (FINAL_CLOSE_CODES.includes(error.closeCode) || FINAL_ERRORS.includes(error.code)) return true
  if (!(error instanceof HandshakeError)) return false
  const { status, cause } = error
  if (FINAL_TLS_ERRORS.includes((cause as NodeJS.ErrnoException | undefined)?.code)) return true
  return status > 0 && status < 500 && !PASSING_STATUSES.includes(status)
}

/** Milliseconds that a refusal asks to wait (RFC 9110 §10.2.3); 0 where it does not. */
export function retryAfter(error: Error): number {
  const field = error instanceof HandshakeError ? error.headers['retry-after'] : undefined
  if (typeof field !== 'string') return 0
  if (/^\d+$/.test(field)) return Number(field) * 1000
  const date = Date.parse(field)
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now())
}
