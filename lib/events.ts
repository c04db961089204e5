// The events of a WebSocketStream, and EventEmitter's methods typed with them.

import type { CloseInfo } from './closing-facts.js'
import type { ClosingInfo } from './connection.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { UpgradeRequest } from './options.js'
import type { Message } from './protocol/message-joiner.js'

/** The events of a WebSocketStream besides those of a Duplex. */
export interface WebSocketStreamEvents {
  /**
   * Server: a request has arrived. If there is a listener, the application must answer the request, with `accept`, `reject` or `handOver`,
   * within `handshakeTimeout`. Emitted for each valid WebSocket request; on raw bytes (`WebSocketStream.server()`) also for every other
   * well-formed HTTP/1 request: `isWebSocket(request)` tells them apart.
   */
  request: [request: UpgradeRequest]
  /** The opening handshake is done. */
  open: [info: OpenInfo]
  /** A whole message: a string for text, a Buffer for binary. With `textAs: 'bytes'` text is a Buffer too, and `kind` is set. */
  message: [message: Message, kind?: 'text' | 'binary']
  /** A Ping has arrived; it was answered unless `autoPong` is false (RFC 6455 §5.5.2). */
  ping: [payload: Buffer]
  /** A Pong has arrived (RFC 6455 §5.5.3). */
  pong: [payload: Buffer]
  /**
   * It is known how the connection ends, and all messages have been delivered: the closing handshake is done, or this side fails the
   * connection. Only the end of the wire is missing, after which `close` is emitted. Once for each connection.
   */
  closing: [info: ClosingInfo]
  /** The connection does not end cleanly: a WebSocketError, or the argument of `destroy`. Without a listener it is ignored. */
  error: [error: Error]
  /** The connection has ended; once for each connection. */
  close: [info: CloseInfo]
}

/** The events of a Duplex. */
export interface StreamEvents {
  data: [chunk: Buffer]
  readable: []
  end: []
  finish: []
  drain: []
  pause: []
  resume: []
  pipe: [source: NodeJS.ReadableStream]
  unpipe: [source: NodeJS.ReadableStream]
  newListener: [event: string | symbol, listener: (...args: any[]) => void]
  removeListener: [event: string | symbol, listener: (...args: any[]) => void]
}

/** All events of a WebSocketStream: the compiler rejects other names, and listeners with other arguments. */
export interface AllEvents extends WebSocketStreamEvents, StreamEvents {}

/** The names of all events. */
export const EVENTS: readonly string[] = [
  ...['request', 'open', 'message', 'ping', 'pong', 'closing', 'error', 'close'],
  ...[
    'data',
    'readable',
    'end',
    'finish',
    'drain',
    'pause',
    'resume',
    'pipe',
    'unpipe',
    'newListener',
    'removeListener'
  ]
]

/** A listener of one of these events. */
export type Listener<E extends keyof AllEvents> = (...args: AllEvents[E]) => void

/** EventEmitter's methods, typed with these events. */
export interface TypedEmitter {
  /**
   * Adds a listener. Events besides those of a Duplex:
   *
   * - `request` (request): server: a request has arrived; the listener answers it with `accept`, `reject` or `handOver`
   * - `open` (info): the opening handshake is done
   * - `message` (message, kind): a whole message
   * - `ping` (payload), `pong` (payload)
   * - `closing` (info): it is known how the connection ends, and all messages have been delivered
   * - `error` (error): the connection does not end cleanly; without a listener nothing is thrown
   * - `close` (info): the connection has ended; once for each connection
   *
   * See {@link WebSocketStreamEvents} for details.
   * @hidden
   */
  on<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  /**
   * Adds a listener that is called once. The events are those of `on`.
   * @hidden
   */
  once<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  /**
   * Removes a listener.
   * @hidden
   */
  off<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  addListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  removeListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  prependListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  prependOnceListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  emit<E extends keyof AllEvents>(event: E, ...args: AllEvents[E]): boolean
}
