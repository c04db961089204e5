// Reads the options of an acceptor, and defines the types of its functions.

import type { Socket } from 'node:net'
import { checkFunction, checkNumber, checkOptions, unknownOption } from '../checks.js'
import type { RefusalOptions } from '../handshake/server-handshake.js'
import {
  type HeaderFields,
  type Keepalive,
  OPTION_NAMES,
  shareOptions,
  type UpgradeRequest,
  type WebSocketOptions
} from '../options.js'
import type { WebSocketStream } from '../websocket-stream.js'

/** A request as an acceptor sees it: that of `node:http`, or an HTTP/2 request in the same form, with `httpVersion` `'2.0'`. */
export interface AcceptorRequest extends UpgradeRequest {
  /** On HTTP/2 the socket of the session, which its streams share. */
  readonly socket?: Socket | undefined
}

/** A response that refuses a request. */
export interface RefusalAnswer extends RefusalOptions {
  /** 300 to 599. */
  status: number
}

/** Accepts a request, and passes a value to the handler. */
export interface Acceptance<Context> {
  /** Passed to the handler unchanged. */
  context: Context
  /** The subprotocol, one of those offered; '' for none. Default: the choice of `protocols`. */
  protocol?: string | undefined
  /** More header fields for the response. */
  headers?: HeaderFields | undefined
}

/** `true` accepts, `false` is a 403. */
export type Verdict<Context> = boolean | RefusalAnswer | Acceptance<Context>

/** Options of an acceptor: those of every connection, and its own. They are read once, when the acceptor is made. */
export interface AcceptorOptions<Context = undefined> extends WebSocketOptions {
  /**
   * The requests that this acceptor takes: a path, compared exactly with that of the request as sent, without its query; a pattern, also
   * without the query; or a function of the request, whose `url` is the path with the query. Default: all.
   */
  path?: string | RegExp | ((request: AcceptorRequest) => boolean) | undefined
  /**
   * Decides about a valid request from an allowed origin, synchronously or not, within `handshakeTimeout`. If it throws or returns anything
   * else, the response is 500. Default: accepts.
   */
  verify?: ((request: AcceptorRequest) => Verdict<Context> | PromiseLike<Verdict<Context>>) | undefined
  /**
   * Sends a Ping on a connection that has been silent for `interval`, and ends it if nothing arrives within `timeout`; `false` disables
   * this. Default: `{ interval: 30000 }`, which detects lost clients and keeps proxies from closing quiet connections.
   */
  keepalive?: Keepalive | false | undefined
  /** Maximum number of connections; beyond it the response is 503. Default: no limit. */
  maxConnections?: number | undefined
  /** Maximum number of handshakes that wait for `verify`; beyond it the response is 503. Default: 1000. */
  maxHandshakes?: number | undefined
}

/** Handles an open connection. If it returns a promise, a rejection counts as an exception. */
export type ConnectionHandler<Context> = (ws: WebSocketStream, request: AcceptorRequest, context: Context) => unknown

/** Options of `close()` of an acceptor. */
export interface ShutdownOptions {
  /** The code of the Close frames. Default: 1001, going away. */
  code?: number | undefined
  /** The reason in the Close frames, at most 123 bytes of UTF-8. */
  reason?: string | undefined
  /** Time in ms after which the remaining connections are destroyed. Default: the `closeTimeout` of each. */
  timeout?: number | undefined
}

/** The checked settings of an acceptor. */
export interface AcceptorSettings<Context> {
  readonly path: AcceptorOptions['path']
  readonly verify: NonNullable<AcceptorOptions<Context>['verify']>
  readonly maxConnections: number
  readonly maxHandshakes: number
}

const ALL_NAMES: readonly string[] = [...OPTION_NAMES, 'path', 'verify', 'maxConnections', 'maxHandshakes']

/** Separates the acceptor's own options from those of its connections, which are read once for all of them. */
export function readAcceptorOptions<Context>(options: AcceptorOptions<Context>): {
  settings: AcceptorSettings<Context>
  stream: WebSocketOptions
} {
  for (const name of Object.keys(checkOptions(options))) {
    if (!ALL_NAMES.includes(name)) throw unknownOption(name, ALL_NAMES)
  }
  const { path, verify = acceptAll, maxConnections, maxHandshakes, keepalive = KEEPALIVE, ...others } = options
  if (path !== undefined && typeof path !== 'string' && typeof path !== 'function' && !(path instanceof RegExp)) {
    throw new TypeError('path must be a string, a RegExp or a function')
  }
  if (typeof path === 'string' && !path.startsWith('/')) throw new TypeError("path must begin with '/'")
  checkFunction(verify, 'verify')
  const settings = {
    path,
    verify: verify as AcceptorSettings<Context>['verify'],
    maxConnections: checkNumber(maxConnections ?? Number.POSITIVE_INFINITY, 'maxConnections', 0),
    maxHandshakes: checkNumber(maxHandshakes ?? 1000, 'maxHandshakes', 0)
  }
  return { settings, stream: shareOptions({ ...others, keepalive }) }
}

// proxies and load balancers commonly close connections that are silent for 60 s
const KEEPALIVE: Keepalive = { interval: 30_000 }

function acceptAll(): true {
  return true
}
