// Connects the two handshakes of a relay: makes the options for the target from the client's request, and the response to the client from
// the target's response or failure. Opens and answers nothing.

import type { HandshakeError, Headers } from '../errors.js'
import { FIELD_VALUE, isReserved } from '../handshake/fields.js'
import { listTokens } from '../handshake/header-lists.js'
import type { RefusalOptions } from '../handshake/server-handshake.js'
import { readHeaders, type UpgradeRequest } from '../options.js'
import { type ConnectOptions, defined } from './connect-options.js'
import type { RelaySettings, RelayTarget } from './relay-options.js'

type Field = readonly [name: string, value: string]

/** What to dial, and how. */
export interface Dialling {
  readonly url: string | URL
  readonly options: ConnectOptions
  /** Path and query to request, byte for byte; null for those of the URL. */
  readonly path: string | null
  /** Whether the target answers the client's offer of extensions. */
  readonly isOpaque: boolean
  /** Whether the target answers the client's offer of subprotocols. */
  readonly choosesProtocol: boolean
}

// no message is buffered whole
const UNLIMITED: ConnectOptions = {
  maxFrameSize: Number.POSITIVE_INFINITY,
  maxMessageSize: Number.POSITIVE_INFINITY,
  maxFragments: Number.POSITIVE_INFINITY
}

/**
 * @param target - from the configuration: the request does not influence it, except for the path with `forwardPath`
 * @throws TypeError, SyntaxError if the target is invalid
 */
export function diallingFor(request: UpgradeRequest, target: RelayTarget, settings: RelaySettings): Dialling {
  const { url, ...own } = typeof target === 'string' || target instanceof URL ? { url: target } : target
  const needsMessages = settings.onMessage !== undefined || settings.transform !== undefined
  const given = defined({ ...settings.connect, ...defined(own) })
  const isOpaque = given.extensions === undefined && !needsMessages
  const path = settings.forwardPath ? pathOf(request) : null
  return {
    url: path === null ? url : withPath(path, url),
    path,
    isOpaque,
    choosesProtocol: given.protocols === undefined,
    options: {
      ...(settings.onMessage === undefined && UNLIMITED),
      ...(given.protocols === undefined && { protocols: listTokens(lineOf(request, 'sec-websocket-protocol')) ?? [] }),
      ...(isOpaque && { extensions: lineOf(request, 'sec-websocket-extensions') }),
      ...given,
      headers: fieldsFor(request, given, settings)
    }
  }
}

/** The value of a field, its lines joined; '' if there is none. */
function lineOf(request: UpgradeRequest, name: string): string {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : (value ?? '')
}

/**
 * Path and query of a request as sent: the target must see what the application has checked. Of an absolute target only path and query are
 * used (RFC 9112 §3.2.2).
 */
function pathOf({ url = '/' }: UpgradeRequest): string {
  const path = url.replace(/^[a-z]+:\/\/[^/?#]*/i, '')
  return path.startsWith('/') ? path : `/${path}`
}

/** The URL to dial, for redirects and `createConnection`: `//host/` in a path must not be parsed as a host. */
function withPath(path: string, target: string | URL): URL {
  const url = new URL(target)
  const { pathname } = url
  const query = path.indexOf('?')
  url.pathname = query < 0 ? path : path.slice(0, query)
  url.search = query < 0 ? '' : path.slice(query)
  // a ws+unix URL has the path of its socket in the same place
  if (url.protocol === 'ws+unix:') url.pathname = `${pathname.split(':', 1)[0]}:${url.pathname}`
  return url
}

function fieldsFor(request: UpgradeRequest, given: ConnectOptions, settings: RelaySettings): Field[] {
  const { forwardHeaders } = settings
  const asked =
    typeof forwardHeaders === 'function' ? readHeaders(forwardHeaders(request)) : named(request, forwardHeaders)
  const fields = new Map<string, Field[]>()
  const put = (more: readonly Field[]): void => {
    const names = new Set(more.map(([name]) => name.toLowerCase()))
    for (const name of names) fields.set(name, more.filter(field => field[0].toLowerCase() === name) as Field[])
  }
  put(asked)
  if (settings.forwarded === 'rfc7239') put([forwardedOf(request, fields)])
  if (settings.forwarded === 'x-forwarded') put(xForwardedOf(request, fields))
  // the configuration takes precedence over the client
  if (given.headers !== undefined) put(readHeaders(given.headers))
  return [...fields.values()].flat()
}

/** The header fields of the request with these names. */
function named(request: UpgradeRequest, names: readonly string[]): Field[] {
  // RFC 9110 §7.6.1: hop-by-hop fields
  const dropped = (listTokens(lineOf(request, 'connection')) ?? []).map(name => name.toLowerCase())
  return names
    .filter(name => request.headers[name] !== undefined && !dropped.includes(name))
    .map((name): Field => [name, lineOf(request, name)])
    .filter(([, value]) => FIELD_VALUE.test(value))
}

interface MaybeSocket {
  remoteAddress?: string | undefined
  encrypted?: boolean
}

interface Client {
  address: string
  host: string
  scheme: 'http' | 'https'
}

function clientOf(request: UpgradeRequest): Client {
  const { remoteAddress, encrypted } = (request.socket ?? {}) as MaybeSocket
  return {
    address: (remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''),
    host: lineOf(request, 'host'),
    scheme: encrypted === true ? 'https' : 'http'
  }
}

// RFC 7239 §4
function forwardedOf(request: UpgradeRequest, fields: Map<string, Field[]>): Field {
  const { address, host, scheme } = clientOf(request)
  // §6: an IPv6 address in brackets and, since it is not a token, in quotes
  const node = address.includes(':') ? `"[${address}]"` : address || 'unknown'
  const ours = `for=${node};host="${host}";proto=${scheme}`
  return ['Forwarded', append(fields.get('forwarded'), ours)]
}

function xForwardedOf(request: UpgradeRequest, fields: Map<string, Field[]>): Field[] {
  const { address, host, scheme } = clientOf(request)
  return [
    ['X-Forwarded-For', append(fields.get('x-forwarded-for'), address || 'unknown')],
    ...(fields.has('x-forwarded-host') ? [] : [['X-Forwarded-Host', host] as const]),
    ...(fields.has('x-forwarded-proto') ? [] : [['X-Forwarded-Proto', scheme] as const])
  ]
}

function append(earlier: readonly Field[] | undefined, ours: string): string {
  return [...(earlier ?? []).map(([, value]) => value), ours].join(', ')
}

// RFC 9110 §7.6.1: hop-by-hop fields besides those that Connection lists; the handshake writes upgrade and the others itself
const HOP_BY_HOP: ReadonlySet<string> = new Set(['keep-alive', 'proxy-connection', 'te', 'trailer', 'http2-settings'])

/**
 * The names of the fields of a refusal to return: the meaning of a status depends on many of them (`Location`, `Allow`, `WWW-Authenticate`,
 * …). Cookies of the target are returned only if named, just as the client's cookies are sent only if named.
 */
function refusalNames(headers: Headers, named: readonly string[]): string[] {
  const { connection } = headers
  const listed = (listTokens([connection ?? ''].flat().join(', ')) ?? []).map(name => name.toLowerCase())
  return Object.keys(headers).filter(name => {
    if (name === 'set-cookie') return named.includes(name)
    return !HOP_BY_HOP.has(name) && !isReserved(name) && !listed.includes(name)
  })
}

/** The fields of the target's response with these names. */
export function returnedFields(headers: Headers, names: readonly string[]): Field[] {
  return names.flatMap(name => {
    const value = headers[name]
    const lines = value === undefined ? [] : [value].flat()
    return lines.filter(line => FIELD_VALUE.test(line)).map((line): Field => [name, line])
  })
}

/** The response to a client that the target refuses. */
export interface RelayedRefusal extends RefusalOptions {
  readonly status: number
}

/** @param error - why there is no connection to the target */
export function refusalFrom(error: HandshakeError, settings: RelaySettings): RelayedRefusal {
  // RFC 9110 §15.6.5, §15.6.3
  if (error.code === 'WS_ERR_HANDSHAKE_TIMEOUT') return { status: 504 }
  const { status, headers, body } = error
  if (error.code === 'WS_ERR_REJECTED') return { status }
  if (error.code !== 'WS_ERR_UNEXPECTED_STATUS' || status < 300 || !settings.returnRefusals) return { status: 502 }
  const names = refusalNames(headers, settings.returnHeaders)
  return { status, headers: returnedFields(headers, names), ...(body.length > 0 && { body }) }
}
