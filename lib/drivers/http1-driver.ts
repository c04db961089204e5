// The opening handshake in HTTP/1.1, of a server and a client, including the drafts' variants.

import { HandshakeError, type Headers } from '../errors.js'
import { Offer } from '../extensions/agreement.js'
import type { Extension } from '../extensions/extension.js'
import type { Negotiated } from '../extensions/negotiation.js'
import { type ConnectionServer, checkServer as checkConnectionServer } from '../hand-over.js'
import { bodyLength, CONTINUE, expectsContinue } from '../handshake/body-decoder.js'
import { ByteStore } from '../handshake/byte-store.js'
import { ClientHandshake, type Established } from '../handshake/client-handshake.js'
import { type DraftAccepted, DraftHandshake, draftVersion } from '../handshake/draft-handshake.js'
import { HeadParser, REQUEST, type RequestHead, type ResponseHead } from '../handshake/head-parser.js'
import { toHeaders } from '../handshake/header-fields.js'
import { checkRequest } from '../handshake/request-target.js'
import {
  type AcceptOptions,
  isWebSocket,
  type Refusal,
  type RefusalOptions,
  refusal,
  refusalFor,
  ServerHandshake
} from '../handshake/server-handshake.js'
import { type Settings, type UpgradeRequest, withExtension } from '../options.js'
import { type BodySource, ReceivedRequest, type RequestBody } from '../received-request.js'
import { Buffer } from '../runtime/node.js'
import type { HandshakeReader } from '../stages/handshake-transform.js'
import {
  type HandshakeDriver,
  type HandshakeDriverOwner,
  type ReadyRefusal,
  RefusalWatch,
  SENT,
  ServerDriver
} from './handshake-driver.js'

export class Http1ServerDriver
  extends ServerDriver<ServerHandshake | DraftHandshake>
  implements HandshakeReader, BodySource
{
  request: UpgradeRequest | null
  private readonly parser: HeadParser<RequestHead> | null
  // the bytes of the request's head; kept as long as the request can be handed over
  private head: ByteStore | null
  // hixie-76: the body of the request has not arrived
  private awaitsBody = false

  constructor(owner: HandshakeDriverOwner, settings: Settings, request: UpgradeRequest | null) {
    super(owner, settings)
    this.request = request
    this.parser = request === null ? new HeadParser(REQUEST, settings) : null
    this.head = request === null ? new ByteStore() : null
  }

  /** Null if the application has read the request. */
  get reader(): HandshakeReader | null {
    return this.parser === null ? null : this
  }

  begin(): void {
    if (this.parser === null) this.examine()
  }

  receive(chunk: Buffer): Buffer | null {
    const parser = this.parser!
    const head = parser.parse(chunk)
    const rest = head === null ? null : parser.rest
    this.head!.push(rest === null ? chunk : chunk.subarray(0, chunk.length - rest.length))
    if (head === null) return null
    this.request = isWebSocket(head) ? new ReceivedRequest(head) : this.readOther(head)
    return rest
  }

  complete(): void {
    this.examine()
  }

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST')
  }

  /** A well-formed request for something other than a WebSocket goes to the application. */
  private readOther(head: RequestHead): ReceivedRequest {
    checkRequest(head)
    return new ReceivedRequest(head, bodyLength(head), this)
  }

  protected get isOther(): boolean {
    return this.parser !== null && !isWebSocket(this.request!)
  }

  protected override get hasResponded(): boolean {
    return this.done || this.awaitsBody
  }

  protected read(): ServerHandshake | DraftHandshake {
    const request = this.request!
    const isDraft = this.settings.allowDrafts && draftVersion(request) !== null
    return new (isDraft ? DraftHandshake : ServerHandshake)(request, this.settings)
  }

  protected refusal(status: number, options?: RefusalOptions): ReadyRefusal {
    const response = refusal(status, options)
    const { request } = this
    // RFC 9110 §9.3.6: a 2xx would accept the CONNECT
    if (request?.method === 'CONNECT' && status < 300) throw new RangeError('a CONNECT is refused with 300 to 599')
    return { ...response, send: () => this.send(response) }
  }

  protected respondTo(error: HandshakeError): Refusal {
    const response = refusalFor(error)
    this.send(response)
    return response
  }

  private send({ head, bytes }: Refusal): void {
    // RFC 9110 §9.3.2
    this.owner.sendHead(this.request?.method === 'HEAD' ? head : bytes)
  }

  handOver(server: ConnectionServer): boolean {
    checkConnectionServer(server)
    const { head, request } = this
    if (this.parser === null) throw new TypeError('only a connection of WebSocketStream.server() can be handed over')
    if (this.hasResponded || request === null) return false
    if (request instanceof ReceivedRequest && request.bodyIsRead) {
      throw new TypeError('a request whose body has been read cannot be handed over')
    }
    this.owner.handOver(server, head!.bytes())
    return true
  }

  readBody(body: RequestBody): void {
    const { request } = this
    if (this.done) {
      body.over()
      return
    }
    if (expectsContinue(request as RequestHead)) this.owner.sendHead(CONTINUE)
    this.owner.readOn(body)
  }

  readMore(): void {
    this.owner.readMore()
  }

  override abort(): void {
    super.abort()
    this.forget()
  }

  protected override finish(error: HandshakeError): void {
    super.finish(error)
    this.forget(error.fault === 'peer' ? error : undefined)
  }

  /** Stops reading the request; it can no longer be handed over. */
  private forget(error?: HandshakeError): void {
    this.head = null
    if (this.request instanceof ReceivedRequest) this.request.endBody(error)
  }

  protected agree(handshake: ServerHandshake | DraftHandshake, options: AcceptOptions | undefined): () => void {
    if (handshake instanceof DraftHandshake) {
      const accepted = handshake.accept(options)
      return () => this.openDraft(handshake, accepted)
    }
    const extensions = this.agreeOn(handshake.offeredExtensions, options?.extensions)
    const { bytes, headers, protocol, version, url } = handshake.accept({ ...options, extensions })
    return () => {
      this.done = true
      this.forget()
      this.owner.sendHead(bytes)
      this.owner.handshakeDone({ version, protocol, extensions, url, status: 101, headers }, this.takeExtensions())
    }
  }

  // hixie-76: proxies hold back the body of the request until they have seen the head of the response
  private openDraft(handshake: DraftHandshake, { bytes, ...info }: DraftAccepted): void {
    const open = (): void => {
      this.done = true
      this.forget()
      this.owner.handshakeDone({ ...info, extensions: '' }, null)
    }
    this.awaitsBody = true
    this.owner.sendHead(bytes)
    if (handshake.bodySize === 0) {
      open()
      return
    }
    const reader = new BodyReader(handshake.bodySize, body => {
      this.owner.sendHead(handshake.challenge(body))
      open()
    })
    this.owner.readOn(reader)
    bodyOf(this.request!)?.on?.('data', chunk => this.owner.wireInput(chunk))
  }
}

interface BodyStream {
  complete?: boolean
  readableLength?: number
  on?(event: 'data', listener: (chunk: Buffer) => void): unknown
}

/**
 * From Node 26 on, a body with a Content-Length is read from the request, and the socket gives only the bytes after it; null if the socket
 * gives the body too.
 */
function bodyOf(request: UpgradeRequest): BodyStream | null {
  const stream = request as UpgradeRequest & BodyStream
  return stream.complete === false || (stream.readableLength ?? 0) > 0 ? stream : null
}

/** Reads the bytes after a request's head that belong to its handshake. */
class BodyReader implements HandshakeReader {
  private body = Buffer.alloc(0)

  constructor(
    private readonly size: number,
    private readonly done: (body: Buffer) => void
  ) {}

  receive(chunk: Buffer): Buffer | null {
    const missing = this.size - this.body.length
    this.body = Buffer.concat([this.body, chunk.subarray(0, missing)])
    return chunk.length < missing ? null : chunk.subarray(missing)
  }

  complete(): void {
    this.done(this.body)
  }

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST')
  }
}

export class Http1ClientDriver implements HandshakeDriver, HandshakeReader {
  readonly request = null
  private readonly handshake: ClientHandshake
  private readonly refusal: RefusalWatch
  private offer: Offer | null = null
  private established: Established | null = null
  // a response that another parser has read
  private response: ResponseHead | null = null
  private done = false

  constructor(
    private readonly owner: HandshakeDriverOwner,
    url: string | URL,
    public settings: Settings
  ) {
    this.handshake = new ClientHandshake(url, settings)
    this.refusal = new RefusalWatch(this.handshake, owner, () => this.late())
  }

  get reader(): HandshakeReader {
    return this
  }

  get url(): string {
    return this.handshake.url
  }

  /** The application's header fields of the request. */
  get fields(): readonly (readonly [string, string])[] {
    return this.handshake.fields
  }

  /** Requests this path and query, byte for byte. @throws TypeError if they are not allowed in a request */
  askFor(path: string): void {
    this.handshake.askFor(path)
  }

  /**
   * The header fields of the request, for an application that sends it itself.
   * @throws TypeError if it has been sent; HandshakeError if an extension fails
   */
  requestHeaders(): Headers {
    if (this.offer !== null || this.done) throw new TypeError(SENT)
    this.offer = new Offer(this.settings)
    return toHeaders(this.handshake.requestFields(this.offer.text))
  }

  /** Takes the response to that request; one that refuses ends the connection. @throws TypeError if no response is expected */
  takeResponse(response: ResponseHead): void {
    if (this.offer === null || this.response !== null) throw new TypeError('no request is waiting for a response')
    this.response = response
    // a refusal needs no wire
    if (response.status !== 101) this.establish(response)
  }

  private establish(response: ResponseHead): void {
    if (this.done) return
    try {
      this.established = this.handshake.take(response)
    } catch (error) {
      this.fail(error as HandshakeError)
      return
    }
    this.complete()
  }

  begin(): void {
    if (this.done) return
    if (this.response !== null) this.establish(this.response)
    // otherwise the application sent the request, and the response arrives on this wire
    else if (this.offer === null) this.sendRequest()
  }

  private sendRequest(): void {
    let request: Buffer
    try {
      this.offer = new Offer(this.settings)
      request = this.handshake.request(this.offer.text)
    } catch (cause) {
      // an extension failed, or offers something that cannot be sent
      this.fail(cause instanceof HandshakeError ? cause : new HandshakeError('WS_ERR_EXTENSION', { cause }))
      return
    }
    this.owner.sendHead(request)
  }

  receive(chunk: Buffer): Buffer | null {
    this.established = this.handshake.receive(chunk)
    if (this.established === null) {
      this.refusal.check()
      return null
    }
    // a response without our key does not answer our request
    if (this.offer === null)
      throw new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: 'the response came before the request' })
    return this.established.rest
  }

  complete(): void {
    const { version, protocol, extensions, url, status, headers } = this.established!
    let negotiated: Negotiated | null
    try {
      negotiated = this.offer!.agree(extensions, status, headers)
    } catch (error) {
      this.fail(error as HandshakeError)
      return
    }
    this.done = true
    this.owner.handshakeDone({ version, protocol, extensions, url, status, headers }, negotiated)
  }

  end(): never {
    return this.handshake.end()
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.offer !== null) throw new TypeError(SENT)
    this.handshake.setHeader(name, value)
  }

  get isDecided(): boolean {
    return this.response !== null
  }

  addExtension(extension: Extension): void {
    if (this.offer !== null) throw new TypeError(SENT)
    this.settings = withExtension(this.settings, extension)
  }

  fail(error: HandshakeError): void {
    if (this.done) return
    this.done = true
    this.refusal.stop()
    // the server has answered: a later error does not replace its refusal
    this.owner.handshakeFailed(this.handshake.refused() ?? error)
  }

  late(): void {
    this.fail(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT'))
  }

  abort(): void {
    this.done = true
    this.refusal.stop()
  }
}
