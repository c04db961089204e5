// Separates the options of `connect` into those for dialling, which are checked here, and those of the WebSocketStream.

import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { checkBoolean, checkFunction, checkNumber, checkOptions, unknownOption } from '../checks.js'
import { OPTION_NAMES, type WebSocketOptions } from '../options.js'
import type { NodeDuplex } from '../streams.js'
import { type ProxyServer, readProxy } from './proxy.js'

/** Options of `net.connect` for the TCP connection, for any address. */
export interface SocketOptions {
  /** The local address to connect from. */
  localAddress?: string | undefined
  /** The local port to connect from. */
  localPort?: number | undefined
  /** The address family: 4, 6, or 0 for both. */
  family?: number | undefined
  /** As in `dns.lookup`. */
  hints?: number | undefined
  /** Replaces `dns.lookup`. */
  lookup?: LookupFunction | undefined
  /** Whether to try all addresses of a name, as in RFC 8305. Default: as in `net.connect`. */
  autoSelectFamily?: boolean | undefined
  /** Time in ms to try one address before the next. */
  autoSelectFamilyAttemptTimeout?: number | undefined
  /** Whether to enable TCP keep-alive. */
  keepAlive?: boolean | undefined
  /** Idle time in ms before TCP keep-alive starts. */
  keepAliveInitialDelay?: number | undefined
}

/** Opens the stream to a URL. It carries the bytes of the WebSocket, so this function must also do TLS. */
export type CreateConnection = (url: URL, options: ConnectOptions) => NodeDuplex | Promise<NodeDuplex>

/**
 * The options of `connect`: those of a connection, and how to open its wire. An unknown name or a wrong type is a TypeError, NaN or a
 * number out of range a RangeError; `undefined` means the default.
 */
export interface ConnectOptions extends WebSocketOptions {
  /** Time in ms for all of dialling, TLS, the proxy, redirects, and the opening handshake. Default: 10000. */
  handshakeTimeout?: number | undefined
  /**
   * For `tls.connect`, if the URL is `wss:`. The certificate is verified and must match the URL's host name, whatever the environment says,
   * unless `rejectUnauthorized` is false.
   */
  tls?: ConnectionOptions | undefined
  /** Like `tls`, for the connection to an `https:` proxy itself. */
  proxyTls?: ConnectionOptions | undefined
  /** Options for the TCP connection. */
  socket?: SocketOptions | undefined
  /**
   * The URL of an HTTP proxy (`http:` or `https:`), through which a tunnel is opened to the server (RFC 9110 §9.3.6); a user name and
   * password in it are sent as Basic authorization. `'environment'` uses the variables `HTTPS_PROXY` (for `wss:`), `HTTP_PROXY` (for `ws:`)
   * and `NO_PROXY`, in lower or upper case, which are ignored otherwise. Default: none.
   */
  proxy?: string | URL | undefined
  /** Opens the wire, and a new one for each redirect; cannot be combined with `proxy`, `socket` or `tls`. */
  createConnection?: CreateConnection | undefined
  /**
   * Maximum number of redirects (301, 302, 303, 307, 308) to follow. A redirect to another origin, which includes one from `wss:` to `ws:`,
   * drops `Authorization`, `Cookie`, the user in the URL, and client certificates. Default: 0.
   */
  maxRedirects?: number | undefined
  /**
   * Whether a connection may be a stream of an HTTP/2 session (RFC 8441) if the server supports it; or the window sizes for it. Default:
   * false.
   */
  http2?: boolean | Http2Options | undefined
}

/**
 * Flow-control windows on HTTP/2: how many bytes a server may send before they are acknowledged (RFC 9113 §5.2). They limit the throughput
 * to one window per round trip. 65,535 to 2^31-1 each; `Infinity` is the maximum.
 */
export interface Http2Options {
  /** For one connection. Default: 262144. */
  initialWindowSize?: number | undefined
  /** For all connections of a session together. Default: 524288. */
  connectionWindowSize?: number | undefined
}

export type Http2Windows = { readonly [K in keyof Required<Http2Options>]: number }

/** The checked options for opening wires. */
export interface DialSettings {
  readonly tls: ConnectionOptions
  readonly proxyTls: ConnectionOptions
  readonly socket: SocketOptions
  readonly proxy: ProxyServer | 'environment' | undefined
  readonly createConnection: CreateConnection | undefined
  readonly maxRedirects: number
  readonly http2: Http2Windows | false
  /** The options as given, without undefined ones. */
  readonly given: ConnectOptions
}

export interface ReadConnectOptions {
  readonly dial: DialSettings
  /** Not checked yet. */
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
  createConnection: checkFunction,
  maxRedirects: value => checkNumber(value, 'maxRedirects', 0),
  http2: readHttp2
}

/** The names of all options of `connect`. */
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

/** @throws TypeError, RangeError, SyntaxError if an option for dialling is invalid */
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
  if (rejectUnauthorized !== undefined) checkBoolean(rejectUnauthorized, `${name}.rejectUnauthorized`)
  // tls would call it during the handshake, and throw where the exception cannot be caught
  if (checkServerIdentity !== undefined) checkFunction(checkServerIdentity, `${name}.checkServerIdentity`)
  return options
}

function readSocket(value: unknown, name: string): SocketOptions {
  const options = readObject<SocketOptions>(value, name)
  for (const [key, given] of Object.entries(options)) {
    if (!Object.hasOwn(SOCKET_OPTIONS, key)) throw unknownOption(key, Object.keys(SOCKET_OPTIONS), `${name}.`)
    const type = SOCKET_OPTIONS[key as keyof SocketOptions]
    // net checks some of them only when it uses them
    if (typeof given !== type) throw new TypeError(`${name}.${key} must be a ${type}`)
    if (type === 'number') checkSocketNumber(given, `${name}.${key}`)
  }
  return options
}

/** Infinity is not allowed: net takes 32-bit integers. */
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

// as in undici: Node's default of 64 KiB allows 0.55 MiB/s at a round trip time of 50 ms
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

/** Removes undefined options: `tls.connect` does not treat an undefined option like a missing one (CVE-2020-15133). */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
