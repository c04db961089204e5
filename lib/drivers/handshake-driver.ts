// The course of the opening handshake: its order, its decisions, its response. This file has what HTTP/1.1 and HTTP/2 share; the codecs in
// handshake/ read and write the bytes and header fields.

import { HandshakeError } from '../errors.js'
import { checkServer, respondToOffer } from '../extensions/agreement.js'
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

/** Why a handshake can no longer be changed. */
export const SENT = 'the handshake has been sent'

/** The methods that a driver calls on the HandshakePhase. */
export interface HandshakeDriverOwner {
  /** Whether the wire is attached. */
  readonly isJoined: boolean
  /** Starts the handshake at once, not at the end of this turn. */
  begin(): void
  /** Shows a request to the application; false if it leaves the response to the library. */
  offer(request: UpgradeRequest): boolean
  /** Writes this side's head. */
  sendHead(bytes: Buffer): void
  /** Reads bytes that follow the peer's head and are not frames yet. */
  readOn(reader: HandshakeReader): void
  /** Asks for more input, after that reader was full. */
  readMore(): void
  /** Processes bytes that arrived in another way as if they had arrived on the wire. */
  wireInput(chunk: Buffer): boolean
  /**
   * Ends this connection and passes its wire to another server, with `head` and the bytes after it.
   * @throws TypeError if the wire is not one stream
   */
  handOver(server: ConnectionServer, head: Buffer): void
  /** Whether a redirect may be followed: then the body of the response is not needed. */
  readonly followsRedirects: boolean
  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void
  /** The handshake failed; a response, if one was due, was sent. */
  handshakeFailed(error: HandshakeError): void
}

/** The opening handshake of one side. */
export interface HandshakeDriver {
  /** Reads the peer's head from the wire; null if the head arrives separately. */
  readonly reader: HandshakeReader | null
  readonly request: UpgradeRequest | null
  /** The URL that a client dials; '' for a server. */
  readonly url: string
  /** Whether it already knows its answer when it begins. */
  readonly isDecided: boolean
  /** The wire is attached. */
  begin(): void
  /** Client: requests this path and query, byte for byte. @throws TypeError if they are not allowed in a request */
  askFor?(path: string): void
  /** @throws TypeError if the field cannot be sent, or the handshake has been sent */
  setHeader(name: string, value: string | readonly string[]): void
  /** @throws TypeError if it is not an extension, one of its name exists, or the handshake has been sent */
  addExtension(extension: Extension): void
  /** Server only. */
  accept?(options?: AcceptOptions): boolean
  /** Server only. */
  reject?(status: number, options?: RefusalOptions): boolean
  /** Server only. */
  handOver?(server: ConnectionServer): boolean
  /** The peer's head broke a rule or did not arrive. */
  fail(error: HandshakeError): void
  /** `handshakeTimeout` has passed. */
  late(): void
  /** Server only: the client has ended its side of the wire, after all its data. For a client `reader.end` has already thrown. */
  peerLeft?(): void
  /** The connection was ended by this side: nothing more is sent, and the application is not asked. */
  abort(): void
}

/** A client's handshake as RefusalWatch sees it. */
interface RefusableHandshake {
  readonly isRefused: boolean
  refused(): HandshakeError | null
}

/** Reports a refusal when its body has ended, or some time after its head. Used by both client drivers. */
export class RefusalWatch {
  private grace: NodeJS.Timeout | undefined

  constructor(
    private readonly handshake: RefusableHandshake,
    private readonly owner: HandshakeDriverOwner,
    private readonly late: () => void
  ) {}

  /**
   * Bytes of a response have been read.
   * @throws HandshakeError if it is a redirect, whose body is not needed
   */
  check(): void {
    if (!this.handshake.isRefused || this.grace !== undefined) return
    if (this.owner.followsRedirects) {
      const refusal = this.handshake.refused()!
      if (refusal.status < 400 && refusal.headers['location'] !== undefined) throw refusal
    }
    this.grace = startGrace(this.late)
  }

  stop(): void {
    clearTimeout(this.grace)
  }
}

/** A response that refuses a client, ready to be sent. */
export type ReadyRefusal = Pick<Refusal, 'status' | 'headers' | 'body'> & { send(): void }

/** The method that all codecs of a server share. */
export interface ServerCodec {
  setHeader(name: string, value: string | readonly string[]): void
}

/** A server's handshake: the application decides before the request arrives, when it is asked, or later. */
export abstract class ServerDriver<Codec extends ServerCodec> implements HandshakeDriver {
  readonly url = ''
  abstract readonly reader: HandshakeReader | null
  abstract readonly request: UpgradeRequest | null
  protected done = false
  private handshake: Codec | null = null
  // why the request is invalid
  private wrong: HandshakeError | null = null
  // what the application set before the request arrived
  private readonly fields: [string, readonly string[]][] = []
  private decision: (() => void) | null = null
  // the request and the wire are there: decisions take effect at once
  private isAsked = false
  // the extensions of a response that has not opened the connection
  private negotiated: Negotiated | null = null

  constructor(
    protected readonly owner: HandshakeDriverOwner,
    protected settings: Settings
  ) {
    checkServer(settings)
  }

  abstract begin(): void
  abstract handOver(server: ConnectionServer): boolean

  /** Whether the application is asked about the request before it is checked, because it asks for something other than a WebSocket. */
  protected abstract readonly isOther: boolean
  /** Reads the request. @throws HandshakeError if it breaks a rule or a function among the options throws */
  protected abstract read(): Codec
  /**
   * Makes the response that accepts the request; returns a function that sends it and opens the connection.
   * @throws HandshakeError if a function among the options or an extension fails; TypeError if `options` are invalid
   */
  protected abstract agree(handshake: Codec, options: AcceptOptions | undefined): () => void
  /** @throws RangeError, TypeError if it cannot be sent */
  protected abstract refusal(status: number, options?: RefusalOptions): ReadyRefusal
  /** Answers according to the error; returns what was sent. */
  protected abstract respondTo(error: HandshakeError): Pick<Refusal, 'headers' | 'body'>

  /** Whether the head of the response has been sent. */
  protected get hasResponded(): boolean {
    return this.done
  }

  get isDecided(): boolean {
    return this.decision !== null
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.hasResponded) throw new TypeError(SENT)
    if (this.handshake !== null) {
      if (this.isDecided) throw new TypeError('the request has been answered')
      this.handshake.setHeader(name, value)
      return
    }
    this.fields.push([name, fieldLines(name, value).map(([, line]) => line)])
  }

  addExtension(extension: Extension): void {
    if (this.hasResponded) throw new TypeError(SENT)
    this.settings = withExtension(this.settings, extension)
  }

  /**
   * Agrees on extensions, which are freed if the connection does not open; returns the text for the response.
   * @param given - as for `respondToOffer`
   * @throws HandshakeError if an extension fails
   */
  protected agreeOn(offer: string, given: string | undefined): string {
    this.freeExtensions()
    const { extensions, negotiated } = respondToOffer(offer, given, this.settings)
    this.negotiated = negotiated
    return extensions
  }

  /** The connection opens. */
  protected takeExtensions(): Negotiated | null {
    const { negotiated } = this
    this.negotiated = null
    return negotiated
  }

  private freeExtensions(): void {
    const negotiated = this.takeExtensions()
    negotiated?.incoming?.close()
    negotiated?.outgoing?.close()
  }

  accept(options?: AcceptOptions): boolean {
    if (this.hasResponded || this.isDecided) return false
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
      // otherwise the application passed invalid options, and gets the exception
      if (!(error instanceof HandshakeError)) throw error
      this.carryOut(() => this.fail(error))
      return false
    }
    this.carryOut(open)
    return true
  }

  reject(status: number, options?: RefusalOptions): boolean {
    const response = this.refusal(status, options)
    if (this.hasResponded || this.isDecided) return false
    this.carryOut(() => {
      response.send()
      this.finish(new HandshakeError('WS_ERR_REJECTED', { ...response, detail: String(status) }))
    })
    return true
  }

  fail(error: HandshakeError): void {
    if (this.done) return
    if (!this.hasResponded && error.status !== 0) {
      const { headers, body } = this.respondTo(error)
      // the error reports what was sent
      Object.assign(error, { headers, body })
    }
    this.finish(error)
  }

  late(): void {
    this.fail(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 408 }))
  }

  peerLeft(): void {
    this.fail(new HandshakeError('WS_ERR_CONNECTION_LOST', { detail: 'the client left before it was answered' }))
  }

  abort(): void {
    this.done = true
    this.freeExtensions()
  }

  /** The request and the wire are there (RFC 6455 §4.2, RFC 8441 §5). */
  protected examine(): void {
    if (this.done || this.isAsked) return
    this.isAsked = true
    if (this.isOther && !this.isDecided && this.ask()) return
    // an invalid request is refused whatever the application decided before it arrived
    if (this.readRequest() === null) return
    if (this.decision !== null) this.decision()
    else if (!this.ask()) this.acceptLate()
  }

  /** Emits 'request'; false if there is no listener. If a listener throws, the client gets a response and the exception surfaces. */
  private ask(): boolean {
    try {
      return this.owner.offer(this.request!)
    } catch (cause) {
      if (!this.hasResponded) this.fail(failed('a request listener threw', cause))
      throw cause
    }
  }

  /** Carries a decision out at once, or as soon as the request and the wire are there. */
  private carryOut(decision: () => void): void {
    if (this.isAsked) {
      decision()
      return
    }
    this.decision = decision
    if (this.request !== null && this.owner.isJoined) this.owner.begin()
  }

  /** Null if the request is invalid; it is then answered as soon as there is a wire. */
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
    if (this.isAsked) this.fail(this.wrong!)
    else if (this.owner.isJoined) this.owner.begin()
    return null
  }

  /** Accepts with the given options, or those given before the request arrived. It must not throw: no caller is left to catch it. */
  private acceptLate(options?: AcceptOptions): void {
    let open: () => void
    try {
      open = this.agree(this.handshake!, options)
    } catch (error) {
      this.fail(
        error instanceof HandshakeError ? error : failed('the options of accept() do not fit the request', error)
      )
      return
    }
    open()
  }

  protected finish(error: HandshakeError): void {
    this.done = true
    this.freeExtensions()
    this.owner.handshakeFailed(error)
  }
}

/** The application failed; the client is answered 500. */
function failed(detail: string, cause: unknown): HandshakeError {
  return new HandshakeError('WS_ERR_REJECTED', { status: 500, detail, cause })
}
