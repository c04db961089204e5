// The client's side of the handshake: makes the request for a URL, and reads the response: what was agreed, or an error that contains the
// response (RFC 6455 §4.1). Knows no extensions but their names.

import { type ErrorCode, HandshakeError, type HandshakeErrorOptions, type Headers } from '../errors.js'
import type { Settings } from '../options.js'
import { Buffer } from '../runtime/node.js'
import { acceptValue, freshKey } from './accept-key.js'
import { AnswerParser } from './answer-parser.js'
import { readUrl, type Target, withTarget } from './client-url.js'
import { FIELD_VALUE } from './fields.js'
import type { ResponseHead } from './head-parser.js'
import { countLines, type Field, replaceFields, setField, writeHead } from './header-fields.js'
import { type ExtensionItem, hasToken, readExtensionList } from './header-lists.js'
import { MAX_BODY, ResponseBody } from './response-body.js'
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

const NO_ANSWER =
  'the server closed the connection without a response, as a server does that expects wss:// and gets ws://'

export class ClientHandshake {
  readonly #settings: Settings
  #target: Target
  readonly #protocols: readonly string[]
  readonly #parser: AnswerParser
  #fields: readonly Field[]
  #accept = ''
  #offered: readonly ExtensionItem[] = []
  #refusal: { head: ResponseHead; body: ResponseBody } | undefined

  /**
   * @throws SyntaxError if the URL is not a WebSocket URL
   * @throws TypeError if the URL contains control characters, or an option is for servers only
   */
  constructor(url: string | URL, settings: Settings) {
    if (typeof settings.protocols === 'function')
      throw new TypeError('on a client, protocols must be a string or an array of strings')
    this.#settings = settings
    this.#protocols = settings.protocols
    this.#target = readUrl(url)
    this.#fields = settings.headers
    this.#parser = new AnswerParser(settings)
  }

  /** `ws:` or `wss:`, without user name and password. */
  get url(): string {
    return this.#target.url
  }

  /**
   * Requests this path and query, byte for byte, instead of the URL's.
   * @throws TypeError if they are not allowed in a request
   */
  askFor(path: string): void {
    this.#target = withTarget(this.#target, path)
  }

  /**
   * Sets a header field of the request, replacing an earlier one of the same name; an array makes several lines.
   * @throws TypeError if it cannot be sent, or the handshake sets it itself
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /** The application's header fields, including those of setHeader. */
  get fields(): readonly Field[] {
    return this.#fields
  }

  /**
   * Makes the request, with a fresh key.
   * @throws TypeError if the offer of extensions is malformed
   */
  request(extensionOffer = ''): Buffer {
    return writeHead(`GET ${this.#target.path} HTTP/1.1`, this.requestFields(extensionOffer))
  }

  /** The header fields of the request, with a fresh key. @throws TypeError if the offer of extensions is malformed */
  requestFields(extensionOffer: string): readonly Field[] {
    const { origin, version } = this.#settings
    const { host, authorization } = this.#target
    const offered = extensionOffer === '' ? [] : readExtensionList(extensionOffer)
    if (offered === null || !FIELD_VALUE.test(extensionOffer)) throw new TypeError('malformed offer of extensions')
    const key = freshKey()
    this.#offered = offered
    this.#accept = acceptValue(key)
    const fields: Field[] = [
      ['Host', host],
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', key],
      ['Sec-WebSocket-Version', String(version)]
    ]
    if (this.#protocols.length > 0) fields.push(['Sec-WebSocket-Protocol', this.#protocols.join(', ')])
    if (extensionOffer !== '') fields.push(['Sec-WebSocket-Extensions', extensionOffer])
    if (origin !== undefined) fields.push([version === 13 ? 'Origin' : 'Sec-WebSocket-Origin', origin])
    if (authorization !== '') fields.push(['Authorization', authorization])
    return replaceFields(fields, this.#fields)
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
    throw this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: NO_ANSWER })
  }

  #takeBody(chunk: Buffer): null {
    if (this.#refusal!.body.write(chunk)) throw this.refused()!
    return null
  }

  /** The checks that RFC 6455 §4.1 requires of a client. */
  #establish(head: ResponseHead, rest: Buffer): Established {
    const { status, headers, httpVersion } = head
    if (httpVersion === '1.0') fail('WS_ERR_HTTP_VERSION', { status, headers })
    if (text(head, 'upgrade').toLowerCase() !== 'websocket') wrong(head, 'Upgrade is not websocket')
    if (!hasToken(text(head, 'connection'), 'upgrade')) wrong(head, 'Connection does not contain upgrade')
    if (text(head, 'sec-websocket-accept') !== this.#accept) wrong(head, 'Sec-WebSocket-Accept does not fit the key')
    return {
      status: 101,
      headers,
      protocol: this.#readProtocol(head),
      extensions: this.#readExtensions(head),
      version: `hybi-${this.#settings.version}`,
      url: this.url,
      rest
    }
  }

  #readProtocol(head: ResponseHead): string {
    const lines = countLines(head.rawHeaders, 'sec-websocket-protocol')
    if (lines === 0) return ''
    // RFC 6455 §11.3.4
    if (lines > 1) wrong(head, 'Sec-WebSocket-Protocol is repeated')
    const protocol = text(head, 'sec-websocket-protocol')
    if (!this.#protocols.includes(protocol)) wrong(head, 'a subprotocol that was not offered')
    return protocol
  }

  /** RFC 6455 §9.1 */
  #readExtensions(head: ResponseHead): string {
    if (head.headers['sec-websocket-extensions'] === undefined) return ''
    const items = readExtensionList(text(head, 'sec-websocket-extensions'))
    if (items === null) wrong(head, 'malformed Sec-WebSocket-Extensions')
    for (const { name, poisoned } of items) {
      if (!this.#offered.some(item => item.name === name)) wrong(head, 'an extension that was not offered')
      if (poisoned) wrong(head, 'an unknown parameter of an extension')
    }
    return items.map(item => item.text).join(', ')
  }
}

/** The value of a field; '' if there is none. Its lines have been joined: RFC 6455, erratum 3433. */
function text(head: ResponseHead, name: string): string {
  return (head.headers[name] as string | undefined) ?? ''
}

function wrong({ status, headers }: ResponseHead, detail: string): never {
  fail('WS_ERR_BAD_RESPONSE', { status, headers, detail })
}

function fail(code: ErrorCode, options: HandshakeErrorOptions): never {
  throw new HandshakeError(code, options)
}
