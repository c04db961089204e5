// Decides about WebSocket requests and passes open connections to a handler: the rules and limits of one acceptor, its set of connections,
// and how they are closed. The RequestRouter listens to the server.

import { EventEmitter } from 'node:events'
import { checkNumber, LONGEST_TIME } from '../checks.js'
import { HandshakeError, WebSocketError } from '../errors.js'
import { hintEvent } from '../event-hints.js'
import { pathOf } from '../handshake/request-target.js'
import type { AcceptOptions } from '../handshake/server-handshake.js'
import { isPromise } from '../is-promise.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import type { Sendable } from '../protocol/message-splitter.js'
import type { PreparedMessage } from '../protocol/prepared-message.js'
import type { NodeDuplex } from '../streams.js'
import type { WebSocketStream } from '../websocket-stream.js'
import type {
  Acceptance,
  AcceptorRequest,
  AcceptorSettings,
  ConnectionHandler,
  RefusalAnswer,
  ShutdownOptions,
  Verdict
} from './acceptor-options.js'
import { type BroadcastOptions, type BroadcastResult, broadcast } from './broadcast.js'
import { thrownError } from './thrown-error.js'

const EVENTS: readonly string[] = ['error', 'refused', 'newListener', 'removeListener']
const HINTS = new Map(
  ['connection', 'connect', 'open'].map(event => [event, 'acceptWebSockets gives each connection to its handler'])
)

interface AcceptorEvents {
  /** A function of the application threw, or an option was invalid for a request. Throws if it has no listener, like any 'error'. */
  error: [error: Error, request: AcceptorRequest]
  /** A handshake failed: it was refused, timed out, or was aborted. */
  refused: [error: HandshakeError, request: AcceptorRequest]
}

/**
 * The acceptor of `acceptWebSockets`: has the accepted connections, and ends them.
 *
 * Emits `error` (error, request) for exceptions in functions of the application, including the handler, and `refused` (HandshakeError,
 * request) for failed handshakes. A listener for `refused` is optional.
 */
export class Acceptor<Context = undefined> extends EventEmitter<AcceptorEvents> {
  private readonly open = new Set<WebSocketStream>()
  private readonly unfinished = new Set<WebSocketStream>()
  // those of `unfinished` that are accepted and not open: the body of hixie-76 comes after the head of the response
  private readonly accepted = new Set<WebSocketStream>()
  // one function for all connections
  private readonly onClose: (this: WebSocketStream) => void
  private readonly leave: () => void
  private ending: Promise<void> | null = null

  /**
   * @param enter - registers the acceptor with a server; returns a function that removes it
   * @internal
   */
  constructor(
    private readonly settings: AcceptorSettings<Context>,
    private readonly handler: ConnectionHandler<Context>,
    enter: (acceptor: Acceptor<Context>) => () => void
  ) {
    super()
    const { open, unfinished, accepted } = this
    this.onClose = function () {
      unfinished.delete(this)
      accepted.delete(this)
      open.delete(this)
    }
    this.leave = enter(this)
    EventEmitter.prototype.on.call(this, 'newListener', (event: string | symbol) => hintEvent(event, EVENTS, HINTS))
  }

  /** The connections that are open or closing: a live view. */
  get connections(): ReadonlySet<WebSocketStream> {
    return this.open
  }

  /** The number of connections. */
  get size(): number {
    return this.open.size
  }

  /** The number of handshakes that are not done. */
  get handshakes(): number {
    return this.unfinished.size
  }

  /**
   * Sends a message to all open connections, framed and compressed once (`prepareMessage`). At most `limit` bytes are buffered for a
   * connection that does not keep up; `whenBehind` decides what happens to it.
   * @returns how many connections it was sent to, and how many were behind
   * @throws TypeError if it is not a message, or an option is invalid; RangeError if the message alone exceeds a `limit` that was given
   */
  broadcast(data: Sendable | PreparedMessage, options?: BroadcastOptions): BroadcastResult {
    return broadcast(this.open, data, options)
  }

  /** Whether this acceptor takes a request. @internal */
  takes(request: AcceptorRequest): boolean {
    const { path } = this.settings
    if (path === undefined) return true
    if (typeof path === 'function') return path(request) === true
    const target = pathOf(request)
    if (typeof path === 'string') return path === target
    // a sticky or global pattern would start where the last match ended
    path.lastIndex = 0
    return path.test(target)
  }

  /** Answers a request and attaches its wire to the connection. @internal */
  take(ws: WebSocketStream, wire: NodeDuplex, request: AcceptorRequest): void {
    const onError = (error: Error): void => this.failed(error, ws, request)
    ws.on('error', onError)
    if (this.ending !== null || this.isFull || this.unfinished.size >= this.settings.maxHandshakes) {
      ws.reject(503)
    } else {
      this.unfinished.add(ws)
      ws.on('close', this.onClose)
      const onRequest = (): void => this.decide(ws, request)
      ws.on('request', onRequest)
      ws.once('open', () => {
        // keep only what an open connection needs of the request: node:http's objects are larger than everything else
        ws.off('error', onError)
        ws.off('request', onRequest)
      })
    }
    ws.attach(wire)
  }

  /**
   * Takes no further requests, which are then handled as if this acceptor did not exist. Its connections, and handshakes in progress, are
   * not affected.
   */
  detach(): void {
    this.leave()
  }

  /**
   * Shuts the acceptor down: answers new requests with 503, closes all connections with `code`, waits for them to end, and detaches. A
   * second call may shorten the wait.
   * @returns resolves when all connections have ended; does not reject because of them
   * @throws TypeError, RangeError if code or reason cannot be sent, or `timeout` is not a valid time in ms
   */
  close({ code = CloseCode.GoingAway, reason = '', timeout }: ShutdownOptions = {}): Promise<void> {
    writeCloseBody(code, reason)
    const limit = checkNumber(timeout ?? Number.POSITIVE_INFINITY, 'timeout', 0)
    this.ending ??= this.shutDown(code, reason)
    if (limit > LONGEST_TIME) return this.ending
    const timer = setTimeout(() => {
      for (const ws of [...this.unfinished, ...this.open]) ws.destroy()
    }, limit)
    return this.ending.finally(() => clearTimeout(timer))
  }

  /** The same as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private async shutDown(code: number, reason: string): Promise<void> {
    const all = [...this.unfinished, ...this.open]
    for (const ws of this.accepted) ws.destroy()
    for (const ws of this.unfinished) ws.reject(503)
    for (const ws of this.open) ws.close(code, reason)
    await Promise.all(all.map(ws => ws.whenClosed()))
    this.leave()
  }

  private get isFull(): boolean {
    return this.open.size + this.accepted.size >= this.settings.maxConnections
  }

  /** A valid request has arrived; `verify` decides about it, synchronously or not. */
  private decide(ws: WebSocketStream, request: AcceptorRequest): void {
    try {
      const verdict = this.settings.verify(request)
      if (!isPromise(verdict)) {
        this.follow(verdict, ws, request)
        return
      }
      verdict.then(
        later => this.followLater(later, ws, request),
        error => this.applicationFailed(error, ws, request)
      )
    } catch (error) {
      this.applicationFailed(error, ws, request)
    }
  }

  private followLater(verdict: Verdict<Context>, ws: WebSocketStream, request: AcceptorRequest): void {
    try {
      this.follow(verdict, ws, request)
    } catch (error) {
      this.applicationFailed(error, ws, request)
    }
  }

  private follow(verdict: Verdict<Context>, ws: WebSocketStream, request: AcceptorRequest): void {
    const given: unknown = verdict
    if (given === true) {
      this.accept(ws, request, undefined as Context, {})
    } else if (given === false) {
      ws.reject(403)
    } else if (isObject(given) && 'status' in given) {
      const { status, ...options } = given as unknown as RefusalAnswer
      // probably a mistake, although HTTP/1.1 could send it
      if (status < 300) throw new RangeError('the status of a refusal by verify must be from 300 to 599')
      ws.reject(status, options)
    } else if (isObject(given) && 'context' in given) {
      const { context, protocol, headers } = given as unknown as Acceptance<Context>
      this.accept(ws, request, context, { protocol, headers })
    } else {
      throw new TypeError('verify must return true, false, { status } or { context }')
    }
  }

  private accept(ws: WebSocketStream, request: AcceptorRequest, context: Context, options: AcceptOptions): void {
    if (this.isFull) {
      ws.reject(503)
      return
    }
    ws.once('open', () => {
      this.unfinished.delete(ws)
      this.accepted.delete(ws)
      this.open.add(ws)
      this.handle(ws, request, context)
    })
    if (ws.accept(options) && ws.readyState === 'connecting') this.accepted.add(ws)
  }

  private handle(ws: WebSocketStream, request: AcceptorRequest, context: Context): void {
    try {
      const result = this.handler(ws, request, context)
      if (isPromise(result)) result.then(undefined, error => this.handlerFailed(error, ws, request))
    } catch (error) {
      this.handlerFailed(error, ws, request)
    }
  }

  /** The application failed before the request was answered. */
  private applicationFailed(error: unknown, ws: WebSocketStream, request: AcceptorRequest): void {
    ws.reject(500)
    this.report(error, request)
  }

  private handlerFailed(error: unknown, ws: WebSocketStream, request: AcceptorRequest): void {
    const wasOpen = ws.readyState === 'open'
    ws.close(CloseCode.InternalError)
    // A handler may fail because its connection ended or a pipe to it broke; that is not reported. While its connection is open, such an
    // error comes from another one, and is reported.
    if (wasOpen || !(isEnd(error) || isBrokenPipe(error))) this.report(error, request)
  }

  /** The connection emitted 'error' before it was open; afterwards its handler is responsible. */
  private failed(error: Error, ws: WebSocketStream, request: AcceptorRequest): void {
    this.unfinished.delete(ws)
    this.accepted.delete(ws)
    const failure =
      error instanceof HandshakeError ? error : new HandshakeError('WS_ERR_CONNECTION_LOST', { cause: error })
    // a function among the options threw, or chose a subprotocol that was not offered
    const isOurs = failure.fault === 'local' && failure.status === 500 && failure.cause !== undefined
    if (isOurs) this.report(failure.cause, request)
    else this.emit('refused', failure, request)
  }

  /** Emits 'error' in its own turn: without a listener it throws, which must not interrupt anything else. @internal */
  report(error: unknown, request: AcceptorRequest): void {
    process.nextTick(() => this.emit('error', thrownError(error), request))
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Whether an error reports how a connection ended, or that it had ended. */
function isEnd(error: unknown): boolean {
  return error instanceof WebSocketError && (error.fault === 'peer' || ENDS.has(error.code))
}

const ENDS: ReadonlySet<string> = new Set(['WS_ERR_DESTROYED', 'WS_ERR_NOT_OPEN', 'WS_ERR_ABORTED'])

function isBrokenPipe(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_WRITE_AFTER_END'
  )
}
