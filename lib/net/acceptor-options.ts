// The options of an acceptor as people give them come in, its settings come out; and the types of what its functions are given and
// give.

import type { Socket } from 'node:net'
import { checkNumber, checkOptions, unknownOption } from '../checks.js'
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

/** A request as an acceptor sees it: that of `node:http`, or one of HTTP/2 in the same form, whose `httpVersion` is `'2.0'`. */
export interface AcceptorRequest extends UpgradeRequest {
  /** On HTTP/2 the session's socket, which its streams share. */
  readonly socket?: Socket | undefined
}

/** An answer that refuses a request. */
export interface RefusalAnswer extends RefusalOptions {
  /** 300 to 599. */
  status: number
}

/** What accepts a request, with something for the handler to know. */
export interface Acceptance<Context> {
  /** Handed to the handler as it is. */
  context: Context
  /** The subprotocol, one of those offered; '' for none. Default: as `protocols` says. */
  protocol?: string | undefined
  /** More header fields of the answer. */
  headers?: HeaderFields | undefined
}

/** `true` accepts, `false` is a 403. */
export type Verdict<Context> = boolean | RefusalAnswer | Acceptance<Context>

/** Options of an acceptor: those of every connection, and its own. They are read once, when the acceptor is made. */
export interface AcceptorOptions<Context = undefined> extends WebSocketOptions {
  /**
   * Which requests are meant: a path, compared exactly with that of the request, as it was sent and without its query; a pattern for
   * it, without the query too; or a function of the request, whose `url` is the path with the query. Default: all.
   */
  path?: string | RegExp | ((request: AcceptorRequest) => boolean) | undefined
  /**
   * Decides about a request that is right and whose origin is allowed, now or later; `handshakeTimeout` runs meanwhile. Whatever is no
   * verdict is refused with 500, as an exception is. Default: accepts.
   */
  verify?: ((request: AcceptorRequest) => Verdict<Context> | PromiseLike<Verdict<Context>>) | undefined
  /**
   * Pings a connection that has been silent for `interval`, and gives it up where nothing comes within `timeout`; `false` turns that
   * off. Default: `{ interval: 30000 }`, so that lost clients are noticed, and proxies in between keep a quiet connection.
   */
  keepalive?: Keepalive | false | undefined
  /** Connections at a time; beyond it 503. Default: no limit. */
  maxConnections?: number | undefined
  /** Handshakes at a time that `verify` has not decided; beyond it 503. Default: 1000. */
  maxHandshakes?: number | undefined
}

/** What is done with an open connection. Where it gives a promise, a rejection counts as an exception. */
export type ConnectionHandler<Context> = (ws: WebSocketStream, request: AcceptorRequest, context: Context) => unknown

/** How an acceptor ends. */
export interface ShutdownOptions {
  /** The code of the Close frames. Default: 1001, going away. */
  code?: number | undefined
  /** Their reason, at most 123 bytes of UTF-8. */
  reason?: string | undefined
  /** Milliseconds after which connections that are not over are destroyed. Default: each has its `closeTimeout`. */
  timeout?: number | undefined
}

/** The settings of an acceptor, checked. */
export interface AcceptorSettings<Context> {
  readonly path: AcceptorOptions['path']
  readonly verify: NonNullable<AcceptorOptions<Context>['verify']>
  readonly maxConnections: number
  readonly maxHandshakes: number
}

const ALL_NAMES: readonly string[] = [...OPTION_NAMES, 'path', 'verify', 'maxConnections', 'maxHandshakes']

/** Takes the acceptor's own options out of all. The others are read here, once, for all of its connections. */
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
  if (typeof verify !== 'function') throw new TypeError('verify must be a function')
  const settings = {
    path,
    verify: verify as AcceptorSettings<Context>['verify'],
    maxConnections: checkNumber(maxConnections ?? Number.POSITIVE_INFINITY, 'maxConnections', 0),
    maxHandshakes: checkNumber(maxHandshakes ?? 1000, 'maxHandshakes', 0)
  }
  return { settings, stream: shareOptions({ ...others, keepalive }) }
}

// proxies and load balancers commonly drop what is silent for 60 s
const KEEPALIVE: Keepalive = { interval: 30_000 }

function acceptAll(): true {
  return true
}
