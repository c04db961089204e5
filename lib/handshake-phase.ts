// The phase before a connection is open: the HandshakeDriver on one side, the stages that hold back frames on the other. It ends with an
// open connection, a failed one, or a wire that was handed over.

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

/** The parts of the Endpoint that the handshake uses. */
export interface HandshakePhaseOwner {
  readonly pipeline: Pipeline
  readonly connection: Connection
  readonly lifecycle: Lifecycle
  readonly receiver: MessageReceiver
  readonly highWaterMark: number
  /** Processes bytes as if they had arrived on the wire. */
  wireInput(chunk: Buffer): boolean
  /** Destroys the wire without reporting its end. */
  releaseWire(): void
  /** Ends the connection without a Close frame. */
  abandon(error: WebSocketError): void
  /** The handshake has succeeded: the connection opens. */
  handshakeOver(): void
}

export class HandshakePhase implements Http2DriverOwner {
  driver: HandshakeDriver
  stages: HandshakeStages
  /** Server: the request, as it was given. */
  request: UpgradeRequest | null
  /** Called with a response that refuses a client, before the application sees it; returns true if another handshake follows. */
  whenRefused: ((refusal: HandshakeError) => boolean) | null = null
  /** Whether 'request' was emitted for a valid request. */
  isOffered = false
  // `same turn`: in the turn of attach(), in which the application may still add listeners
  private begun: 'same turn' | 'next turn' | null = null

  constructor(
    private readonly owner: HandshakePhaseOwner,
    makeDriver: (owner: Http2DriverOwner) => HandshakeDriver
  ) {
    this.driver = makeDriver(this)
    this.stages = this.makeStages()
    this.request = this.driver.request
  }

  private makeStages(): HandshakeStages {
    const { driver } = this
    const inbound = new HandshakeTransform(driver.reader, this.owner.highWaterMark)
    inbound.listener = { fail: error => driver.fail(error as HandshakeError) }
    return { inbound, outbound: new HandshakeTransform() }
  }

  /** After a redirect: another handshake, on a wire still to come, replaces this one. */
  restart(makeDriver: (owner: Http2DriverOwner) => HandshakeDriver): void {
    const old = this.stages
    this.driver = makeDriver(this)
    this.stages = this.makeStages()
    this.begun = null
    this.owner.connection.reopened()
    this.owner.releaseWire()
    this.owner.pipeline.rejoin(old, this.stages)
  }

  /** The wire is attached. The application has the rest of this turn to set up its answer. */
  joined(): void {
    if (this.driver.isDecided) this.begin()
    else nextTick(() => this.begin('next turn'))
  }

  begin(when: 'same turn' | 'next turn' = 'same turn'): void {
    if (this.begun !== null || this.isOver) return
    this.begun = when
    const { driver, owner } = this
    owner.lifecycle.begins(owner.connection.role, driver.url, driver.request)
    driver.begin()
  }

  /** Starts the handshake now; returns whether this side's part of it was sent. */
  start(): boolean {
    if (!this.isJoined || this.begun !== null) return false
    this.begin()
    return this.owner.connection.failure === null
  }

  private get isOver(): boolean {
    return this.owner.lifecycle.info !== null
  }

  // Called by the handshake driver

  get isJoined(): boolean {
    return this.owner.pipeline.wire !== null
  }

  offer(request: UpgradeRequest): boolean {
    this.request = request
    this.isOffered = true
    return this.owner.lifecycle.emitRequest(request)
  }

  sendHead(bytes: Buffer): void {
    // these bytes bypass the encoder, so they are counted here
    this.owner.pipeline.encoder.bytes += bytes.length
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
    return this.owner.wireInput(chunk)
  }

  handOver(server: ConnectionServer, head: Buffer): void {
    const { pipeline, lifecycle } = this.owner
    const { stream, unread } = pipeline.wire!.detach()
    const bytes = Buffer.concat([head, ...this.stages.inbound.takeHeld(), ...unread])
    pipeline.wire = null
    lifecycle.openFailed(new HandshakeError('WS_ERR_HANDED_OVER'))
    this.owner.abandon(new WebSocketError('WS_ERR_DESTROYED'))
    giveTo(server, stream, bytes)
  }

  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void {
    const { owner, begun } = this
    const { pipeline, connection, lifecycle } = owner
    const { inbound, outbound } = this.stages
    owner.handshakeOver()
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
    const emitOpen = (): void => {
      if (connection.failure === null) lifecycle.emitOpen(goOn)
      else goOn()
    }
    // an application that accepts in the turn of attach() may add its listeners later in that turn
    if (begun === 'same turn' && !lifecycle.hasOpenListeners) nextTick(emitOpen)
    else emitOpen()
  }

  private extend(negotiated: Negotiated): void {
    const { pipeline, connection, receiver } = this.owner
    // the frames view passes compressed frames on unchanged
    if (receiver.kind === 'frames') pipeline.passExtensions(negotiated)
    else pipeline.extend(negotiated, connection, receiver.kind !== null)
  }

  handshakeFailed(error: HandshakeError): void {
    if (this.whenRefused?.(error)) return
    // without the query: it may hold secrets, and errors are logged
    error.url = this.driver.url.split('?', 1)[0]!
    const { connection, lifecycle } = this.owner
    lifecycle.openFailed(error)
    connection.fail(error)
    // a client neither sends nor reads anything more
    if (connection.role === 'client') connection.abandon(error)
  }

  // How it ends

  /** The wire broke. */
  wireLost(cause: unknown): void {
    this.owner.connection.endedByPeer()
    // an error from a proxy is reported unchanged
    this.driver.fail(cause instanceof HandshakeError ? cause : notConnected(cause))
  }

  /** The application ends the connection. */
  abort(cause: unknown): void {
    this.driver.abort()
    this.owner.lifecycle.openFailed(new HandshakeError('WS_ERR_ABORTED', { cause }))
  }

  /** Ends the wire. Data that waited for the handshake is never sent. */
  endWire(): void {
    this.stages.outbound.discard()
    this.stages.outbound.finish()
  }

  stopReading(): void {
    this.stages.inbound.discard()
  }
}

/** The messages of OpenSSL if the server answers without TLS. */
const NO_TLS = /wrong version number|packet length too long/

/** Reports the socket's own message: `connect ECONNREFUSED 127.0.0.1:1`. */
function notConnected(cause: unknown): HandshakeError {
  let message = messageOf(cause) || 'the connection was closed before the handshake was done'
  if (NO_TLS.test(message)) message = 'the server does not speak TLS on this port; is its URL ws://, and not wss://?'
  return new HandshakeError('WS_ERR_CONNECTION_LOST', { cause, message })
}

/** If every address of a name was tried, the error is an AggregateError with one error for each. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  const { message, errors } = cause as AggregateError
  return message === '' && Array.isArray(errors) ? errors.map(messageOf).join(', ') : message
}
