// The public face of one connection. Each member asks the part of the Endpoint that knows the answer.

import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex as NodeDuplex } from 'node:stream'
import type { CloseInfo, Role } from './connection.js'
import type { ReadyState } from './connection-phase.js'
import { type HandshakeDriver, SENT } from './drivers/handshake-driver.js'
import { Http1ClientDriver, Http1ServerDriver } from './drivers/http1-driver.js'
import { Http2ClientDriver, type Http2DriverOwner, Http2ServerDriver } from './drivers/http2-driver.js'
import { Endpoint, kEndpoint } from './endpoint.js'
import { type Headers, WebSocketError } from './errors.js'
import type { Extension } from './extensions/extension.js'
import type { ConnectionServer } from './hand-over.js'
import type { Http2Headers } from './handshake/http2-fields.js'
import type { OpenInfo, ProtocolVersion } from './handshake/open-info.js'
import type { AcceptOptions, RefusalOptions } from './handshake/server-handshake.js'
import {
  readOptions,
  type Settings,
  type UpgradeRequest,
  type UpgradeResponse,
  type WebSocketOptions
} from './options.js'
import { writeCloseBody } from './protocol/close-code.js'
import { type Sendable, toBytes, Uncompressed } from './protocol/message-splitter.js'
import { PreparedMessage } from './protocol/prepared-message.js'
import { TextBytes } from './protocol/text-bytes.js'
import { Buffer, nextTick } from './runtime/node.js'
import {
  type BinaryMessage,
  bytesOf,
  type ControlOptions,
  controlPayload,
  nextPing,
  readCallback,
  readCompress,
  readInOrder,
  type SendOptions,
  type SentCallback
} from './send-arguments.js'
import type { ConnectionStats } from './stats.js'
import { surfacing } from './surfacing.js'
import type { BytesView } from './views/bytes-view.js'
import type { FramesView } from './views/frames-view.js'
import type { MessageKind } from './views/message-stream.js'
import type { MessageWriter, MessageWriterOptions } from './views/message-writer.js'
import type { MessagesView } from './views/messages-view.js'
import type { StreamsView } from './views/streams-view.js'
import { WireStream } from './wire-stream.js'
import { AttachedWire } from './wires/attached-wire.js'

type MakeDriver = (owner: Http2DriverOwner) => HandshakeDriver

// the constructor is not public. A class that names itself gets another name where it is bundled, and a user would see that
let make: (role: Role, settings: Settings, makeDriver: MakeDriver) => WebSocketStream

/**
 * One WebSocket connection: a Duplex of wire bytes to pipe a socket through, with its messages in `messages`.
 *
 * Made by `http`, `server` or `client`. Emits `request`, `open`, `message`, `ping`, `pong`, `error`, and `close` once when all is
 * over. A peer's fault ends the connection; without an `error` listener it does nothing else.
 */
export class WebSocketStream extends WireStream {
  /** @internal */
  readonly [kEndpoint]: Endpoint

  private constructor(role: Role, settings: Settings, makeDriver: MakeDriver) {
    super()
    this[kEndpoint] = new Endpoint(this, role, settings, makeDriver)
  }

  static {
    make = (role, settings, makeDriver) => new this(role, settings, makeDriver)
  }

  /**
   * A server whose request has been parsed already, as for the `upgrade` event of `node:http`.
   * @param request - `method`, `url`, `headers`, and `socket` where there is one
   * @param head - what arrived behind the request
   * @throws TypeError, RangeError where an option is wrong
   */
  static http(request: UpgradeRequest, head?: Uint8Array, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    if (typeof request !== 'object' || request === null) throw new TypeError('request must be an object')
    const ws = make('server', settings, owner => new Http1ServerDriver(owner, settings, request))
    if (head !== undefined && head.length > 0) {
      ws[kEndpoint].handshake!.keepHead(Buffer.from(head.buffer, head.byteOffset, head.byteLength))
    }
    return ws
  }

  /**
   * A server on raw bytes: reads the request itself.
   * @throws TypeError, RangeError where an option is wrong
   */
  static server(options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return make('server', settings, owner => new Http1ServerDriver(owner, settings, null))
  }

  /**
   * A client on raw bytes: sends its request as soon as it is piped or attached.
   * @param url - `ws:`, `wss:`, `http:` or `https:`; a user's name and password in it become Basic authorization
   * @throws SyntaxError where the URL is none for a WebSocket; TypeError, RangeError where an option is wrong
   */
  static client(url: string | URL, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return make('client', settings, owner => new Http1ClientDriver(owner, url, settings))
  }

  /**
   * Whole messages, as an object-mode Duplex: strings for text, Buffers for binary. `end()` closes with 1000.
   * @throws TypeError where another view serves this connection
   */
  get messages(): MessagesView {
    return this[kEndpoint].open('messages') as MessagesView
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
    const ws = make('server', settings, owner => new Http2ServerDriver(owner, settings, stream, headers))
    nextTick(() => ws[kEndpoint].isJoined || ws.closeInfo !== undefined || ws.attach(stream))
    return ws
  }

  /**
   * Messages as they arrive, as an object-mode Duplex of `MessageStream`s, never held whole. Also writable, of Readables and of whole
   * messages. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get streams(): StreamsView {
    return this[kEndpoint].open('streams') as StreamsView
  }

  /**
   * Frames as they are on the wire but unmasked, as an object-mode Duplex, control frames included: for relays.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get frames(): FramesView {
    return this[kEndpoint].open('frames') as FramesView
  }

  /**
   * Plain bytes, as a Duplex: what binary messages hold, one after another, whatever their borders; a text message is a fault (1003). A
   * write goes out as a binary message, what is written while the stream is corked as one. For MQTT, TLS (`tls.connect({ socket: ws.bytes })`)
   * and tunnels. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get bytes(): BytesView {
    return this[kEndpoint].open('bytes') as BytesView
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
    return this[kEndpoint].sender.createMessage(kind, readCompress(options))
  }

  /**
   * Sends text, as `messages.write` does.
   * @param message - a string, or bytes of UTF-8, which must not change until they are sent
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   * @throws TypeError where the bytes are not UTF-8
   */
  text(message: string | Uint8Array, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  text(message: string | Uint8Array, sent?: SentCallback): boolean
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
  binary(message: BinaryMessage, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  binary(message: BinaryMessage, sent?: SentCallback): boolean
  binary(message: BinaryMessage, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    return this.sendAs(Array.isArray(message) ? bytesOf(message) : toBytes(message), options, sent)
  }

  private sendAs(message: Sendable | TextBytes, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof options === 'function') return this[kEndpoint].sender.send(message, options)
    const item = readCompress(options) ? message : new Uncompressed(message)
    return this[kEndpoint].sender.send(item, readCallback(sent))
  }

  /**
   * Sends a message: text for a string or a TextBytes, binary for bytes and for a Blob, or what `prepareMessage` made.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  send(message: Sendable | TextBytes | Blob | PreparedMessage, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  send(message: Sendable | TextBytes | Blob | PreparedMessage, sent?: SentCallback): boolean
  send(
    message: Sendable | TextBytes | Blob | PreparedMessage,
    options?: SendOptions | SentCallback,
    sent?: SentCallback
  ): boolean {
    if (typeof message === 'string' || message instanceof TextBytes) return this.sendAs(message, options, sent)
    const callback = typeof options === 'function' ? options : readCallback(sent)
    if (message instanceof PreparedMessage) return this[kEndpoint].sender.send(message, callback)
    if (!(message instanceof Blob)) return this.sendAs(toBytes(message), options, sent)
    return this.sendBlob(message, typeof options === 'function' ? undefined : options, callback)
  }

  // its bytes come later, and what is sent meanwhile waits behind it
  private sendBlob(blob: Blob, options: SendOptions | undefined, sent: SentCallback | null): boolean {
    if (!this[kEndpoint].sender.takesMessages) {
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
        this[kEndpoint].lifecycle.fail(error)
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
    this[kEndpoint].discardMessages()
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   * @param payload - at most 125 bytes; by default something that no other ping has
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns the time until the matching Pong in ms; rejects when the connection ends before it. Never an unhandled rejection.
   */
  ping(payload?: string | Uint8Array, options?: ControlOptions): Promise<number> {
    const bytes = payload === undefined ? nextPing() : controlPayload(payload)
    return this[kEndpoint].ping(bytes, readInOrder(options))
  }

  /**
   * Sends an unsolicited Pong (RFC 6455 §5.5.3).
   * @param payload - at most 125 bytes
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns false where nothing more can be sent
   */
  pong(payload: string | Uint8Array = '', options?: ControlOptions): boolean {
    return this[kEndpoint].pong(controlPayload(payload), readInOrder(options))
  }

  /**
   * Keeps messages from `message` listeners, and from the messages view, until `resumeMessages()`. They wait, and once what waits has
   * reached `highWaterMark` the wire is paused; a Close that the peer has sent behind them waits too, for `closeTimeout` at most.
   * @throws TypeError where the connection is read through `streams` or `frames`
   */
  pauseMessages(): void {
    this[kEndpoint].receiver.pause()
  }

  /** Lets messages go on that `pauseMessages()` keeps. */
  resumeMessages(): void {
    this[kEndpoint].receiver.resume()
  }

  /** Whether `pauseMessages()` keeps messages at present. */
  get messagesArePaused(): boolean {
    return this[kEndpoint].receiver.isPaused
  }

  /**
   * Begins the closing handshake (RFC 6455 §7.1.2), behind all messages that wait. A second call only returns the promise.
   * @param code - 1000-1003, 1007-1014 or 3000-4999; null for a Close without a code, which the peer is told of as 1005
   * @param reason - at most 123 bytes of UTF-8; none without a code
   * @returns how the connection ended, as `whenClosed()` does
   * @throws TypeError, RangeError if the code or the reason cannot be sent
   */
  close(code: number | null = 1000, reason = ''): Promise<CloseInfo> {
    this[kEndpoint].sender.close(writeCloseBody(code, reason))
    return this.whenClosed()
  }

  /** Resolves with how the connection ended, once it has; never rejects. */
  whenClosed(): Promise<CloseInfo> {
    return this[kEndpoint].lifecycle.closed
  }

  /** Whether the connection has ended, as any stream's `closed`. */
  override get closed(): boolean {
    return this.closeInfo !== undefined
  }

  /** What was agreed, when the handshake is done; rejects with a HandshakeError. Never an unhandled rejection by itself. */
  get opened(): Promise<OpenInfo> {
    return this[kEndpoint].lifecycle.opened
  }

  /** How the connection ended; undefined before. */
  get closeInfo(): CloseInfo | undefined {
    return this[kEndpoint].closeInfo
  }

  /** `'hybi-13'`, `'hybi-8'`, `'hybi-7'`, `'hixie-76'`, `'hixie-75'` or `'rfc8441'`; '' before the handshake is done. */
  get version(): ProtocolVersion | '' {
    return this[kEndpoint].info?.version ?? ''
  }

  /** The subprotocol; '' for none. */
  get protocol(): string {
    return this[kEndpoint].info?.protocol ?? ''
  }

  /** The extensions, as in `Sec-WebSocket-Extensions`; '' for none. */
  get extensions(): string {
    return this[kEndpoint].info?.extensions ?? ''
  }

  /**
   * The URL, with the query: `new URL(ws.url)` has `pathname` and `searchParams`. A server knows it from the request, and before that it is
   * ''.
   */
  get url(): string {
    const { info, driver } = this[kEndpoint]
    return info === null ? driver!.url : info.url
  }

  /** The state of the connection. */
  get readyState(): ReadyState {
    return this[kEndpoint].connection.state
  }

  /** Server: the request, once it is there. */
  get request(): UpgradeRequest | null {
    return this[kEndpoint].request
  }

  /** The status of the handshake's answer, also of one that refused, the server's or a proxy's; 0 before it. */
  get status(): number {
    return this[kEndpoint].answer?.status ?? 0
  }

  /** The header fields of the handshake's answer, also of one that refused; empty before it. */
  get headers(): Headers {
    return this[kEndpoint].answer?.headers ?? {}
  }

  /** What has gone through this connection so far, counted when it is asked for. */
  get stats(): ConnectionStats {
    return this[kEndpoint].stats
  }

  /** Whether the wire is full: what is sent now waits in memory. `await ws.drained()` waits for room. */
  get needsDrain(): boolean {
    return this[kEndpoint].sender.needsDrain
  }

  /**
   * Waits until the wire has taken all that was sent. Resolves at once if nothing waits.
   * @throws WebSocketError when the connection ends first
   */
  drained(): Promise<void> {
    return this[kEndpoint].sender.whenAllWritten()
  }

  /**
   * Hands what was sent to the wire now. Else the frames of one turn of the event loop leave together at its end, which costs less.
   * What an extension is still working on, and what a full wire does not take, waits as always.
   */
  flush(): void {
    this[kEndpoint].pipeline.encoder.flush()
  }

  /** Bytes that were given to this connection and that the wire has not taken. */
  get bufferedAmount(): number {
    return this[kEndpoint].bufferedAmount
  }

  /**
   * Puts a field into this side's part of the handshake, replacing an earlier one of that name; an array makes several lines.
   * @throws TypeError where it cannot be sent, belongs to the handshake, or the handshake is over
   */
  setHeader(name: string, value: string | readonly string[]): void {
    const { driver } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    driver.setHeader(name, value)
  }

  /**
   * Client: the header fields of the request, `Host` and a fresh key among them, for an application that sends it by itself: with the
   * agent, the proxy or the cookies of `http.request`. The answer is given to `upgraded`.
   * @throws TypeError where this is no client of `WebSocketStream.client()`, or the request has been sent
   */
  requestHeaders(): Record<string, string> {
    return this.clientDriver.requestHeaders() as Record<string, string>
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
    this.clientDriver.answered({ status: statusCode, statusText: '', headers, rawHeaders, httpVersion })
    if (head !== undefined && head.length > 0 && !this.closed) {
      this[kEndpoint].handshake!.keepHead(Buffer.from(head.buffer, head.byteOffset, head.byteLength))
    }
    return this
  }

  private get clientDriver(): Http1ClientDriver {
    const { driver, isDialled } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    if (!(driver instanceof Http1ClientDriver) || isDialled) {
      throw new TypeError('only a client of WebSocketStream.client() has a request to send')
    }
    return driver
  }

  /**
   * Adds an extension to those of the option `extensions`, behind them, before this side's part of the handshake is sent: a server may
   * in a `request` listener.
   * @param extension - in the form of `websocket-extensions`, as `permessageDeflate` gives it
   * @throws TypeError where it is none, one of its name is there already, or the handshake has been sent
   */
  addExtension(extension: Extension): void {
    const { driver } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    driver.addExtension(extension)
  }

  /**
   * Sends this side's part of the handshake now, where else a client's request leaves at the end of the turn in which it got its wire.
   * On a server it is `accept()`.
   * @returns whether it was sent; a server's request may still have to arrive, as for `accept()`
   */
  start(): boolean {
    const { connection, handshake } = this[kEndpoint]
    if (connection.role === 'server') return this.accept()
    return handshake?.start() ?? false
  }

  /**
   * Server: accepts the request, now or when it arrives. Where it has arrived and the wire is there, the answer is sent before this
   * returns, and `open` is emitted to those who listen by then. A request that asks for no WebSocket, or does not fit, is refused
   * as it would be without a listener.
   * @returns whether the connection opens, as far as the request is known; false where it has been answered
   * @throws TypeError where the subprotocol was not offered, or a field cannot be sent
   */
  accept(options?: AcceptOptions): boolean {
    return this[kEndpoint].driver?.accept(options) ?? false
  }

  /**
   * Server: answers the request with another status than 101, now or when it arrives, and ends the connection.
   * @param status - 200 to 599; 300 to 599 on HTTP/2. 204, 205 and 304 have no body
   * @returns false where it has been answered
   * @throws RangeError, TypeError where the answer cannot be sent
   */
  reject(status: number, options?: RefusalOptions): boolean {
    return this[kEndpoint].driver?.reject(status, options) ?? false
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
    return this[kEndpoint].driver?.handOver(server) ?? false
  }

  /**
   * `duplex.pipe(ws).pipe(duplex)`, and its errors, its destruction and a socket's settings (no delay, no timeout) carried both
   * ways, at less cost. The stream belongs to this connection from then on.
   * @throws TypeError where this connection has a wire already, or `connect` opens it
   */
  attach(duplex: NodeDuplex): this {
    if (this[kEndpoint].isJoined) throw new TypeError('this connection has its wire already')
    if (this[kEndpoint].isDialled) throw new TypeError('connect() opens the wire of this connection itself')
    const endpoint = this[kEndpoint]
    endpoint.join(new AttachedWire(endpoint, duplex))
    return this
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
}

/**
 * A client that learns only on the way whether its wire is a stream of HTTP/2.
 * @throws as `WebSocketStream.client` does
 */
export function makeDialled(
  url: string | URL,
  options: WebSocketOptions
): { ws: WebSocketStream; driver: Http2ClientDriver } {
  const settings = readOptions(options)
  let driver: Http2ClientDriver | null = null
  const ws = make('client', settings, owner => {
    driver = new Http2ClientDriver(owner, url, settings, new Http1ClientDriver(owner, url, settings))
    return driver
  })
  return { ws, driver: driver! }
}

function noHandler(event: string): TypeError {
  return new TypeError(`ws.on${event} is not supported; use ws.on('${event}', listener)`)
}
