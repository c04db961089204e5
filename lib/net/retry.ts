// Decides whether an error that ended a connection, or kept it from opening, is final, and how long the server asks to wait.

import { HandshakeError, WebSocketError } from '../errors.js'
import { CloseCode } from '../protocol/close-code.js'

/** Refusals that may be temporary (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const PASSING_STATUSES: readonly number[] = [408, 425, 429]

/**
 * The server does not speak WebSocket, or not with this client. An invalid response is final by its status; a connection that is closed
 * without a response is not, since a server that restarts does so, and a proxy whose server is down.
 */
const FINAL_ERRORS: readonly string[] = [
  'WS_ERR_MALFORMED_HEAD',
  'WS_ERR_MALFORMED_BODY',
  'WS_ERR_HTTP_VERSION',
  'WS_ERR_HEAD_TOO_LARGE'
]

/** One side reports that the other broke a rule, which would happen again. */
const FINAL_CLOSE_CODES: readonly number[] = [
  CloseCode.ProtocolError,
  CloseCode.UnsupportedData,
  CloseCode.InvalidPayload,
  CloseCode.PolicyViolation,
  CloseCode.MessageTooBig,
  CloseCode.MandatoryExtension,
  // unauthorized and forbidden, in the IANA registry
  3000,
  3003
]

/** Invalid certificates. Not those that are expired or not valid yet: they get renewed, or this machine's clock gets corrected. */
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
  // not TLS at all
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG'
]

/** Whether the same error is likely to happen again. */
export function isFinal(error: Error): boolean {
  if (!(error instanceof WebSocketError)) return false
  if (FINAL_CLOSE_CODES.includes(error.closeCode) || FINAL_ERRORS.includes(error.code)) return true
  if (!(error instanceof HandshakeError)) return false
  const { status, cause } = error
  if (FINAL_TLS_ERRORS.includes((cause as NodeJS.ErrnoException | undefined)?.code)) return true
  return status > 0 && status < 500 && !PASSING_STATUSES.includes(status)
}

/** Time in ms that a refusal asks to wait (RFC 9110 §10.2.3); 0 if it does not. */
export function retryAfter(error: Error): number {
  const field = error instanceof HandshakeError ? error.headers['retry-after'] : undefined
  if (typeof field !== 'string') return 0
  if (/^\d+$/.test(field)) return Number(field) * 1000
  const date = Date.parse(field)
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now())
}
