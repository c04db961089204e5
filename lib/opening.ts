// The opening handshake as something that happens: who speaks first, who decides, what is answered. What both versions of HTTP have in
// common stands here; bytes and fields are made and read by the codecs in handshake/.

import { HandshakeError } from './errors.js'
import { checkServer } from './extensions/agreement.js'
import type { Extension } from './extensions/extension.js'
import type { Negotiated } from './extensions/negotiation.js'
import { checkField } from './handshake/fields.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { AcceptOptions, Refusal, RefusalOptions } from './handshake/server-handshake.js'
import { type Settings, type UpgradeRequest, withExtension } from './options.js'
import { startGrace } from './refusal-grace.js'
import type { Buffer } from './runtime/node.js'
import type { HandshakeReader } from './stages/handshake-transform.js'

/** Why something cannot be added to a handshake any more. */
export const SENT = 'the handshake has been sent'

/** What an opening asks of its surroundings. */
export interface OpeningOwner {
  /** Shows a right request to the application; false where it leaves the answer to the library. */
  offer(request: UpgradeRequest): boolean
  /** Writes this side's head. */
  sendHead(bytes: Buffer): void
  /** Reads what follows the peer's head and is no frame yet. */
  readOn(reader: HandshakeReader): void
  /** Takes bytes that came by another way as if they had come by the wire. */
  wireInput(chunk: Buffer): boolean
  /** Whether a redirect may be followed: then the body of the answer is not waited for. */
  readonly followsRedirects: boolean
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
  /** @throws TypeError where it is none, its name is there already, or it comes too late */
  addExtension(extension: Extension): void
  accept(options?: AcceptOptions): boolean
  reject(status: number, options?: RefusalOptions): boolean
  /** The peer's head broke a rule, or did not come. */
  fault(error: HandshakeError): void
  /** `handshakeTimeout` has passed. */
  late(): void
  /** The connection was given up: nothing is said any more, and nobody is asked. */
  abort(): void
}

/** A client's handshake, as far as an answer other than the one that opens concerns it. */
interface RefusableHandshake {
  readonly isRefused: boolean
  refused(): HandshakeError | null
}

/** What both of a client's openings do with a refusal: tell it when it has ended, or some time after its head. */
export class RefusalWatch {
  private grace: NodeJS.Timeout | undefined

  constructor(
    private readonly handshake: RefusableHandshake,
    private readonly owner: OpeningOwner,
    private readonly late: () => void
  ) {}

  /**
   * Bytes of an answer have been read.
   * @throws HandshakeError where it is a redirect, which needs no body
   */
  check(): void {
    if (!this.handshake.isRefused || this.grace !== undefined) return
    if (this.owner.followsRedirects) {
      const answer = this.handshake.refused()!
      if (answer.status < 400 && answer.headers['location'] !== undefined) throw answer
    }
    this.grace = startGrace(this.late)
  }

  stop(): void {
    clearTimeout(this.grace)
  }
}

/** An answer that refuses a client, ready to be sent. */
export type ReadyRefusal = Pick<Refusal, 'status' | 'headers' | 'body'> & { send(): void }

/** What a server's handshake is made of, whatever it speaks. */
export interface ServerCodec {
  setHeader(name: string, value: string | readonly string[]): void
}

/** A server's opening: the application decides when it is asked, before, or later. */
export abstract class ServerOpening<Codec extends ServerCodec> implements Opening {
  readonly url = ''
  abstract readonly request: UpgradeRequest | null
  protected done = false
  private handshake: Codec | null = null
  // what the application did before there was a request to answer
  private readonly fields: [string, string | readonly string[]][] = []
  private decision: (() => void) | null = null

  constructor(
    protected readonly owner: OpeningOwner,
    protected settings: Settings
  ) {
    checkServer(settings)
  }

  abstract begin(): void
  abstract receive(chunk: Buffer): Buffer | null
  abstract complete(): void

  /** Reads the request. @throws HandshakeError where it breaks a rule; whatever a function among the options throws */
  protected abstract read(): Codec
  /** Accepts it. @throws HandshakeError where an extension fails; whatever is wrong with the options */
  protected abstract open(handshake: Codec, options: AcceptOptions | undefined): void
  /** @throws RangeError, TypeError where it cannot be sent */
  protected abstract refusal(status: number, options?: RefusalOptions): ReadyRefusal
  /** Answers with what the error says. */
  protected abstract answerFault(error: HandshakeError): void

  /** Whether the head of the answer is out. */
  protected get isAnswered(): boolean {
    return this.done
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

  addExtension(extension: Extension): void {
    if (this.isAnswered) throw new TypeError(SENT)
    this.settings = withExtension(this.settings, extension)
  }

  accept(options?: AcceptOptions): boolean {
    if (this.isAnswered) return false
    if (this.handshake === null) this.decision = () => this.accept(options)
    else this.tryOpen(this.handshake, options)
    return true
  }

  reject(status: number, options?: RefusalOptions): boolean {
    const answer = this.refusal(status, options)
    if (this.isAnswered) return false
    const refuse = (): void => {
      answer.send()
      this.fail(new HandshakeError('WS_ERR_REJECTED', { ...answer, detail: String(status) }))
    }
    if (this.handshake === null) this.decision = refuse
    else refuse()
    return true
  }

  fault(error: HandshakeError): void {
    if (this.done) return
    if (!this.isAnswered && error.status !== 0) this.answerFault(error)
    this.fail(error)
  }

  late(): void {
    this.fault(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 408 }))
  }

  abort(): void {
    this.done = true
  }

  /** The request is there (RFC 6455 §4.2, RFC 8441 §5). */
  protected examine(): void {
    if (this.done) return
    try {
      this.handshake = this.read()
      for (const [name, value] of this.fields) this.handshake.setHeader(name, value)
      if (this.decision !== null) this.decision()
      else if (!this.owner.offer(this.request!)) this.accept()
    } catch (cause) {
      if (cause instanceof HandshakeError) this.fault(cause)
      // a function among the options threw, or chose what was not offered
      else this.fault(new HandshakeError('WS_ERR_REJECTED', { status: 500, detail: 'an option failed', cause }))
    }
  }

  // the application has asked for it, and is not to blame
  private tryOpen(handshake: Codec, options: AcceptOptions | undefined): void {
    try {
      this.open(handshake, options)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      this.fault(error)
    }
  }

  protected fail(error: HandshakeError): void {
    this.done = true
    this.owner.handshakeFailed(error)
  }
}
