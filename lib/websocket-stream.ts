// The public face of one connection. Each member asks the part of the Endpoint that knows the answer.

import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex as NodeDuplex } from 'node:stream'
import type { CloseInfo, Role } from './connection.js'
import type { ReadyState } from './connection-phase.js'
import { type HandshakeDriver, SENT } from './drivers/handshake-driver.js'
import { Http1ClientDriver, Http1ServerDriver } from './drivers/http1-driver.js'
import { Http2ClientDriver, type Http2DriverOwner, Http2ServerDriver } from './drivers/http2-driver.js'
import { Endpoint, kEndpoint } from './endpoint.js'
import type { Headers } from './errors.js'
import type { Extension } from './extensions/extension.js'
import type { ConnectionServer } from './hand-over.js'
import type { Http2Headers } from './handshake/http2-fields.js'
import type { OpenInfo, ProtocolVersion } from './handshake/open-info.js'
import type { AcceptOptions, RefusalOptions } from './handshake/server-handshake.js'
import { MessagingStream } from './messaging-stream.js'
import {
  readOptions,
  type Settings,
  type UpgradeRequest,
  type UpgradeResponse,
  type WebSocketOptions
} from './options.js'
import { writeCloseBody } from './protocol/close-code.js'
import { Buffer, nextTick } from './runtime/node.js'
import type { ConnectionStats } from './stats.js'
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
export class WebSocketStream extends MessagingStream {
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
    return this[kEndpoint].lifecycle.answer?.status ?? 0
  }

  /** The header fields of the handshake's answer, also of one that refused; empty before it. */
  get headers(): Headers {
    return this[kEndpoint].lifecycle.answer?.headers ?? {}
  }

  /** What has gone through this connection so far, counted when it is asked for. */
  get stats(): ConnectionStats {
    return this[kEndpoint].stats
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
