// The server's side of RFC 6455 §4.2 and the drafts hybi-7 and hybi-8: checks a parsed request, and makes the 101 response, or an error
// with the status that refuses. Knows neither streams nor how the request was parsed.

import type { Headers } from '../errors.js'
import { type HeaderFields, readHeaders, type Settings, type UpgradeRequest } from '../options.js'
import { acceptValue, isKey } from './accept-key.js'
import { FIELD_VALUE } from './fields.js'
import { type Field, replaceFields, setField, toHeaders, writeHead } from './header-fields.js'
import { hasToken } from './header-lists.js'
import { checkSyntax, requestUrl } from './request-target.js'
import { checkOrigin, chooseProtocol, readExtensions, readField, readProtocols, refuse } from './server-rules.js'

export { type Refusal, type RefusalOptions, refusal, refusalFor } from './refusal.js'

/** RFC 6455 and the two drafts with the same frames. */
export type HybiVersion = 'hybi-13' | 'hybi-8' | 'hybi-7'

/** Options for accepting a request. */
export interface AcceptOptions {
  /** The subprotocol, one of those offered; '' for none. Default: the choice of `settings.protocols`. */
  protocol?: string | undefined
  /** More header fields for the response. */
  headers?: HeaderFields | undefined
  /**
   * The agreed extensions, as in `Sec-WebSocket-Extensions`, if this connection does not process them itself: for an application that
   * passes `frames` on unchanged. '' for none. Default: the result of negotiating the option `extensions`.
   */
  extensions?: string | undefined
}

export interface Accepted {
  /** The 101 response as it is sent. */
  bytes: Buffer
  status: 101
  /** The header fields of that response. */
  headers: Headers
  /** The chosen subprotocol; '' for none. */
  protocol: string
  version: HybiVersion
  url: string
}

const VERSIONS: ReadonlyMap<string | undefined, HybiVersion> = new Map([
  ['13', 'hybi-13'],
  ['8', 'hybi-8'],
  ['7', 'hybi-7']
])

/**
 * Whether a request asks for a WebSocket: in HTTP/1.1 a GET with `Upgrade` and `Connection` (RFC 6455 §4.1), in HTTP/2 a CONNECT with
 * `:protocol` (RFC 8441 §4), in the form of `ws.request` or of `node:http2`. Never throws.
 */
export function isWebSocket(request: UpgradeRequest): boolean {
  const { method, headers, protocol } = ((request as unknown) ?? {}) as Partial<UpgradeRequest & { protocol: unknown }>
  if (typeof headers !== 'object' || headers === null) return false
  if (method === 'CONNECT') return String(headers[':protocol'] ?? protocol).toLowerCase() === 'websocket'
  if (method !== 'GET') return false
  return names(headers['upgrade'], 'websocket') && names(headers['connection'], 'upgrade')
}

/** The first fields of every 101 response (RFC 6455 §4.2.2). */
function responseFields(key: string): Field[] {
  return [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptValue(key)]
  ]
}

function names(value: unknown, token: string): boolean {
  if (typeof value === 'string') return hasToken(value, token)
  return Array.isArray(value) && value.some(line => typeof line === 'string' && hasToken(line, token))
}

export class ServerHandshake {
  readonly version: HybiVersion
  /** `ws://host/path`, or `wss:` if the wire is encrypted. */
  readonly url: string
  readonly offeredProtocols: readonly string[]
  /** The normalized offer; '' if there is none. `readExtensionList` accepts it. */
  readonly offeredExtensions: string

  readonly #request: UpgradeRequest
  readonly #settings: Settings
  readonly #key: string
  #fields: readonly Field[]

  /**
   * Checks the request.
   * @throws HandshakeError with the status that refuses it
   */
  constructor(request: UpgradeRequest, settings: Settings, secure = false) {
    checkSyntax(request)
    this.#request = request
    this.#settings = settings
    this.#fields = settings.headers
    this.url = requestUrl(request, secure)
    this.#checkUpgrade()
    this.version = this.#readVersion()
    this.#key = this.#readKey()
    this.offeredProtocols = readProtocols(request)
    this.offeredExtensions = readExtensions(request)
    // RFC 6455 §10.2; in the drafts the field had another name
    checkOrigin(this.#field(this.version === 'hybi-13' ? 'origin' : 'sec-websocket-origin'), request, settings)
  }

  /**
   * Sets a header field of the 101 response, replacing an earlier one of the same name; an array makes several lines.
   * @throws TypeError if it cannot be sent, or the handshake sets it itself
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * Makes the response that opens the connection.
   * @throws TypeError if the client did not offer the subprotocol, or a header field cannot be sent
   */
  accept(options: AcceptOptions = {}): Accepted {
    const protocol = chooseProtocol(this.offeredProtocols, options.protocol, this.#request, this.#settings)
    const fields = responseFields(this.#key)
    if (protocol !== '') fields.push(['Sec-WebSocket-Protocol', protocol])
    if (options.extensions) {
      if (!FIELD_VALUE.test(options.extensions)) throw new TypeError('invalid value of Sec-WebSocket-Extensions')
      fields.push(['Sec-WebSocket-Extensions', options.extensions])
    }
    const { headers: more } = options
    fields.push(...(more === undefined ? this.#fields : replaceFields(this.#fields, readHeaders(more))))
    const bytes = writeHead('HTTP/1.1 101 Switching Protocols', fields)
    return { bytes, status: 101, headers: toHeaders(fields), protocol, version: this.version, url: this.url }
  }

  #checkUpgrade(): void {
    const request = this.#request
    // RFC 6455 §4.1
    if (request.method !== 'GET') refuse('WS_ERR_METHOD', 405)
    // RFC 6455 §4.2.1
    const upgrade = names(request.headers['upgrade'], 'websocket')
    const connection = names(request.headers['connection'], 'upgrade')
    if (!upgrade && !connection) refuse('WS_ERR_UPGRADE_REQUIRED', 426)
    if (!upgrade) refuse('WS_ERR_BAD_REQUEST', 400, 'Upgrade does not contain websocket')
    if (!connection) refuse('WS_ERR_BAD_REQUEST', 400, 'Connection does not contain upgrade')
    // A body would be taken for frames
    if (request.headers['transfer-encoding'] !== undefined || (this.#field('content-length') ?? '0') !== '0') {
      refuse('WS_ERR_BAD_REQUEST', 400, 'the request has a body')
    }
  }

  #readVersion(): HybiVersion {
    // RFC 6455 §4.4
    return VERSIONS.get(this.#field('sec-websocket-version')) ?? refuse('WS_ERR_UNSUPPORTED_VERSION', 426)
  }

  #readKey(): string {
    const key = this.#field('sec-websocket-key')
    // RFC 6455 §4.2.1
    if (key === undefined || !isKey(key)) refuse('WS_ERR_BAD_REQUEST', 400, 'Sec-WebSocket-Key')
    return key
  }

  #field(name: string): string | undefined {
    return readField(this.#request, name)
  }
}
