// The WebSocketServer of `ws`: passes WebSockets from requests of a node:http server to `connection` listeners. The core writes the 101
// responses, this file the refusals.

import { EventEmitter } from 'node:events'
import http, { type Server as HttpServer, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { kEndpoint } from '../../endpoint.js'
import { acceptValue } from '../../handshake/accept-key.js'
import { TOKEN } from '../../handshake/fields.js'
import { type HandshakeError, WebSocketStream } from '../../index.js'
import type { Emitter, ServerEvents } from './events.js'
import {
  kAddedFields,
  kAdopt,
  kClosed,
  kComplete,
  kConnected,
  kForget,
  kListen,
  kRefuseByCore,
  kRefuseInvalid,
  kState,
  kSubscriptions,
  kUse,
  kVerify,
  kWaitsForClients
} from './internals.js'
import { type ServerOptions, SharedCoreOptions, type VerifyClientCallbackAsync, type VerifyInfo } from './options.js'
import { checkRequest, forCore, type RequestError, readProtocols, refuse } from './server-request.js'
import { WebSocket } from './web-socket.js'

type Accepted<Socket, Request> = (client: Socket, request: Request) => void

const ServerEmitter = EventEmitter as unknown as new <Socket, Request>() => Emitter<
  EventEmitter,
  ServerEvents<Socket, Request>
>

/** Header fields that the handshake sets itself: lines with them are ignored. */
const OWN: ReadonlySet<string> = new Set([
  'upgrade',
  'connection',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-websocket-version'
])

interface AddedField {
  readonly name: string
  readonly values: string[]
}

const STATES = ['running', 'closing', 'closed'] as const

const kUsed = Symbol('upgraded')
const kCoreOptions = Symbol('core options')

/** As visible in `options`. */
const DEFAULTS: ServerOptions = {
  WebSocket,
  allowSynchronousEvents: true,
  autoPong: true,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false,
  perMessageDeflate: false,
  handleProtocols: null,
  clientTracking: true,
  closeTimeout: 30_000,
  verifyClient: null,
  noServer: false,
  backlog: null,
  server: null,
  host: null,
  path: null,
  port: null
}

/** A server with the interface of `ws` 8. */
export class WebSocketServer<
  Socket extends typeof WebSocket = typeof WebSocket,
  Request extends typeof IncomingMessage = typeof IncomingMessage
> extends ServerEmitter<InstanceType<Socket>, InstanceType<Request>> {
  /** The options, with their defaults. */
  readonly options: ServerOptions<Socket, Request>
  /** The connections that are open or closing; undefined if `clientTracking` is false. */
  declare clients: Set<InstanceType<Socket>>

  /** The HTTP server; programs read its address. @internal */
  _server: HttpServer<Request> | null = null
  private [kState]: (typeof STATES)[number] = 'running'
  private readonly [kSubscriptions]: Record<string, (...args: never[]) => void>
  private [kWaitsForClients] = false
  private readonly [kCoreOptions] = new SharedCoreOptions()

  /** The state as a number, for programs that read it. @internal */
  get _state(): number {
    return STATES.indexOf(this[kState])
  }

  /**
   * @param callback - called when the server made for `port` listens
   * @throws TypeError unless exactly one of `port`, `server` and `noServer` is given
   */
  constructor(options: ServerOptions<Socket, Request> = {}, callback?: () => void) {
    super()
    const { port, server, noServer = false } = options
    const ways = [port !== undefined && port !== null, Boolean(server), noServer]
    if (ways.filter(Boolean).length !== 1) {
      throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified')
    }
    this.options = { ...DEFAULTS, ...options } as ServerOptions<Socket, Request>
    // report invalid options now
    void WebSocketStream.server(this[kCoreOptions].of(this.options))
    if (this.options.clientTracking) this.clients = new Set()
    this[kSubscriptions] = {
      listening: () => this.emit('listening'),
      error: (error: Error) => this.emit('error', error),
      upgrade: (request: InstanceType<Request>, socket: Duplex, head: Buffer) =>
        this.handleUpgrade(request, socket, head, (client, request) => this.emit('connection', client, request))
    }
    if (server) this[kUse](server as HttpServer<Request>)
    else if (!noServer) this[kListen](callback)
  }

  private [kListen](callback: (() => void) | undefined): void {
    const { port, host, backlog } = this.options
    const server = http.createServer((_request, response) => {
      response.writeHead(426, { 'Content-Length': 16, 'Content-Type': 'text/plain' })
      response.end('Upgrade Required')
    })
    this[kUse](server as unknown as HttpServer<Request>)
    server.listen(port as number, host as string, backlog as number, callback as () => void)
  }

  private [kUse](server: HttpServer<Request>): void {
    this._server = server
    for (const [event, listener] of Object.entries(this[kSubscriptions])) server.on(event, listener as () => void)
  }

  /** The address that it listens on; null once it is closed. @throws Error with `noServer` */
  address(): AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode')
    return this._server === null ? null : this._server.address()
  }

  /** Accepts no more connections. Closes the HTTP server if it was made for `port`; does not close connections. */
  close(callback?: (error?: Error) => void): void {
    if (this[kState] === 'closed') {
      if (callback !== undefined) this.once('close', () => callback(new Error('The server is not running')))
      process.nextTick(() => this.emit('close'))
      return
    }
    if (callback !== undefined) this.once('close', callback)
    if (this[kState] === 'closing') return
    this[kState] = 'closing'
    const { _server: server } = this
    this._server = null
    if (server !== null) {
      for (const [event, listener] of Object.entries(this[kSubscriptions])) server.off(event, listener as () => void)
    }
    const isOwn = !this.options.noServer && !this.options.server
    if (isOwn) server!.close(() => this[kClosed]())
    else if (this.clients === undefined || this.clients.size === 0) process.nextTick(() => this[kClosed]())
    else this[kWaitsForClients] = true
  }

  private [kClosed](): void {
    this[kState] = 'closed'
    this.emit('close')
  }

  /** Whether this server handles a request: its path must be that of the options. */
  shouldHandle(request: InstanceType<Request>): boolean | Promise<boolean> {
    const { path } = this.options
    return !path || request.url!.split('?', 1)[0] === path
  }

  /**
   * Answers an upgrade request.
   * @param callback - called synchronously, unless `verifyClient` is asynchronous
   * @throws Error if the socket has already been upgraded
   */
  handleUpgrade(
    request: InstanceType<Request>,
    socket: Duplex,
    upgradeHead: Buffer,
    callback: Accepted<InstanceType<Socket>, InstanceType<Request>>
  ): void {
    socket.on('error', destroy)
    const error = checkRequest(request, Boolean(this.options.perMessageDeflate))
    if (error !== null) {
      this[kRefuseInvalid](error, request, socket)
      return
    }
    if (!this.shouldHandle(request)) {
      refuse(socket, 400)
      return
    }
    const protocols = readProtocols(request)
    if (protocols === null) {
      this[kRefuseInvalid]({ status: 400, message: 'Invalid Sec-WebSocket-Protocol header' }, request, socket)
      return
    }
    this[kVerify](request, socket, () => this[kComplete](request, socket, upgradeHead, protocols, callback))
  }

  private [kRefuseInvalid]({ status, message, headers }: RequestError, request: IncomingMessage, socket: Duplex): void {
    if (this.listenerCount('wsClientError') > 0) this.emit('wsClientError', new Error(message), socket, request)
    else refuse(socket, status, message, headers)
  }

  private [kVerify](request: InstanceType<Request>, socket: Duplex, accept: () => void): void {
    const { verifyClient } = this.options
    if (!verifyClient) {
      accept()
      return
    }
    const { headers } = request
    const origin = headers[headers['sec-websocket-version'] === '8' ? 'sec-websocket-origin' : 'origin'] as string
    const { authorized, encrypted } = request.socket as { authorized?: boolean; encrypted?: boolean }
    const info: VerifyInfo<InstanceType<Request>> = { origin, secure: Boolean(authorized || encrypted), req: request }
    if (verifyClient.length === 2) {
      ;(verifyClient as VerifyClientCallbackAsync<InstanceType<Request>>)(info, (result, code, message, headers) => {
        if (result) accept()
        else refuse(socket, code || 401, message, headers as OutgoingHttpHeaders)
      })
    } else if ((verifyClient as (info: object) => boolean)(info)) {
      accept()
    } else {
      refuse(socket, 401)
    }
  }

  private [kComplete](
    request: InstanceType<Request>,
    socket: Duplex & { [kUsed]?: true },
    head: Buffer,
    protocols: Set<string>,
    callback: Accepted<InstanceType<Socket>, InstanceType<Request>>
  ): void {
    // the client has left
    if (!socket.readable || !socket.writable) {
      socket.destroy()
      return
    }
    if (socket[kUsed]) {
      const why = 'server.handleUpgrade() was called more than once with the same socket'
      throw new Error(`${why}, possibly due to a misconfiguration`)
    }
    if (this[kState] !== 'running') {
      refuse(socket, 503)
      return
    }
    socket[kUsed] = true
    // the socket delivers these frames in a later turn
    if (head.length > 0) socket.unshift(head)
    const { handleProtocols } = this.options
    const [first = ''] = protocols
    const chosen = (protocols.size > 0 && handleProtocols ? handleProtocols(protocols, request) : first) || ''
    const added = this[kAddedFields](request, chosen)
    const wanted = added.get('sec-websocket-protocol')?.values.at(-1) ?? chosen
    const protocol = TOKEN.test(wanted) ? wanted : ''
    const options = this[kCoreOptions].of(this.options)
    const core = WebSocketStream.http(forCore(request, protocols, protocol), undefined, options)
    for (const [key, { name, values }] of added) if (!OWN.has(key)) core.setHeader(name, values)
    if (!core.accept({ protocol })) {
      this[kRefuseByCore](core, request, socket)
      return
    }
    socket.off('error', destroy)
    this[kConnected](core, socket, request, callback)
  }

  /** The core refuses some requests that `ws` accepts, such as one with a malformed Host. It needs a wire to say why: one to nowhere. */
  private [kRefuseByCore](core: WebSocketStream, request: IncomingMessage, socket: Duplex): void {
    const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    core.attach(nowhere).opened.catch(({ status, message }: HandshakeError) => {
      core.destroy()
      this[kRefuseInvalid]({ status, message }, request, socket)
    })
  }

  /** The header fields that `headers` listeners add to the response, by lower-case name. */
  private [kAddedFields](request: InstanceType<Request>, protocol: string): Map<string, AddedField> {
    const added = new Map<string, AddedField>()
    if (this.listenerCount('headers') === 0) return added
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptValue(request.headers['sec-websocket-key']!)}`
    ]
    if (protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
    const known = new Set(lines)
    this.emit('headers', lines, request)
    for (const line of lines.filter(line => !known.has(line)).flatMap(line => line.split('\r\n'))) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).trim()
      const key = name.toLowerCase()
      const field = added.get(key) ?? { name, values: [] }
      // `ws` writes the lines as UTF-8, whose bytes are the characters of the core's values
      field.values.push(Buffer.from(line.slice(colon + 1).trim()).toString('latin1'))
      added.set(key, field)
    }
    return added
  }

  private [kConnected](
    core: WebSocketStream,
    socket: Duplex,
    request: InstanceType<Request>,
    callback: Accepted<InstanceType<Socket>, InstanceType<Request>>
  ): void {
    const Class = (this.options.WebSocket ?? WebSocket) as unknown as new (
      address: null,
      protocols: undefined,
      options: object
    ) => InstanceType<Socket>
    const client = new Class(null, undefined, this.options)
    client[kAdopt](core, socket)
    // 'connection' passes the request to the program, so the core need not keep it
    core[kEndpoint].lifecycle.forgetHeads()
    if (this.clients !== undefined) {
      this.clients.add(client)
      client.on('close', () => this[kForget](client))
    }
    callback(client, request)
  }

  private [kForget](client: InstanceType<Socket>): void {
    this.clients.delete(client)
    if (this[kWaitsForClients] && this.clients.size === 0) process.nextTick(() => this[kClosed]())
  }
}

function destroy(this: Duplex): void {
  this.destroy()
}
