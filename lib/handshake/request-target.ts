// Checks a request against HTTP only: its version, its fields that must not be repeated, its target and its Host. Runs before any WebSocket
// rule, for requests of node:http and of our own parser.

import { HandshakeError } from '../errors.js'
import type { UpgradeRequest } from '../options.js'
import { ORIGIN_FORM } from './fields.js'
import { countLines } from './header-fields.js'

// If one of these were repeated, it would be unclear which line counts: RFC 9110 §5.3, RFC 6455 §11.3
const ONCE: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'content-length',
  'transfer-encoding',
  'sec-websocket-key',
  'sec-websocket-origin',
  'sec-websocket-version'
])

// RFC 9110 §7.2, RFC 3986 §3.2.2: a name or address, and a port
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~!$&'()*+,;=%]+)(?::\d{0,5})?$/
// RFC 9112 §3.2.2
const ABSOLUTE = /^(?:https?|wss?):\/\/([^/?#]+)(.*)$/i

/** @throws HandshakeError if the request violates HTTP */
export function checkSyntax(request: UpgradeRequest): void {
  if (typeof request !== 'object' || request === null) malformed('no request')
  if (typeof request.headers !== 'object' || request.headers === null) malformed('no header fields')
  const { httpVersion } = request
  // RFC 6455 §4.1
  if (httpVersion !== undefined && (typeof httpVersion !== 'string' || !/^1\.[1-9]$/.test(httpVersion))) {
    throw new HandshakeError('WS_ERR_HTTP_VERSION', { status: 505 })
  }
  checkRepeated(request)
}

/**
 * Checks an HTTP/1 request that may ask for something other than a WebSocket.
 * @throws HandshakeError if the request violates HTTP
 */
export function checkRequest(request: UpgradeRequest): void {
  checkRepeated(request)
  const { method, url, headers, httpVersion } = request
  const host: unknown = headers['host']
  // RFC 9112 §3.2: HTTP/1.0 has no Host
  const isRight = host === undefined ? httpVersion === '1.0' : typeof host === 'string' && (host === '' || isHost(host))
  if (!isRight) malformed('Host')
  if (typeof url !== 'string' || !isTarget(url, method)) malformed('the target')
}

/** RFC 9112 §3.2 */
function isTarget(url: string, method: string | undefined): boolean {
  if (method === 'CONNECT') return isHost(url)
  if (url === '*') return method === 'OPTIONS'
  if (ORIGIN_FORM.test(url)) return true
  const authority = ABSOLUTE.exec(url)?.[1]
  return authority !== undefined && isHost(authority)
}

function checkRepeated({ headers, rawHeaders }: UpgradeRequest): void {
  const lines = Array.isArray(rawHeaders) ? rawHeaders : []
  for (const name of ONCE) {
    if (Array.isArray(headers[name]) || countLines(lines, name) > 1) malformed(`${name} is repeated`)
  }
}

/**
 * The URL of the request.
 * @throws HandshakeError if the target or Host is malformed
 */
export function requestUrl(request: UpgradeRequest, secure: boolean): string {
  const { url, headers, socket } = request
  // RFC 9112 §3.2
  const host: unknown = headers['host']
  if (typeof host !== 'string' || !isHost(host)) malformed('Host')
  if (typeof url !== 'string') malformed('the target')
  const encrypted = secure || (socket as { encrypted?: unknown } | null | undefined)?.encrypted === true
  const scheme = encrypted ? 'wss' : 'ws'
  if (ORIGIN_FORM.test(url)) return `${scheme}://${host}${url}`
  // RFC 9112 §3.2.2: the host of an absolute target replaces Host
  const [, authority = '', path = ''] = ABSOLUTE.exec(url) ?? []
  const target = rooted(path)
  if (!isHost(authority) || !ORIGIN_FORM.test(target)) malformed('the target')
  return `${scheme}://${authority}${target}`
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** The path of a request's target as sent, without its query; '' if it has none. */
export function pathOf({ url = '' }: UpgradeRequest): string {
  const path = url.startsWith('/') ? url : ABSOLUTE.exec(url)?.[2]
  return path === undefined ? '' : rooted(path).split('?', 1)[0]!
}

/**
 * The Host of the last valid request: most requests to a server have the same (benchmarks/questions/handshakes.js). Process-wide, since
 * whether a Host is valid depends on nothing else.
 */
const last = { host: 'localhost' }

/** A Host that passes here also passes `new URL()`, so handlers can rely on it. */
function isHost(host: string): boolean {
  if (host === last.host) return true
  if (!HOST.test(host) || !URL.canParse(`ws://${host}/`)) return false
  last.host = host
  return true
}

function malformed(detail: string): never {
  throw new HandshakeError('WS_ERR_BAD_REQUEST', { status: 400, detail })
}
