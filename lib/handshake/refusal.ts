// Writes the HTTP response that refuses a handshake. Does not know the reason.

import type { HandshakeError, Headers } from '../errors.js'
import { type HeaderFields, readHeaders } from '../options.js'
import { Buffer } from '../runtime/node.js'
import { FIELD_VALUE } from './fields.js'
import { type Field, replaceFields, toHeaders, writeHead } from './header-fields.js'

/** The parts of a refusal besides its status. */
export interface RefusalOptions {
  /** More header fields; a `Content-Type` in them replaces the default. */
  headers?: HeaderFields | undefined
  /** Default: the reason phrase. */
  body?: string | Uint8Array | undefined
  /** The reason phrase. Default: the usual one of the status. */
  reason?: string | undefined
}

export interface Refusal {
  /** The whole response as it is sent. */
  bytes: Buffer
  /** The same without the body: the response to HEAD. */
  head: Buffer
  status: number
  headers: Headers
  body: Buffer
}

const REASONS: Record<number, string> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported'
}

// Fields that the response must have
const DEMANDED: Record<number, readonly Field[]> = {
  // RFC 9110 §10.2.1
  405: [['Allow', 'GET']],
  // RFC 9110 §7.8, RFC 6455 §4.4
  426: [
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13, 8, 7']
  ]
}

/** The fields that a response of this status must have. */
export function demandedFields(status: number): readonly Field[] {
  return DEMANDED[status] ?? []
}

// RFC 9110 §15.3.5, §15.3.6, §15.4.5
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Writes a response other than 101. It closes the connection, and has a plain text body with the reason phrase, unless the status does
 * not allow a body.
 * @throws RangeError if the status is not an integer from 200 to 599
 * @throws TypeError if a header field, the reason or the body cannot be sent
 */
export function refusal(status: number, options: RefusalOptions = {}): Refusal {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError('the status of a refusal must be a whole number from 200 to 599')
  }
  const { reason = REASONS[status] ?? '' } = options
  if (typeof reason !== 'string' || !FIELD_VALUE.test(reason)) throw new TypeError('reason must be a line of text')
  const hasBody = !WITHOUT_BODY.has(status)
  const body = hasBody ? readBody(options.body ?? (reason || String(status))) : Buffer.alloc(0)
  const own: Field[] = [
    // RFC 9110 §7.8: Upgrade must be named in Connection
    ['Connection', status === 426 ? 'close, Upgrade' : 'close'],
    ...demandedFields(status)
  ]
  if (hasBody && !(options.body instanceof Uint8Array)) own.push(['Content-Type', 'text/plain; charset=utf-8'])
  // RFC 9110 §8.6: a 204 must not have one, and in a 304 it would mean the length of another response
  if (hasBody || status === 205) own.push(['Content-Length', String(body.length)])
  const fields = options.headers === undefined ? own : replaceFields(own, readHeaders(options.headers))
  const head = writeHead(`HTTP/1.1 ${status} ${reason}`, fields)
  return { bytes: Buffer.concat([head, body]), head, status, headers: toHeaders(fields), body }
}

/** The response to a request that failed with `error`: its status, the fields that this status must have, and its message as the body. */
export function refusalFor(error: HandshakeError): Refusal {
  return refusal(error.status || 400, { body: error.message })
}

function readBody(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  // copied: the application may reuse its bytes
  if (body instanceof Uint8Array) return Buffer.from(body)
  throw new TypeError('the body of a refusal must be a string or a Uint8Array')
}
