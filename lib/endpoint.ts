// One endpoint of a connection: builds and connects the pipeline between wire and views, the Connection that acts on control frames, the
// handshake, and the Lifecycle that emits the events in order.

import { follow, unfollow } from './abort-signals.js'
import type { CloseInfo } from './closing-facts.js'
import { Connection, type ConnectionOwner, type Role } from './connection.js'
import type { HandshakeDriver } from './drivers/handshake-driver.js'
import type { Http2DriverOwner } from './drivers/http2-driver.js'
import type { Emitter } from './emitting.js'
import { HandshakeError, type WebSocketError } from './errors.js'
import { HandshakePhase, type HandshakePhaseOwner } from './handshake-phase.js'
import { type AnyView, MessageReceiver, type MessageReceiverOwner, type ViewKind } from './inbound/message-receiver.js'
import { Lifecycle } from './lifecycle.js'
import type { Settings, UpgradeRequest } from './options.js'
import { CloseSender } from './outbound/close-sender.js'
import { NORMAL } from './outbound/destroyed-view.js'
import { MessageSender } from './outbound/message-sender.js'
import { Pipeline } from './pipeline.js'
import type { Frame } from './protocol/frame.js'
import type { Opcode } from './protocol/opcode.js'
import { type Buffer, nextTick } from './runtime/node.js'
import type { EncoderListener } from './stages/frame-encoder.js'
import type { ConnectionStats } from './stats.js'
import { surface } from './surfacing.js'
import type { AttachedWire } from './wires/attached-wire.js'
import { PipedWire } from './wires/piped-wire.js'
import type { Wire, WireUser } from './wires/wire.js'

/** The property of a WebSocketStream that holds its endpoint. */
export const kEndpoint = Symbol('endpoint')
/** The method of a WebSocketStream that is called when no more bytes arrive or leave. */
export const kOver = Symbol('over')

/** The WebSocketStream that owns the endpoint. */
export interface EndpointUser extends Emitter {
  [kOver](): void
}

export class Endpoint implements ConnectionOwner, WireUser, MessageReceiverOwner, HandshakePhaseOwner, EncoderListener {
  readonly connection: Connection
  readonly lifecycle: Lifecycle
  readonly pipeline: Pipeline
  readonly receiver = new MessageReceiver(this)
  /** Sends what the application sends. */
  readonly sender: MessageSender
  // made when the connection closes
  private usedCloseSender: CloseSender | null = null
  /** Null once the connection is open. */
  handshake: HandshakePhase | null
  /** Whether `connect` opens the wire. Then the application cannot attach one, not even between two attempts. */
  isDialled = false
  private bytesReceived = 0

  constructor(
    private readonly user: EndpointUser,
    role: Role,
    readonly settings: Settings,
    makeDriver: (owner: Http2DriverOwner) => HandshakeDriver
  ) {
    this.connection = new Connection(role, settings, this)
    this.lifecycle = new Lifecycle(user, settings.textAs)
    const handshake = new HandshakePhase(this, makeDriver)
    this.handshake = handshake
    this.pipeline = new Pipeline(role, settings, handshake.stages, this.receiver)
    this.sender = new MessageSender(settings, this.pipeline, this.connection, this.receiver, this.lifecycle)
    const { decoder, encoder } = this.pipeline
    decoder.listener = this.connection
    encoder.listener = this
    encoder.block()
    this.connection.expectHandshake(() => this.handshake?.driver.late())
    if (settings.signal !== undefined) this.obey(settings.signal)
  }

  // Called for the application

  /** The view of this kind; created on first use. */
  open(kind: ViewKind): AnyView {
    const isNew = this.receiver.view === null
    const view = this.receiver.open(kind)
    if (!isNew) return view
    this.sender.viewOpened()
    if (this.closeInfo !== undefined) view.connectionOver()
    return view
  }

  get closeInfo(): CloseInfo | undefined {
    return this.lifecycle.closeInfo
  }

  get driver(): HandshakeDriver | null {
    return this.handshake?.driver ?? null
  }

  get request(): UpgradeRequest | null {
    return this.handshake?.request ?? this.lifecycle.request
  }

  /** Bytes taken from the application and not yet written to the wire. */
  get bufferedAmount(): number {
    return this.pipeline.bufferedAmount + this.sender.size
  }

  get stats(): ConnectionStats {
    return this.pipeline.stats(this.bytesReceived)
  }

  /** Sends a Ping; the promise resolves with the time until its Pong in ms. Before the connection is open, the Ping waits. */
  ping(payload: Buffer, inOrder: boolean): Promise<number> {
    if (this.connection.takesPings) return this.connection.pings.ping(payload, inOrder)
    const refused = Promise.reject(this.connection.notOpen())
    refused.catch(() => {})
    return refused
  }

  /** Sends an unsolicited Pong; before the connection is open, it waits like a Ping. False if nothing more can be sent. */
  pong(payload: Buffer, inOrder: boolean): boolean {
    if (!this.connection.takesPings) return false
    this.connection.pings.pong(payload, inOrder)
    return true
  }

  /** Ends the connection without a Close frame. */
  abandon(error: WebSocketError): void {
    this.handshake?.abort(error.cause)
    this.stopReading()
    this.pipeline.stopInbound()
    this.receiver.discard(error)
    this.connection.abandon(error)
  }

  /** Restarts `handshakeTimeout` for a server whose response depends on another server. On timeout it answers 504 (RFC 9110 §15.6.5). */
  awaitGateway(): void {
    const late = new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 504 })
    this.connection.expectHandshake(() => this.handshake?.driver.fail(late))
  }

  private obey(signal: AbortSignal): void {
    if (signal.aborted) nextTick(() => this.aborted())
    else follow(signal, this)
  }

  /** `signal` was aborted. A client gives up; a server answers 503, since the request has arrived or will. */
  aborted(): void {
    const { handshake, closeInfo } = this
    const cause = this.settings.signal!.reason
    if (closeInfo !== undefined) return
    if (handshake === null) this.sender.close(NORMAL)
    else if (this.connection.role === 'client') this.abandon(new HandshakeError('WS_ERR_ABORTED', { cause }))
    // without a wire the server cannot answer yet: see `join`
    else if (this.isJoined) handshake.driver.fail(new HandshakeError('WS_ERR_ABORTED', { status: 503, cause }))
  }

  // The wire

  get isJoined(): boolean {
    return this.pipeline.wire !== null
  }

  /** The wire if it is piped. */
  get pipes(): PipedWire | undefined {
    const { wire } = this.pipeline
    return wire instanceof PipedWire ? wire : undefined
  }

  /** Connects the pipeline to the wire, once for each handshake. */
  join(wire: Wire): void {
    const handshake = this.handshake!
    this.pipeline.join(wire, handshake.stages)
    // the application ended the connection before it had a wire
    if (this.closeInfo !== undefined) {
      wire.drop()
      return
    }
    // the signal was aborted before there was a wire
    if (this.settings.signal?.aborted && this.connection.role === 'server') this.aborted()
    handshake.joined()
  }

  /** Drops the wire of a handshake that was redirected; `connect` attaches another one. */
  releaseWire(): void {
    ;(this.pipeline.wire as AttachedWire).release()
  }

  wireInput(chunk: Buffer, owned = false): boolean {
    const { encoder, decoder, wire } = this.pipeline
    decoder.ownsInput = owned
    this.connection.heard()
    this.bytesReceived += chunk.length
    // answers sent while this chunk is processed leave in one write (benchmarks/questions/echo.js)
    encoder.hold()
    let more = true
    try {
      more = wire!.next!.receive([chunk])
    } catch (error) {
      // thrown by a 'request' listener
      surface(error)
    }
    encoder.release()
    return more
  }

  wireEnded(): void {
    const { driver } = this
    this.connection.inputEnded()
    this.pipeline.wire!.next!.finish()
    // unless finish() has ended or restarted the handshake
    if (driver !== null && driver === this.driver) driver.peerLeft?.()
  }

  wireLost(cause?: unknown): void {
    if (this.handshake !== null) {
      this.handshake.wireLost(cause)
    } else {
      // the bytes already received may contain a Close
      this.pipeline.decoder.decodeRest()
      this.connection.wireLost(cause)
    }
  }

  wireClosed(): void {
    // messages still being inflated arrived before the end
    if (!this.pipeline.whenInflated(() => this.wireClosed())) this.user[kOver]()
  }

  outputEnded(outcome: 'sent' | 'unknown'): void {
    if (outcome === 'sent') this.closeSender.hasEnded = true
    // a pipe stops at the first 'error' event, and the end of the input would be missed: then over() emits it
    if (this.pipes?.isFed) return
    // in its own turn: an exception in a listener must not keep the wire from ending
    nextTick(() => this.lifecycle.emitError())
  }

  /** The wire is gone in both directions. Records how the connection ended, once. */
  over(): void {
    const { pipeline, lifecycle, connection, handshake } = this
    if (lifecycle.closeInfo !== undefined) return
    // messages still being inflated arrived before the end
    if (pipeline.whenInflated(() => this.over())) return
    // the bytes already received may contain a Close
    pipeline.decoder.decodeRest()
    const lost = handshake === null ? undefined : new HandshakeError('WS_ERR_CONNECTION_LOST')
    if (lost !== undefined) lifecycle.openFailed(lost)
    connection.wireLost(undefined, lost)
    const closeInfo = connection.over()
    if (this.settings.signal !== undefined) unfollow(this.settings.signal, this)
    pipeline.stopOutbound()
    // these callbacks run before 'close', which is emitted last
    nextTick(() => pipeline.encoder.failWaiters(() => connection.notOpen()))
    const isSilent = connection.role === 'client' && handshake !== null && !this.hasReader
    // connectionOver() reads closeInfo, and runs the callbacks of messages and Blobs that could not be sent, before 'close'
    lifecycle.closeInfo = closeInfo
    this.sender.connectionOver()
    lifecycle.over(() => this.stats, isSilent ? () => lifecycle.warnOfFailure(handshake.driver.url) : null)
    pipeline.wire?.inputDone()
  }

  /** Whether a reader of messages or an error listener of the view notices the end. */
  private get hasReader(): boolean {
    const { view } = this.receiver
    // one of the listeners is the view's own
    return view !== null && (view.isRead || view.listenerCount('error') > 1)
  }

  // Called by the HandshakePhase

  get highWaterMark(): number {
    return this.settings.highWaterMark
  }

  handshakeOver(): void {
    this.lifecycle.request = this.handshake!.request
    this.handshake = null
  }

  // Called by the MessageReceiver

  fail(error: WebSocketError): void {
    this.connection.fail(error)
  }

  inputDelivered(): void {
    this.connection.inputDelivered()
    if (this.handshake !== null && this.hasReader) this.lifecycle.errorIsHeard()
    this.receiver.complete(this.connection.failure)
    this.lifecycle.emitClosing(this.connection)
    this.pipeline.wire?.inputDone()
  }

  // Called by the encoder

  progressed(): void {
    this.connection.progressed()
  }

  drained(): void {
    this.connection.drained()
    this.sender.drained()
  }

  // Called by the Connection

  private get closeSender(): CloseSender {
    this.usedCloseSender ??= new CloseSender(this.pipeline)
    return this.usedCloseSender
  }

  sendControl(opcode: Opcode, payload: Buffer, isAnswer = false): boolean {
    return this.sender.sendControl(opcode, payload, isAnswer)
  }

  sendInOrder(opcode: Opcode, payload: Buffer): void {
    this.sender.sendInOrder(opcode, payload)
  }

  sendClose(payload: Buffer): boolean {
    return this.closeSender.send(payload)
  }

  closeHasLeft(): boolean {
    return this.closeSender.hasLeft
  }

  hasSentAll(): boolean {
    return this.closeSender.hasSentAll
  }

  endWire(): void {
    if (this.handshake === null) this.pipeline.behindMessages(() => this.pipeline.encoder.finish())
    else this.handshake.endWire()
  }

  dropWire(): void {
    const { wire } = this.pipeline
    if (wire === null) this.user[kOver]()
    else wire.drop()
  }

  stopReading(): void {
    this.handshake?.stopReading()
    this.pipeline.decoder.stop()
  }

  isRead(): boolean {
    const { view } = this.receiver
    return this.lifecycle.isHeard || (view?.isRead === true && !view.isStopped)
  }

  dropUnread(): void {
    if (this.holdsInput() && !this.receiver.isUnheard) this.receiver.dropNew()
  }

  get isBlocked(): boolean {
    return this.sender.isBlocked
  }

  releaseClose(): void {
    this.pipeline.decoder.releaseClose()
  }

  holdsInput(): boolean {
    return this.pipeline.decoder.isBlocked
  }

  resumeInput(): void {
    this.pipeline.decoder.proceed()
  }

  /** Sends the end down the inbound pipeline, after messages still to be delivered. */
  messagesEnded(): void {
    this.pipeline.decoder.finish()
  }

  notify(event: 'ping' | 'pong', payload: Buffer): void {
    this.lifecycle.notify(event, payload)
  }

  peerIsSilent(): void {
    this.connection.peerIsSilent()
  }

  notifyError(error: Error): void {
    this.lifecycle.fail(error)
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    this.lifecycle.saw(direction, frame)
  }
}
