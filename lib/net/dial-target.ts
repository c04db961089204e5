// Splits a URL into the parts that dialling needs. Opens nothing.

import { readUrl } from '../handshake/client-url.js'

/** The server to dial. */
export interface DialTarget {
  /** The URL as given, for `createConnection`, which dials itself. */
  readonly given: URL
  /** For a WebSocketStream: `ws:` or `wss:`, with user name and password. */
  readonly url: URL
  readonly secure: boolean
  /** A name or an address; an IPv6 address without brackets. */
  readonly hostname: string
  readonly port: number
  /** The path of a unix socket, which replaces host and port. */
  readonly socketPath: string | undefined
}

/**
 * @param given - `ws:`, `wss:`, `http:`, `https:`, or `ws+unix:///path/to.sock:/target?query`
 * @throws SyntaxError if it is not a URL with one of these schemes, or has a fragment
 * @throws TypeError if it is neither a string nor a URL, or contains control characters
 */
export function readDialTarget(given: string | URL): DialTarget {
  // readUrl must check a string before new URL() gets it
  if (isUnix(given)) return unixTarget(given)
  const { url } = readUrl(given)
  const target = new URL(url)
  const { username, password } = new URL(given)
  target.username = username
  target.password = password
  return targetOf(new URL(given), target, undefined)
}

function isUnix(given: unknown): given is string | URL {
  return /^\s*ws\+unix:/i.test(given instanceof URL ? given.href : String(given))
}

/** The same form as in `ws`: the path of the socket, a colon, and the target; a colon in the path itself is `%3A`. */
function unixTarget(given: string | URL): DialTarget {
  const { url, pathname, search } = checkUnix(given)
  const colon = pathname.indexOf(':')
  const path = percentDecode(colon < 0 ? pathname : pathname.slice(0, colon))
  const target = colon < 0 ? '/' : pathname.slice(colon + 1)
  if (path === '' || path.endsWith('/')) throw new SyntaxError('a ws+unix URL must have the path of a socket')
  if (path.includes('\0')) throw new TypeError('the path of a socket must not contain NUL')
  return targetOf(url, new URL(`ws://localhost${target.startsWith('/') ? '' : '/'}${target}${search}`), path)
}

function checkUnix(given: string | URL): { url: URL; pathname: string; search: string } {
  const text = given instanceof URL ? given.href : given
  if (/[\x00-\x1f\x7f]/.test(text)) throw new TypeError('the URL must not contain control characters')
  if (!URL.canParse(text)) throw new SyntaxError(`not a URL: ${JSON.stringify(text)}`)
  const url = new URL(text)
  if (url.host !== '') throw new SyntaxError('a ws+unix URL must not have a host')
  // RFC 6455 §3: not even an empty one
  if (url.href.includes('#')) throw new SyntaxError('a WebSocket URL must not have a fragment')
  return { url, pathname: url.pathname, search: url.search }
}

function percentDecode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw new SyntaxError('the path of a socket must be percent-encoded UTF-8', { cause })
  }
}

function targetOf(given: URL, url: URL, socketPath: string | undefined): DialTarget {
  const secure = url.protocol === 'wss:'
  return {
    given,
    url,
    secure,
    hostname: bareHostname(url),
    port: portOf(url, secure ? 443 : 80),
    socketPath
  }
}

/** The port in a URL, even if it is 0; otherwise the default of its scheme (RFC 6455 §3). */
export function portOf({ port }: URL, usual: number): number {
  return port === '' ? usual : Number(port)
}

/** The host of a URL, without the brackets of an IPv6 address. */
export function bareHostname({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

/** Whether scheme, host and port, or the unix socket, are the same (RFC 6454 §5). */
export function isSameOrigin(one: DialTarget, other: DialTarget): boolean {
  return (
    one.secure === other.secure &&
    one.hostname === other.hostname &&
    one.port === other.port &&
    one.socketPath === other.socketPath
  )
}
