// The opening handshake in HTTP/2 (RFC 8441), from and to header fields of a stream, or an error with the status that refuses. Knows
// neither streams nor sessions. It needs no key: `:protocol` already proves that the server knows WebSockets.

import { HandshakeError, type Headers } from '../errors.js'
import { readHeaders, type Settings } from '../options.js'
import { Buffer } from '../runtime/node.js'
import { ByteStore } from './byte-store.js'
import { ClientRequest } from './client-request.js'
import { FIELD_VALUE } from './fields.js'
import { type Field, newHeaders, replaceFields, setField } from './header-fields.js'
import { type Http2Headers, type Http2Request, pseudo, toHttp2 } from './http2-fields.js'
import { requestUrl } from './request-target.js'
import { MAX_BODY } from './response-body.js'
import type { AcceptOptions } from './server-handshake.js'
import { checkOrigin, chooseProtocol, readExtensions, readField, readProtocols } from './server-rules.js'

/** What both sides agreed on. */
export interface Http2Agreement {
  status: 200
  /** The header fields of the response, without `:status`. */
  headers: Headers
  /** The chosen subprotocol; '' for none. */
  protocol: string
  version: 'rfc8441'
  url: string
}

export interface Http2Accepted extends Http2Agreement {
  /** The response in the form that the stream takes. */
  head: Http2Headers
}

export interface Http2Established extends Http2Agreement {
  /** The extensions that the server chose, normalized; '' for none. */
  extensions: string
}

export class Http2ServerHandshake {
  readonly version = 'rfc8441'
  /** `ws://host/path`, or `wss:` if the scheme is `https`. */
  readonly url: string
  readonly offeredProtocols: readonly string[]
  /** The normalized offer; '' if there is none. `readExtensionList` accepts it. */
  readonly offeredExtensions: string

  readonly #request: Http2Request
  readonly #settings: Settings
  #fields: readonly Field[]

  /**
   * Checks the request.
   * @param head - the fields of the stream, including pseudo-header fields
   * @param request - the same as an UpgradeRequest
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
    this.offeredProtocols = readProtocols(request)
    this.offeredExtensions = readExtensions(request)
    // RFC 6455 §10.2
    checkOrigin(readField(request, 'origin'), request, settings)
  }

  /**
   * Sets a header field of the response, replacing an earlier one of the same name; an array makes several lines. Fields that HTTP/2 does
   * not allow are left out.
   * @throws TypeError if it cannot be sent, or the handshake sets it itself
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * Makes the response that opens the connection.
   * @throws TypeError if the client did not offer the subprotocol, or a header field cannot be sent
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
    // A body would be taken for frames
    if ((readField(this.#request, 'content-length') ?? '0') !== '0') bad('the request has a body')
  }

  #checkVersion(): void {
    if (readField(this.#request, 'sec-websocket-version') === '13') return
    // RFC 6455 §4.4. Not 426: RFC 9110 §15.5.22 requires Upgrade with it, which HTTP/2 does not have
    const headers = newHeaders()
    headers['sec-websocket-version'] = '13'
    throw new HandshakeError('WS_ERR_UNSUPPORTED_VERSION', { status: 400, headers })
  }
}

/** RFC 8441 §4: CONNECT with a `:protocol` that we support. */
function checkConnect(head: Http2Headers): void {
  if (pseudo(head, ':method') !== 'CONNECT' || head[':protocol'] === undefined) {
    throw new HandshakeError('WS_ERR_METHOD', { status: 405, detail: 'on HTTP/2 it is CONNECT with a :protocol' })
  }
  // RFC 8441 does not name a status; RFC 9220 §3, the same for HTTP/3, says 501
  if (pseudo(head, ':protocol').toLowerCase() !== 'websocket') {
    throw new HandshakeError('WS_ERR_UPGRADE_REQUIRED', { status: 501, detail: 'unknown :protocol' })
  }
}

/** RFC 8441 §4: scheme, path and authority are required. */
function readTarget(head: Http2Headers, request: Http2Request): string {
  const { scheme } = request
  // RFC 8441 §5
  if (scheme !== 'https' && scheme !== 'http') bad(':scheme')
  // an absolute URL is a target in HTTP/1.1 only
  if (!request.url.startsWith('/')) bad(':path')
  // RFC 9113 §8.3.1: if both are given, they must be equal
  const host = head['host']
  if (host !== undefined && host !== request.headers['host']) bad('host differs from :authority')
  return requestUrl(request, scheme === 'https')
}

function bad(detail: string): never {
  throw new HandshakeError('WS_ERR_BAD_REQUEST', { status: 400, detail })
}

/** `Host` becomes `:authority`, and header fields that HTTP/2 does not allow are left out. */
export class Http2ClientHandshake extends ClientRequest {
  readonly #body = new ByteStore()
  #refusal: { status: number; headers: Headers } | undefined

  /**
   * The request (RFC 8441 §5).
   * @throws TypeError if the offer of extensions is malformed
   */
  request(extensionOffer = ''): Http2Headers {
    const { origin } = this.settings
    const { host, path, authorization, url } = this.target
    this.offer(extensionOffer)
    const own: Field[] = [
      ['host', host],
      ['sec-websocket-version', '13']
    ]
    if (this.protocols.length > 0) own.push(['sec-websocket-protocol', this.protocols.join(', ')])
    if (extensionOffer !== '') own.push(['sec-websocket-extensions', extensionOffer])
    if (origin !== undefined) own.push(['origin', origin])
    if (authorization !== '') own.push(['authorization', authorization])
    const { host: authority, ...fields } = toHttp2(replaceFields(own, this.fields))
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
   * Takes the header fields of the response; null if the status is not 200: then its body follows.
   * @throws HandshakeError if the response is invalid
   */
  take(head: Http2Headers): Http2Established | null {
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
    // node:http2 joins two lines of Sec-WebSocket-Protocol, which are then not a subprotocol that was offered
    const protocol = this.readProtocol({ status, headers })
    const extensions = this.readExtensions({ status, headers })
    return { status, headers, protocol, extensions, version: 'rfc8441', url: this.url }
  }

  /**
   * Takes the next bytes of the body of a response other than 200.
   * @throws HandshakeError when `MAX_BODY` is reached
   */
  takeBody(chunk: Buffer): void {
    this.#body.push(chunk.subarray(0, MAX_BODY - this.#body.length))
    if (this.#body.length === MAX_BODY) this.end()
  }

  /** Whether the head of such a response has arrived; its body may be incomplete. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** Such a response as far as it has arrived; null if there is none. */
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
   * The stream ended before the connection was open.
   * @throws HandshakeError always, with what has arrived
   */
  end(): never {
    const detail = 'the server ended the stream without a response'
    throw this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail })
  }
}
