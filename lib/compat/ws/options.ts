// Converts the options of `ws` to those of the core. docs/migrating-from-ws.md lists those that have no effect.

import type {
  ClientRequest,
  ClientRequestArgs,
  Server as HttpServer,
  IncomingMessage,
  OutgoingHttpHeaders
} from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { createConnection } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ZlibOptions } from 'node:zlib'
import {
  type PermessageDeflateOptions as DeflateOptions,
  type Extension,
  permessageDeflate,
  type WebSocketOptions
} from '../../index.js'
import { shareOptions } from '../../options.js'
import type { WebSocket } from './web-socket.js'

/** Options of permessage-deflate. */
export interface PerMessageDeflateOptions {
  /** Whether the server compresses without context takeover. */
  serverNoContextTakeover?: boolean | undefined
  /** Whether the client compresses without context takeover. */
  clientNoContextTakeover?: boolean | undefined
  /** Maximum window of the server, 8 to 15. */
  serverMaxWindowBits?: number | undefined
  /** Maximum window of the client, 8 to 15. */
  clientMaxWindowBits?: number | boolean | undefined
  /** `level`, `memLevel` and `windowBits` are used. */
  zlibDeflateOptions?: ZlibOptions | undefined
  /** Has no effect. */
  zlibInflateOptions?: ZlibOptions | undefined
  /** Size in bytes below which a message is not compressed. Default: 1024. */
  threshold?: number | undefined
  /** Maximum jobs in the thread pool at the same time. Default: 10. */
  concurrencyLimit?: number | undefined
}

/** Options of clients and servers. */
export interface CommonOptions {
  /** Has no effect: messages of one chunk are emitted in one turn, as with `true`. */
  allowSynchronousEvents?: boolean | undefined
  /** Whether Pings are answered. Default: true. */
  autoPong?: boolean | undefined
  /** Time in ms for the closing handshake. Default: 30000. */
  closeTimeout?: number | undefined
  /** Maximum size of a message in bytes; 0 for no limit. Default: 104857600. */
  maxPayload?: number | undefined
  /** Has no effect: buffers are limited in bytes. */
  maxBufferedChunks?: number | undefined
  /** Has no effect: at most one Pong waits. */
  maxPendingAutoPongs?: number | undefined
  /** Maximum number of fragments of a message; 0 for no limit. Default: 16384. */
  maxFragments?: number | undefined
  /** Compression. Default: true for a client, false for a server. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
  /** Has no effect: text is always checked. */
  skipUTF8Validation?: boolean | undefined
}

/** Called for each request before it is sent; must call `request.end()`. */
export type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void

/** Options of a client, and all those of `http.request` and `tls.connect`. */
export interface ClientOptions
  extends CommonOptions,
    Omit<ClientRequestArgs, 'createConnection'>,
    Omit<ConnectionOptions, 'timeout' | 'host' | 'port' | 'path' | 'lookup' | 'socket' | 'session'> {
  createConnection?: typeof createConnection | ClientRequestArgs['createConnection']
  /** Sends the request, instead of `request.end()`. */
  finishRequest?: FinishRequestCallback | undefined
  /** Whether redirects are followed. Default: false. */
  followRedirects?: boolean | undefined
  /** Not called: masks come from a cryptographic source. TypeError if it is not a function. */
  generateMask?: ((mask: Buffer) => void) | undefined
  /** Time in ms for the opening handshake. Default: no limit. */
  handshakeTimeout?: number | undefined
  /** Maximum number of redirects to follow. Default: 10. */
  maxRedirects?: number | undefined
  /** The Origin field. */
  origin?: string | undefined
  /** 13 or 8. Default: 13. */
  protocolVersion?: number | undefined
}

/** The class of a request. */
export type RequestClass = typeof IncomingMessage

/** The information about a client that wants to connect. */
export interface VerifyInfo<Request> {
  /** The Origin field. */
  origin: string
  /** Whether the request arrived over TLS. */
  secure: boolean
  /** The request. */
  req: Request
}

export type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (
  info: VerifyInfo<Request>
) => boolean

export type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
  info: VerifyInfo<Request>,
  callback: (result: boolean, code?: number, message?: string, headers?: OutgoingHttpHeaders) => void
) => void

/** Options of a server. */
export interface ServerOptions<
  Socket extends typeof WebSocket = typeof WebSocket,
  Request extends typeof IncomingMessage = typeof IncomingMessage
> extends CommonOptions {
  backlog?: number | null | undefined
  /** Whether to maintain `clients`. Default: true. */
  clientTracking?: boolean | undefined
  handleProtocols?: ((protocols: Set<string>, request: InstanceType<Request>) => string | false) | null | undefined
  host?: string | null | undefined
  noServer?: boolean | undefined
  path?: string | null | undefined
  port?: number | null | undefined
  server?: HttpServer<Request> | HttpsServer<Request> | null | undefined
  verifyClient?:
    | VerifyClientCallbackAsync<InstanceType<Request>>
    | VerifyClientCallbackSync<InstanceType<Request>>
    | null
    | undefined
  /** The class of the connections. */
  WebSocket?: Socket | undefined
}

const CLOSE_TIMEOUT = 30_000
const MAX_PAYLOAD = 100 * 1024 * 1024
const MAX_FRAGMENTS = 16 * 1024

/** The options that clients and servers pass to the core. */
export function coreOptions(options: CommonOptions): WebSocketOptions {
  const {
    autoPong = true,
    closeTimeout = CLOSE_TIMEOUT,
    maxPayload = MAX_PAYLOAD,
    maxFragments = MAX_FRAGMENTS
  } = options
  // 0 means no limit
  const size = maxPayload || Number.POSITIVE_INFINITY
  return {
    autoPong: autoPong ? 'in order' : false,
    faultReasons: false,
    closeTimeout,
    maxMessageSize: size,
    maxFrameSize: size,
    maxFragments: maxFragments || Number.POSITIVE_INFINITY,
    handshakeTimeout: Number.POSITIVE_INFINITY,
    textAs: 'bytes'
  }
}

/** The core's options for the connections of a server: one object as long as the program does not change `server.options`. */
export class SharedCoreOptions {
  private given: CommonOptions | null = null
  private made: WebSocketOptions = {}

  of(options: CommonOptions): WebSocketOptions {
    const { given } = this
    if (given === null || USED.some(name => given[name] !== options[name])) {
      this.given = { ...options }
      this.made = shareOptions({ ...coreOptions(options), extensions: deflate(options.perMessageDeflate, true) })
    }
    return this.made
  }
}

/** The options that affect the core. */
const USED = ['autoPong', 'closeTimeout', 'maxPayload', 'maxFragments', 'perMessageDeflate'] as const

/** The extension for `perMessageDeflate`. */
export function deflate(given: boolean | PerMessageDeflateOptions | undefined, isServer: boolean): Extension[] {
  if (!given) return []
  const options = given === true ? {} : given
  const { zlibDeflateOptions = {}, threshold = 1024, concurrencyLimit = 10 } = options
  const [own, peer] = isServer ? (['server', 'client'] as const) : (['client', 'server'] as const)
  const ownBits = options[`${own}MaxWindowBits`]
  const peerBits = options[`${peer}MaxWindowBits`]
  const windowBits = typeof ownBits === 'number' ? ownBits : zlibDeflateOptions.windowBits
  const wanted: DeflateOptions = {
    threshold,
    concurrency: concurrencyLimit,
    level: zlibDeflateOptions.level === -1 ? undefined : zlibDeflateOptions.level,
    memLevel: zlibDeflateOptions.memLevel,
    // zlib does not support a window of 256 bytes
    windowBits: windowBits === undefined ? 15 : Math.max(9, windowBits),
    peerWindowBits: typeof peerBits === 'number' ? peerBits : 15,
    contextTakeover: !options[`${own}NoContextTakeover`],
    peerContextTakeover: !options[`${peer}NoContextTakeover`]
  }
  return [permessageDeflate(wanted)]
}
