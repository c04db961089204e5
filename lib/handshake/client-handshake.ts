// The client's side of the handshake: makes the request for a URL, and reads the response: what was agreed, or an error that contains the
// response (RFC 6455 §4.1). Knows no extensions but their names.

import { HandshakeError, type Headers } from '../errors.js'
import type { Settings } from '../options.js'
import { Buffer } from '../runtime/node.js'
import { acceptValue, freshKey } from './accept-key.js'
import { ClientRequest, fieldOf, invalidResponse } from './client-request.js'
import type { ResponseHead } from './head-parser.js'
import { countLines, type Field, replaceFields, writeHead } from './header-fields.js'
import { hasToken } from './header-lists.js'
import { MAX_BODY, ResponseBody } from './response-body.js'
import { ResponseParser } from './response-parser.js'
import type { HybiVersion } from './server-handshake.js'

export interface Established {
  status: 101
  headers: Headers
  /** The subprotocol that the server chose; '' for none. */
  protocol: string
  /** The extensions that the server chose, normalized and joined over all lines; '' for none. */
  extensions: string
  version: HybiVersion
  url: string
  /** The bytes after the response: the first frames. */
  rest: Buffer
}

const NO_RESPONSE = 'the server closed the connection without a response'
const WSS_HINT = '; it may expect wss:// instead of ws://'

export class ClientHandshake extends ClientRequest {
  readonly #parser: ResponseParser
  #accept = ''
  #refusal: { head: ResponseHead; body: ResponseBody } | undefined

  constructor(url: string | URL, settings: Settings) {
    super(url, settings)
    this.#parser = new ResponseParser(settings)
  }

  /**
   * Makes the request, with a fresh key.
   * @throws TypeError if the offer of extensions is malformed
   */
  request(extensionOffer = ''): Buffer {
    return writeHead(`GET ${this.target.path} HTTP/1.1`, this.requestFields(extensionOffer))
  }

  /** The header fields of the request, with a fresh key. @throws TypeError if the offer of extensions is malformed */
  requestFields(extensionOffer: string): readonly Field[] {
    const { origin, version } = this.settings
    const { host, authorization } = this.target
    this.offer(extensionOffer)
    const key = freshKey()
    this.#accept = acceptValue(key)
    const fields: Field[] = [
      ['Host', host],
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', key],
      ['Sec-WebSocket-Version', String(version)]
    ]
    if (this.protocols.length > 0) fields.push(['Sec-WebSocket-Protocol', this.protocols.join(', ')])
    if (extensionOffer !== '') fields.push(['Sec-WebSocket-Extensions', extensionOffer])
    if (origin !== undefined) fields.push([version === 13 ? 'Origin' : 'Sec-WebSocket-Origin', origin])
    if (authorization !== '') fields.push(['Authorization', authorization])
    return replaceFields(fields, this.fields)
  }

  /**
   * Takes the next bytes of the response; null if it is not complete.
   * @throws HandshakeError if the response is invalid, or is not a 101 and complete
   */
  receive(chunk: Buffer): Established | null {
    if (this.#refusal !== undefined) return this.#takeBody(chunk)
    const head = this.#parser.parse(chunk)
    if (head === null) return null
    if (head.status === 101) return this.#establish(head, this.#parser.rest)
    this.#refusal = { head, body: new ResponseBody(head, MAX_BODY) }
    return this.#takeBody(this.#parser.rest)
  }

  /**
   * Takes a response that another parser has read.
   * @throws HandshakeError if it is invalid or not a 101
   */
  take(head: ResponseHead): Established {
    if (head.status === 101) return this.#establish(head, Buffer.alloc(0))
    this.#refusal = { head, body: new ResponseBody(head, 0) }
    throw this.refused()!
  }

  /** Whether the head of a response other than 101 has arrived; its body may be incomplete. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** That response as far as it has arrived; null if there is none. */
  refused(): HandshakeError | null {
    if (this.#refusal === undefined) return null
    const { head, body } = this.#refusal
    const { status, headers } = head
    return new HandshakeError('WS_ERR_UNEXPECTED_STATUS', {
      detail: String(status),
      status,
      headers,
      body: body.bytes
    })
  }

  /**
   * The wire ended before the response was complete.
   * @throws HandshakeError always, with what has arrived
   */
  end(): never {
    const detail = this.url.startsWith('ws:') ? NO_RESPONSE + WSS_HINT : NO_RESPONSE
    throw this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail })
  }

  #takeBody(chunk: Buffer): null {
    if (this.#refusal!.body.write(chunk)) throw this.refused()!
    return null
  }

  /** The checks that RFC 6455 §4.1 requires of a client. */
  #establish(head: ResponseHead, rest: Buffer): Established {
    const { status, headers, httpVersion } = head
    if (httpVersion === '1.0') throw new HandshakeError('WS_ERR_HTTP_VERSION', { status, headers })
    if (fieldOf(head, 'upgrade')?.toLowerCase() !== 'websocket') {
      invalidResponse(head, 'upgrade', 'Upgrade is not websocket')
    }
    if (!hasToken(fieldOf(head, 'connection') ?? '', 'upgrade')) {
      invalidResponse(head, 'connection', 'Connection does not contain upgrade')
    }
    if (fieldOf(head, 'sec-websocket-accept') !== this.#accept) {
      invalidResponse(head, 'sec-websocket-accept', 'Sec-WebSocket-Accept does not fit the key')
    }
    // RFC 6455 §11.3.4
    if (countLines(head.rawHeaders, 'sec-websocket-protocol') > 1) {
      invalidResponse(head, 'sec-websocket-protocol', 'Sec-WebSocket-Protocol is repeated')
    }
    return {
      status: 101,
      headers,
      protocol: this.readProtocol(head),
      extensions: this.readExtensions(head),
      version: `hybi-${this.settings.version}`,
      url: this.url,
      rest
    }
  }
}
