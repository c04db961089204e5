// A URL comes in, the request that goes on the wire comes out; then bytes of the wire come in, and what was agreed comes
// out, or an error that holds what was answered instead: RFC 6455 §4.1. Knows no extensions but their names.

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
import { ResponseBody } from './response-body.js'
import type { HybiVersion } from './server-handshake.js'

export interface Established {
  status: 101
  headers: Headers
  /** The subprotocol that the server chose, '' for none. */
  protocol: string
  /** The extensions that the server chose, in their plainest form and joined over all lines; '' for none. */
  extensions: string
  version: HybiVersion
  url: string
  /** The bytes behind the answer: the first frames. */
  rest: Buffer
}

const NO_ANSWER = 'the server closed the connection without one'
/** Bytes of the body of an answer other than 101 that are kept. */
const MAX_BODY = 65536

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
   * @throws SyntaxError where the URL is none for a WebSocket
   * @throws TypeError where the URL has control characters in it, or an option is of use to servers only
   */
  constructor(url: string | URL, settings: Settings) {
    if (typeof settings.protocols === 'function') throw new TypeError('a client offers protocols by name')
    this.#settings = settings
    this.#protocols = settings.protocols
    this.#target = readUrl(url)
    this.#fields = settings.headers
    this.#parser = new AnswerParser(settings)
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
   * Puts a field into the request, replacing an earlier one of that name; an array makes several lines.
   * @throws TypeError where it cannot be sent, or belongs to the handshake
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /** The application's fields, those of setHeader among them. */
  get fields(): readonly Field[] {
    return this.#fields
  }

  /**
   * Writes the request, with a fresh key.
   * @throws TypeError where the offer of extensions is malformed
   */
  request(extensionOffer = ''): Buffer {
    return writeHead(`GET ${this.#target.path} HTTP/1.1`, this.requestFields(extensionOffer))
  }

  /** The fields of the request, with a fresh key. @throws TypeError where the offer of extensions is malformed */
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
   * Takes the next bytes of the answer; null where it goes on behind them.
   * @throws HandshakeError where the answer is wrong, or is another than 101 and complete
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
   * Takes an answer that another parser has read.
   * @throws HandshakeError where it is wrong, or another than 101
   */
  take(head: ResponseHead): Established {
    if (head.status === 101) return this.#establish(head, Buffer.alloc(0))
    this.#refusal = { head, body: new ResponseBody(head, 0) }
    throw this.refused()!
  }

  /** Whether the head of an answer other than 101 is there, whose body may be still to come. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** Such an answer as far as it came; null where there is none. */
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
   * The wire has ended before there was an answer.
   * @throws HandshakeError always, with what came until then
   */
  end(): never {
    throw this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: NO_ANSWER })
  }

  #takeBody(chunk: Buffer): null {
    if (this.#refusal!.body.write(chunk)) throw this.refused()!
    return null
  }

  /** RFC 6455 §4.1, what a client must check */
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

/** The value of a field, '' where there is none. Its lines are joined already: RFC 6455, erratum 3433. */
function text(head: ResponseHead, name: string): string {
  return (head.headers[name] as string | undefined) ?? ''
}

function wrong({ status, headers }: ResponseHead, detail: string): never {
  fail('WS_ERR_BAD_RESPONSE', { status, headers, detail })
}

function fail(code: ErrorCode, options: HandshakeErrorOptions): never {
  throw new HandshakeError(code, options)
}
