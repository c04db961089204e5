// One connection with the interface of npm's websocket-driver. The events of a WebSocketStream are passed on synchronously, within the call
// that caused them. Knows neither how a request is answered nor how it is made.

import { EventEmitter } from 'node:events'
import { kEndpoint } from '../../endpoint.js'
import type { ClosingInfo, Extension, OpenInfo, WebSocketStream } from '../../index.js'
import { asBuffer, asText, copyOf, type DriverMessage } from './data.js'
import { CloseEvent, type DriverEvents, MessageEvent, OpenEvent, PingEvent, PongEvent } from './events.js'
import { Headers } from './headers.js'
import { IO, Messages } from './streams.js'
import { Wire } from './wire.js'

const STATES = ['connecting', 'open', 'closing', 'closed'] as const

/** Header fields that the handshake sets itself, and those about the length of a refusal's body. */
const OWN: readonly string[] = [
  ...['connection', 'content-length', 'host', 'transfer-encoding', 'upgrade', 'websocket-location', 'websocket-origin'],
  ...['accept', 'extensions', 'key', 'key1', 'key2', 'location', 'protocol', 'version'].map(
    name => `sec-websocket-${name}`
  ),
  'websocket-protocol'
]

/** Bytes buffered before `start` until `io` applies backpressure. */
const EARLY = 65536

/** The driver of one connection. */
export abstract class Driver extends EventEmitter<DriverEvents> {
  /** The wire: pipe the socket through it. */
  readonly io = new IO(this)
  /** The messages as a stream. */
  readonly messages = new Messages(this, this.io)
  /** -1 for a client that has not started, 0 connecting, 1 open, 2 closing, 3 closed. */
  readyState: -1 | 0 | 1 | 2 | 3 = 0
  /** The subprotocol, after `open`. */
  protocol: string | null | undefined
  /** The URL; with `server()`, the target of the request. */
  abstract url: string | null
  /** `hixie-75`, `hixie-76`, or `hybi-` and a number; with `server()` unknown until the request has arrived. */
  version: string | undefined

  protected hasStarted = false
  private readonly wire = new Wire(this.io)
  private readonly fields = new Headers()
  private early: Buffer[] | null = []
  private earlySize = 0
  private depth = 0
  private thrown: unknown[] = []
  private pingCallbacks: Map<string, () => void> | null = null
  private awaitsRoom = false
  private isReleased = false

  protected constructor(protected readonly ws: WebSocketStream) {
    super()
    ws.on('open', info => this.opened(info))
    ws.on('message', message => this.received(message))
    ws.on('ping', payload => this.tell('ping', new PingEvent(payload.toString())))
    ws.on('pong', payload => this.ponged(payload.toString()))
    ws.on('closing', info => this.ended(info))
    // reported by `closing` already
    ws.on('error', () => {})
    // the application need not listen for errors; `messages` emits them too
    this.on('error', error => this.messages.readable && this.messages.emit('error', error))
    this.on('close', () => this.messages.over())
  }

  /** The request that a server answers; a client returns itself. */
  get env(): unknown {
    return this
  }

  /** The name of `readyState`; null for a client that has not started. */
  getState(): (typeof STATES)[number] | null {
    return STATES[this.readyState as 0] ?? null
  }

  /**
   * Sends this side's part of the handshake at once.
   * @returns whether it was sent; with `server()` before the request, also true if it will be
   */
  abstract start(): boolean

  /**
   * Offers or accepts an extension in the form of websocket-extensions; only before `start`.
   * @returns false if it is too late, or the version has no extensions
   * @throws TypeError if it is not an extension, or one of the same name exists
   */
  addExtension(extension: Extension): boolean {
    if (this.hasStarted || this.isDraft) return false
    this.ws.addExtension(extension)
    return true
  }

  /**
   * Adds a header field to this side's part of the handshake, unless one of the same name exists. Fields that the handshake sets itself are
   * not changed.
   * @returns false if it is too late
   * @throws TypeError if the field cannot be sent
   */
  setHeader(name: string, value: unknown): boolean {
    if (this.hasStarted || this.readyState > 0) return false
    const key = String(name).trim().toLowerCase()
    if (!this.isTaken(key) && this.fields.set(name, value)) this.ws.setHeader(String(name).trim(), this.fields.get(key))
    return true
  }

  /** Whether the handshake sets the field of this lower-case name itself. */
  protected isTaken(name: string): boolean {
    return OWN.includes(name)
  }

  /**
   * Takes bytes of the peer. Throws what a listener throws.
   * @returns whether there is room for more
   */
  parse(chunk: Uint8Array | readonly number[] | string): boolean {
    if (this.readyState === 3) return true
    const bytes = asBuffer(chunk)
    if (bytes.length === 0) return true
    if (this.early === null) return this.run(() => this.wire.push(bytes))
    this.early.push(Buffer.from(bytes))
    this.earlySize += bytes.length
    return this.earlySize < EARLY
  }

  /**
   * Sends a text message.
   * @returns true if it was sent or queued, false if it can no longer be sent
   */
  text(message: DriverMessage): boolean {
    if (this.readyState > 1) return false
    return this.run(() => this.ws.text(asText(message)))
  }

  /**
   * Sends a binary message: a Buffer, an array of integers from 0 to 255, or a string.
   * @returns true if the message was sent or queued; false if it can no longer be sent, or the version has no binary messages
   */
  binary(message: DriverMessage): boolean {
    if (this.readyState > 1 || this.isDraft) return false
    return this.run(() => this.ws.binary(copyOf(message)))
  }

  /**
   * Sends a Ping.
   * @param callback - called once, when a Pong with the same payload arrives
   * @returns false if it can no longer be sent, or the version has no pings
   */
  ping(message: DriverMessage = '', callback?: () => void): boolean {
    if (this.readyState > 1 || this.isDraft) return false
    const payload = asText(message)
    if (callback) {
      this.pingCallbacks ??= new Map()
      this.pingCallbacks.set(payload, callback)
    }
    return this.run(() => {
      void this.ws.ping(payload, { inOrder: true })
      return true
    })
  }

  /**
   * Sends an unsolicited Pong.
   * @returns false if it can no longer be sent, or the version has no pongs
   */
  pong(message: DriverMessage = ''): boolean {
    if (this.readyState > 1 || this.isDraft) return false
    return this.run(() => this.ws.pong(asText(message), { inOrder: true }))
  }

  /**
   * Starts the closing handshake; `close` is emitted when the peer has answered. Before `open`, and in versions without a closing
   * handshake, it is emitted at once.
   * @returns false if the connection is already closing
   * @throws TypeError, RangeError if the code or the reason cannot be sent
   */
  close(reason?: string | null, code?: number | null): boolean {
    if (this.readyState > 1) return false
    const [said, number] = [reason || '', code || 1000]
    const isOpen = this.readyState === 1
    if (isOpen && !this.isDraft) {
      return this.run(() => {
        void this.ws.close(number, said)
        this.readyState = 2
        return true
      })
    }
    this.readyState = 3
    this.run(() => {
      if (isOpen) this.ws.close()
      this.ws.flush()
      this.tell('close', this.isDraft ? new CloseEvent(null, null) : new CloseEvent(number, said))
    })
    if (isOpen) this.release()
    else this.ws.destroy()
    return true
  }

  /**
   * Sends one frame.
   * @param type - default: text for a string or number, binary for bytes
   * @param code - the code of a Close
   * @returns false if nothing more can be sent
   */
  frame(data: DriverMessage, type?: 'text' | 'binary' | 'ping' | 'pong' | 'close', code?: number): boolean {
    // data after a Close is dropped
    if (this.readyState > 1) return this.readyState === 2
    const kind = type ?? (typeof data === 'string' || typeof data === 'number' ? 'text' : 'binary')
    if (kind === 'close') return this.close(asText(data), code)
    // the drafts have only text messages
    return this.isDraft ? this.text(data) : this[kind](data)
  }

  /** Whether the version is a draft without RFC 6455 framing. */
  protected get isDraft(): boolean {
    return this.version?.startsWith('hixie') === true
  }

  /** Starts to pass bytes on, buffered ones first. */
  protected attach(): void {
    this.ws.attach(this.wire)
  }

  protected giveEarly(): void {
    const early = this.early!
    this.early = null
    for (const bytes of early) this.wire.push(bytes)
    this.io.inputDrained()
  }

  /** The handshake is done. */
  protected opened(info: OpenInfo): void {
    this.version = info.version
    if (info.protocol !== '') this.protocol = info.protocol
    this.readyState = 1
    this.tell('open', new OpenEvent())
  }

  private received(message: string | Buffer): void {
    // a draft closes at once, perhaps before the end of the chunk
    if (this.readyState === 3) return
    const { messages } = this
    const event = new MessageEvent(message)
    try {
      if (messages.readable) messages.emit('data', message)
      this.emit('message', event)
    } catch (error) {
      this.caught(error)
    }
  }

  private ponged(data: string): void {
    const callback = this.pingCallbacks?.get(data)
    this.pingCallbacks?.delete(data)
    if (callback !== undefined) this.guard(callback)
    this.tell('pong', new PongEvent(data))
  }

  /** The core reports how the connection ends. */
  protected ended({ code, reason, error }: ClosingInfo): void {
    // no `close` if the application has closed the driver, or if the wire has ended, unless it ended a refusal
    const isRefused = this.readyState === 0 && this.ws.status > 0
    if (this.readyState === 3 || (code === 1006 && !this.io.writable && !isRefused)) return
    // flush first: a listener may end the wire
    this.ws.flush()
    const hasFailed = error !== null && this.readyState < 1
    this.readyState = 3
    if (error !== null) this.tell('error', error)
    if (this.isDraft) this.tell('close', new CloseEvent(null, null))
    else if (hasFailed) this.tell('close', new CloseEvent(1002, error.message))
    // 1005: the peer's Close had no code
    else this.tell('close', new CloseEvent(code === 1005 ? 1000 : code, reason))
    this.release()
  }

  /** The peer sends nothing more: frees the memory of this side when its remaining output has been sent. */
  private release(): void {
    this.pingCallbacks = null
    if (this.isReleased) return
    this.isReleased = true
    process.nextTick(() => this.wire.push(null))
  }

  // Called by the streams

  /** @internal */
  inputEnded(): void {
    this.messages.over()
    if (this.early === null) this.release()
    else this.ws.destroy()
  }

  /** @internal */
  outputResumed(): void {
    this.wire.release()
    this.messages.emit('drain')
  }

  /** @internal */
  sendMessage(message: string | Uint8Array | readonly number[]): void {
    if (typeof message === 'string') this.text(message)
    else this.binary(message)
  }

  /** @internal */
  get isFull(): boolean {
    return this.readyState === 1 && this.ws[kEndpoint].sender.isFull
  }

  /** @internal */
  awaitRoom(): void {
    if (this.awaitsRoom) return
    this.awaitsRoom = true
    const go = (): void => {
      this.awaitsRoom = false
      if (this.messages.writable) this.messages.emit('drain')
    }
    this.ws.drained().then(go, () => {})
  }

  /** @internal */
  caught(error: unknown): void {
    if (this.depth > 0) this.thrown.push(error)
    else surface(error)
  }

  // Listeners

  /** Calls a function that may call listeners: their exceptions are thrown by the driver's method, and what they send leaves at its end. */
  protected run<T>(act: () => T): T {
    this.depth++
    let result: T
    try {
      result = act()
      if (this.depth === 1) this.ws.flush()
    } finally {
      this.depth--
    }
    if (this.depth > 0 || this.thrown.length === 0) return result
    const [first, ...others] = this.thrown.splice(0)
    others.forEach(surface)
    throw first
  }

  protected tell<E extends keyof DriverEvents>(event: E, ...args: DriverEvents[E]): void {
    this.guard(() => (this.emit as (event: string, ...args: unknown[]) => boolean)(event, ...args))
  }

  private guard(act: () => unknown): void {
    try {
      act()
    } catch (error) {
      this.caught(error)
    }
  }
}

/** Throws the error where nothing catches it. */
function surface(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
