// Listens to a server and passes each WebSocket request to the acceptor that takes it: one router for each server, for all its acceptors.
// Leaves other requests to other listeners, and answers them if there are none.

import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { hasToken } from '../handshake/header-lists.js'
import { Http2Request } from '../handshake/http2-fields.js'
import { isWebSocket } from '../handshake/server-handshake.js'
import type { WebSocketOptions } from '../options.js'
import { ignore, type NodeDuplex } from '../streams.js'
import { WebSocketStream } from '../websocket-stream.js'
import type { Acceptor } from './acceptor.js'
import type { AcceptorRequest } from './acceptor-options.js'
import { serveWithoutUpgrade } from './ordinary-request.js'
import { answerUnserved, answerUnservedStream } from './unserved-request.js'

/** The parts of a server that an acceptor uses: those of `node:http`, `node:https` and `node:http2` have them. */
export interface WebServer {
  on(event: string, listener: (...args: any[]) => void): unknown
  prependListener(event: string, listener: (...args: any[]) => void): unknown
  off(event: string, listener: (...args: any[]) => void): unknown
  listenerCount(event: string): number
}

interface Entry {
  readonly acceptor: Acceptor<any>
  /** The options of its connections. */
  readonly options: WebSocketOptions
}

/** In newer versions of Node: decides which requests are emitted as 'upgrade'. */
interface UpgradingServer extends WebServer {
  shouldUpgradeCallback?(request: IncomingMessage): boolean
}

type Http2Like = WebServer & { updateSettings(settings: { enableConnectProtocol: boolean }): void }
type Listener = [event: string, listener: (...args: any[]) => void]

const routers = new WeakMap<WebServer, RequestRouter>()

/** Adds an acceptor to a server, after earlier ones; returns a function that removes it. */
export function enter(server: WebServer, acceptor: Acceptor<any>, options: WebSocketOptions): () => void {
  let router = routers.get(server)
  if (router === undefined) {
    router = new RequestRouter(server)
    routers.set(server, router)
  }
  return router.add({ acceptor, options })
}

class RequestRouter {
  private entries: readonly Entry[] = []
  private readonly listeners: readonly Listener[]
  private restoreCallback = ignore

  constructor(private readonly server: WebServer) {
    const http1: Listener[] = [
      ['upgrade', (request, socket, head) => this.upgrade(request, socket, head)],
      ['request', (request, response) => this.hasRequestListeners || answerUnserved(request, response)]
    ]
    if (!isHttp2(server)) {
      this.listeners = http1
      return
    }
    // with `allowHTTP1` an HTTP/2 server emits 'upgrade' too. Without it no listener for 'request' is added: it would make Node create a
    // request and a response for every stream.
    this.listeners = [
      ...http1.slice(0, 'headersTimeout' in server ? 2 : 1),
      ['stream', (stream, headers) => this.stream(stream, headers)],
      ['connect', (request, socketOrResponse) => this.connect(request, socketOrResponse)]
    ]
    // RFC 8441 §3: for sessions that start from now on
    server.updateSettings({ enableConnectProtocol: true })
  }

  add(entry: Entry): () => void {
    if (this.entries.length === 0) this.begin()
    this.entries = [...this.entries, entry]
    return () => this.remove(entry)
  }

  private begin(): void {
    this.keepOrdinaryRequests(this.server)
    for (const each of this.listeners) this.listen(each)
  }

  private listen([event, listener]: Listener): void {
    // first, since a `once` listener called before ours is already removed, and would not be counted
    if (event === 'request') this.server.prependListener(event, listener)
    else this.server.on(event, listener)
  }

  private remove(entry: Entry): void {
    if (!this.entries.includes(entry)) return
    this.entries = this.entries.filter(other => other !== entry)
    if (this.entries.length > 0) return
    this.restoreCallback()
    for (const [event, listener] of this.listeners) this.server.off(event, listener)
  }

  /** With a listener for 'upgrade', a server emits it for every request that offers an upgrade, such as `Upgrade: h2c`. */
  private keepOrdinaryRequests(server: UpgradingServer): void {
    const { shouldUpgradeCallback: earlier } = server
    if (earlier === undefined) return
    const ours = (request: IncomingMessage): boolean => !this.isOrdinary(request) && earlier.call(server, request)
    server.shouldUpgradeCallback = ours
    this.restoreCallback = () => {
      if (server.shouldUpgradeCallback === ours) server.shouldUpgradeCallback = earlier
    }
  }

  /** Whether an upgrade is to another protocol, which the application's 'request' listeners may ignore (RFC 9110 §7.8). */
  private isOrdinary(request: IncomingMessage): boolean {
    // a later callback may call ours when no acceptor is left
    if (this.entries.length === 0 || hasToken(request.headers.upgrade!, 'websocket')) return false
    return this.server.listenerCount('upgrade') === 1 && this.hasRequestListeners
  }

  /** Whether the application listens for 'request', besides this router. */
  private get hasRequestListeners(): boolean {
    return this.server.listenerCount('request') > this.listeners.filter(([event]) => event === 'request').length
  }

  private upgrade(request: IncomingMessage, socket: NodeDuplex, head: Buffer): void {
    if (this.isOrdinary(request)) {
      serveWithoutUpgrade(this.server, request, socket as Socket, head)
      return
    }
    const entry = isWebSocket(request) ? this.find(request) : null
    if (entry === null && this.server.listenerCount('upgrade') > 1) return
    this.admit(entry, WebSocketStream.http(request, head, entry?.options), socket, request)
  }

  private stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const protocol = extendedProtocol(headers)
    if (protocol === undefined) {
      if (this.server.listenerCount('stream') === 1) answerUnservedStream(stream, headers)
      return
    }
    const request = new Http2Request(headers, stream) as AcceptorRequest
    const entry = protocol === 'websocket' ? this.find(request) : null
    if (entry === null && this.hasOtherStreamListeners) return
    this.admit(entry, WebSocketStream.http2(stream, headers, entry?.options), stream, request)
  }

  private admit(entry: Entry | null, ws: WebSocketStream, wire: NodeDuplex, request: AcceptorRequest): void {
    try {
      if (entry !== null) {
        entry.acceptor.take(ws, wire, request)
        return
      }
      // any other error in the request takes precedence
      ws.reject(404)
      ws.attach(wire)
    } catch (error) {
      // another listener has attached the wire to a connection of its own
      ws.destroy(error as Error)
    }
  }

  /** The first acceptor that takes the request. */
  private find(request: AcceptorRequest): Entry | null {
    for (const entry of this.entries) {
      try {
        if (entry.acceptor.takes(request)) return entry
      } catch (error) {
        entry.acceptor.report(error, request)
      }
    }
    return null
  }

  /**
   * Without a listener for 'connect', an HTTP/2 server answers every CONNECT with 405. With this listener, it must be done here for
   * requests that are not ours.
   */
  private connect(request: IncomingMessage | Http2ServerRequest, socketOrResponse: Socket | Http2ServerResponse): void {
    if (this.server.listenerCount('connect') > 1) return
    if (request.httpVersionMajor === 1) {
      // as node:http does without a listener
      ;(socketOrResponse as Socket).destroy()
    } else if (extendedProtocol(request.headers) === undefined) {
      ;(socketOrResponse as Http2ServerResponse).writeHead(405).end()
    }
  }

  private get hasOtherStreamListeners(): boolean {
    const { server } = this
    // Node's own listener emits 'request' from 'stream'
    const known = server.listenerCount('request') > 0 ? 2 : 1
    return server.listenerCount('stream') > known || server.listenerCount('connect') > 1
  }
}

function isHttp2(server: WebServer): server is Http2Like {
  return typeof (server as Partial<Http2Like>).updateSettings === 'function'
}

/** The `:protocol` of an extended CONNECT (RFC 8441 §4); undefined for any other request. */
function extendedProtocol(headers: object): string | undefined {
  const { ':method': method, ':protocol': protocol } = headers as Record<string, string | undefined>
  return method === 'CONNECT' ? protocol : undefined
}
