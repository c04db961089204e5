// The options of `connect` come in; out come those of dialling, checked, and those of the WebSocketStream, which checks them itself.

import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { checkNumber, checkOptions, unknownOption } from '../checks.js'
import { OPTION_NAMES, type WebSocketOptions } from '../options.js'
import type { NodeDuplex } from '../streams.js'
import { type ProxyServer, readProxy } from './proxy.js'

/** How a TCP connection is opened: options of `net.connect` that go with any address. */
export interface SocketOptions {
  /** The address of this machine to connect from. */
  localAddress?: string | undefined
  /** The port to dial from. */
  localPort?: number | undefined
  /** The family of addresses: 4, 6, or 0 for both. */
  family?: number | undefined
  /** Of `dns.lookup`. */
  hints?: number | undefined
  /** In place of `dns.lookup`. */
  lookup?: LookupFunction | undefined
  /** Whether all addresses of a name are tried, in the way of RFC 8305. Default: as in `net.connect`. */
  autoSelectFamily?: boolean | undefined
  /** Milliseconds for one of them before the next is tried. */
  autoSelectFamilyAttemptTimeout?: number | undefined
  /** Whether TCP itself looks after idle connections. */
  keepAlive?: boolean | undefined
  /** Milliseconds of silence before it does. */
  keepAliveInitialDelay?: number | undefined
}

/** Gives the stream that leads to a URL: bytes on it are those of the WebSocket, so any TLS is this function's affair. */
export type CreateConnection = (url: URL, options: ConnectOptions) => NodeDuplex | Promise<NodeDuplex>

/**
 * The options of `connect`: those of a connection, and how its wire is made. An unknown name or a wrong type is a TypeError, NaN
 * or a number out of range a RangeError; `undefined` means the default.
 */
export interface ConnectOptions extends WebSocketOptions {
  /** Milliseconds for all of it: dialling, TLS, the proxy, redirects, and the opening handshake. Default: 10000. */
  handshakeTimeout?: number | undefined
  /**
   * For `tls.connect`, where the URL is `wss:`. Whatever the environment says, a certificate is checked, and has to be for the
   * URL's name, unless `rejectUnauthorized` is false.
   */
  tls?: ConnectionOptions | undefined
  /** As `tls`, for the connection to an `https:` proxy itself. */
  proxyTls?: ConnectionOptions | undefined
  /** How the TCP connection is opened. */
  socket?: SocketOptions | undefined
  /**
   * The URL of an HTTP proxy (`http:` or `https:`) through which a tunnel leads to the server (RFC 9110 §9.3.6); a user's name and
   * password in it become Basic authorization. `'environment'` asks the variables `HTTPS_PROXY` (for `wss:`), `HTTP_PROXY` (for
   * `ws:`) and `NO_PROXY`, in small letters or capitals, which nothing looks at otherwise. Default: none.
   */
  proxy?: string | URL | undefined
  /** Opens the wire in our stead, and for each redirect another; then there is no `proxy`, `socket` or `tls`. */
  createConnection?: CreateConnection | undefined
  /**
   * How many redirects (301, 302, 303, 307, 308) are followed. Where one leads to another origin, and so from `wss:` to `ws:` as
   * well, `Authorization`, `Cookie`, the user in the URL and certificates of the client are left behind. Default: 0.
   */
  maxRedirects?: number | undefined
  /**
   * Whether a connection may be a stream of an HTTP/2 session (RFC 8441), where the server allows it; or how much may be on its way
   * to us there. Default: false.
   */
  http2?: boolean | Http2Options | undefined
}

/**
 * How many bytes a server may send on HTTP/2 before it hears that they were read (RFC 9113 §5.2): they bound what a connection carries
 * in one round trip. 65,535 to 2^31-1 each; `Infinity` is the most.
 */
export interface Http2Options {
  /** On one connection. Default: 262144. */
  initialWindowSize?: number | undefined
  /** On all connections of a session together. Default: 524288. */
  connectionWindowSize?: number | undefined
}

export type Http2Windows = { readonly [K in keyof Required<Http2Options>]: number }

/** How wires are made, checked. */
export interface DialSettings {
  readonly tls: ConnectionOptions
  readonly proxyTls: ConnectionOptions
  readonly socket: SocketOptions
  readonly proxy: ProxyServer | 'environment' | undefined
  readonly createConnection: CreateConnection | undefined
  readonly maxRedirects: number
  readonly http2: Http2Windows | false
  /** The options as they were given, without those that are undefined. */
  readonly given: ConnectOptions
}

export interface ReadConnectOptions {
  readonly dial: DialSettings
  /** Not yet checked. */
  readonly stream: WebSocketOptions
}

const DEFAULTS: Omit<DialSettings, 'given'> = {
  tls: {},
  proxyTls: {},
  socket: {},
  proxy: undefined,
  createConnection: undefined,
  maxRedirects: 0,
  http2: false
}

const READERS: { readonly [K in keyof typeof DEFAULTS]: (value: unknown, name: string) => unknown } = {
  tls: readTls,
  proxyTls: readTls,
  socket: readSocket,
  proxy: value => (value === 'environment' ? value : readProxy(value as string)),
  createConnection: readFunction,
  maxRedirects: value => checkNumber(value, 'maxRedirects', 0),
  http2: readHttp2
}

/** The names of the options of `connect`. */
export const CONNECT_OPTION_NAMES: readonly string[] = [...OPTION_NAMES, ...Object.keys(READERS)]

const SOCKET_OPTIONS: { readonly [K in keyof Required<SocketOptions>]: string } = {
  localAddress: 'string',
  localPort: 'number',
  family: 'number',
  hints: 'number',
  lookup: 'function',
  autoSelectFamily: 'boolean',
  autoSelectFamilyAttemptTimeout: 'number',
  keepAlive: 'boolean',
  keepAliveInitialDelay: 'number'
}

const NOT_OF_TLS: ReadonlyMap<string, string> = new Map([
  ['host', 'the host comes from the URL'],
  ['port', 'the port comes from the URL'],
  ['path', 'a unix socket is named in a ws+unix URL'],
  ['socket', 'a wire of your own comes from createConnection'],
  ['isServer', 'this side is the client'],
  ['server', 'this side is the client']
])

/** @throws TypeError, RangeError, SyntaxError where an option of dialling is wrong */
export function readConnectOptions(options: ConnectOptions = {}): ReadConnectOptions {
  for (const name of Object.keys(checkOptions(options))) {
    if (!CONNECT_OPTION_NAMES.includes(name)) throw unknownOption(name, CONNECT_OPTION_NAMES)
  }
  const given = defined(options)
  const dial: Record<string, unknown> = { ...DEFAULTS, given }
  const stream: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(READERS, name)) dial[name] = READERS[name as keyof typeof READERS](value, name)
    else stream[name] = value
  }
  if (dial['createConnection'] !== undefined) {
    for (const name of ['proxy', 'socket', 'tls', 'proxyTls']) {
      if (name in given)
        throw new TypeError(`${name} cannot be combined with createConnection, which opens the wire itself`)
    }
  }
  return { dial: dial as unknown as DialSettings, stream }
}

function readTls(value: unknown, name: string): ConnectionOptions {
  const options = readObject<ConnectionOptions>(value, name)
  for (const key of Object.keys(options)) {
    if (NOT_OF_TLS.has(key)) throw new TypeError(`${name}.${key} is not allowed: ${NOT_OF_TLS.get(key)}`)
  }
  const { rejectUnauthorized, checkServerIdentity } = options
  if (rejectUnauthorized !== undefined) readBoolean(rejectUnauthorized, `${name}.rejectUnauthorized`)
  // tls would find out in the midst of a handshake, and throw where it cannot be caught
  if (checkServerIdentity !== undefined) readFunction(checkServerIdentity, `${name}.checkServerIdentity`)
  return options
}

function readSocket(value: unknown, name: string): SocketOptions {
  const options = readObject<SocketOptions>(value, name)
  for (const [key, given] of Object.entries(options)) {
    if (!Object.hasOwn(SOCKET_OPTIONS, key)) throw unknownOption(key, Object.keys(SOCKET_OPTIONS), `${name}.`)
    const type = SOCKET_OPTIONS[key as keyof SocketOptions]
    // net looks at some of them only when it needs them
    if (typeof given !== type) throw new TypeError(`${name}.${key} must be a ${type}`)
    if (type === 'number') checkSocketNumber(given, `${name}.${key}`)
  }
  return options
}

/** None of them can be lifted by Infinity: net takes 32 bits. */
function checkSocketNumber(value: number, name: string): void {
  const most = name.endsWith('localPort') ? 65535 : 2 ** 31 - 1
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`)
  }
}

function readObject<T extends object>(value: unknown, name: string): T {
  if (typeof value !== 'object' || value === null) throw new TypeError(`${name} must be an object`)
  return defined(value as T)
}

// as in undici: Node's own of 64 KiB carry 0.55 MiB/s at a round trip of 50 ms
const WINDOWS: Http2Windows = { initialWindowSize: 262_144, connectionWindowSize: 524_288 }
const LARGEST_WINDOW = 2 ** 31 - 1

function readHttp2(value: unknown, name: string): Http2Windows | false {
  if (typeof value === 'boolean') return value && WINDOWS
  if (typeof value !== 'object' || value === null) throw new TypeError(`${name} must be true, false or an object`)
  const windows: Record<string, number> = { ...WINDOWS }
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(WINDOWS, key)) throw unknownOption(key, Object.keys(WINDOWS), `${name}.`)
    if (given === undefined) continue
    windows[key] = Math.min(checkNumber(given, `${name}.${key}`, 65_535), LARGEST_WINDOW)
  }
  return windows as unknown as Http2Windows
}

function readFunction(value: unknown, name: string): unknown {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

function readBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`)
  return value
}

/** Only what is defined: in `tls.connect`, an undefined option is not one that was left out (CVE-2020-15133). */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
