// The opening handshake as something that happens: who speaks first, who decides, what is answered. What both versions of HTTP have in
// common stands here; bytes and fields are made and read by the codecs in handshake/.

import { HandshakeError } from '../errors.js'
import { checkServer } from '../extensions/agreement.js'
import type { Extension } from '../extensions/extension.js'
import type { Negotiated } from '../extensions/negotiation.js'
import type { ConnectionServer } from '../hand-over.js'
import { fieldLines } from '../handshake/fields.js'
import type { OpenInfo } from '../handshake/open-info.js'
import type { AcceptOptions, Refusal, RefusalOptions } from '../handshake/server-handshake.js'
import { type Settings, type UpgradeRequest, withExtension } from '../options.js'
import { startGrace } from '../refusal-grace.js'
import type { Buffer } from '../runtime/node.js'
import type { HandshakeReader } from '../stages/handshake-transform.js'

/** Why something cannot be added to a handshake any more. */
export const SENT = 'the handshake has been sent'

/** What an opening asks of its surroundings. */
export interface HandshakeDriverOwner {
  /** Whether there is a wire. */
  readonly isJoined: boolean
  /** Begins the handshake at once, where it would else begin at the end of this turn. */
  begin(): void
  /** Shows a request to the application; false where it leaves the answer to the library. */
  offer(request: UpgradeRequest): boolean
  /** Writes this side's head. */
  sendHead(bytes: Buffer): void
  /** Reads what follows the peer's head and is no frame yet. */
  readOn(reader: HandshakeReader): void
  /** Asks for more input, which that reader was too full for. */
  readMore(): void
  /** Takes bytes that came by another way as if they had come by the wire. */
  wireInput(chunk: Buffer): boolean
  /**
   * Ends this connection, and gives its wire to another server, behind `head` and what has come after it.
   * @throws TypeError where the wire is not one stream
   */
  handOver(server: ConnectionServer, head: Buffer): void
  /** Whether a redirect may be followed: then the body of the answer is not waited for. */
  readonly followsRedirects: boolean
  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void
  /** The handshake failed; an answer, where one is due, was sent. */
  handshakeFailed(error: HandshakeError): void
}

/** One side's opening handshake. */
export interface HandshakeDriver extends HandshakeReader {
  readonly request: UpgradeRequest | null
  /** Where a client wants to go; '' for a server. */
  readonly url: string
  /** Whether it knows already what to do when it begins. */
  readonly isDecided: boolean
  /** The wire is there. */
  begin(): void
  /** Client: asks for this path and query, byte for byte. @throws TypeError where it cannot stand in a request */
  askFor?(path: string): void
  setHeader(name: string, value: string | readonly string[]): void
  /** @throws TypeError where it is none, its name is there already, or it comes too late */
  addExtension(extension: Extension): void
  accept(options?: AcceptOptions): boolean
  reject(status: number, options?: RefusalOptions): boolean
  handOver(server: ConnectionServer): boolean
  /** The peer's head broke a rule, or did not come. */
  fault(error: HandshakeError): void
  /** `handshakeTimeout` has passed. */
  late(): void
  /** The peer has ended its side of the wire, behind all that it had to say. */
  peerLeft(): void
  /** The connection was given up: nothing is sent any more, and the application is not asked. */
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
    private readonly owner: HandshakeDriverOwner,
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
export abstract class ServerDriver<Codec extends ServerCodec> implements HandshakeDriver {
  readonly url = ''
  abstract readonly request: UpgradeRequest | null
  protected done = false
  private handshake: Codec | null = null
  // what is wrong with the request
  private wrong: HandshakeError | null = null
  // what the application did before there was a request to answer
  private readonly fields: [string, readonly string[]][] = []
  private decision: (() => void) | null = null
  // the request and the wire are there: decisions are carried out at once
  private isAsked = false

  constructor(
    protected readonly owner: HandshakeDriverOwner,
    protected settings: Settings
  ) {
    checkServer(settings)
  }

  abstract begin(): void
  abstract receive(chunk: Buffer): Buffer | null
  abstract complete(): void
  abstract handOver(server: ConnectionServer): boolean

  /** Whether the application is asked about the request before it is looked at as one for a WebSocket. */
  protected abstract readonly isOther: boolean
  /** Reads the request. @throws HandshakeError where it breaks a rule, or a function among the options throws */
  protected abstract read(): Codec
  /**
   * Makes the answer that accepts it, and gives what sends it and opens the connection.
   * @throws HandshakeError where a function among the options or an extension fails; TypeError where `options` are wrong
   */
  protected abstract agree(handshake: Codec, options: AcceptOptions | undefined): () => void
  /** @throws RangeError, TypeError where it cannot be sent */
  protected abstract refusal(status: number, options?: RefusalOptions): ReadyRefusal
  /** Answers with what the error says; gives what was sent. */
  protected abstract answerFault(error: HandshakeError): Pick<Refusal, 'headers' | 'body'>

  /** Whether the head of the answer is out. */
  protected get isAnswered(): boolean {
    return this.done
  }

  get isDecided(): boolean {
    return this.decision !== null
  }

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST')
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.handshake !== null) {
      if (this.isDecided) throw new TypeError('the request has been answered')
      this.handshake.setHeader(name, value)
      return
    }
    this.fields.push([name, fieldLines(name, value).map(([, line]) => line)])
  }

  addExtension(extension: Extension): void {
    if (this.isAnswered) throw new TypeError(SENT)
    this.settings = withExtension(this.settings, extension)
  }

  accept(options?: AcceptOptions): boolean {
    if (this.isAnswered || this.isDecided) return false
    if (this.request === null) {
      this.decision = () => this.acceptLate(options)
      return true
    }
    const handshake = this.readRequest()
    if (handshake === null) return false
    let open: () => void
    try {
      open = this.agree(handshake, options)
    } catch (error) {
      // else the application has said what cannot be sent, and hears of it here
      if (!(error instanceof HandshakeError)) throw error
      this.carryOut(() => this.fault(error))
      return false
    }
    this.carryOut(open)
    return true
  }

  reject(status: number, options?: RefusalOptions): boolean {
    const answer = this.refusal(status, options)
    if (this.isAnswered || this.isDecided) return false
    this.carryOut(() => {
      answer.send()
      this.fail(new HandshakeError('WS_ERR_REJECTED', { ...answer, detail: String(status) }))
    })
    return true
  }

  fault(error: HandshakeError): void {
    if (this.done) return
    if (!this.isAnswered && error.status !== 0) {
      const { headers, body } = this.answerFault(error)
      // the error says what was sent
      Object.assign(error, { headers, body })
    }
    this.fail(error)
  }

  late(): void {
    this.fault(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 408 }))
  }

  peerLeft(): void {
    this.fault(new HandshakeError('WS_ERR_CONNECTION_LOST', { detail: 'the client left before it was answered' }))
  }

  abort(): void {
    this.done = true
  }

  /** The request and the wire are there (RFC 6455 §4.2, RFC 8441 §5). */
  protected examine(): void {
    if (this.done || this.isAsked) return
    this.isAsked = true
    if (this.isOther && !this.isDecided && this.ask()) return
    // what is wrong with the request is said first, whatever was decided before it came
    if (this.readRequest() === null) return
    if (this.decision !== null) this.decision()
    else if (!this.ask()) this.acceptLate()
  }

  /** Has the application answer; false where it does not listen. Its exceptions are its own, but its client gets an answer. */
  private ask(): boolean {
    try {
      return this.owner.offer(this.request!)
    } catch (cause) {
      if (!this.isAnswered) this.fault(failed('a request listener threw', cause))
      throw cause
    }
  }

  /** Does at once what was decided, or as soon as the request and the wire are there. */
  private carryOut(decision: () => void): void {
    if (this.isAsked) {
      decision()
      return
    }
    this.decision = decision
    if (this.request !== null && this.owner.isJoined) this.owner.begin()
  }

  /** Null where the request is wrong, which is answered as soon as there is a wire. */
  private readRequest(): Codec | null {
    if (this.handshake !== null) return this.handshake
    try {
      if (this.wrong === null) {
        const handshake = this.read()
        for (const [name, value] of this.fields) handshake.setHeader(name, value)
        this.handshake = handshake
        return handshake
      }
    } catch (error) {
      this.wrong = error instanceof HandshakeError ? error : failed('the request cannot be read', error)
    }
    if (this.isAsked) this.fault(this.wrong!)
    else if (this.owner.isJoined) this.owner.begin()
    return null
  }

  /** Accepts as the options say, or as was said before the request came: there is no caller any more to throw to. */
  private acceptLate(options?: AcceptOptions): void {
    let open: () => void
    try {
      open = this.agree(this.handshake!, options)
    } catch (error) {
      this.fault(
        error instanceof HandshakeError ? error : failed('what accept() was given does not fit the request', error)
      )
      return
    }
    open()
  }

  protected fail(error: HandshakeError): void {
    this.done = true
    this.owner.handshakeFailed(error)
  }
}

/** The application failed, and its client is told so. */
function failed(detail: string, cause: unknown): HandshakeError {
  return new HandshakeError('WS_ERR_REJECTED', { status: 500, detail, cause })
}
