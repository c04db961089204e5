// The opening handshake on HTTP/2 (RFC 8441): header fields of a stream come in, header fields to answer with come out, or an
// error with the status that refuses. Knows neither streams nor sessions. There is no key here: HTTP/2 is proof enough.

import { type ErrorCode, HandshakeError, type HandshakeErrorOptions, type Headers } from '../errors.js'
import { readHeaders, type Settings } from '../options.js'
import { Buffer } from '../runtime/node.js'
import { ByteStore } from './byte-store.js'
import { readUrl, type Target, withTarget } from './client-url.js'
import { FIELD_VALUE } from './fields.js'
import { type Field, newHeaders, replaceFields, setField } from './header-fields.js'
import { type ExtensionItem, listTokens, readExtensionList } from './header-lists.js'
import { type Http2Headers, type Http2Request, pseudo, toHttp2 } from './http2-fields.js'
import { requestUrl } from './request-target.js'
import type { AcceptOptions } from './server-handshake.js'
import { checkOrigin, chooseProtocol, readField } from './server-rules.js'

/** What both sides agreed on. */
export interface Http2Agreement {
  status: 200
  /** The header fields of the answer, without `:status`. */
  headers: Headers
  /** The chosen subprotocol, '' for none. */
  protocol: string
  version: 'rfc8441'
  url: string
}

export interface Http2Accepted extends Http2Agreement {
  /** The answer as it goes to the stream. */
  head: Http2Headers
}

export interface Http2Established extends Http2Agreement {
  /** The extensions that the server chose, in their plainest form; '' for none. */
  extensions: string
}

/** Bytes of the body of an answer other than 200 that are kept. */
const MAX_BODY = 65536

export class Http2ServerHandshake {
  readonly version = 'rfc8441'
  /** `ws://host/path`, or `wss:` where the scheme is `https`. */
  readonly url: string
  readonly offeredProtocols: readonly string[]
  /** In their plainest form, '' where there are none; `checkExtensionList` holds for it. */
  readonly offeredExtensions: string

  readonly #request: Http2Request
  readonly #settings: Settings
  #fields: readonly Field[]

  /**
   * Checks the request.
   * @param head - the fields of the stream, pseudo-fields included
   * @param request - the same as a request
   * @throws HandshakeError with the status that refuses it
   */
  constructor(head: Http2Headers, request: Http2Request, settings: Settings) {
    this.#request = request
    this.#settings = settings
    this.#fields = settings.headers
    checkConnect(head)
    this.url = readTarget(head, request)
    this.#checkBody()
    this.#checkVersion()
    this.offeredProtocols = this.#readProtocols()
    this.offeredExtensions = this.#readExtensions()
    // RFC 6455 §10.2
    checkOrigin(readField(request, 'origin'), request, settings)
  }

  /**
   * Puts a field into the answer, replacing an earlier one of that name; an array makes several lines. What HTTP/2 has no
   * place for is left out.
   * @throws TypeError where it cannot be sent, or belongs to the handshake
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * Makes the answer that opens the connection.
   * @throws TypeError where the subprotocol was not offered, or a field cannot be sent
   */
  accept(options: AcceptOptions = {}): Http2Accepted {
    const protocol = chooseProtocol(this.offeredProtocols, options.protocol, this.#request, this.#settings)
    const fields: Field[] = []
    if (protocol !== '') fields.push(['sec-websocket-protocol', protocol])
    if (options.extensions) {
      if (!FIELD_VALUE.test(options.extensions)) throw new TypeError('invalid value of Sec-WebSocket-Extensions')
      fields.push(['sec-websocket-extensions', options.extensions])
    }
    const { headers: more } = options
    fields.push(...(more === undefined ? this.#fields : replaceFields(this.#fields, readHeaders(more))))
    const headers = toHttp2(fields)
    return {
      head: { ':status': 200, ...headers },
      status: 200,
      headers,
      protocol,
      version: this.version,
      url: this.url
    }
  }

  #checkBody(): void {
    // What a length counts would be taken for frames
    if ((readField(this.#request, 'content-length') ?? '0') !== '0') bad('the request has a body')
  }

  #checkVersion(): void {
    if (readField(this.#request, 'sec-websocket-version') === '13') return
    // RFC 6455 §4.4. Not 426: RFC 9110 §15.5.22 wants Upgrade with it, which HTTP/2 has not
    const headers = newHeaders()
    headers['sec-websocket-version'] = '13'
    throw new HandshakeError('WS_ERR_UNSUPPORTED_VERSION', { status: 400, headers })
  }

  #readProtocols(): readonly string[] {
    const value = readField(this.#request, 'sec-websocket-protocol')
    if (value === undefined) return []
    const tokens = listTokens(value)
    // RFC 6455 §4.1: at least one, each a token, none twice
    if (tokens === null || tokens.length === 0 || new Set(tokens).size !== tokens.length) bad('Sec-WebSocket-Protocol')
    return tokens
  }

  #readExtensions(): string {
    const value = readField(this.#request, 'sec-websocket-extensions')
    if (value === undefined) return ''
    // RFC 6455 §9.1
    const items = readExtensionList(value)
    if (items === null) bad('Sec-WebSocket-Extensions')
    // an offer that cannot be accepted is declined here, before a parser is confused by it
    const offers = items.filter(item => !item.poisoned)
    return offers.map(item => item.text).join(', ')
  }
}

/** RFC 8441 §4: CONNECT with a `:protocol` that we speak. */
function checkConnect(head: Http2Headers): void {
  if (pseudo(head, ':method') !== 'CONNECT' || head[':protocol'] === undefined) {
    throw new HandshakeError('WS_ERR_METHOD', { status: 405, detail: 'on HTTP/2 it is CONNECT with a :protocol' })
  }
  // RFC 8441 leaves the status open; RFC 9220 §3, its sister for HTTP/3, says 501
  if (pseudo(head, ':protocol').toLowerCase() !== 'websocket') {
    throw new HandshakeError('WS_ERR_UPGRADE_REQUIRED', { status: 501, detail: 'unknown :protocol' })
  }
}

/** RFC 8441 §4: scheme, path and authority have to be there. */
function readTarget(head: Http2Headers, request: Http2Request): string {
  const { scheme } = request
  // RFC 8441 §5
  if (scheme !== 'https' && scheme !== 'http') bad(':scheme')
  // an absolute URL is a target of HTTP/1.1 only
  if (!request.url.startsWith('/')) bad(':path')
  // RFC 9113 §8.3.1: where both are given, they say the same
  const host = head['host']
  if (host !== undefined && host !== request.headers['host']) bad('host is another than :authority')
  return requestUrl(request, scheme === 'https')
}

function bad(detail: string): never {
  throw new HandshakeError('WS_ERR_BAD_REQUEST', { status: 400, detail })
}

export class Http2ClientHandshake {
  readonly #settings: Settings
  #target: Target
  readonly #protocols: readonly string[]
  readonly #body = new ByteStore()
  #fields: readonly Field[]
  #offered: readonly ExtensionItem[] = []
  #refusal: { status: number; headers: Headers } | undefined

  /**
   * @throws SyntaxError where the URL is none for a WebSocket
   * @throws TypeError where the URL has control characters in it, or an option is of use to servers only
   */
  constructor(url: string | URL, settings: Settings) {
    if (typeof settings.protocols === 'function') throw new TypeError('a client offers protocols by name')
    this.#settings = settings
    this.#protocols = settings.protocols
    this.#target = readUrl(url)
    this.#fields = settings.headers
  }

  /** `ws:` or `wss:`, without a user's name and password. */
  get url(): string {
    return this.#target.url
  }

  /**
   * Asks for this path and query, byte for byte, in place of the URL's.
   * @throws TypeError where it cannot stand in a request
   */
  askFor(path: string): void {
    this.#target = withTarget(this.#target, path)
  }

  /**
   * Puts a field into the request, replacing an earlier one of that name; an array makes several lines. `Host` becomes
   * `:authority`, and what HTTP/2 has no place for is left out.
   * @throws TypeError where it cannot be sent, or belongs to the handshake
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * The request (RFC 8441 §5).
   * @throws TypeError where the offer of extensions is malformed
   */
  request(extensionOffer = ''): Http2Headers {
    const { origin } = this.#settings
    const { host, path, authorization, url } = this.#target
    const offered = extensionOffer === '' ? [] : readExtensionList(extensionOffer)
    if (offered === null || !FIELD_VALUE.test(extensionOffer)) throw new TypeError('malformed offer of extensions')
    this.#offered = offered
    const own: Field[] = [
      ['host', host],
      ['sec-websocket-version', '13']
    ]
    if (this.#protocols.length > 0) own.push(['sec-websocket-protocol', this.#protocols.join(', ')])
    if (extensionOffer !== '') own.push(['sec-websocket-extensions', extensionOffer])
    if (origin !== undefined) own.push(['origin', origin])
    if (authorization !== '') own.push(['authorization', authorization])
    const { host: authority, ...fields } = toHttp2(replaceFields(own, this.#fields))
    return {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': url.startsWith('wss:') ? 'https' : 'http',
      ':authority': authority,
      ':path': path,
      ...fields
    }
  }

  /**
   * Takes the fields of the answer; null where it is another than 200, whose body is waited for.
   * @throws HandshakeError where the answer is wrong
   */
  answer(head: Http2Headers): Http2Established | null {
    const status = Number(head[':status'])
    const headers = newHeaders()
    for (const [name, value] of Object.entries(head)) {
      if (!name.startsWith(':')) headers[name] = value as string | string[] | undefined
    }
    // RFC 8441 §5
    if (status !== 200) {
      this.#refusal = { status, headers }
      return null
    }
    const protocol = this.#readProtocol(headers)
    return { status, headers, protocol, extensions: this.#readExtensions(headers), version: 'rfc8441', url: this.url }
  }

  /**
   * Takes the next bytes of the body of an answer other than 200.
   * @throws HandshakeError when there are as many as are kept
   */
  takeBody(chunk: Buffer): void {
    this.#body.push(chunk.subarray(0, MAX_BODY - this.#body.length))
    if (this.#body.length === MAX_BODY) this.end()
  }

  /** Whether the head of such an answer is there, whose body may be still to come. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** Such an answer as far as it came; null where there is none. */
  refused(): HandshakeError | null {
    if (this.#refusal === undefined) return null
    const body = Buffer.from(this.#body.bytes())
    return new HandshakeError('WS_ERR_UNEXPECTED_STATUS', {
      ...this.#refusal,
      detail: String(this.#refusal.status),
      body
    })
  }

  /**
   * The stream has ended before the connection was open.
   * @throws HandshakeError always, with what came until then
   */
  end(): never {
    const detail = 'the server ended the stream without one'
    throw this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail })
  }

  /** RFC 6455 §4.1: at most one, and one that was offered. Two lines are joined by node:http2, and no token then. */
  #readProtocol(headers: Headers): string {
    const protocol = text(headers, 'sec-websocket-protocol')
    if (protocol !== undefined && !this.#protocols.includes(protocol)) {
      wrong(headers, 'a subprotocol that was not offered')
    }
    return protocol ?? ''
  }

  /** RFC 6455 §9.1 */
  #readExtensions(headers: Headers): string {
    const value = text(headers, 'sec-websocket-extensions')
    if (value === undefined) return ''
    const items = readExtensionList(value)
    if (items === null) wrong(headers, 'malformed Sec-WebSocket-Extensions')
    for (const { name, poisoned } of items) {
      if (!this.#offered.some(item => item.name === name)) wrong(headers, 'an extension that was not offered')
      if (poisoned) wrong(headers, 'an unknown parameter of an extension')
    }
    return items.map(item => item.text).join(', ')
  }
}

function text(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function wrong(headers: Headers, detail: string): never {
  fail('WS_ERR_BAD_RESPONSE', { status: 200, headers, detail })
}

function fail(code: ErrorCode, options: HandshakeErrorOptions): never {
  throw new HandshakeError(code, options)
}
