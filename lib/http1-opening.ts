// The opening handshake in HTTP/1.1, of a server and of a client, and in what the drafts made of it.

import { HandshakeError } from './errors.js'
import { answerOffer, Offer } from './extensions/agreement.js'
import type { Extension } from './extensions/extension.js'
import { ClientHandshake, type Established } from './handshake/client-handshake.js'
import { type DraftAccepted, DraftHandshake, draftVersion } from './handshake/draft-handshake.js'
import { HeadParser, REQUEST, type RequestHead } from './handshake/head-parser.js'
import {
  type AcceptOptions,
  type RefusalOptions,
  refusal,
  refusalFor,
  ServerHandshake
} from './handshake/server-handshake.js'
import { type Opening, type OpeningOwner, type ReadyRefusal, RefusalWatch, SENT, ServerOpening } from './opening.js'
import { type Settings, type UpgradeRequest, withExtension } from './options.js'
import { Buffer } from './runtime/node.js'
import type { HandshakeReader } from './stages/handshake-transform.js'

export class Http1ServerOpening extends ServerOpening<ServerHandshake | DraftHandshake> {
  request: UpgradeRequest | null
  private readonly parser: HeadParser<RequestHead> | null
  // hixie-76: the body of the request is still to come
  private awaitsBody = false

  constructor(owner: OpeningOwner, settings: Settings, request: UpgradeRequest | null) {
    super(owner, settings)
    this.request = request
    this.parser = request === null ? new HeadParser(REQUEST, settings) : null
  }

  begin(): void {
    if (this.parser === null) this.examine()
  }

  receive(chunk: Buffer): Buffer | null {
    this.request = this.parser!.parse(chunk)
    return this.request === null ? null : this.parser!.rest
  }

  complete(): void {
    this.examine()
  }

  protected override get isAnswered(): boolean {
    return this.done || this.awaitsBody
  }

  protected read(): ServerHandshake | DraftHandshake {
    const request = this.request!
    const isDraft = this.settings.allowDrafts && draftVersion(request) !== null
    return new (isDraft ? DraftHandshake : ServerHandshake)(request, this.settings)
  }

  protected refusal(status: number, options?: RefusalOptions): ReadyRefusal {
    const answer = refusal(status, options)
    return { ...answer, send: () => this.owner.sendHead(answer.bytes) }
  }

  protected answerFault(error: HandshakeError): void {
    this.owner.sendHead(refusalFor(error).bytes)
  }

  protected open(handshake: ServerHandshake | DraftHandshake, options: AcceptOptions | undefined): void {
    if (handshake instanceof DraftHandshake) {
      this.openDraft(handshake, handshake.accept(options))
      return
    }
    const { extensions, negotiated } = answerOffer(handshake.offeredExtensions, options?.extensions, this.settings)
    const { bytes, headers, protocol, version, url } = handshake.accept({ ...options, extensions })
    this.done = true
    this.owner.sendHead(bytes)
    this.owner.handshakeDone({ version, protocol, extensions, url, status: 101, headers }, negotiated)
  }

  // hixie-76: proxies hold back the body of the request until they have seen the head of the answer
  private openDraft(handshake: DraftHandshake, { bytes, ...info }: DraftAccepted): void {
    const open = (): void => {
      this.done = true
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
 * From Node 26 on, the bytes that a Content-Length counts come from the request, and by the socket only what stands behind them; null
 * where they come by the socket too.
 */
function bodyOf(request: UpgradeRequest): BodyStream | null {
  const stream = request as UpgradeRequest & BodyStream
  return stream.complete === false || (stream.readableLength ?? 0) > 0 ? stream : null
}

/** Reads the bytes behind a request that belong to its handshake. */
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

export class Http1ClientOpening implements Opening {
  readonly request = null
  private readonly handshake: ClientHandshake
  private readonly refusal: RefusalWatch
  private offer: Offer | null = null
  private established: Established | null = null
  private done = false

  constructor(
    private readonly owner: OpeningOwner,
    url: string | URL,
    public settings: Settings
  ) {
    this.handshake = new ClientHandshake(url, settings)
    this.refusal = new RefusalWatch(this.handshake, owner, () => this.late())
  }

  get url(): string {
    return this.handshake.url
  }

  /** The application's fields of the request. */
  get fields(): readonly (readonly [string, string])[] {
    return this.handshake.fields
  }

  begin(): void {
    if (this.done) return
    let request: Buffer
    try {
      this.offer = new Offer(this.settings)
      request = this.handshake.request(this.offer.text)
    } catch (cause) {
      // an extension failed, or offers what cannot be sent
      this.fault(cause instanceof HandshakeError ? cause : new HandshakeError('WS_ERR_EXTENSION', { cause }))
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
    // what does not know our key is no answer to it
    if (this.offer === null) throw new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: 'it came before the request' })
    return this.established.rest
  }

  complete(): void {
    const { version, protocol, extensions, url, status, headers } = this.established!
    const negotiated = this.offer!.agree(extensions, status, headers)
    this.done = true
    this.owner.handshakeDone({ version, protocol, extensions, url, status, headers }, negotiated)
  }

  end(): never {
    return this.handshake.end()
  }

  setHeader(name: string, value: string | readonly string[]): void {
    this.handshake.setHeader(name, value)
  }

  addExtension(extension: Extension): void {
    if (this.offer !== null) throw new TypeError(SENT)
    this.settings = withExtension(this.settings, extension)
  }

  accept(): boolean {
    return false
  }

  reject(): boolean {
    return false
  }

  fault(error: HandshakeError): void {
    if (this.done) return
    this.done = true
    this.refusal.stop()
    // whatever happens behind a refusal, the server has answered
    this.owner.handshakeFailed(this.handshake.refused() ?? error)
  }

  late(): void {
    this.fault(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT'))
  }

  abort(): void {
    this.done = true
    this.refusal.stop()
  }
}
