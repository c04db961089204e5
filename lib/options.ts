// Reads the options of a connection into checked settings. An unknown name, a wrong type or an invalid number throws at once.

import type { Readable as NodeReadable } from 'node:stream'
import { checkBoolean, checkNumber, checkOptions, checkTime, unknownOption } from './checks.js'
import type { Headers } from './errors.js'
import type { Extension } from './extensions/extension.js'
import { checkField, checkToken, fieldLines } from './handshake/fields.js'
import { checkListedOrigin } from './handshake/origin-list.js'

/** A request to open a WebSocket: from an `upgrade` listener of `node:http`, or parsed by this library. */
export interface UpgradeRequest {
  /** The method; `GET` for HTTP/1.1. */
  method?: string | undefined
  /**
   * The target as in the request line: the path and, after a `?`, the query. On a server `new URL(ws.url)` has them as `pathname` and
   * `searchParams`; before there is a connection, `new URL(request.url, 'ws://localhost')` does.
   */
  url?: string | undefined
  /** The header fields by lower-case name. */
  headers: Headers
  /** Names and values alternating, as received. */
  rawHeaders?: string[]
  /** `'1.1'`, `'2.0'`. */
  httpVersion?: string
  /**
   * The body. Only requests that `WebSocketStream.server()` has read have it; it is empty if the request has no body. It is destroyed with
   * an error if the client leaves or the handshake times out; without an `error` listener that does not throw.
   */
  readonly body?: NodeReadable
  /** The socket, if there is one; `encrypted` distinguishes `wss:` from `ws:`. */
  socket?: object | undefined
}

/** The response to a client's request: an IncomingMessage of `node:http`. */
export interface UpgradeResponse {
  /** The status. */
  statusCode?: number | undefined
  /** The header fields by lower-case name. */
  headers: Headers
  /** Names and values alternating, as received. */
  rawHeaders?: string[]
  /** `'1.1'`. */
  httpVersion?: string
}

/** Header fields of a handshake: an object, or pairs of name and value. */
export type HeaderFields = Record<string, string | readonly string[]> | Iterable<readonly [string, string]>

/** Chooses one of the offered subprotocols, or none. */
export type ProtocolChooser = (offered: string[], request: UpgradeRequest) => string | false | null | undefined

/** Decides whether a page of this origin may connect; `undefined` if the request names no origin. */
export type OriginCheck = (origin: string | undefined, request: UpgradeRequest) => boolean

/** When to send a Ping to a silent peer, and when to give it up. */
export interface Keepalive {
  /** Time of silence in ms after which a Ping is sent. */
  interval: number
  /** Time in ms in which anything must arrive after that Ping. Default: `interval`. */
  timeout?: number
}

/**
 * The options of a connection. An unknown name or a wrong type is a TypeError, NaN or a number out of range a RangeError; `undefined`
 * means the default, and `Infinity` removes a limit.
 */
export interface WebSocketOptions {
  /** Subprotocols (RFC 6455 §1.9): those that a client offers, those that a server supports, or a server's function that chooses one. */
  protocols?: string | readonly string[] | ProtocolChooser | undefined
  /** More header fields for this side's part of the handshake. */
  headers?: HeaderFields | undefined
  /** Client: the `Origin` field (`Sec-WebSocket-Origin` in versions 7 and 8). */
  origin?: string | undefined
  /**
   * Server: the origins that may connect, each `scheme://host[:port]` in lower case as browsers send it, or `'null'`, compared exactly; or
   * a function. Other origins get 403, and so do requests without an `Origin`, which programs other than browsers send: for those, give a
   * function that accepts `undefined`. Default: no check.
   */
  origins?: string | readonly string[] | OriginCheck | undefined
  /**
   * Extensions in the form of `websocket-extensions`. Client: also an offer as text, for an application that passes frames on unchanged;
   * the server's choice is then in `extensions`. Default: none.
   */
  extensions?: readonly Extension[] | string | undefined
  /** Server: accept hixie-75 and hixie-76 too. Default: false. */
  allowDrafts?: boolean | undefined
  /**
   * False accepts masked and unmasked frames, for peers that violate RFC 6455 §5.1. Default: true: a client's frames must be masked, a
   * server's must not.
   */
  requireMasking?: boolean | undefined
  /** Whether outgoing frames are masked. Default: true for a client, false for a server (RFC 6455 §5.3). */
  masking?: boolean | undefined
  /** Client: the protocol version to speak. Default: 13. */
  version?: 13 | 8 | 7 | undefined
  /**
   * Maximum size of one message in bytes, after inflation and over all its fragments; beyond it the connection fails with 1009. Default:
   * 2^26-1.
   */
  maxMessageSize?: number | undefined
  /** Maximum payload of one frame on the wire in bytes; beyond it the connection fails with 1009. Default: 2^26-1. */
  maxFrameSize?: number | undefined
  /** Maximum number of fragments of one message, empty ones included; beyond it the connection fails with 1008. Default: 131072. */
  maxFragments?: number | undefined
  /** Maximum size of the peer's HTTP head in bytes. Default: 16384. */
  maxHeaderSize?: number | undefined
  /** Maximum number of header fields in the peer's HTTP head. Default: 100. */
  maxHeaders?: number | undefined
  /** Time in ms for the opening handshake. Default: 10000. */
  handshakeTimeout?: number | undefined
  /** Time in ms for the closing handshake, including the end of the wire. Default: 10000. */
  closeTimeout?: number | undefined
  /** Sends Pings to a silent peer, and ends the connection if nothing arrives. Default: off. */
  keepalive?: Keepalive | false | undefined
  /**
   * Whether Pings are answered automatically; if false, a `ping` listener must answer with `pong`. With true the answer goes before
   * messages that wait; with `'in order'` it follows the messages that were sent before, unless messages wait for the wire or the
   * compressor. Default: true.
   */
  autoPong?: boolean | 'in order' | undefined
  /** Whether the Close frame for an error of the peer says what was wrong as its reason. Default: true. */
  faultReasons?: boolean | undefined
  /**
   * The form in which text arrives: strings or bytes of UTF-8, which are checked in either case. As bytes, `message` listeners get a
   * Buffer, and `'text'` as second argument; `messages` gives a TextBytes. Default: `'string'`.
   */
  textAs?: 'string' | 'bytes' | undefined
  /**
   * Maximum payload of an outgoing frame in bytes, after compression. Longer messages are sent in fragments, while the wire has room, so
   * that Pings and Pongs can be sent between them. Default: no limit.
   */
  fragmentSize?: number | undefined
  /** Bytes buffered in each direction before backpressure. Default: 65536. */
  highWaterMark?: number | undefined
  /** Aborts the handshake; once the connection is open, closes it. */
  signal?: AbortSignal | undefined
}

/** The checked and complete options of one connection. */
export interface Settings {
  readonly protocols: readonly string[] | ProtocolChooser
  readonly headers: readonly (readonly [string, string])[]
  readonly origin: string | undefined
  readonly origins: readonly string[] | OriginCheck | undefined
  readonly extensions: readonly Extension[] | string
  readonly allowDrafts: boolean
  readonly requireMasking: boolean
  readonly masking: boolean | undefined
  readonly version: 13 | 8 | 7
  readonly maxMessageSize: number
  readonly maxFrameSize: number
  readonly maxFragments: number
  readonly maxHeaderSize: number
  readonly maxHeaders: number
  readonly handshakeTimeout: number
  readonly closeTimeout: number
  readonly keepalive: Required<Keepalive> | undefined
  readonly autoPong: boolean | 'in order'
  readonly faultReasons: boolean
  readonly textAs: 'string' | 'bytes'
  readonly fragmentSize: number
  readonly highWaterMark: number
  readonly signal: AbortSignal | undefined
}

const DEFAULTS: Settings = Object.freeze({
  protocols: [],
  headers: [],
  origin: undefined,
  origins: undefined,
  extensions: [],
  allowDrafts: false,
  requireMasking: true,
  masking: undefined,
  version: 13,
  maxMessageSize: 2 ** 26 - 1,
  maxFrameSize: 2 ** 26 - 1,
  maxFragments: 2 ** 17,
  maxHeaderSize: 16384,
  maxHeaders: 100,
  handshakeTimeout: 10000,
  closeTimeout: 10000,
  keepalive: undefined,
  autoPong: true,
  faultReasons: true,
  textAs: 'string',
  fragmentSize: Number.POSITIVE_INFINITY,
  highWaterMark: 65536,
  signal: undefined
})

type Reader = (value: unknown, name: string) => unknown

const READERS: { readonly [K in keyof Settings]: Reader } = {
  protocols: readProtocols,
  headers: value => readHeaders(value),
  origin: readFieldValue,
  origins: readOrigins,
  extensions: readExtensions,
  allowDrafts: checkBoolean,
  requireMasking: checkBoolean,
  masking: checkBoolean,
  version: readVersion,
  maxMessageSize: value => checkNumber(value, 'maxMessageSize', 0),
  maxFrameSize: value => checkNumber(value, 'maxFrameSize', 0),
  maxFragments: value => checkNumber(value, 'maxFragments', 1),
  maxHeaderSize: value => checkNumber(value, 'maxHeaderSize', 0),
  maxHeaders: value => checkNumber(value, 'maxHeaders', 0),
  handshakeTimeout: value => checkTime(value, 'handshakeTimeout'),
  closeTimeout: value => checkTime(value, 'closeTimeout'),
  keepalive: readKeepalive,
  autoPong: readAutoPong,
  faultReasons: checkBoolean,
  textAs: readTextForm,
  fragmentSize: value => checkNumber(value, 'fragmentSize', 1),
  // a stream does not accept Infinity
  highWaterMark: value => Math.min(checkNumber(value, 'highWaterMark', 0), Number.MAX_SAFE_INTEGER),
  signal: checkSignal
}

/** The names of all options of a connection. */
export const OPTION_NAMES: readonly string[] = Object.keys(READERS)

// options checked by `shareOptions`
const shared = new WeakMap<WebSocketOptions, Settings>()

/**
 * Checks options once for many connections, which then share one settings object (benchmarks/questions/idle.js). The result can be used
 * wherever options are read.
 */
export function shareOptions(options: WebSocketOptions): WebSocketOptions {
  const copy = Object.freeze({ ...options })
  shared.set(copy, readOptions(options))
  return copy
}

/** Checks options and fills in the defaults. They are read again for each connection, since their content may have changed. */
export function readOptions(options: WebSocketOptions | undefined): Settings {
  if (options === undefined) return DEFAULTS
  return shared.get(checkOptions(options)) ?? readEach(options)
}

function readEach(options: WebSocketOptions): Settings {
  let settings: Record<string, unknown> | undefined
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(READERS, name)) throw unknownOption(name, OPTION_NAMES)
    const value = options[name as keyof WebSocketOptions]
    if (value === undefined) continue
    settings ??= { ...DEFAULTS }
    settings[name] = READERS[name as keyof Settings](value, name)
  }
  // without options, all connections share one object
  return (settings as unknown as Settings | undefined) ?? DEFAULTS
}

function readTextForm(value: unknown): string {
  if (value !== 'string' && value !== 'bytes') throw new TypeError("textAs must be 'string' or 'bytes'")
  return value
}

function readVersion(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('version must be a number')
  if (value !== 13 && value !== 8 && value !== 7) throw new RangeError('version must be 13, 8 or 7')
  return value
}

function readProtocols(value: unknown): readonly string[] | ProtocolChooser {
  if (typeof value === 'function') return value as ProtocolChooser
  const list = readStrings(value, 'protocols')
  for (const token of list) checkToken(token, 'a subprotocol')
  // RFC 6455 §4.1: unique
  if (new Set(list).size !== list.length) throw new TypeError('protocols must not repeat a name')
  return list
}

function readOrigins(value: unknown): readonly string[] | OriginCheck {
  if (typeof value === 'function') return value as OriginCheck
  const list = readStrings(value, 'origins')
  for (const origin of list) checkListedOrigin(origin)
  return list
}

function readStrings(value: unknown, name: string): readonly string[] {
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list) || !list.every(item => typeof item === 'string')) {
    throw new TypeError(`${name} must be a function, a string or an array of strings`)
  }
  return [...list]
}

function readFieldValue(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
  checkField(name, value)
  return value
}

/**
 * The settings of a connection with one more extension.
 * @throws TypeError if it is not an extension, one of its name exists, or `extensions` is an offer as text
 */
export function withExtension(settings: Settings, extension: Extension): Settings {
  const { extensions } = settings
  if (typeof extensions === 'string') throw new TypeError('extensions is an offer as text, to which none can be added')
  return { ...settings, extensions: readExtensions([...extensions, extension]) as readonly Extension[] }
}

function readExtensions(value: unknown): readonly Extension[] | string {
  if (typeof value === 'string') return readFieldValue(value, 'extensions')
  if (!Array.isArray(value)) throw new TypeError('extensions must be an array of extensions')
  for (const extension of value) checkExtension(extension)
  const names = value.map(extension => extension.name)
  if (new Set(names).size !== names.length) throw new TypeError('extensions must not repeat a name')
  return [...value]
}

function checkExtension(value: unknown): void {
  // some extensions are functions with these properties
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (!isObject) throw new TypeError('an extension must be an object')
  const { name, type, rsv1, rsv2, rsv3, createClientSession, createServerSession } = value as Partial<Extension>
  if (typeof name !== 'string') throw new TypeError('the name of an extension must be a string')
  checkToken(name, 'the name of an extension')
  if (type !== 'permessage') throw new TypeError("the type of an extension must be 'permessage'")
  const isMarked = [rsv1, rsv2, rsv3].every(bit => typeof bit === 'boolean')
  if (!isMarked) throw new TypeError('rsv1, rsv2 and rsv3 of an extension must be booleans')
  if (typeof createClientSession !== 'function' || typeof createServerSession !== 'function') {
    throw new TypeError('an extension must have createClientSession and createServerSession')
  }
}

function readAutoPong(value: unknown): boolean | 'in order' {
  if (typeof value === 'boolean' || value === 'in order') return value
  throw new TypeError("autoPong must be true, false or 'in order'")
}

const KEEPALIVE = ['interval', 'timeout']

function readKeepalive(value: unknown): Required<Keepalive> | undefined {
  if (value === false) return undefined
  if (typeof value !== 'object' || value === null) throw new TypeError('keepalive must be { interval, timeout }')
  for (const name of Object.keys(value)) {
    if (!KEEPALIVE.includes(name)) throw unknownOption(name, KEEPALIVE, 'keepalive.')
  }
  const { interval, timeout = interval } = value as Keepalive
  checkTime(interval, 'keepalive.interval')
  checkTime(timeout, 'keepalive.timeout')
  return { interval, timeout }
}

/** @throws TypeError if it is not an AbortSignal */
export function checkSignal(value: unknown): AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function') {
    throw new TypeError('signal must be an AbortSignal')
  }
  return value as AbortSignal
}

/** Converts header fields of either form into checked pairs. */
export function readHeaders(value: unknown): readonly (readonly [string, string])[] {
  const isObject = typeof value === 'object' && value !== null
  if (!isObject) throw new TypeError('headers must be an object, or pairs of name and value')
  const pairs: Iterable<unknown> = Symbol.iterator in value ? (value as Iterable<unknown>) : Object.entries(value)
  const fields: (readonly [string, string])[] = []
  for (const pair of pairs) {
    // a string would be destructured into characters
    if (!Array.isArray(pair)) throw new TypeError('headers must be an object, or pairs of name and value')
    const [name, given] = pair
    if (given !== undefined) fields.push(...fieldLines(name, given))
  }
  return fields
}
