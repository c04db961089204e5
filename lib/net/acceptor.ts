// Requests for WebSockets come in, open connections go to a handler: one acceptor's rules, its limits, the set of its connections, and
// how they all end. What it listens to is the Reception's affair.

import { EventEmitter } from 'node:events'
import { checkNumber } from '../checks.js'
import { HandshakeError, WebSocketError } from '../errors.js'
import type { AcceptOptions } from '../handshake/server-handshake.js'
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

interface AcceptorEvents {
  /** A function of the application threw, or an option was wrong for a request. Without a listener it is thrown, as by any emitter. */
  error: [error: Error, request: AcceptorRequest]
  /** A handshake did not come to its end: it was refused, timed out, or was broken off. */
  refused: [error: HandshakeError, request: AcceptorRequest]
}

/**
 * What `acceptWebSockets` gives: the connections that it accepted, and the ways to end it.
 *
 * Emits `error` (error, request) for exceptions of the application's own functions, the handler included, and `refused`
 * (HandshakeError, request) for handshakes that failed, which is no event that anyone has to listen for.
 */
export class Acceptor<Context = undefined> extends EventEmitter<AcceptorEvents> {
  private readonly open = new Set<WebSocketStream>()
  private readonly unfinished = new Set<WebSocketStream>()
  // one function for all connections
  private readonly onClose: (this: WebSocketStream) => void
  private readonly leave: () => void
  private ending: Promise<void> | null = null

  /**
   * @param enter - has the acceptor asked about requests, and gives what undoes that
   * @internal
   */
  constructor(
    private readonly settings: AcceptorSettings<Context>,
    private readonly handler: ConnectionHandler<Context>,
    enter: (acceptor: Acceptor<Context>) => () => void
  ) {
    super()
    const { open, unfinished } = this
    this.onClose = function () {
      unfinished.delete(this)
      open.delete(this)
    }
    this.leave = enter(this)
  }

  /** The connections that are open or closing: a live view. */
  get connections(): ReadonlySet<WebSocketStream> {
    return this.open
  }

  /** How many these are. */
  get size(): number {
    return this.open.size
  }

  /** Handshakes that are not decided. */
  get handshakes(): number {
    return this.unfinished.size
  }

  /**
   * Sends a message to all connections that are open, framed and compressed once (`prepareMessage`). Never more than `limit` bytes are
   * held for a connection that does not keep up; `whenBehind` says what becomes of it.
   * @returns how many it was sent to, and how many were behind
   * @throws TypeError where it is no message, or an option is wrong; RangeError where the message alone is larger than a `limit` that was
   * given
   */
  broadcast(data: Sendable | PreparedMessage, options?: BroadcastOptions): BroadcastResult {
    return broadcast(this.open, data, options)
  }

  /** Whether a request is meant for this acceptor. @internal */
  takes(request: AcceptorRequest): boolean {
    const { path } = this.settings
    if (path === undefined) return true
    if (typeof path === 'function') return path(request) === true
    const target = pathOf(request)
    if (typeof path === 'string') return path === target
    // a sticky or global pattern begins where it ended before
    path.lastIndex = 0
    return path.test(target)
  }

  /** Answers a request, and gives its wire to the connection. @internal */
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
        // of the request, an open connection keeps what it needs: the objects of node:http weigh more than the rest of it
        ws.off('error', onError)
        ws.off('request', onRequest)
      })
    }
    ws.attach(wire)
  }

  /**
   * Takes no further requests, which then go wherever they would without this acceptor. Its connections stay, and so do handshakes
   * that are under way.
   */
  detach(): void {
    this.leave()
  }

  /**
   * Ends it all in order: answers new requests with 503, says `code` to all connections, waits for their ends, and detaches. A second
   * call may shorten the wait.
   * @returns resolves when all connections are over; never rejects for their sake
   * @throws TypeError, RangeError where code and reason cannot be sent, or `timeout` is no number of milliseconds
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

  /** As `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private async shutDown(code: number, reason: string): Promise<void> {
    const all = [...this.unfinished, ...this.open]
    for (const ws of this.unfinished) ws.reject(503)
    for (const ws of this.open) ws.close(code, reason)
    await Promise.all(all.map(ws => ws.whenClosed()))
    this.leave()
  }

  private get isFull(): boolean {
    return this.open.size >= this.settings.maxConnections
  }

  /** A right request has come; `verify` says what becomes of it, now or later. */
  private decide(ws: WebSocketStream, request: AcceptorRequest): void {
    try {
      const verdict = this.settings.verify(request)
      if (!isPromise(verdict)) {
        this.follow(verdict, ws, request)
        return
      }
      verdict.then(
        later => this.followLater(later, ws, request),
        error => this.brokeDown(error, ws, request)
      )
    } catch (error) {
      this.brokeDown(error, ws, request)
    }
  }

  private followLater(verdict: Verdict<Context>, ws: WebSocketStream, request: AcceptorRequest): void {
    try {
      this.follow(verdict, ws, request)
    } catch (error) {
      this.brokeDown(error, ws, request)
    }
  }

  private follow(verdict: Verdict<Context>, ws: WebSocketStream, request: AcceptorRequest): void {
    const answer: unknown = verdict
    if (answer === true) {
      this.accept(ws, request, undefined as Context, {})
    } else if (answer === false) {
      ws.reject(403)
    } else if (isObject(answer) && 'status' in answer) {
      const { status, ...options } = answer as unknown as RefusalAnswer
      // a mistake rather than a refusal, though HTTP/1.1 could send it
      if (status < 300) throw new RangeError('the status of a refusal by verify must be from 300 to 599')
      ws.reject(status, options)
    } else if (isObject(answer) && 'context' in answer) {
      const { context, protocol, headers } = answer as unknown as Acceptance<Context>
      this.accept(ws, request, context, { protocol, headers })
    } else {
      throw new TypeError('verify must give true, false, { status } or { context }')
    }
  }

  private accept(ws: WebSocketStream, request: AcceptorRequest, context: Context, options: AcceptOptions): void {
    if (this.isFull) {
      ws.reject(503)
      return
    }
    ws.once('open', () => {
      this.unfinished.delete(ws)
      this.open.add(ws)
      this.handle(ws, request, context)
    })
    ws.accept(options)
  }

  private handle(ws: WebSocketStream, request: AcceptorRequest, context: Context): void {
    try {
      const result = this.handler(ws, request, context)
      if (isPromise(result)) result.then(undefined, error => this.handlerFailed(error, ws, request))
    } catch (error) {
      this.handlerFailed(error, ws, request)
    }
  }

  /** The application failed before there was an answer. */
  private brokeDown(error: unknown, ws: WebSocketStream, request: AcceptorRequest): void {
    ws.reject(500)
    this.report(error, request)
  }

  private handlerFailed(error: unknown, ws: WebSocketStream, request: AcceptorRequest): void {
    const wasOpen = ws.readyState === 'open'
    ws.close(CloseCode.InternalError)
    // that this connection ended is no fault of a handler that waited for its messages, nor that a pipe to it broke; another's may be
    if (wasOpen || !(isEnd(error) || isBrokenPipe(error))) this.report(error, request)
  }

  /** The connection told of an error before it was open; afterwards its handler sees to that. */
  private failed(error: Error, ws: WebSocketStream, request: AcceptorRequest): void {
    this.unfinished.delete(ws)
    const failure =
      error instanceof HandshakeError ? error : new HandshakeError('WS_ERR_CONNECTION_LOST', { cause: error })
    // a function among the options threw, or chose what was not offered
    const isOurs = failure.fault === 'local' && failure.status === 500 && failure.cause !== undefined
    if (isOurs) this.report(failure.cause, request)
    else this.emit('refused', failure, request)
  }

  /** In a turn of its own: without a listener it is an exception, which then breaks nothing on its way. */
  report(error: unknown, request: AcceptorRequest): void {
    const reason = error instanceof Error ? error : new Error('not an Error was thrown', { cause: error })
    process.nextTick(() => this.emit('error', reason, request))
  }
}

// setTimeout fires at once for what does not fit in 31 bits
const LONGEST_TIME = 2 ** 31 - 1

/** The path of a request's target, without its query (RFC 9112 §3.2). */
function pathOf({ url = '' }: AcceptorRequest): string {
  if (url.startsWith('/')) return url.split('?', 1)[0]!
  return URL.canParse(url) ? new URL(url).pathname : ''
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

/** Whether an error says how a connection ended, or that it had. */
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
