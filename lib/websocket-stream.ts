// The public class of one connection. Each member delegates to the part of the Endpoint that holds the answer.

import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex as NodeDuplex } from 'node:stream'
import type { CloseInfo } from './closing-facts.js'
import type { Role } from './connection.js'
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

// The constructor is not public, so a function makes the instances. (If the class referred to itself by name, bundlers would rename it,
// and users would see the new name.)
let make: (role: Role, settings: Settings, makeDriver: MakeDriver) => WebSocketStream

/**
 * One WebSocket connection: a Duplex of wire bytes to pipe a socket through, with its messages in `messages`.
 *
 * Made by `http`, `server` or `client`. Emits `request`, `open`, `message`, `ping`, `pong`, `error`, and `close` once, last. If the peer
 * breaks the protocol, the connection ends; without an `error` listener nothing is thrown.
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
   * A server whose request has already been parsed, as in the `upgrade` event of `node:http`.
   * @param request - `method`, `url`, `headers`, and `socket` if there is one
   * @param head - the bytes that arrived after the request
   * @throws TypeError, RangeError if an option is invalid
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
   * @throws TypeError, RangeError if an option is invalid
   */
  static server(options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return make('server', settings, owner => new Http1ServerDriver(owner, settings, null))
  }

  /**
   * A client on raw bytes: sends its request as soon as it is piped or attached.
   * @param url - `ws:`, `wss:`, `http:` or `https:`; a user name and password in it are sent as Basic authorization
   * @throws SyntaxError if the URL is not a WebSocket URL; TypeError, RangeError if an option is invalid
   */
  static client(url: string | URL, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    return make('client', settings, owner => new Http1ClientDriver(owner, url, settings))
  }

  /**
   * A server on an HTTP/2 stream whose request is an extended CONNECT (RFC 8441): `server.on('stream', (stream, headers) => …)`, with
   * a server made with `settings: { enableConnectProtocol: true }`. No piping is needed: the stream is attached at the end of this turn
   * unless the application has given the connection another wire.
   * @param headers - including the pseudo-header fields
   * @throws TypeError, RangeError if an option is invalid
   */
  static http2(stream: ServerHttp2Stream, headers: Http2Headers, options?: WebSocketOptions): WebSocketStream {
    const settings = readOptions(options)
    if (typeof headers !== 'object' || headers === null) throw new TypeError('headers must be an object')
    const ws = make('server', settings, owner => new Http2ServerDriver(owner, settings, stream, headers))
    nextTick(() => {
      if (ws[kEndpoint].isJoined || ws.closeInfo !== undefined) return
      try {
        ws.attach(stream)
      } catch (error) {
        // no caller is left to catch it
        ws.destroy(error as Error)
      }
    })
    return ws
  }

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2) after all messages that are queued. A second call only returns the promise.
   * @param code - 1000-1003, 1007-1014 or 3000-4999; null sends a Close without a code, which the peer reports as 1005
   * @param reason - at most 123 bytes of UTF-8; not allowed without a code
   * @returns how the connection ended, like `whenClosed()`
   * @throws TypeError, RangeError if the code or the reason cannot be sent
   */
  close(code: number | null = 1000, reason = ''): Promise<CloseInfo> {
    this[kEndpoint].sender.close(writeCloseBody(code, reason))
    return this.whenClosed()
  }

  /** Resolves with how the connection ended; never rejects. */
  whenClosed(): Promise<CloseInfo> {
    return this[kEndpoint].lifecycle.closed
  }

  /** Whether the connection has ended, like `closed` of any stream. */
  override get closed(): boolean {
    return this.closeInfo !== undefined
  }

  /** Resolves with what the handshake agreed on; rejects with a HandshakeError. Does not cause an unhandled rejection. */
  get opened(): Promise<OpenInfo> {
    return this[kEndpoint].lifecycle.opened
  }

  /** How the connection ended; undefined until then. */
  get closeInfo(): CloseInfo | undefined {
    return this[kEndpoint].closeInfo
  }

  /** `'hybi-13'`, `'hybi-8'`, `'hybi-7'`, `'hixie-76'`, `'hixie-75'` or `'rfc8441'`; '' until the handshake is done. */
  get version(): ProtocolVersion | '' {
    return this[kEndpoint].lifecycle.info?.version ?? ''
  }

  /** The subprotocol; '' for none. */
  get protocol(): string {
    return this[kEndpoint].lifecycle.info?.protocol ?? ''
  }

  /** The negotiated extensions, as in `Sec-WebSocket-Extensions`; '' for none. */
  get extensions(): string {
    return this[kEndpoint].lifecycle.info?.extensions ?? ''
  }

  /**
   * The URL with its query: `new URL(ws.url)` has `pathname` and `searchParams`. On a server it is '' until the request has arrived.
   */
  get url(): string {
    const { lifecycle, driver } = this[kEndpoint]
    return (lifecycle.info ?? driver!).url
  }

  /** The state of the connection. */
  get readyState(): ReadyState {
    return this[kEndpoint].connection.state
  }

  /** Server: the request; null until it has arrived. */
  get request(): UpgradeRequest | null {
    return this[kEndpoint].request
  }

  /** The status of the handshake response, also of one in which the server or a proxy refused; 0 until it is known. */
  get status(): number {
    return this[kEndpoint].lifecycle.response?.status ?? 0
  }

  /** The header fields of the handshake response, also of one that refused; empty until they are known. */
  get headers(): Headers {
    return this[kEndpoint].lifecycle.response?.headers ?? {}
  }

  /** Counters of this connection up to now. */
  get stats(): ConnectionStats {
    return this[kEndpoint].stats
  }

  /**
   * Sets a header field of this side's handshake message, replacing an earlier one of the same name; an array makes several lines.
   * @throws TypeError if the field cannot be sent, is one the handshake itself sets, or the handshake has been sent
   */
  setHeader(name: string, value: string | readonly string[]): void {
    const { driver } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    driver.setHeader(name, value)
  }

  /**
   * Client: the header fields of the request, including `Host` and a fresh key, for an application that sends the request itself with
   * `http.request`, to use its agent, a proxy or cookies. Pass the response to `upgraded`.
   * @throws TypeError if this is not a client made by `WebSocketStream.client()`, or the request has been sent
   */
  requestHeaders(): Record<string, string> {
    return this.clientDriver.requestHeaders() as Record<string, string>
  }

  /**
   * Client: takes the response to the request made with `requestHeaders()`, from the `upgrade` or `response` event of `http.request`.
   * Attach the socket afterwards; `open` is emitted in the same turn if it has a listener by then: `request.on('upgrade', (response,
   * socket, head) => ws.upgraded(response, head).attach(socket))`. An invalid response ends the connection as soon as the socket is
   * attached; a status other than 101 ends it at once, with a HandshakeError that has no body.
   * @param head - the bytes that arrived after the response
   * @throws TypeError if no request is waiting for a response
   */
  upgraded(response: UpgradeResponse, head?: Uint8Array): this {
    const {
      statusCode = 0,
      headers,
      rawHeaders = Object.entries(headers).flat() as string[],
      httpVersion = '1.1'
    } = response
    this.clientDriver.takeResponse({ status: statusCode, statusText: '', headers, rawHeaders, httpVersion })
    if (head !== undefined && head.length > 0 && !this.closed) {
      this[kEndpoint].handshake!.keepHead(Buffer.from(head.buffer, head.byteOffset, head.byteLength))
    }
    return this
  }

  private get clientDriver(): Http1ClientDriver {
    const { driver, isDialled } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    if (!(driver instanceof Http1ClientDriver) || isDialled) {
      throw new TypeError('only a client made by WebSocketStream.client() can send its request itself')
    }
    return driver
  }

  /**
   * Adds an extension after those of the option `extensions`, before this side's part of the handshake is sent: a server may do so in a
   * `request` listener.
   * @param extension - an object in the form of `websocket-extensions`, like `permessageDeflate`
   * @throws TypeError if it is not an extension, one of the same name exists, or the handshake has been sent
   */
  addExtension(extension: Extension): void {
    const { driver } = this[kEndpoint]
    if (driver === null) throw new TypeError(SENT)
    driver.addExtension(extension)
  }

  /**
   * Sends this side's part of the handshake now. Otherwise a client sends its request at the end of the turn in which it got its wire. On
   * a server this is `accept()`.
   * @returns whether it was sent; on a server, what `accept()` returns
   */
  start(): boolean {
    const { connection, handshake } = this[kEndpoint]
    if (connection.role === 'server') return this.accept()
    return handshake?.start() ?? false
  }

  /**
   * Server: accepts the request, now or when it arrives. If the request has arrived and the wire is attached, the response is sent before
   * this method returns, and `open` is emitted if it has a listener by then. A request that is not a valid WebSocket handshake is refused,
   * as it is without a listener.
   * @returns true if the connection opens, or will when a valid request arrives; false if the request is invalid or has been answered
   * @throws TypeError if the client did not offer the subprotocol, or a header field cannot be sent
   */
  accept(options?: AcceptOptions): boolean {
    return this[kEndpoint].driver?.accept?.(options) ?? false
  }

  /**
   * Server: answers the request with a status other than 101, now or when it arrives, and ends the connection.
   * @param status - 200 to 599; on HTTP/2 300 to 599. 204, 205 and 304 have no body
   * @returns false if the request has been answered
   * @throws RangeError, TypeError if the response cannot be sent
   */
  reject(status: number, options?: RefusalOptions): boolean {
    return this[kEndpoint].driver?.reject?.(status, options) ?? false
  }

  /**
   * Server on raw bytes: passes the stream, with all bytes received so far, to a `node:http` or `node:https` server as a new connection
   * of that server. Call it in a `request` listener, before the body of the request has been read. This connection then ends with 1006
   * and without an `error`, and `opened` rejects with `WS_ERR_HANDED_OVER`.
   * @param server - must listen for `connection`, and may begin to read later; a TLS server gets a TLS socket as `secureConnection`
   * @returns false if there is no request, or it has been answered
   * @throws TypeError if this is not a server on raw bytes, the body has been read, the streams piped in and out differ, or they are part
   * of a `pipeline()`
   */
  handOver(server: ConnectionServer): boolean {
    return this[kEndpoint].driver?.handOver?.(server) ?? false
  }

  /**
   * Like `duplex.pipe(ws).pipe(duplex)`, but faster; it also forwards errors and destruction in both directions, and disables Nagle's
   * algorithm and the timeout of a socket. From now on the stream belongs to this connection.
   * @throws TypeError if this connection already has a wire, or `connect` opens it; if the stream is no Duplex, or belongs to another
   * connection
   */
  attach(duplex: NodeDuplex): this {
    const endpoint = this[kEndpoint]
    if (endpoint.isJoined) throw new TypeError('this connection already has a wire')
    if (endpoint.isDialled) throw new TypeError('connect() opens the wire of this connection itself')
    if ((duplex as object) === this || duplex === endpoint.receiver.view) {
      throw new TypeError('a connection cannot be its own wire; attach needs a Duplex, such as a net.Socket')
    }
    endpoint.join(new AttachedWire(endpoint, duplex))
    return this
  }

  /** Closes with 1000 and waits for the end, at most `closeTimeout`; destroys the connection if the handshake is not done. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.readyState === 'connecting') this.destroy()
    else this.close()
    await this.whenClosed()
  }

  /** Not supported: without this setter an assignment would be silently ignored. @internal */
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
 * A client that learns only during the handshake whether its wire is an HTTP/2 stream.
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
