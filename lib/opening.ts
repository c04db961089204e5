// The opening handshake as something that happens: who speaks first, who decides, what is answered. Bytes are made and read by the
// codecs in handshake/; here they are put in order, for a server and for a client.

import { HandshakeError } from './errors.js'
import { answerOffer, checkServer, Offer } from './extensions/agreement.js'
import type { Negotiated } from './extensions/negotiation.js'
import { ClientHandshake, type Established } from './handshake/client-handshake.js'
import { type DraftAccepted, DraftHandshake, draftVersion } from './handshake/draft-handshake.js'
import { checkField } from './handshake/fields.js'
import { HeadParser, REQUEST, type RequestHead } from './handshake/head-parser.js'
import type { OpenInfo } from './handshake/open-info.js'
import {
  type AcceptOptions,
  type RefusalOptions,
  refusal,
  refusalFor,
  ServerHandshake
} from './handshake/server-handshake.js'
import type { Settings, UpgradeRequest } from './options.js'
import { Buffer } from './runtime/node.js'
import type { HandshakeReader } from './stages/handshake-transform.js'

/** What an opening asks of its surroundings. */
export interface OpeningOwner {
  /** Shows a right request to the application; false where it leaves the answer to the library. */
  offer(request: UpgradeRequest): boolean
  /** Writes this side's head. */
  sendHead(bytes: Buffer): void
  /** Reads what follows the peer's head and is no frame yet. */
  readOn(reader: HandshakeReader): void
  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void
  /** The handshake failed; an answer, where one is due, was sent. */
  handshakeFailed(error: HandshakeError): void
}

/** One side's opening handshake. */
export interface Opening extends HandshakeReader {
  readonly request: UpgradeRequest | null
  /** Where a client wants to go; '' for a server. */
  readonly url: string
  /** The wire is there. */
  begin(): void
  setHeader(name: string, value: string | readonly string[]): void
  accept(options?: AcceptOptions): boolean
  reject(status: number, options?: RefusalOptions): boolean
  /** The peer's head broke a rule, or did not come. */
  fault(error: HandshakeError): void
  /** `handshakeTimeout` has passed. */
  late(): void
  /** The connection was given up: nothing is said any more, and nobody is asked. */
  abort(): void
}

export class ServerOpening implements Opening {
  readonly url = ''
  request: UpgradeRequest | null
  private readonly parser: HeadParser<RequestHead> | null
  private handshake: ServerHandshake | DraftHandshake | null = null
  // the head of the answer is out
  private answered = false
  private done = false
  // what the application did before there was a request to answer
  private readonly fields: [string, string | readonly string[]][] = []
  private decision: (() => void) | null = null

  constructor(
    private readonly owner: OpeningOwner,
    private readonly settings: Settings,
    request: UpgradeRequest | null
  ) {
    checkServer(settings)
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

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST')
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.handshake !== null) {
      this.handshake.setHeader(name, value)
      return
    }
    checkField(name, '')
    for (const line of typeof value === 'string' ? [value] : value) checkField(name, line)
    this.fields.push([name, value])
  }

  accept(options?: AcceptOptions): boolean {
    const { handshake } = this
    if (this.answered || this.done) return false
    if (handshake === null) this.decision = () => this.accept(options)
    else if (handshake instanceof DraftHandshake) this.openDraft(handshake, handshake.accept(options))
    else this.tryOpen(handshake, options)
    return true
  }

  reject(status: number, options?: RefusalOptions): boolean {
    const answer = refusal(status, options)
    if (this.answered || this.done) return false
    const refuse = (): void => {
      this.owner.sendHead(answer.bytes)
      this.fail(new HandshakeError('WS_ERR_REJECTED', { ...answer, detail: String(status) }))
    }
    if (this.handshake === null) this.decision = refuse
    else refuse()
    return true
  }

  fault(error: HandshakeError): void {
    if (this.done) return
    if (this.answered || error.status === 0) {
      this.fail(error)
      return
    }
    const answer = refusalFor(error)
    this.owner.sendHead(answer.bytes)
    this.fail(error)
  }

  late(): void {
    this.fault(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 408 }))
  }

  abort(): void {
    this.done = true
  }

  // RFC 6455 §4.2
  private examine(): void {
    if (this.done) return
    try {
      const request = this.request!
      const isDraft = this.settings.allowDrafts && draftVersion(request) !== null
      this.handshake = new (isDraft ? DraftHandshake : ServerHandshake)(request, this.settings)
      for (const [name, value] of this.fields) this.handshake.setHeader(name, value)
      if (this.decision !== null) this.decision()
      else if (!this.owner.offer(request)) this.accept()
    } catch (cause) {
      if (cause instanceof HandshakeError) this.fault(cause)
      // a function among the options threw, or chose what was not offered
      else this.fault(new HandshakeError('WS_ERR_REJECTED', { status: 500, detail: 'an option failed', cause }))
    }
  }

  // the application has asked for it, and is not to blame
  private tryOpen(handshake: ServerHandshake, options: AcceptOptions | undefined): void {
    try {
      this.open(handshake, options)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      this.fault(error)
    }
  }

  private open(handshake: ServerHandshake, options: AcceptOptions | undefined): void {
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
    this.answered = true
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
  }

  private fail(error: HandshakeError): void {
    this.done = true
    this.owner.handshakeFailed(error)
  }
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

export class ClientOpening implements Opening {
  readonly request = null
  private readonly handshake: ClientHandshake
  private offer: Offer | null = null
  private established: Established | null = null
  private done = false

  constructor(
    private readonly owner: OpeningOwner,
    url: string | URL,
    private readonly settings: Settings
  ) {
    this.handshake = new ClientHandshake(url, settings)
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
    if (this.established === null) return null
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

  accept(): boolean {
    return false
  }

  reject(): boolean {
    return false
  }

  fault(error: HandshakeError): void {
    if (this.done) return
    this.done = true
    this.owner.handshakeFailed(error)
  }

  late(): void {
    this.fault(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT'))
  }

  abort(): void {
    this.done = true
  }
}
