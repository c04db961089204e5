// The WebSocket of `ws` on top of a WebSocketStream. client-request.ts and server.ts handle the time before a connection is open; the core
// handles the wire.

import { EventEmitter } from 'node:events'
import type { ClientRequest, ClientRequestArgs } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { kEndpoint } from '../../endpoint.js'
import { acceptValue } from '../../handshake/accept-key.js'
import { type CloseInfo, WebSocketStream } from '../../index.js'
import { prepareListeners } from '../../streams.js'
import { addAttributes, NAMES } from './attributes.js'
import { ClientRequests } from './client-request.js'
import { listenTo } from './core-listeners.js'
import { errorOf } from './errors.js'
import { addHandler, type Handler, removeHandler } from './event-target.js'
import type { Attribute, Emitter, EventListenerOf, EventMap, SocketEvents } from './events.js'
import {
  kAdopt,
  kBroke,
  kCanSend,
  kClosed,
  kCloseSize,
  kControl,
  kCore,
  kEnded,
  kFail,
  kFailing,
  kGiveUp,
  kHasFailed,
  kLateBytes,
  kPaused,
  kPhase,
  kReceive,
  kRequests,
  kSender,
  kSendWith,
  kType,
  kWasClean,
  kWire
} from './internals.js'
import { MessageSender, type SendOptions, type Sent } from './message-sender.js'
import { type ClientOptions, type CommonOptions, coreOptions } from './options.js'
import {
  asSent,
  asType,
  BINARY_TYPES,
  type BinaryType,
  checkClose,
  EMPTY,
  type Sendable,
  sizeOf,
  toControl,
  toPayload
} from './payload.js'

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** The states of the core as numbers; `close` sets CLOSED. */
const STATES = { connecting: CONNECTING, open: OPEN, closing: CLOSING, closed: CLOSING } as const

type Callback = (error?: Error) => void
const SocketEmitter = EventEmitter as unknown as new () => Emitter<WebSocket, SocketEvents>

/** A WebSocket with the interface of `ws` 8: an EventEmitter with the interface of the WHATWG. */
export class WebSocket extends SocketEmitter {
  /** 0: the connection is not open yet. */
  declare static readonly CONNECTING: 0
  /** 1: messages can be sent and received. */
  declare static readonly OPEN: 1
  /** 2: the connection is closing. */
  declare static readonly CLOSING: 2
  /** 3: the connection has ended, or could not be opened. */
  declare static readonly CLOSED: 3

  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  declare onopen: Attribute<WebSocket, 'open'>
  declare onmessage: Attribute<WebSocket, 'message'>
  declare onerror: Attribute<WebSocket, 'error'>
  declare onclose: Attribute<WebSocket, 'close'>

  private [kWire]: Duplex | null = null
  /** Number of redirects followed; rarely set. @internal */
  declare _redirects: number
  // if OPEN, the core's state counts
  private [kPhase]: 0 | 1 | 2 | 3 = CONNECTING
  private [kCore]: WebSocketStream | null = null
  private [kType]: BinaryType = 'nodebuffer'
  private [kPaused] = false
  // set if options or fragments were used
  private [kSender]: MessageSender | null = null
  // bytes passed to `send` after the end
  private [kLateBytes] = 0
  private [kCloseSize] = 0
  private [kHasFailed] = false
  // the requests of a client that is connecting
  private [kRequests]: ClientRequests | null = null
  /** The address of a client. @internal */
  _url: string | undefined = undefined

  /**
   * @param address - `ws:`, `wss:`, `http:`, `https:` or `ws+unix:`; null for the connections of a server
   * @throws SyntaxError if the address or a subprotocol is invalid; TypeError, RangeError if an option is invalid
   */
  constructor(address: null, protocols?: undefined, options?: CommonOptions)
  constructor(address: string | URL, options?: ClientOptions | ClientRequestArgs)
  constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions | ClientRequestArgs)
  constructor(address: string | URL | null, protocols?: unknown, options?: unknown) {
    super()
    prepareListeners(this)
    if (address === null) return
    const isList = typeof protocols !== 'object' || protocols === null || Array.isArray(protocols)
    const given = isList ? options : protocols
    const names = protocols === undefined || !isList ? [] : [protocols as string[]].flat()
    this[kRequests] = new ClientRequests(this, names, (given ?? {}) as ClientOptions)
    this[kRequests].start(address)
  }

  /** The state as a number: `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this[kPhase] === OPEN ? STATES[this[kCore]!.readyState] : this[kPhase]
  }

  /** The form of received binary messages. Default: `'nodebuffer'`. Invalid values are ignored. */
  get binaryType(): BinaryType {
    return this[kType]
  }

  set binaryType(type: BinaryType) {
    if (BINARY_TYPES.includes(type)) this[kType] = type
  }

  /** Bytes passed to `send` that the wire has not taken. What was sent in this turn is written first. */
  get bufferedAmount(): number {
    this[kCore]?.flush()
    // without the Close frame, which is not data of the application
    return this[kLateBytes] + Math.max(0, (this[kCore]?.bufferedAmount ?? 0) - this[kCloseSize])
  }

  /** The names of the negotiated extensions. */
  get extensions(): string {
    return (this[kCore]?.extensions ?? '')
      .split(', ')
      .map(item => item.split(';', 1)[0])
      .join()
  }

  /** Whether `pause()` is in effect. */
  get isPaused(): boolean {
    return this[kPaused]
  }

  /** The subprotocol; '' for none. */
  get protocol(): string {
    return this[kCore]?.protocol ?? ''
  }

  /** The address of a client; undefined for connections of a server, as in `ws`. */
  get url(): string {
    return this._url as string
  }

  /** Whether both sides have sent a Close frame. @internal */
  get [kWasClean](): boolean {
    return this[kCore]?.closeInfo?.wasClean ?? false
  }

  /**
   * Starts the closing handshake; aborts a connection that is not open yet.
   * @param code - 1000-1003, 1007-1014 or 3000-4999; if omitted, the Close has no code
   * @param data - the reason, at most 123 bytes
   */
  close(code?: number, data?: string | Buffer): void {
    const { readyState } = this
    if (readyState === CONNECTING) this[kGiveUp]()
    if (readyState !== OPEN) return
    const reason = data === undefined || data === null ? '' : data.toString()
    if (code !== undefined) checkClose(code, reason)
    // in a write of their own, so that over TLS a peer can still answer the messages before the Close
    this[kCore]!.flush()
    void this[kCore]!.close(code ?? null, code === undefined ? '' : reason)
    const size = code === undefined ? 0 : 2 + Buffer.byteLength(reason)
    // including the header, and the mask of a client
    this[kCloseSize] = size + (this._url === undefined ? 2 : 6)
    // the program may exit right after this call
    this[kCore]!.flush()
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(): void {
    const { readyState } = this
    if (readyState === CONNECTING) this[kGiveUp]()
    else if (readyState !== CLOSED) {
      // data sent before is still written
      this[kCore]?.flush()
      if (this[kWire]?.destroyed === false) this[kPhase] = CLOSING
      this[kCore]?.destroy()
    }
  }

  /** The wire, for programs that read its address or end it; data sent before is written first. @internal */
  get _socket(): Duplex | null {
    this[kCore]?.flush()
    return this[kWire]
  }

  /** The current request, for programs that add to it. @internal */
  get _req(): ClientRequest | null {
    return this[kRequests]?.request ?? null
  }

  private [kGiveUp](): void {
    this[kRequests]?.abort('WebSocket was closed before the connection was established')
  }

  /** Stops `message` events until `resume()`, and applies backpressure to the peer. */
  pause(): void {
    if (this[kCore] === null || this[kPhase] === CLOSED) return
    this[kPaused] = true
    this[kCore].pauseMessages()
    // pausing the wire stops Pings too, and applies backpressure at once
    this[kWire]!.pause()
  }

  /** Resumes `message` events. */
  resume(): void {
    if (this[kCore] === null || this[kPhase] === CLOSED) return
    this[kPaused] = false
    this[kCore].resumeMessages()
    // a listener may have paused it again
    if (!this.isPaused) this[kWire]!.resume()
  }

  /**
   * Sends a message, or a fragment of one.
   * @param callback - called when it has been written to the wire
   * @throws Error before the connection is open; TypeError if text in bytes is not UTF-8
   */
  send(data: Sendable, callback?: Callback): void
  send(data: Sendable, options: SendOptions | undefined, callback?: Callback): void
  send(data: unknown, options?: SendOptions | Callback, callback?: Callback): void {
    if (typeof options === 'function') {
      callback = options
      options = undefined
    }
    const given = toPayload(data)
    if (!this[kCanSend](given, callback)) return
    const core = this[kCore]!
    const payload = given instanceof Uint8Array ? asSent(given, core, this._url !== undefined) : given
    const sent = callback as Sent | undefined
    const isPlain = options === undefined && this[kSender] === null && !(payload instanceof Blob)
    // with a callback and compression, MessageSender words the error
    const isSimple = isPlain && (sent === undefined || core.extensions === '')
    if (!isSimple) this[kSendWith](options ?? {}, payload, sent)
    else if (typeof payload === 'string') core.text(payload, undefined, sent)
    else core.send(payload, undefined, sent)
    if (payload === given && given instanceof Uint8Array) core.flush()
  }

  private [kSendWith](
    options: SendOptions,
    payload: string | Uint8Array | Blob,
    sent?: (error?: Error | null) => void
  ): void {
    this[kSender] ??= new MessageSender(this[kCore]!, error => this[kBroke](error))
    this[kSender].send(payload, options, sent)
  }

  /** Sends a Ping of at most 125 bytes, after the messages that were sent before. `mask` has no effect. */
  ping(data?: unknown, mask?: boolean | Callback, callback?: Callback): void {
    this[kControl]('ping', data, mask, callback)
  }

  /** Sends a Pong, like `ping`. */
  pong(data?: unknown, mask?: boolean | Callback, callback?: Callback): void {
    this[kControl]('pong', data, mask, callback)
  }

  private [kControl](kind: 'ping' | 'pong', data: unknown, mask: unknown, callback: Callback | undefined): void {
    if (typeof data === 'function') [data, callback] = [undefined, data as Callback]
    else if (typeof mask === 'function') callback = mask as Callback
    const given = toPayload(data)
    if (!this[kCanSend](given, callback)) return
    const payload = toControl(given)
    const core = this[kCore]!
    const { pipeline, sender } = core[kEndpoint]
    // sent in order with messages; but at once between two fragments (RFC 6455 §5.4), as the end of their message may be far off
    const inOrder = !this[kSender]?.isOpen
    if (!inOrder) core.flush()
    void core[kind](payload, { inOrder })
    if (callback === undefined) return
    if (inOrder) sender.sendBarrier(callback as Sent)
    else pipeline.whenSent(callback as Sent)
  }

  /** @throws Error before the connection is open */
  private [kCanSend](payload: string | Uint8Array | Blob, callback: Callback | undefined): boolean {
    const { readyState } = this
    if (readyState === OPEN) return true
    const error = new Error(`WebSocket is not open: readyState ${readyState} (${NAMES[readyState]})`)
    if (readyState === CONNECTING) throw error
    this[kLateBytes] += sizeOf(payload)
    if (callback !== undefined) process.nextTick(callback, error)
    return false
  }

  /** Adds a listener that gets WHATWG events; ignored for other types. */
  addEventListener<E extends keyof EventMap<unknown>>(
    type: E,
    listener: EventListenerOf<WebSocket, E>,
    options: { once?: boolean | undefined } = {}
  ): void {
    addHandler(this, type, listener as Handler, Boolean(options?.once))
  }

  /** Removes such a listener. */
  removeEventListener<E extends keyof EventMap<unknown>>(type: E, listener: EventListenerOf<WebSocket, E>): void {
    removeHandler(this, type, listener as Handler)
  }

  // The core

  /** For programs that did a client's handshake themselves, such as the tests of @fastify/websocket. @internal */
  setSocket(socket: Duplex, head: Buffer, options: CommonOptions = {}): void {
    const core = WebSocketStream.client('ws://localhost/', coreOptions(options))
    const accept = acceptValue(core.requestHeaders()['sec-websocket-key']!)
    const headers = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': accept }
    this[kAdopt](core.upgraded({ statusCode: 101, headers }, head), socket)
  }

  /** Takes a connection, on which the handshake was done with `attach`, and emits `open`. @internal */
  [kAdopt](core: WebSocketStream, socket: Duplex): void {
    this[kCore] = core
    this[kWire] = socket
    this[kRequests] = null
    listenTo(core, this)
    core.attach(socket)
    // the core reports an invalid handshake
    this[kPhase] = core.readyState === 'open' ? OPEN : CLOSING
    if (this[kPhase] === OPEN) this.emit('open')
    else this[kWire] = null
  }

  /** The connection could not be opened. @internal */
  [kFail](error: Error): void {
    this[kPhase] = CLOSING
    try {
      this.emit('error', error)
    } finally {
      this[kPhase] = CLOSED
      this.emit('close', 1006, EMPTY)
    }
  }

  /** It can no longer be opened; `kFail` reports why. @internal */
  [kFailing](): void {
    this[kPhase] = CLOSING
  }

  /** @internal */
  [kReceive](data: Buffer, isBinary: boolean): void {
    if (data.length === 0) data = EMPTY
    this.emit('message', this[kType] === 'nodebuffer' || !isBinary ? data : asType(data, this[kType]), isBinary)
  }

  /** @internal */
  [kBroke](error: Error): void {
    const told = errorOf(error)
    if (told === null || this[kHasFailed]) return
    this[kHasFailed] = true
    this.emit('error', told)
  }

  /** @internal */
  [kEnded](info: CloseInfo): void {
    // after `terminate()`, 'close' comes when the socket has closed
    if (this[kPhase] === CLOSING && this[kWire] instanceof Socket) this[kWire].once('close', () => this[kClosed](info))
    else this[kClosed](info)
  }

  private [kClosed]({ code, reason }: CloseInfo): void {
    this[kPhase] = CLOSED
    // as in `ws`: if this side found a fault, the peer's code does not count
    if (this[kHasFailed]) this.emit('close', 1006, EMPTY)
    else this.emit('close', code, reason === '' ? EMPTY : Buffer.from(reason))
  }
}

WebSocket.prototype._redirects = 0

addAttributes(WebSocket)
