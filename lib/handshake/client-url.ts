// Splits the URL of a WebSocket into the parts that a handshake needs: RFC 6455 §3, §4.1.

import { Buffer } from '../runtime/node.js'
import { ORIGIN_FORM } from './fields.js'

export interface Target {
  /** `ws:` or `wss:`, without user name and password. */
  url: string
  /** For `Host`: with the port, unless it is the default of the scheme. */
  host: string
  /** Path and query. */
  path: string
  /** For `Authorization`, if the URL has a user name; otherwise ''. */
  authorization: string
}

const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
  ['http:', 'ws:'],
  ['https:', 'wss:']
])

/**
 * @throws SyntaxError if it is not a URL, has a fragment, or a scheme other than ws, wss, http and https
 * @throws TypeError if it is neither a string nor a URL, or contains control characters
 */
export function readUrl(given: string | URL): Target {
  const url = parse(given)
  const scheme = SCHEMES.get(url.protocol)
  if (scheme === undefined) {
    throw new SyntaxError(
      `the scheme of a WebSocket URL must be ws or wss, not ${url.protocol}${schemeFor(String(given))}`
    )
  }
  // RFC 6455 §3: not even an empty one
  if (url.href.includes('#')) throw new SyntaxError('a WebSocket URL must not have a fragment')
  const authorization = basic(url)
  url.protocol = scheme
  url.username = ''
  url.password = ''
  return { url: url.href, host: url.host, path: url.pathname + url.search, authorization }
}

/**
 * The same server with this path and query, byte for byte: `new URL()` would resolve `..` and escape some characters.
 * @throws TypeError if they are not allowed in a request
 */
export function withTarget(target: Target, path: string): Target {
  if (!ORIGIN_FORM.test(path)) throw new TypeError(`not a request target: ${JSON.stringify(path)}`)
  return { ...target, path, url: `${target.url.split(':', 1)[0]}://${target.host}${path}` }
}

function parse(given: unknown): URL {
  if (given instanceof URL) return new URL(given.href)
  if (typeof given !== 'string') throw new TypeError('the URL must be a string or a URL')
  // new URL() would silently drop some of these
  if (/[\x00-\x1f\x7f]/.test(given)) throw new TypeError('the URL must not contain control characters')
  try {
    return new URL(given)
  } catch (cause) {
    throw new SyntaxError(`not a URL: ${JSON.stringify(given)}${schemeFor(given)}`, { cause })
  }
}

/** A hint for a host, or a host and a port, without a scheme: `localhost:8080` parses as a URL of the scheme `localhost:`. */
function schemeFor(given: string): string {
  const isHost = /^([\w-]+(\.[\w-]+)*|\[[\da-f:.]+\])(:\d+)?([/?].*)?$/i.test(given)
  return isHost && URL.canParse(`ws://${given}`) ? `; did you mean ws://${given} ?` : ''
}

/** RFC 7617 §2 */
function basic({ username, password }: URL): string {
  if (username === '' && password === '') return ''
  const user = percentDecode(username)
  if (user.includes(':')) throw new SyntaxError('a user name must not contain a colon')
  return `Basic ${Buffer.from(`${user}:${percentDecode(password)}`, 'latin1').toString('base64')}`
}

/** Decodes percent-encoded bytes, one in each character; a percent sign without two hexadecimal digits stays. */
function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
