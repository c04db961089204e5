// The events of a WebSocketStream, and EventEmitter's methods typed with them.

import type { CloseInfo, ClosingInfo } from './connection.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { UpgradeRequest } from './options.js'
import type { Message } from './protocol/message-joiner.js'

/** What a WebSocketStream emits, beside the events of any Duplex. */
export interface WebSocketStreamEvents {
  /**
   * Server: a request has arrived, and with a listener it is the application that answers it: by `accept`, `reject` or `handOver`, within
   * `handshakeTimeout`. It comes for each request for a WebSocket that breaks no rule; on raw bytes (`WebSocketStream.server()`) also
   * for each other request of HTTP/1 that is well-formed: `isWebSocket(request)` tells them apart.
   */
  request: [request: UpgradeRequest]
  /** The opening handshake is done. */
  open: [info: OpenInfo]
  /** A whole message: a string for text, a Buffer for binary. With `textAs: 'bytes'` text is a Buffer too, and `kind` is there. */
  message: [message: Message, kind?: 'text' | 'binary']
  /** A Ping has arrived, and was answered (RFC 6455 §5.5.2). */
  ping: [payload: Buffer]
  /** A Pong has arrived (RFC 6455 §5.5.3). */
  pong: [payload: Buffer]
  /**
   * How the connection ends is known, and all messages have been delivered: the closing handshake is done, or this side fails the
   * connection. Only the end of the wire is still to come, which `close` tells. Once for each connection.
   */
  closing: [info: ClosingInfo]
  /** Something ended the connection other than cleanly: a WebSocketError, or what `destroy` was given. Ignored without a listener. */
  error: [error: Error]
  /** All is over; once for each connection. */
  close: [info: CloseInfo]
}

/** The events that any Duplex has. */
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

/** All events of a WebSocketStream: the compiler refuses any other name, and a listener that expects other arguments. */
export interface AllEvents extends WebSocketStreamEvents, StreamEvents {}

/** A listener of one of these events. */
export type Listener<E extends keyof AllEvents> = (...args: AllEvents[E]) => void

/** EventEmitter's methods, typed with these events. */
export interface TypedEmitter {
  /**
   * Adds a listener. Events beside those of any Duplex:
   *
   * - `request` (request): server: a request has arrived; this listener answers it by `accept`, `reject` or `handOver`
   * - `open` (info): the opening handshake is done
   * - `message` (message, kind): a whole message
   * - `ping` (payload), `pong` (payload)
   * - `closing` (info): how the connection ends is known, and all messages have been delivered
   * - `error` (error): the connection ends other than cleanly; without a listener nothing is thrown
   * - `close` (info): all is over; once for each connection
   *
   * {@link WebSocketStreamEvents} has each of them in full.
   * @hidden
   */
  on<E extends keyof AllEvents>(event: E, listener: Listener<E>): this
  /**
   * Adds a listener for the next time only. The events are those of `on`.
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
