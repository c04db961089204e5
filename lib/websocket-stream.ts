// The Duplex that a socket is piped through: the public face of one connection. What happens inside is the Pipeline's affair.

import type { ServerHttp2Stream } from 'node:http2'
import type { DuplexOptions, Duplex as NodeDuplex } from 'node:stream'
import type { CloseInfo, ReadyState, Role } from './connection.js'
import { type HandshakeError, type Headers, WebSocketError } from './errors.js'
import type { OtherEvent, WebSocketStreamEvents } from './events.js'
import type { Extension } from './extensions/extension.js'
import type { ConnectionServer } from './hand-over.js'
import type { Http2Headers } from './handshake/http2-fields.js'
import type { OpenInfo, ProtocolVersion } from './handshake/open-info.js'
import type { AcceptOptions, RefusalOptions } from './handshake/server-handshake.js'
import { Http1ClientOpening, Http1ServerOpening } from './http1-opening.js'
import { Http2ClientOpening, type Http2OpeningOwner, Http2ServerOpening } from './http2-opening.js'
import { type Opening, SENT } from './opening.js'
import {
  readOptions,
  type Settings,
  type UpgradeRequest,
  type UpgradeResponse,
  type WebSocketOptions
} from './options.js'
import { Pipeline, type PipelineUser } from './pipeline.js'
import { writeCloseBody } from './protocol/close-code.js'
import { type Sendable, toBytes, Uncompressed } from './protocol/message-splitter.js'
import { PreparedMessage } from './protocol/prepared-message.js'
import { TextBytes } from './protocol/text-bytes.js'
import { Buffer, nextTick } from './runtime/node.js'
import type { ConnectionStats } from './stats.js'
import { askForDrain, Duplex, EventEmitter, lazy, prepareListeners } from './streams.js'
import { surface, surfacing } from './surfacing.js'
import type { TypedDuplex } from './typed-duplex.js'
import type { BytesView } from './views/bytes.js'
import type { FramesView } from './views/frames.js'
import type { MessageKind } from './views/message-stream.js'
import type { MessageWriter, MessageWriterOptions } from './views/message-writer.js'
import type { MessagesView } from './views/messages.js'
import type { StreamsView } from './views/streams.js'
import { AttachedWire } from './wires/attached-wire.js'
import { type PipedStream, PipedWire } from './wires/piped-wire.js'

/** How one message is sent. */
export interface SendOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/** How one Ping or Pong is sent. */
export interface ControlOptions {
  /** Whether it keeps its place behind the messages that were sent before, which by default it goes ahead of. Default: false. */
  inOrder?: boolean | undefined
}

/** Called when the wire has written a message, and its memory is the application's again; or with an error when it cannot be written. */
export type SentCallback = (error?: Error | null) => void

type Listener<E extends keyof WebSocketStreamEvents> = (...args: WebSocketStreamEvents[E]) => void

const LazyDuplex = lazy(Duplex) as unknown as new () => TypedDuplex<WebSocketStream>

/**
 * One WebSocket connection: a Duplex of wire bytes to pipe a socket through, with its messages in `messages`.
 *
 * Made by `http`, `server` or `client`. Emits `request`, `open`, `message`, `ping`, `pong`, `error`, and `close` once when all is
 * over. A peer's fault ends the connection; without an `error` listener it does nothing else.
 */
export class WebSocketStream extends LazyDuplex {
  private readonly pipeline: Pipeline

  private constructor(role: Role, settings: Settings, makeOpening: (owner: Http2OpeningOwner) => Opening) {
    super()
    prepareListeners(this)
    this.pipeline = new Pipeline(this as unknown as PipelineUser, role, settings, makeOpening)
  }

  /**
   * A server whose request somebody else has parsed, as for the `upgrade` event of `node:http`.
   * @param request - `method`, `url`, `headers`, and `socket` where there is one
   * @param head - what arrived behind the request
   * @throws TypeError, RangeError where an option is wrong
   */
  static http(request: UpgradeRequest, head?: Uint8Array, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    if (typeof request !== 'object' || request === null) throw new TypeError('request must be an object')
    const ws = new WebSocketStream('server', settings, owner => new Http1ServerOpening(owner, settings, request))
    if (head !== undefined && head.length > 0) {
      ws.pipeline.keepHead(Buffer.from(head.buffer, head.byteOffset, head.byteLength))
    }
    return ws
  }

  /**
   * A server on raw bytes: reads the request itself.
   * @throws TypeError, RangeError where an option is wrong
   */
  static server(options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return new WebSocketStream('server', settings, owner => new Http1ServerOpening(owner, settings, null))
  }

  /**
   * A client on raw bytes: sends its request as soon as it is piped or attached.
   * @param url - `ws:`, `wss:`, `http:` or `https:`; a user's name and password in it become Basic authorization
   * @throws SyntaxError where the URL is none for a WebSocket; TypeError, RangeError where an option is wrong
   */
  static client(url: string | URL, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return new WebSocketStream('client', settings, owner => new Http1ClientOpening(owner, url, settings))
  }

  /**
   * Whole messages, as an object-mode Duplex: strings for text, Buffers for binary. `end()` closes with 1000.
   * @throws TypeError where another view serves this connection
   */
  get messages(): MessagesView {
    return this.pipeline.open('messages') as MessagesView
  }

  /**
   * A server on a stream of HTTP/2 whose request is an extended CONNECT (RFC 8441): `server.on('stream', (stream, headers) => …)`, the
   * server made with `settings: { enableConnectProtocol: true }`. It needs no piping: unless something else becomes its wire in the
   * same turn, the stream is attached.
   * @param headers - with the pseudo-fields
   * @throws TypeError, RangeError where an option is wrong
   */
  static http2(stream: ServerHttp2Stream, headers: Http2Headers, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    if (typeof headers !== 'object' || headers === null) throw new TypeError('headers must be an object')
    const ws = new WebSocketStream(
      'server',
      settings,
      owner => new Http2ServerOpening(owner, settings, stream, headers)
    )
    nextTick(() => ws.pipeline.isJoined || ws.closeInfo !== undefined || ws.attach(stream))
    return ws
  }

  /** A client that learns only on the way whether its wire is a stream of HTTP/2. @internal */
  static dialing(url: string | URL, options: WebSocketOptions): { ws: WebSocketStream; opening: Http2ClientOpening } {
    const settings = readOptions(options)
    let opening: Http2ClientOpening | null = null
    const ws = new WebSocketStream('client', settings, owner => {
      opening = new Http2ClientOpening(owner, url, settings, new Http1ClientOpening(owner, url, settings))
      return opening
    })
    return { ws, opening: opening! }
  }

  /**
   * Messages as they arrive, as an object-mode Duplex of `MessageStream`s, never held whole. Also writable, of Readables and of whole
   * messages. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get streams(): StreamsView {
    return this.pipeline.open('streams') as StreamsView
  }

  /**
   * Frames as they are on the wire but unmasked, as an object-mode Duplex, control frames included: for relays.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get frames(): FramesView {
    return this.pipeline.open('frames') as FramesView
  }

  /**
   * Plain bytes, as a Duplex: what binary messages hold, one after another, whatever their borders; a text message is a fault (1003). A
   * write goes out as a binary message, what is written while the stream is corked as one. For MQTT, TLS (`tls.connect({ socket: ws.bytes })`)
   * and tunnels. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get bytes(): BytesView {
    return this.pipeline.open('bytes') as BytesView
  }

  /**
   * A Writable that sends one message, a fragment for each chunk (RFC 6455 §5.4), with backpressure. Other messages wait behind it,
   * pings and a close do not. Destroyed when some of it has gone, it closes the connection: what was sent cannot be
   * taken back.
   * @param kind - text takes strings, and bytes that are UTF-8, cut anywhere
   * @throws TypeError for any other kind
   */
  createMessage(kind: MessageKind, options: MessageWriterOptions = {}): MessageWriter {
    if (kind !== 'text' && kind !== 'binary') throw new TypeError("kind must be 'text' or 'binary'")
    return this.pipeline.createMessage(kind, readCompress(options))
  }

  /**
   * Sends text, as `messages.write` does.
   * @param message - a string, or bytes of UTF-8, which must not change until they are sent
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   * @throws TypeError where the bytes are not UTF-8
   */
  text(message: string | Uint8Array, sent?: SentCallback): boolean
  text(message: string | Uint8Array, options?: SendOptions, sent?: SentCallback): boolean
  text(message: string | Uint8Array, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof message === 'string') return this.sendAs(message, options, sent)
    if (!(message instanceof Uint8Array)) throw new TypeError('text must be a string, or bytes of UTF-8')
    return this.sendAs(new TextBytes(message), options, sent)
  }

  /**
   * Sends bytes, as `messages.write` does: any ArrayBufferView or ArrayBuffer, which must not change until it is sent, or an array of
   * integers from 0 to 255.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  binary(message: BinaryMessage, sent?: SentCallback): boolean
  binary(message: BinaryMessage, options?: SendOptions, sent?: SentCallback): boolean
  binary(message: BinaryMessage, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    return this.sendAs(Array.isArray(message) ? bytesOf(message) : toBytes(message), options, sent)
  }

  private sendAs(message: Sendable | TextBytes, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof options === 'function') return this.pipeline.send(message, options)
    const item = readCompress(options) ? message : new Uncompressed(message)
    return this.pipeline.send(item, readCallback(sent))
  }

  /**
   * Sends a message: text for a string or a TextBytes, binary for bytes and for a Blob, or what `prepareMessage` made.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  send(message: Sendable | TextBytes | Blob | PreparedMessage, sent?: SentCallback): boolean
  send(message: Sendable | TextBytes | Blob | PreparedMessage, options?: SendOptions, sent?: SentCallback): boolean
  send(
    message: Sendable | TextBytes | Blob | PreparedMessage,
    options?: SendOptions | SentCallback,
    sent?: SentCallback
  ): boolean {
    if (typeof message === 'string' || message instanceof TextBytes) return this.sendAs(message, options, sent)
    const callback = typeof options === 'function' ? options : readCallback(sent)
    if (message instanceof PreparedMessage) return this.pipeline.send(message, callback)
    if (!(message instanceof Blob)) return this.sendAs(toBytes(message), options, sent)
    return this.sendBlob(message, typeof options === 'function' ? undefined : options, callback)
  }

  // its bytes come later, and what is sent meanwhile waits behind it
  private sendBlob(blob: Blob, options: SendOptions | undefined, sent: SentCallback | null): boolean {
    if (!this.pipeline.takesMessages) {
      if (sent !== null) nextTick(sent, new WebSocketError('WS_ERR_NOT_OPEN'))
      return false
    }
    const writer = this.createMessage('binary', options)
    // a Close waits for it
    writer.isGiven = true
    if (sent !== null) writer.once('close', () => surfacing(() => sent(writer.errored)))
    blob.arrayBuffer().then(
      bytes => writer.end(new Uint8Array(bytes)),
      error => {
        this.pipeline.notifyError(error)
        writer.destroy(error)
      }
    )
    return true
  }

  /**
   * Drops all messages that arrive from now on, for connections that only send. Messages are checked and control frames answered as
   * always.
   * @throws TypeError if the connection is read through `streams` or `frames`
   */
  discardMessages(): void {
    this.pipeline.discardMessages()
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   * @param payload - at most 125 bytes; by default something that no other ping has
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns the time until the matching Pong in ms; rejects when the connection ends before it. Never an unhandled rejection.
   */
  ping(payload?: string | Uint8Array, options?: ControlOptions): Promise<number> {
    const bytes = payload === undefined ? nextPing() : controlPayload(payload)
    return this.pipeline.connection.ping(bytes, readInOrder(options))
  }

  /**
   * Sends a Pong that nobody asked for (RFC 6455 §5.5.3).
   * @param payload - at most 125 bytes
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns false where nothing more can be sent
   */
  pong(payload: string | Uint8Array = '', options?: ControlOptions): boolean {
    return this.pipeline.connection.pong(controlPayload(payload), readInOrder(options))
  }

  /**
   * Keeps messages from `message` listeners, and from the messages view, until `resumeMessages()`. They wait, and once what waits has
   * reached `highWaterMark` the wire is paused; a Close that the peer has sent behind them waits too, for `closeTimeout` at most.
   * @throws TypeError where the connection is read through `streams` or `frames`
   */
  pauseMessages(): void {
    this.pipeline.pauseMessages()
  }

  /** Lets messages go on that `pauseMessages()` keeps. */
  resumeMessages(): void {
    this.pipeline.resumeMessages()
  }

  /** Whether `pauseMessages()` keeps messages at present. */
  get messagesArePaused(): boolean {
    return this.pipeline.messagesArePaused
  }

  /**
   * Begins the closing handshake (RFC 6455 §7.1.2), behind all messages that wait. A second call only returns the promise.
   * @param code - 1000-1003, 1007-1014 or 3000-4999; null for a Close without a code, which the peer is told of as 1005
   * @param reason - at most 123 bytes of UTF-8; none without a code
   * @returns how the connection ended, as `whenClosed()` does
   * @throws TypeError, RangeError if the code or the reason cannot be sent
   */
  close(code: number | null = 1000, reason = ''): Promise<CloseInfo> {
    this.pipeline.close(writeCloseBody(code, reason))
    return this.whenClosed()
  }

  /** Resolves with how the connection ended, once it has; never rejects. */
  whenClosed(): Promise<CloseInfo> {
    return this.pipeline.closed
  }

  /** Whether the connection has ended, as any stream's `closed`. */
  override get closed(): boolean {
    return this.closeInfo !== undefined
  }

  /** What was agreed, when the handshake is done; rejects with a HandshakeError. Never an unhandled rejection by itself. */
  get opened(): Promise<OpenInfo> {
    return this.pipeline.opened
  }

  /** How the connection ended; undefined before. */
  get closeInfo(): CloseInfo | undefined {
    return this.pipeline.closeInfo
  }

  /** `'hybi-13'`, `'hybi-8'`, `'hybi-7'`, `'hixie-76'`, `'hixie-75'` or `'rfc8441'`; '' before the handshake is done. */
  get version(): ProtocolVersion | '' {
    return this.pipeline.info?.version ?? ''
  }

  /** The subprotocol; '' for none. */
  get protocol(): string {
    return this.pipeline.info?.protocol ?? ''
  }

  /** The extensions, as in `Sec-WebSocket-Extensions`; '' for none. */
  get extensions(): string {
    return this.pipeline.info?.extensions ?? ''
  }

  /** The URL; a server knows it from the request, and before that it is ''. */
  get url(): string {
    const { info, opening } = this.pipeline
    return info === null ? opening!.url : info.url
  }

  /** The state of the connection. */
  get readyState(): ReadyState {
    return this.pipeline.connection.state
  }

  /** Server: the request, once it is there. */
  get request(): UpgradeRequest | null {
    return this.pipeline.request
  }

  /** The status of the handshake's answer, also of one that refused, the server's or a proxy's; 0 before it. */
  get status(): number {
    return this.pipeline.answer?.status ?? 0
  }

  /** The header fields of the handshake's answer, also of one that refused; empty before it. */
  get headers(): Headers {
    return this.pipeline.answer?.headers ?? {}
  }

  /** What has gone through this connection so far, counted when it is asked for. */
  get stats(): ConnectionStats {
    return this.pipeline.stats
  }

  /** Whether the wire is full: what is sent now waits in memory. `await ws.drained()` waits for room. */
  get needsDrain(): boolean {
    return this.pipeline.needsDrain
  }

  /**
   * Waits until the wire has taken all that was sent. Resolves at once if nothing waits.
   * @throws WebSocketError when the connection ends first
   */
  drained(): Promise<void> {
    return this.pipeline.whenAllWritten()
  }

  /**
   * Hands what was sent to the wire now. Else the frames of one turn of the event loop leave together at its end, which costs less.
   * What an extension is still working on, and what a full wire does not take, waits as always.
   */
  flush(): void {
    this.pipeline.flush()
  }

  /** Bytes that were given to this connection and that the wire has not taken. */
  get bufferedAmount(): number {
    return this.pipeline.bufferedAmount
  }

  /**
   * Puts a field into this side's part of the handshake, in the place of an earlier one of that name; an array makes several lines.
   * @throws TypeError where it cannot be sent, belongs to the handshake, or the handshake is over
   */
  setHeader(name: string, value: string | readonly string[]): void {
    const { opening } = this.pipeline
    if (opening === null) throw new TypeError(SENT)
    opening.setHeader(name, value)
  }

  /**
   * Client: the header fields of the request, `Host` and a fresh key among them, for an application that sends it by itself: with the
   * agent, the proxy or the cookies of `http.request`. The answer is given to `upgraded`.
   * @throws TypeError where this is no client of `WebSocketStream.client()`, or the request has been sent
   */
  requestHeaders(): Record<string, string> {
    return this.clientOpening.requestHeaders() as Record<string, string>
  }

  /**
   * Client: the answer to the request of `requestHeaders()`, as the `upgrade` or `response` event of `http.request` gives it. The socket is
   * attached behind it, and `open` is emitted in the same turn to those who listen by then:
   * `request.on('upgrade', (response, socket, head) => ws.upgraded(response, head).attach(socket))`. One that is wrong ends the connection
   * as soon as the socket is attached, one of another status than 101 at once, with a HandshakeError without the body.
   * @param head - what arrived behind the answer
   * @throws TypeError where no request waits for an answer
   */
  upgraded(response: UpgradeResponse, head?: Uint8Array): this {
    const {
      statusCode = 0,
      headers,
      rawHeaders = Object.entries(headers).flat() as string[],
      httpVersion = '1.1'
    } = response
    this.clientOpening.answered({ status: statusCode, statusText: '', headers, rawHeaders, httpVersion })
    if (head !== undefined && head.length > 0 && !this.closed) {
      this.pipeline.keepHead(Buffer.from(head.buffer, head.byteOffset, head.byteLength))
    }
    return this
  }

  private get clientOpening(): Http1ClientOpening {
    const { opening, isDialled } = this.pipeline
    if (opening === null) throw new TypeError(SENT)
    if (!(opening instanceof Http1ClientOpening) || isDialled) {
      throw new TypeError('only a client of WebSocketStream.client() has a request to send')
    }
    return opening
  }

  /**
   * Adds an extension to those of the option `extensions`, behind them, before this side's part of the handshake is sent: a server may
   * in a `request` listener.
   * @param extension - in the form of `websocket-extensions`, as `permessageDeflate` gives it
   * @throws TypeError where it is none, one of its name is there already, or the handshake has been sent
   */
  addExtension(extension: Extension): void {
    const { opening } = this.pipeline
    if (opening === null) throw new TypeError(SENT)
    opening.addExtension(extension)
  }

  /**
   * Sends this side's part of the handshake now, where else a client's request leaves at the end of the turn in which it got its wire.
   * On a server it is `accept()`.
   * @returns whether it was sent; a server's request may still have to arrive, as for `accept()`
   */
  start(): boolean {
    const { pipeline } = this
    return pipeline.connection.role === 'server' ? this.accept() : pipeline.start()
  }

  /**
   * Server: accepts the request, now or when it arrives. Where it has arrived and the wire is there, the answer is sent before this
   * returns, and `open` is emitted to those who listen by then. A request that asks for no WebSocket, or does not fit, is refused
   * as it would be without a listener.
   * @returns whether the connection opens, as far as the request is known; false where it has been answered
   * @throws TypeError where the subprotocol was not offered, or a field cannot be sent
   */
  accept(options?: AcceptOptions): boolean {
    return this.pipeline.opening?.accept(options) ?? false
  }

  /**
   * Server: answers the request with another status than 101, now or when it arrives, and ends the connection.
   * @param status - 200 to 599; 300 to 599 on HTTP/2. 204, 205 and 304 have no body
   * @returns false where it has been answered
   * @throws RangeError, TypeError where the answer cannot be sent
   */
  reject(status: number, options?: RefusalOptions): boolean {
    return this.pipeline.opening?.reject(status, options) ?? false
  }

  /**
   * Server on raw bytes: gives the stream, with all the bytes that have come, to a server of `node:http` or `node:https`, as a new
   * connection of that server's. From a `request` listener, before the body of the request has been read. This connection is over
   * then, with 1006 and without an `error`, and `opened` rejects with `WS_ERR_HANDED_OVER`.
   * @param server - what listens for `connection`; a TLS socket goes to a server of TLS as `secureConnection`
   * @returns false where there is no request, or it has been answered
   * @throws TypeError where this is no server on raw bytes, the body has been read, or two different streams are piped in and out
   */
  handOver(server: ConnectionServer): boolean {
    return this.pipeline.opening?.handOver(server) ?? false
  }

  /**
   * `duplex.pipe(ws).pipe(duplex)`, and its errors, its destruction and a socket's settings (no delay, no timeout) carried both
   * ways, at less cost. The stream belongs to this connection from then on.
   * @throws TypeError where this connection has a wire already, or `connect` opens it
   */
  attach(duplex: NodeDuplex): this {
    if (this.pipeline.isJoined) throw new TypeError('this connection has its wire already')
    if (this.pipeline.isDialled) throw new TypeError('connect() opens the wire of this connection itself')
    this.attachDialled(duplex)
    return this
  }

  /** The wire is opened by `connect`, and comes later: nothing else can become it. @internal */
  expectDialled(): void {
    this.pipeline.expectDialled()
  }

  /** The wire that `connect` has opened. @internal */
  attachDialled(duplex: NodeDuplex): void {
    this.pipeline.join(new AttachedWire(this.pipeline, duplex))
  }

  /** What a relay asks of its sides. @internal */
  get inside(): Pipeline {
    return this.pipeline
  }

  /** Has a function asked about an answer other than 101, before anybody hears of it; true where it begins anew. @internal */
  whenRefused(ask: (answer: HandshakeError) => boolean): void {
    this.pipeline.whenRefused(ask)
  }

  /** Lets go of the wire, and asks for `url` on the next one, without fields of these lower-case names. @internal */
  redial(url: URL, dropped: readonly string[]): void {
    const { pipeline } = this
    const { fields, settings } = pipeline.opening as Http1ClientOpening
    const headers = fields.filter(([name]) => !dropped.includes(name.toLowerCase()))
    pipeline.reopen(owner => new Http1ClientOpening(owner, url, { ...settings, headers }))
  }

  /** Closes with 1000 and waits for the end, at most `closeTimeout`; before the handshake is done, destroys. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.readyState === 'connecting') this.destroy()
    else this.close()
    await this.whenClosed()
  }

  /** Not there: an assignment would be ignored. @internal */
  set onopen(_listener: never) {
    throw noHandler('open')
  }

  /** @internal */
  set onmessage(_listener: never) {
    throw noHandler('message')
  }

  /** @internal */
  set onerror(_listener: never) {
    throw noHandler('error')
  }

  /** @internal */
  set onclose(_listener: never) {
    throw noHandler('close')
  }

  /**
   * The bytes for the wire, for a program that carries them itself.
   * @throws TypeError if a stream is attached, which gets them
   */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    if (this.pipeline.isJoined && this.pipeline.pipes === undefined) {
      throw new TypeError('ws is the stream of the wire, which is attached; iterate ws.messages')
    }
    return super[Symbol.asyncIterator]()
  }

  // The stream

  override on<E extends keyof WebSocketStreamEvents>(event: E, listener: Listener<E>): this
  override on<E extends string | symbol>(event: E & OtherEvent<E>, listener: (...args: any[]) => void): this
  override on(event: string | symbol, listener: (...args: any[]) => void): this {
    // The other events are no business of Readable's, which would build its state for them. A pipe's first act is to listen
    // for 'unpipe'; the state must be there when it says 'pipe'.
    if (event === 'data' || event === 'readable') this.pipeline.pipes?.pipeOrdinarily()
    if (event === 'data' || event === 'readable' || event === 'unpipe') return super.on(event, listener) as this
    EventEmitter.prototype.on.call(this, event, listener)
    if (event === 'message') this.pipeline.listen()
    return this
  }

  override addListener<E extends keyof WebSocketStreamEvents>(event: E, listener: Listener<E>): this
  override addListener<E extends string | symbol>(event: E & OtherEvent<E>, listener: (...args: any[]) => void): this
  override addListener(event: string | symbol, listener: (...args: any[]) => void): this {
    return this.on(event, listener)
  }

  override prependListener<E extends keyof WebSocketStreamEvents>(event: E, listener: Listener<E>): this
  override prependListener<E extends string | symbol>(
    event: E & OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  override prependListener(event: string | symbol, listener: (...args: any[]) => void): this {
    EventEmitter.prototype.prependListener.call(this, event, listener)
    if (event === 'message') this.pipeline.listen()
    return this
  }

  /** Gives up at once, without a word to the peer. An error is emitted, if somebody listens. */
  override destroy(error?: Error): this {
    const { pipeline } = this
    // at the natural end of both sides, streams destroy themselves
    const natural = this.isBuilt && this.readableEnded && this.writableFinished
    if (!natural && pipeline.closeInfo === undefined) {
      if (error) pipeline.notifyError(error)
      pipeline.abandon(new WebSocketError('WS_ERR_DESTROYED', { cause: error }))
    }
    if (this.isBuilt) super.destroy()
    return this
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean | undefined }): T {
    const end = options?.end !== false && !isStandardOutput(destination)
    const pipes = this.pipes()
    if (pipes === undefined) super.pipe(destination, { end })
    else pipes.pipeTo(destination, end)
    return destination
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    this.pipeline.pipes?.unpipe(destination)
    if (this.isBuilt) super.unpipe(destination)
    return this
  }

  override pause(): this {
    super.pause()
    this.pipeline.pipes?.pause()
    return this
  }

  override resume(): this {
    super.resume()
    this.pipeline.pipes?.resume()
    return this
  }

  /** @internal */
  override streamOptions(): DuplexOptions {
    const { highWaterMark } = this.pipeline.settings
    // what waits for the wire waits in FrameEncoder, where it is counted; and a chunk of a socket's is never too much at once
    return {
      emitClose: false,
      readableHighWaterMark: 0,
      writableHighWaterMark: Math.min(Math.max(highWaterMark, 65536) + 1, Number.MAX_SAFE_INTEGER)
    }
  }

  /** @internal */
  override onBuilt(): void {
    EventEmitter.prototype.on.call(this, 'pipe', onPipe)
    EventEmitter.prototype.on.call(this, 'unpipe', onUnpipe)
    // a pipe into this stream listens for errors, and throws those that nobody else listens for
    EventEmitter.prototype.on.call(this, 'error', ignore)
  }

  /** The wire, where it is pipes; undefined where a stream is attached, or will be by `connect`. @internal */
  pipes(): PipedWire | undefined {
    const { pipeline } = this
    if (!pipeline.isJoined && !pipeline.isDialled) {
      pipeline.join(new PipedWire(pipeline, this as unknown as PipedStream))
    }
    return pipeline.pipes
  }

  /** @internal */
  destroyStream(): void {
    super.destroy()
  }

  /** @internal */
  resumeReading(): void {
    super.resume()
  }

  /** @internal */
  pipeOrdinarily(destination: NodeJS.WritableStream, options: { end: boolean }): void {
    super.pipe(destination, options)
  }

  /** Whether something reads the output, or has, other than a pipe of ours. @internal */
  get isRead(): boolean {
    if (!this.isBuilt) return false
    const listeners = this.listenerCount('data') + this.listenerCount('readable')
    return this.readableFlowing !== null || this.readableLength > 0 || listeners > 0
  }

  /** @internal */
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (this.pipes() === undefined) return this.refuseWrite(rest.at(-1))
    const more = (super.write as (...args: unknown[]) => boolean)(chunk, ...rest)
    if (!this.pipes()?.isBlocked) return more
    // the chunk that filled the pipeline says so itself, and not only the next one
    askForDrain(this)
    return false
  }

  /** A mistake, as a rule of one who wants to send a message: it is told, and the connection goes on. */
  private refuseWrite(callback: unknown): boolean {
    const error = new TypeError(
      'the bytes of the wire come from the attached stream; to send a message, use send() or messages.write()'
    )
    nextTick(() => {
      if (typeof callback === 'function') callback(error)
      if (this.hears('error')) this.emit('error', error)
    })
    return false
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.pipes()!.writeInput(chunk, callback)
  }

  override _final(callback: () => void): void {
    const pipes = this.pipes()
    if (pipes === undefined) callback()
    else surfacing(() => pipes.end(callback))
  }

  override _read(): void {
    surfacing(() => this.pipes()?.readOn())
  }

  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    surfacing(() => this.pipeline.over())
    callback()
  }

  // What the pipeline tells

  /** @internal */
  tell(event: string, value: unknown): boolean {
    try {
      return this.emit(event, value)
    } catch (error) {
      surface(error)
      return true
    }
  }

  /** @internal */
  tellMessage(message: Buffer, kind: MessageKind): boolean {
    try {
      return this.emit('message', message, kind)
    } catch (error) {
      surface(error)
      return true
    }
  }

  /** Emits an event of the handshake, and lets exceptions through: `accept()` may be the application's call. @internal */
  ask(event: 'request' | 'open', value: unknown): boolean {
    return EventEmitter.prototype.emit.call(this, event, value)
  }

  /** @internal */
  hears(event: string): boolean {
    return this.listenerCount(event) > 0
  }

  /** @internal */
  hearsErrors(): boolean {
    return this.listeners('error').some(listener => listener !== ignore && listener.name !== 'onerror')
  }

  /** An attached stream is closed, or there never was a wire. @internal */
  allOver(): void {
    this.pipeline.over()
    if (!this.isBuilt) return
    if (!this.pipeline.closeInfo!.wasClean) {
      super.destroy()
      return
    }
    // whoever waits for the end of this stream sees it
    this.push(null)
    this.resume()
    this.end()
  }
}

function onPipe(this: WebSocketStream, source: NodeJS.EventEmitter): void {
  this.pipes()?.watch(source, 'source')
}

function noHandler(event: string): TypeError {
  return new TypeError(`ws.on${event} is not supported; use ws.on('${event}', listener)`)
}

function onUnpipe(this: WebSocketStream, source: NodeJS.EventEmitter): void {
  this.pipes()?.unwatch(source)
}

/** Node never ends these (process.stdout). */
function isStandardOutput(stream: NodeJS.WritableStream): boolean {
  /* c8 ignore next - a browser has no process */
  const { stdout, stderr } = globalThis.process ?? {}
  return stream === stdout || stream === stderr
}

function ignore(): void {}

function readCompress(options: SendOptions | undefined): boolean {
  const { compress = true } = options ?? {}
  if (typeof compress !== 'boolean') throw new TypeError('compress must be a boolean')
  return compress
}

/** The forms of a binary message. */
type BinaryMessage = NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer | readonly number[]

function readCallback(sent: SentCallback | undefined): SentCallback | null {
  if (sent === undefined) return null
  if (typeof sent !== 'function') throw new TypeError('the callback must be a function')
  return sent
}

function readInOrder(options: ControlOptions | undefined): boolean {
  const { inOrder = false } = options ?? {}
  if (typeof inOrder !== 'boolean') throw new TypeError('inOrder must be a boolean')
  return inOrder
}

/** @throws TypeError for what is no array of integers from 0 to 255 */
function bytesOf(numbers: readonly number[]): Uint8Array {
  // every() would skip holes
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new TypeError('an array of bytes must hold integers from 0 to 255')
    }
  }
  return Uint8Array.from(numbers)
}

let pings = 0

function nextPing(): Buffer {
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32BE(pings)
  pings = (pings + 1) >>> 0
  return payload
}

function controlPayload(payload: string | Uint8Array): Buffer {
  let bytes: Buffer
  if (typeof payload === 'string') {
    bytes = Buffer.from(payload)
  } else {
    // the application may use its memory again at once
    bytes = Buffer.from(toBytes(payload))
  }
  // RFC 6455 §5.5
  if (bytes.length > 125) throw new RangeError('the payload of a ping or pong must be at most 125 bytes')
  return bytes
}
