// The opening handshake on an HTTP/2 stream (RFC 8441), of a server and a client. Heads are passed to the stream as objects; only the body
// of a refusal goes through the pipeline as bytes.

import { HandshakeError, type Headers } from '../errors.js'
import { Offer } from '../extensions/agreement.js'
import type { Extension } from '../extensions/extension.js'
import { type Http2Headers, Http2Request, http2Refusal } from '../handshake/http2-fields.js'
import { Http2ClientHandshake, type Http2Established, Http2ServerHandshake } from '../handshake/http2-handshake.js'
import type { AcceptOptions, RefusalOptions } from '../handshake/server-handshake.js'
import { CANCEL } from '../http2-codes.js'
import type { Settings } from '../options.js'
import type { Buffer } from '../runtime/node.js'
import type { HandshakeReader } from '../stages/handshake-transform.js'
import {
  type HandshakeDriver,
  type HandshakeDriverOwner,
  type ReadyRefusal,
  RefusalWatch,
  SENT,
  ServerDriver
} from './handshake-driver.js'
import type { Http1ClientDriver } from './http1-driver.js'

/** The methods that these drivers call on the HandshakePhase. */
export interface Http2DriverOwner extends HandshakeDriverOwner {
  /** Keeps bytes that arrived before the response was seen; they are the first frames. */
  keepHead(bytes: Buffer): void
}

/** The part of a `ServerHttp2Stream` that the server driver uses. */
export interface ServerStream {
  readonly closed: boolean
  readonly destroyed: boolean
  readonly headersSent: boolean
  readonly session?: { readonly destroyed: boolean; readonly socket?: object } | undefined
  respond(head: Http2Headers): void
  close(code: number): void
}

/** The part of a `ClientHttp2Stream` that the client driver uses. */
export interface ClientStream {
  once(event: 'response', listener: (head: Http2Headers) => void): unknown
}

/** The part of a `ClientHttp2Session` that the client driver uses. */
export interface ClientSession<S extends ClientStream> {
  request(head: Http2Headers, options: { endStream: false }): S
}

export class Http2ServerDriver extends ServerDriver<Http2ServerHandshake> {
  readonly reader = null
  readonly request: Http2Request

  constructor(
    owner: HandshakeDriverOwner,
    settings: Settings,
    private readonly stream: ServerStream,
    private readonly head: Http2Headers
  ) {
    super(owner, settings)
    this.request = new Http2Request(head, stream)
  }

  begin(): void {
    this.examine()
  }

  protected read(): Http2ServerHandshake {
    return new Http2ServerHandshake(this.head, this.request, this.settings)
  }

  protected get isOther(): boolean {
    return false
  }

  protected refusal(status: number, options?: RefusalOptions): ReadyRefusal {
    const response = http2Refusal(status, options)
    return { ...response, send: () => this.respond(response.head, response.body) }
  }

  protected respondTo(error: HandshakeError): { headers: Headers; body: Buffer } {
    const { head, headers, body } = http2Refusal(error.status, { body: error.message })
    this.respond({ ...error.headers, ...head }, body)
    return { headers: { ...error.headers, ...headers }, body }
  }

  override peerLeft(): void {
    // without a response node:http2 would send a 200 when the stream ends
    if (!this.hasResponded) this.stream.close(CANCEL)
    super.peerLeft()
  }

  handOver(): never {
    throw new TypeError('a stream of HTTP/2 cannot be handed over: the request belongs to its session')
  }

  protected agree(handshake: Http2ServerHandshake, options: AcceptOptions | undefined): () => void {
    const extensions = this.agreeOn(handshake.offeredExtensions, options?.extensions)
    const { head, headers, protocol, version, url } = handshake.accept({ ...options, extensions })
    return () => {
      if (!this.respond(head)) {
        this.finish(new HandshakeError('WS_ERR_CONNECTION_LOST'))
        return
      }
      this.done = true
      this.owner.handshakeDone({ version, protocol, extensions, url, status: 200, headers }, this.takeExtensions())
    }
  }

  /** False if the client has gone, or the application has responded on the stream itself. */
  private respond(head: Http2Headers, body?: Buffer): boolean {
    const { closed, destroyed, headersSent } = this.stream
    if (closed || destroyed || headersSent) return false
    this.stream.respond(head)
    if (body !== undefined && body.length > 0) this.owner.sendHead(body)
    return true
  }
}

/** A client that learns only during the handshake whether its wire is an HTTP/2 stream or speaks HTTP/1.1. */
export class Http2ClientDriver implements HandshakeDriver, HandshakeReader {
  readonly request = null
  private readonly handshake: Http2ClientHandshake
  private readonly refusal: RefusalWatch
  private transport: 'http1' | 'http2' = 'http1'
  private offer: Offer | null = null
  private early: Buffer[] | null = []
  private head: Http2Headers | null = null
  private hasBegun = false
  private done = false

  /** @param http1 - opens the connection if there is no HTTP/2 */
  constructor(
    private readonly owner: Http2DriverOwner,
    url: string | URL,
    settings: Settings,
    private readonly http1: Http1ClientDriver
  ) {
    this.handshake = new Http2ClientHandshake(url, settings)
    this.refusal = new RefusalWatch(this.handshake, owner, () => this.late())
  }

  get reader(): HandshakeReader {
    return this
  }

  get url(): string {
    return this.http1.url
  }

  get settings(): Settings {
    return this.http1.settings
  }

  /** The application's header fields of the request. */
  get fields(): readonly (readonly [string, string])[] {
    return this.http1.fields
  }

  /** Requests this path and query, byte for byte. @throws TypeError if they are not allowed in a request */
  askFor(path: string): void {
    this.handshake.askFor(path)
    this.http1.askFor(path)
  }

  /**
   * Sends the request on a session (RFC 8441 §5) and returns its stream, which must then be attached as the wire.
   * @throws HandshakeError if an extension fails, and any error that the session throws
   */
  requestOn<S extends ClientStream>(session: ClientSession<S>): S {
    this.offer = new Offer(this.settings)
    const stream = session.request(this.handshake.request(this.offer.text), { endStream: false })
    this.transport = 'http2'
    stream.once('response', head => {
      this.head = head
      if (this.hasBegun) this.takeResponse(head)
    })
    return stream
  }

  /** The server does not offer HTTP/2. */
  useHttp1(): void {
    this.transport = 'http1'
  }

  /** The stream is the wire: its response, which may have arrived before, takes effect from now on. */
  begin(): void {
    this.hasBegun = true
    if (this.transport === 'http1') this.http1.begin()
    else if (this.head !== null) this.takeResponse(this.head)
  }

  /** In HTTP/2 the bytes after a response may be seen before it; if it refuses, they are its body. */
  receive(chunk: Buffer): Buffer | null {
    if (this.transport === 'http1') return this.http1.receive(chunk)
    if (this.early === null) this.handshake.takeBody(chunk)
    else this.early.push(chunk)
    return null
  }

  complete(): void {
    this.http1.complete()
  }

  end(): void {
    if (this.transport === 'http1') this.http1.end()
    else this.handshake.end()
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.offer !== null) throw new TypeError(SENT)
    this.http1.setHeader(name, value)
    this.handshake.setHeader(name, value)
  }

  get isDecided(): boolean {
    return false
  }

  addExtension(extension: Extension): void {
    if (this.offer !== null) throw new TypeError(SENT)
    this.http1.addExtension(extension)
  }

  fail(error: HandshakeError): void {
    if (this.transport === 'http1') {
      this.http1.fail(error)
    } else if (!this.done) {
      this.done = true
      this.refusal.stop()
      this.owner.handshakeFailed(this.handshake.refused() ?? error)
    }
  }

  late(): void {
    if (this.transport === 'http1') this.http1.late()
    else this.fail(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT'))
  }

  abort(): void {
    this.done = true
    this.refusal.stop()
    this.http1.abort()
  }

  private takeResponse(head: Http2Headers): void {
    if (this.done) return
    const early = this.early!
    this.early = null
    try {
      const established = this.handshake.take(head)
      if (established !== null) {
        this.open(established, early)
        return
      }
      for (const chunk of early) this.handshake.takeBody(chunk)
      this.refusal.check()
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      this.fail(error)
    }
  }

  private open({ version, protocol, extensions, url, status, headers }: Http2Established, early: Buffer[]): void {
    const negotiated = this.offer!.agree(extensions, status, headers)
    this.done = true
    for (const chunk of early) this.owner.keepHead(chunk)
    this.owner.handshakeDone({ version, protocol, extensions, url, status, headers }, negotiated)
  }
}
