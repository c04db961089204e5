// The phase of a connection before it is open: the handshake driver (`Opening`) on one side, the stages that hold back frames on the other.
// It ends with an open connection, a failed one, or a wire that has been handed over.

import type { Connection } from './connection.js'
import type { HandshakeDriver } from './drivers/handshake-driver.js'
import type { Http2DriverOwner } from './drivers/http2-driver.js'
import { HandshakeError, WebSocketError } from './errors.js'
import type { Negotiated } from './extensions/negotiation.js'
import { type ConnectionServer, giveTo } from './hand-over.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { MessageReceiver } from './inbound/message-receiver.js'
import type { Lifecycle } from './lifecycle.js'
import type { UpgradeRequest } from './options.js'
import type { HandshakeStages, Pipeline } from './pipeline.js'
import { isDraft } from './protocol/draft-parser.js'
import { Buffer, nextTick } from './runtime/node.js'
import { type HandshakeReader, HandshakeTransform } from './stages/handshake-transform.js'

/** What the handshake is about, and what it leads to. */
export interface HandshakeSurroundings {
  readonly pipeline: Pipeline
  readonly connection: Connection
  readonly lifecycle: Lifecycle
  readonly receiver: MessageReceiver
  readonly highWaterMark: number
  /** Takes bytes as if they had come by the wire. */
  wireInput(chunk: Buffer): boolean
  /** Lets go of the wire. */
  releaseWire(): void
  /** Ends the connection without a word to the peer. */
  abandon(error: WebSocketError): void
  /** The phase is over: the connection opens. */
  handshakeOver(): void
}

export class HandshakePhase implements Http2DriverOwner {
  driver: HandshakeDriver
  stages: HandshakeStages
  /** Server: the request, as it was given. */
  request: UpgradeRequest | null
  /** Asked about an answer that refuses a client, before the application hears of it; true where another handshake follows. */
  whenRefused: ((answer: HandshakeError) => boolean) | null = null
  /** Whether the application has been shown a right request. */
  isOffered = false
  // `early`: in the turn in which listeners may still be added
  private begun: 'early' | 'in time' | null = null

  constructor(
    private readonly around: HandshakeSurroundings,
    makeDriver: (owner: Http2DriverOwner) => HandshakeDriver
  ) {
    this.driver = makeDriver(this)
    this.stages = this.makeStages()
    this.request = this.driver.request
  }

  private makeStages(): HandshakeStages {
    const { driver } = this
    const inbound = new HandshakeTransform(driver.request === null ? driver : null, this.around.highWaterMark)
    inbound.listener = { fail: error => driver.fault(error as HandshakeError) }
    return { inbound, outbound: new HandshakeTransform() }
  }

  /** The peer has sent a client elsewhere: another handshake, on a wire that is still to come, takes the place of this one. */
  restart(makeDriver: (owner: Http2DriverOwner) => HandshakeDriver): void {
    const old = this.stages
    this.driver = makeDriver(this)
    this.stages = this.makeStages()
    this.begun = null
    this.around.connection.reopened()
    this.around.releaseWire()
    this.around.pipeline.rejoin(old, this.stages)
  }

  /** The wire is there. What answers the handshake has the rest of this turn to be set up. */
  joined(): void {
    if (this.driver.isDecided) this.begin()
    else nextTick(() => this.begin('in time'))
  }

  begin(when: 'early' | 'in time' = 'early'): void {
    if (this.begun !== null || this.isOver) return
    this.begun = when
    const { driver, around } = this
    around.lifecycle.begins(around.connection.role, driver.url, driver.request)
    driver.begin()
  }

  /** Begins the handshake now; whether this side's part of it was sent. */
  start(): boolean {
    if (!this.isJoined || this.begun !== null) return false
    this.begin()
    return this.around.connection.failure === null
  }

  private get isOver(): boolean {
    return this.around.lifecycle.info !== null
  }

  // What the handshake driver asks for

  get isJoined(): boolean {
    return this.around.pipeline.wire !== null
  }

  offer(request: UpgradeRequest): boolean {
    this.request = request
    this.isOffered = true
    return this.around.lifecycle.askAbout(request)
  }

  sendHead(bytes: Buffer): void {
    // they go past the encoder, and to the same wire
    this.around.pipeline.encoder.bytes += bytes.length
    this.stages.outbound.send(bytes)
  }

  keepHead(bytes: Buffer): void {
    this.stages.inbound.keep(bytes)
  }

  get followsRedirects(): boolean {
    return this.whenRefused !== null
  }

  readOn(reader: HandshakeReader): void {
    this.stages.inbound.readOn(reader)
  }

  readMore(): void {
    this.stages.inbound.resumeInput()
  }

  wireInput(chunk: Buffer): boolean {
    return this.around.wireInput(chunk)
  }

  handOver(server: ConnectionServer, head: Buffer): void {
    const { pipeline, lifecycle } = this.around
    const { stream, unread } = pipeline.wire!.detach()
    const bytes = Buffer.concat([head, ...this.stages.inbound.takeHeld(), ...unread])
    pipeline.wire = null
    lifecycle.openFailed(new HandshakeError('WS_ERR_HANDED_OVER'))
    this.around.abandon(new WebSocketError('WS_ERR_DESTROYED'))
    giveTo(server, stream, bytes)
  }

  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void {
    const { around, begun } = this
    const { pipeline, connection, lifecycle } = around
    const { inbound, outbound } = this.stages
    around.handshakeOver()
    inbound.headIsDone()
    if (negotiated !== null) this.extend(negotiated)
    if (isDraft(info.version)) pipeline.speak(info.version)
    connection.opened(info.version)
    lifecycle.openSucceeded(info)
    const goOn = (): void => {
      outbound.open()
      connection.ready()
      inbound.open()
    }
    const tellOpen = (): void => {
      if (connection.failure === null) lifecycle.tellOpen(goOn)
      else goOn()
    }
    // an application that accepts in the turn of attach may listen in the rest of it
    if (begun === 'early' && !lifecycle.hearsOpen) nextTick(tellOpen)
    else tellOpen()
  }

  private extend(negotiated: Negotiated): void {
    const { pipeline, connection, receiver } = this.around
    // frames that have not been asked for are kept as they are
    if (receiver.kind === 'frames') pipeline.passExtensions(negotiated)
    else pipeline.extend(negotiated, connection, receiver.kind !== null)
  }

  handshakeFailed(error: HandshakeError): void {
    if (this.whenRefused?.(error)) return
    const { connection, lifecycle } = this.around
    lifecycle.openFailed(error)
    connection.fail(error)
    // a client has nothing more to say, and nothing to hear
    if (connection.role === 'client') connection.abandon(error)
  }

  // What ends it

  /** The wire broke. */
  wireLost(cause: unknown): void {
    this.around.connection.endedByPeer()
    // what a proxy said is said as it is
    this.driver.fault(cause instanceof HandshakeError ? cause : notConnected(cause))
  }

  /** The application gives the connection up. */
  abort(cause: unknown): void {
    this.driver.abort()
    this.around.lifecycle.openFailed(new HandshakeError('WS_ERR_ABORTED', { cause }))
  }

  /** Ends the wire. What waited for the handshake is never sent. */
  endWire(): void {
    this.stages.outbound.discard()
    this.stages.outbound.finish()
  }

  stopReading(): void {
    this.stages.inbound.discard()
  }
}

/** Says what the socket says, as it is: `connect ECONNREFUSED 127.0.0.1:1`. */
function notConnected(cause: unknown): HandshakeError {
  const message = messageOf(cause) || 'the connection was closed before the handshake was done'
  return new HandshakeError('WS_ERR_CONNECTION_LOST', { cause, message })
}

/** Where all addresses of a name were tried, each has an error of its own. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  const { message, errors } = cause as AggregateError
  return message === '' && Array.isArray(errors) ? errors.map(messageOf).join(', ') : message
}
