// A request of hixie-75 or hixie-76 that is parsed already comes in, the 101 answer that accepts it comes out, or an error with the
// status that refuses it. Knows neither streams nor how the request, or the eight bytes behind that of hixie-76, were read.

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

/** As of any version, but for the version. */
export interface DraftAccepted extends Omit<Accepted, 'version'> {
  version: DraftVersion
}

const KEYS = ['sec-websocket-key1', 'sec-websocket-key2'] as const
/** Of the fields named `Sec-WebSocket-…`, those that hixie-76 has; hixie-75 has none. */
const FIELDS_OF_76: readonly string[] = [...KEYS, 'sec-websocket-protocol']

/** Bytes of hixie-76 behind the request head. */
const BODY_SIZE = 8
const NOTHING = Buffer.alloc(0)

/**
 * The draft that a request belongs to; null for what is no WebSocket request, or has any field of the versions that came after.
 * Never throws.
 */
export function draftVersion(request: UpgradeRequest): DraftVersion | null {
  if (!isWebSocket(request)) return null
  const fields = Object.entries(request.headers).filter(([, value]) => value !== undefined)
  const names = fields.map(([name]) => name.toLowerCase()).filter(name => name.startsWith('sec-websocket-'))
  if (names.length === 0) return 'hixie-75'
  const isOlder = names.every(name => FIELDS_OF_76.includes(name))
  return isOlder && KEYS.some(key => names.includes(key)) ? 'hixie-76' : null
}

/** The server's side of both drafts; the face is that of `ServerHandshake`. */
export class DraftHandshake {
  readonly version: DraftVersion
  /** `ws://host/path`, or `wss:` where the wire is encrypted. */
  readonly url: string
  readonly offeredProtocols: readonly string[]
  /** The drafts have none. */
  readonly offeredExtensions = ''
  /** Bytes behind the request head that belong to the handshake. A proxy may hold them back until it has seen the answer's head. */
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
   * Puts a field into the 101 answer, replacing an earlier one of that name; an array makes several lines.
   * @throws TypeError where it cannot be sent, or belongs to the handshake
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.#fields = setField(this.#fields, name, value)
  }

  /**
   * Writes the head that opens the connection, for hixie-76 along with `challenge`.
   * @throws TypeError where the subprotocol was not offered, or a field cannot be sent
   */
  accept(options: AcceptOptions = {}): DraftAccepted {
    const { version, url } = this
    const protocol = chooseProtocol(this.offeredProtocols, options.protocol, this.#request, this.#settings)
    const is76 = version === 'hixie-76'
    const prefix = is76 ? 'Sec-WebSocket-' : 'WebSocket-'
    // clients of hixie-75 compare the first three lines byte by byte, reason and case included
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
   * What follows the head of the answer, once the body is there: 16 bytes (hixie-76 §5.2), nothing for hixie-75.
   * @param body - the `bodySize` bytes behind the request head
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
    // hixie-76 names no length of its body; some clients do
    const isRight = length === undefined || length === String(this.bodySize)
    if (headers['transfer-encoding'] !== undefined || !isRight) {
      refuse('WS_ERR_BAD_REQUEST', 400, 'the request has a body')
    }
  }

  /** hixie-76 §5.2: the digits as one number, divided by the count of spaces. */
  #readKey(name: string): number {
    const { rawHeaders } = this.#request
    const value = readField(this.#request, name)
    // the lines of a repeated key would make one number
    const isRepeated = Array.isArray(this.#request.headers[name]) || (rawHeaders && countLines(rawHeaders, name) > 1)
    const number = value === undefined || isRepeated ? null : keyNumber(value)
    return number ?? refuse('WS_ERR_BAD_REQUEST', 400, name)
  }

  #readProtocols(): readonly string[] {
    const name = this.version === 'hixie-76' ? 'sec-websocket-protocol' : 'websocket-protocol'
    const value = readField(this.#request, name)
    if (value === undefined || value === '') return []
    if (!FIELD_VALUE.test(value)) refuse('WS_ERR_BAD_REQUEST', 400, name)
    // one name, of any visible characters; libraries of the time took several, as later versions do
    return listTokens(value) ?? [value]
  }

  #readOrigin(): string {
    const origin = readField(this.#request, 'origin')
    checkOrigin(origin, this.#request, this.#settings)
    // it is sent back
    if (origin !== undefined && !FIELD_VALUE.test(origin)) refuse('WS_ERR_BAD_REQUEST', 400, 'Origin')
    return origin ?? ''
  }
}

/** Null where it is none: no digits, no space, a remainder, or more than 32 bits. */
function keyNumber(key: string): number | null {
  const digits = key.replace(/[^0-9]/g, '')
  const spaces = key.split(' ').length - 1
  const number = Number(digits)
  // what is not exact is far too large
  if (digits === '' || spaces === 0 || !Number.isSafeInteger(number) || number % spaces !== 0) return null
  return number / spaces < 2 ** 32 ? number / spaces : null
}
