// The server's side of hixie-75 and hixie-76: checks a parsed request, and makes the 101 response, or an error with the status that
// refuses. Knows neither streams nor how the request, or the eight bytes after that of hixie-76, were read.

import { readHeaders, type Settings, type UpgradeRequest } from '../options.js'
import type { DraftVersion } from '../protocol/draft-parser.js'
import { Buffer, md5 } from '../runtime/node.js'
import { FIELD_VALUE } from './fields.js'
import { countLines, type Field, replaceFields, setField, toHeaders, writeHead } from './header-fields.js'
import { listTokens } from './header-lists.js'
import { checkSyntax, requestUrl } from './request-target.js'
import { type Accepted, type AcceptOptions, isWebSocket } from './server-handshake.js'
import { checkOrigin, chooseProtocol, readField, refuse } from './server-rules.js'

export type { DraftVersion } from '../protocol/draft-parser.js'

/** Like Accepted of other versions, except for the version. */
export interface DraftAccepted extends Omit<Accepted, 'version'> {
  version: DraftVersion
}

const KEYS = ['sec-websocket-key1', 'sec-websocket-key2'] as const
/** The `Sec-WebSocket-…` fields of hixie-76; hixie-75 has none. */
const FIELDS_OF_76: readonly string[] = [...KEYS, 'sec-websocket-protocol']

/** Bytes after the request head in hixie-76. */
const BODY_SIZE = 8
const NOTHING = Buffer.alloc(0)

/**
 * The draft of a request; null if it is not a WebSocket request, or has a field of a later version. Never throws.
 */
export function draftVersion(request: UpgradeRequest): DraftVersion | null {
  if (!isWebSocket(request)) return null
  const fields = Object.entries(request.headers).filter(([, value]) => value !== undefined)
  const names = fields.map(([name]) => name.toLowerCase()).filter(name => name.startsWith('sec-websocket-'))
  if (names.length === 0) return 'hixie-75'
  const isOlder = names.every(name => FIELDS_OF_76.includes(name))
  return isOlder && KEYS.some(key => names.includes(key)) ? 'hixie-76' : null
}

/** The server's side of both drafts, with the interface of `ServerHandshake`. */
export class DraftHandshake {
  readonly version: DraftVersion
  /** `ws://host/path`, or `wss:` if the wire is encrypted. */
  readonly url: string
  readonly offeredProtocols: readonly string[]
  /** The drafts have no extensions. */
  readonly offeredExtensions = ''
  /** Bytes after the request head that belong to the handshake. A proxy may hold them back until it has seen the head of the response. */
  readonly bodySize: number

  readonly #request: UpgradeRequest
  readonly #settings: Settings
  readonly #origin: string
  readonly #numbers: readonly number[]
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
    this.version = draftVersion(request) ?? refuse('WS_ERR_UNSUPPORTED_VERSION', 426)
    this.bodySize = this.version === 'hixie-76' ? BODY_SIZE : 0
    this.#checkBody()
    this.#numbers = this.version === 'hixie-76' ? KEYS.map(name => this.#readKey(name)) : []
    this.offeredProtocols = this.#readProtocols()
    this.#origin = this.#readOrigin()
  }

  /**
   * Sets a header field of the 101 response, replacing an earlier one of the same name; an array makes several lines.
   * @throws TypeError if it cannot be sent, or the handshake sets it itself
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * Makes the head that opens the connection; hixie-76 also needs `challenge`.
   * @throws TypeError if the client did not offer the subprotocol, or a header field cannot be sent
   */
  accept(options: AcceptOptions = {}): DraftAccepted {
    const { version, url } = this
    const protocol = chooseProtocol(this.offeredProtocols, options.protocol, this.#request, this.#settings)
    const is76 = version === 'hixie-76'
    const prefix = is76 ? 'Sec-WebSocket-' : 'WebSocket-'
    // clients of hixie-75 compare the first three lines byte by byte, including reason and case
    const fields: Field[] = [
      ['Upgrade', 'WebSocket'],
      ['Connection', 'Upgrade']
    ]
    if (this.#origin !== '') fields.push([`${prefix}Origin`, this.#origin])
    fields.push([`${prefix}Location`, url])
    if (protocol !== '') fields.push([`${prefix}Protocol`, protocol])
    const { headers: more } = options
    fields.push(...(more === undefined ? this.#fields : replaceFields(this.#fields, readHeaders(more))))
    const bytes = writeHead(`HTTP/1.1 101 ${is76 ? 'WebSocket' : 'Web Socket'} Protocol Handshake`, fields)
    return { bytes, status: 101, headers: toHeaders(fields), protocol, version, url }
  }

  /**
   * The bytes after the head of the response, made from the request's body: 16 bytes (hixie-76 §5.2), none for hixie-75.
   * @param body - the `bodySize` bytes after the request head
   */
  challenge(body: Uint8Array): Buffer {
    if (this.bodySize === 0) return NOTHING
    const bytes = Buffer.alloc(8 + BODY_SIZE)
    let at = 0
    for (const number of this.#numbers) at = bytes.writeUInt32BE(number, at)
    bytes.set(body, at)
    return md5(bytes)
  }

  #checkBody(): void {
    const { headers } = this.#request
    const length = readField(this.#request, 'content-length')
    // hixie-76 does not mention Content-Length; some clients send it
    const isRight = length === undefined || length === String(this.bodySize)
    if (headers['transfer-encoding'] !== undefined || !isRight) {
      refuse('WS_ERR_BAD_REQUEST', 400, 'the request has a body')
    }
  }

  /** hixie-76 §5.2: the digits as one number, divided by the count of spaces. */
  #readKey(name: string): number {
    const { rawHeaders } = this.#request
    const value = readField(this.#request, name)
    // the digits of a repeated key would be joined to one number
    const isRepeated = Array.isArray(this.#request.headers[name]) || (rawHeaders && countLines(rawHeaders, name) > 1)
    const number = value === undefined || isRepeated ? null : keyNumber(value)
    return number ?? refuse('WS_ERR_BAD_REQUEST', 400, name)
  }

  #readProtocols(): readonly string[] {
    const name = this.version === 'hixie-76' ? 'sec-websocket-protocol' : 'websocket-protocol'
    const value = readField(this.#request, name)
    if (value === undefined || value === '') return []
    if (!FIELD_VALUE.test(value)) refuse('WS_ERR_BAD_REQUEST', 400, name)
    // one name, of any visible characters; libraries of the time accepted a list, as later versions do
    return listTokens(value) ?? [value]
  }

  #readOrigin(): string {
    const origin = readField(this.#request, 'origin')
    checkOrigin(origin, this.#request, this.#settings)
    // checked, since the response repeats it
    if (origin !== undefined && !FIELD_VALUE.test(origin)) refuse('WS_ERR_BAD_REQUEST', 400, 'Origin')
    return origin ?? ''
  }
}

/** Null if it is invalid: no digits, no space, a remainder, or more than 32 bits. */
function keyNumber(key: string): number | null {
  const digits = key.replace(/[^0-9]/g, '')
  const spaces = key.split(' ').length - 1
  const number = Number(digits)
  // an unsafe integer is far too large
  if (digits === '' || spaces === 0 || !Number.isSafeInteger(number) || number % spaces !== 0) return null
  return number / spaces < 2 ** 32 ? number / spaces : null
}
