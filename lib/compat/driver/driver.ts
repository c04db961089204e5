// One connection under the interface of npm's websocket-driver: what a WebSocketStream does is told by its events, in the turn of the
// call that led to it. Knows neither who answers a request nor who makes one.

import { EventEmitter } from 'node:events'
import type { ClosingInfo, Extension, OpenInfo, WebSocketStream } from '../../index.js'
import { asBuffer, asText, copyOf, type DriverMessage } from './data.js'
import { CloseEvent, type DriverEvents, MessageEvent, OpenEvent, PingEvent, PongEvent } from './events.js'
import { Headers } from './headers.js'
import { IO, Messages } from './streams.js'
import { Wire } from './wire.js'

const STATES = ['connecting', 'open', 'closing', 'closed'] as const

/** Fields that the handshake writes itself, and those that say how long the body of a refusal is. */
const OWN: readonly string[] = [
  ...['connection', 'content-length', 'host', 'transfer-encoding', 'upgrade', 'websocket-location', 'websocket-origin'],
  ...['accept', 'extensions', 'key', 'key1', 'key2', 'location', 'protocol', 'version'].map(
    name => `sec-websocket-${name}`
  ),
  'websocket-protocol'
]

/** Bytes that are held until the handshake is started before `io` asks for no more. */
const EARLY = 65536

/** A driver of one connection. */
export abstract class Driver extends EventEmitter<DriverEvents> {
  /** The wire: pipe the socket through it. */
  readonly io = new IO(this)
  /** The messages. */
  readonly messages = new Messages(this, this.io)
  /** -1 for a client that has not started, 0 connecting, 1 open, 2 closing, 3 closed. */
  readyState: -1 | 0 | 1 | 2 | 3 = 0
  /** The subprotocol, after `open`. */
  protocol: string | null | undefined
  /** The URL; of `server()`, the target of the request. */
  abstract url: string | null
  /** `hixie-75`, `hixie-76`, or `hybi-` and a number; unknown to `server()` before the request. */
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
    // `closing` has told it
    ws.on('error', () => {})
    // errors need not be handled, and `messages` hears of them too
    this.on('error', error => this.messages.readable && this.messages.emit('error', error))
    this.on('close', () => this.messages.over())
  }

  /** The request that a server answers, and a client itself. */
  get env(): unknown {
    return this
  }

  /** The name of `readyState`; null for a client that has not started. */
  getState(): (typeof STATES)[number] | null {
    return STATES[this.readyState as 0] ?? null
  }

  /**
   * Sends this side's part of the handshake, at once.
   * @returns true if and only if it was sent; on `server()`, before the request, also where it will be
   */
  abstract start(): boolean

  /**
   * Offers, or accepts, an extension in the form of websocket-extensions; before `start`.
   * @returns false where it is too late, or the version has no extensions
   * @throws TypeError where it is none, or one of its name is there
   */
  addExtension(extension: Extension): boolean {
    if (this.hasStarted || this.isDraft) return false
    this.ws.addExtension(extension)
    return true
  }

  /**
   * Adds a field to this side's part of the handshake, unless one of that name is there. Fields that the handshake writes itself stay as
   * they are.
   * @returns false where it is too late
   * @throws TypeError where the field cannot be sent
   */
  setHeader(name: string, value: unknown): boolean {
    if (this.hasStarted || this.readyState > 0) return false
    const key = String(name).trim().toLowerCase()
    if (!this.isTaken(key) && this.fields.set(name, value)) this.ws.setHeader(String(name).trim(), this.fields.get(key))
    return true
  }

  /** Whether a field of this lower-case name is the handshake's own. */
  protected isTaken(name: string): boolean {
    return OWN.includes(name)
  }

  /**
   * Takes bytes of the peer. What a listener throws comes out of this call.
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
   * Sends text.
   * @returns true if it was sent or queued, false if it can no longer be sent
   */
  text(message: DriverMessage): boolean {
    if (this.readyState > 1) return false
    return this.run(() => this.ws.text(asText(message)))
  }

  /**
   * Sends bytes: of a Buffer, of an array of integers from 0 to 255, or of a string.
   * @returns true if the message was sent or queued; false if it can no longer be sent, or the version has no binary messages
   */
  binary(message: DriverMessage): boolean {
    if (this.readyState > 1 || this.isDraft) return false
    return this.run(() => this.ws.binary(copyOf(message)))
  }

  /**
   * Sends a Ping.
   * @param callback - called once, when a Pong with this very string arrives
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
   * Sends a Pong that answers no Ping.
   * @returns false if it can no longer be sent, or the version has no pongs
   */
  pong(message: DriverMessage = ''): boolean {
    if (this.readyState > 1 || this.isDraft) return false
    return this.run(() => this.ws.pong(asText(message), { inOrder: true }))
  }

  /**
   * Begins the closing handshake; `close` is emitted when the peer has answered. Before `open`, and where the version has no closing
   * handshake, it is emitted at once.
   * @returns false where the connection is closing already
   * @throws TypeError, RangeError where the code or the reason cannot be sent
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
   * @param code - of a Close
   * @returns false where nothing more can be sent
   */
  frame(data: DriverMessage, type?: 'text' | 'binary' | 'ping' | 'pong' | 'close', code?: number): boolean {
    // what comes behind a Close is dropped
    if (this.readyState > 1) return this.readyState === 2
    const kind = type ?? (typeof data === 'string' || typeof data === 'number' ? 'text' : 'binary')
    if (kind === 'close') return this.close(asText(data), code)
    // the drafts know only text
    return this.isDraft ? this.text(data) : this[kind](data)
  }

  /** Whether the version is one from before the framing of RFC 6455. */
  protected get isDraft(): boolean {
    return this.version?.startsWith('hixie') === true
  }

  /** Begins to pass on bytes, those of before first. */
  protected attach(): void {
    this.ws.attach(this.wire)
  }

  protected giveEarly(): void {
    const early = this.early!
    this.early = null
    for (const bytes of early) this.wire.push(bytes)
    this.io.inputDrained()
  }

  /** What the peer sent in the handshake is known. */
  protected opened(info: OpenInfo): void {
    this.version = info.version
    if (info.protocol !== '') this.protocol = info.protocol
    this.readyState = 1
    this.tell('open', new OpenEvent())
  }

  private received(message: string | Buffer): void {
    // a draft is closed at once, which more of the chunk may stand behind
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

  /** It is known how the connection ends. */
  protected ended({ code, reason, error }: ClosingInfo): void {
    // the driver has been closed, or its wire has ended, which is no close
    if (this.readyState === 3 || (code === 1006 && !this.io.writable)) return
    // a listener of the end may end the wire
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

  /** The peer has nothing to say any more: what this side holds is freed when all that it had to send is out. */
  private release(): void {
    this.pingCallbacks = null
    if (this.isReleased) return
    this.isReleased = true
    process.nextTick(() => this.wire.push(null))
  }

  // What the streams ask for

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
    return this.readyState === 1 && this.ws.needsDrain
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

  /** Runs what may call listeners: what these throw comes out of the driver's method, and what was sent meanwhile leaves at its end. */
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

/** Throws where nothing catches it. */
function surface(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
