// The state of one connection and its closing handshake (RFC 6455 §7): it records what has happened, and tables say what follows. It gets
// control frames and the ends of the wire; it knows no bytes and no streams.

import { type CloseInfo, type ClosingFacts, closeReason, howItEnded, NOTHING_YET } from './closing-facts.js'
import { after, PHASES, type Phase, type ReadyState, type Step } from './connection-phase.js'
import { HandshakeError, WebSocketError } from './errors.js'
import type { Settings } from './options.js'
import { PatientTimer } from './patient-timer.js'
import { Pings, type PingsOwner } from './pings.js'
import { CloseCode, isSendable, readCloseBody, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import { Opcode } from './protocol/opcode.js'
import type { Buffer } from './runtime/node.js'

/** Which side of a connection this is (RFC 6455 §1.3). */
export type Role = 'server' | 'client'
/** How a connection will end, before its wire has ended. */
export interface ClosingInfo extends Omit<CloseInfo, 'wasClean'> {
  /** The error that `error` will report; null if there is none. */
  readonly error: Error | null
}

/** The methods that a Connection calls on the Endpoint. */
export interface ConnectionOwner extends PingsOwner {
  /** Sends a Close after queued messages; no frame follows it. False if this version has no Close frame. */
  sendClose(payload: Buffer): boolean
  /** Ends the wire after queued data. */
  endWire(): void
  /** Whether the wire has taken everything that was queued. */
  hasSentAll(): boolean
  /** After the end: whether our Close, or the end of the wire in its place, was written. */
  closeHasLeft(): boolean
  /** Destroys the wire at once. */
  dropWire(): void
  /** Reads no more frames from the wire and drops the rest. */
  stopReading(): void
  /** Whether the application is reading messages. */
  isRead(): boolean
  /** Drops messages that wait to be read: a Close may follow them. */
  dropUnread(): void
  /** Acts on a Close that was held back. */
  releaseClose(): void
  /** No more messages arrive after those already received. */
  messagesEnded(): void
  /** Reports a frame to diagnostics_channel, if it has subscribers. */
  saw(direction: 'received' | 'sent', frame: Frame): void
  /** Reports to the application why the connection ends. */
  notifyError(error: Error): void
}

export class Connection {
  /** Why the connection does not end cleanly; null while nothing is wrong. */
  failure: WebSocketError | null = null
  /** Whether the peer's Close is answered only when the application calls `close`. */
  relaysClose = false

  private phase: Phase = PHASES.connecting
  private facts: Readonly<ClosingFacts> = NOTHING_YET
  // for the handshake, later for the closing handshake
  private timer: PatientTimer | null = null
  // drafts without RFC 6455 framing have no Pings
  private hasPings = true
  private usedPings: Pings | null = null

  constructor(
    readonly role: Role,
    private readonly settings: Settings,
    private readonly owner: ConnectionOwner
  ) {}

  /** The Pings and Pongs of both sides; created with the first of them. */
  get pings(): Pings {
    this.usedPings ??= new Pings(this.owner, this.phase !== PHASES.connecting)
    return this.usedPings
  }

  /** Calls `late` unless the handshake is done within `handshakeTimeout`. */
  expectHandshake(late: () => void): void {
    this.startTimer(this.settings.handshakeTimeout, late)
  }

  private startTimer(delay: number, late: () => void): void {
    this.timer ??= new PatientTimer()
    this.timer.start(delay, late)
  }

  private stopTimer(): void {
    this.timer?.stop()
    this.timer = null
  }

  /** The handshake is done. */
  opened(version: string): void {
    this.step('handshake done')
    this.stopTimer()
    this.hasPings = !isDraft(version)
    if (!this.hasPings) this.usedPings?.areRefused()
    else if (this.settings.keepalive !== undefined) this.pings.opened(this.settings.keepalive)
    else this.usedPings?.opened()
  }

  private record(facts: Partial<ClosingFacts>): void {
    this.facts = { ...this.facts, ...facts }
  }

  /** The handshake is done and the 'open' listeners have run: a close requested earlier may now be sent. */
  ready(): void {
    const { queuedClose, closesSoon } = this.facts
    if (queuedClose !== null && this.phase === PHASES.open) this.startClose(queuedClose)
    else if (closesSoon) this.closeSoon()
  }

  private step(step: Step): void {
    this.phase = after(this.phase, step)
  }

  get state(): ReadyState {
    return this.phase.state
  }

  /** Whether messages can be sent now, or will be after the handshake. */
  get takesMessages(): boolean {
    return this.phase === PHASES.connecting ? this.facts.queuedClose === null : this.phase.isSending
  }

  /** Whether Pings and Pongs can be sent now, or will be after the handshake. */
  get takesPings(): boolean {
    if (this.phase === PHASES.connecting) return this.facts.queuedClose === null
    return this.phase === PHASES.open && this.hasPings
  }

  // the peer has sent its Close, or this side no longer reads
  private get inputIsOver(): boolean {
    return this.facts.closeReceived !== null || this.failure !== null
  }

  /** How the connection ended. */
  get closeInfo(): CloseInfo {
    return howItEnded(this.facts, this.failure, this.owner)
  }

  /** The code of the peer's Close; 1005 if it had none, or has not arrived. */
  get peerCloseCode(): number {
    return this.facts.closeReceived?.code ?? CloseCode.NoStatus
  }

  /**
   * The error for data that can no longer be sent; it says why.
   * @param cause - used if the connection itself knows no reason
   */
  notOpen(cause?: unknown): WebSocketError {
    const { failure } = this
    const { closeReceived, initiator } = this.facts
    if (failure !== null) return new WebSocketError('WS_ERR_NOT_OPEN', { detail: failure.message, cause: failure })
    if (closeReceived === null || initiator === 'local') return new WebSocketError('WS_ERR_NOT_OPEN', { cause })
    const detail = `the peer closed it with ${closeReceived.code} ${closeReceived.reason}`.trimEnd()
    return new WebSocketError('WS_ERR_NOT_OPEN', { detail })
  }

  // The closing handshake

  /** Starts the closing handshake (RFC 6455 §7.1.2), or answers the peer's Close; a second call does nothing. */
  close(body: Buffer): void {
    if (this.phase === PHASES.connecting) this.record({ queuedClose: this.facts.queuedClose ?? body })
    else if (this.phase === PHASES.open || this.phase === PHASES.ending) this.startClose(body)
    else if (this.phase === PHASES.closeReceived) {
      this.sendClose(body)
      this.endIfFirst()
    }
  }

  /** Announces a `close` that follows when the queued messages are sent, at most `closeTimeout` after the wire last took some of them. */
  closeSoon(): void {
    this.record({ closesSoon: true })
    if (this.phase !== PHASES.open) return
    this.record({ initiator: 'local' })
    this.beginClosing('close asked for')
  }

  private startClose(body: Buffer): void {
    this.record({ initiator: 'local' })
    if (!this.sendClose(body)) this.owner.endWire()
  }

  /** False if this version has no Close frame: the end of the wire replaces it. */
  private sendClose(body: Buffer): boolean {
    this.record({ closeSent: true })
    this.beginClosing('close sent')
    return this.owner.sendClose(body)
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    this.owner.saw(direction, frame)
  }

  /** Acts on a control frame (RFC 6455 §5.5); false pauses the input until `resumeInput`. */
  control(opcode: Opcode, payload: Buffer): boolean {
    // the wire broke: control frames are ignored, but messages that arrived after them are still delivered
    if (this.failure !== null) return true
    const isAnswered = this.settings.autoPong !== false && this.phase.isSending
    if (opcode === Opcode.Ping) return this.pings.receivePing(payload, isAnswered)
    if (opcode === Opcode.Close) this.receiveClose(payload)
    else this.pings.receivePong(payload)
    return true
  }

  /** Holds a Close until the application has read the messages before it, for at most `closeTimeout`. */
  holdsClose(): boolean {
    if (this.phase !== PHASES.open || !this.owner.isRead()) return false
    this.startTimer(this.settings.closeTimeout, () => this.owner.releaseClose())
    return true
  }

  // RFC 6455 §5.5.1
  private receiveClose(payload: Buffer): void {
    try {
      this.record({ closeReceived: readCloseBody(payload) })
    } catch (error) {
      this.fail(error as WebSocketError)
      return
    }
    this.owner.stopReading()
    this.startedBy('peer')
    this.beginClosing('close received')
    if (!this.relaysClose && this.phase === PHASES.closeReceived) this.sendClose(payload)
    this.owner.messagesEnded()
    this.endIfFirst()
  }

  // RFC 6455 §7.1.1: the server ends the wire first, and the client waits for that
  private endIfFirst(): void {
    if (this.role === 'server' || this.facts.wireEnded) this.endWire()
  }

  private endWire(): void {
    if (this.phase !== PHASES.closeReceived) this.owner.endWire()
  }

  /** Fails the connection (RFC 6455 §7.1.7): sends the reason, ends the wire, and reads nothing more. */
  fail(error: WebSocketError): void {
    if (this.phase === PHASES.closed || this.failure !== null) {
      this.owner.messagesEnded()
      return
    }
    this.failure = error
    this.startedBy('local')
    this.owner.stopReading()
    this.beginClosing('failed')
    if (!this.facts.closeSent && !(error instanceof HandshakeError) && isSendable(error.closeCode)) {
      this.record({ closeSent: true })
      const reason = this.settings.faultReasons ? closeReason(error) : ''
      this.owner.sendClose(writeCloseBody(error.closeCode, reason))
    }
    this.owner.notifyError(error)
    this.owner.messagesEnded()
    this.owner.endWire()
  }

  // The ends of the wire

  /** Everything that arrived on the wire has passed the stages; messages may still wait for the application. */
  inputDelivered(): void {
    if (this.phase === PHASES.closed) return
    if (!this.inputIsOver) this.lose(new WebSocketError('WS_ERR_CONNECTION_LOST'))
    if (this.facts.wireEnded) this.endWire()
  }

  /** The peer ended the wire; data it sent before may still be on its way to the application. */
  inputEnded(): void {
    this.record({ wireEnded: true })
    if (this.phase === PHASES.connecting) this.endedByPeer()
    if (this.inputIsOver && this.phase !== PHASES.closed) this.endWire()
  }

  /** A redirect starts again on a new wire. */
  reopened(): void {
    this.record({ wireEnded: false, initiator: null })
  }

  /** If the connection ends now, the peer is its initiator. */
  endedByPeer(): void {
    this.startedBy('peer')
  }

  // the first one counts
  private startedBy(initiator: 'local' | 'peer'): void {
    if (this.facts.initiator === null) this.record({ initiator })
  }

  /** The wire closed, with or without an error. */
  wireLost(cause?: unknown, error?: HandshakeError): void {
    this.step('no answer')
    if (this.phase === PHASES.closed || this.inputIsOver) return
    this.lose(error ?? new WebSocketError('WS_ERR_CONNECTION_LOST', { cause }))
  }

  /** Ends the connection without a Close frame. */
  abandon(error: WebSocketError): void {
    if (this.phase === PHASES.closed) return
    this.startedBy('local')
    this.step('no answer')
    // destroying a stream drops the data that waits in it
    const isCut = !this.owner.hasSentAll()
    this.record({ isCut })
    if (!this.inputIsOver) this.lose(error)
    else if (this.failure === null && isCut) this.owner.notifyError(error)
    this.owner.dropWire()
  }

  // 1006: no Close frame came (RFC 6455 §7.1.5)
  private lose(error: WebSocketError): void {
    this.failure = error
    this.startedBy('peer')
    this.beginClosing('failed')
    if (error.code !== 'WS_ERR_DESTROYED') this.owner.notifyError(error)
    this.owner.messagesEnded()
  }

  /** Everything has ended. */
  over(): CloseInfo {
    const info = this.closeInfo
    this.step('over')
    this.stopTimer()
    this.usedPings?.over()
    return info
  }

  /** Bytes arrived on the wire. */
  heard(): void {
    this.usedPings?.heard()
  }

  /** A wire that was full has taken some data. */
  progressed(): void {
    this.usedPings?.heard()
    // a wire that is being destroyed may report progress late
    if (this.phase === PHASES.closed) return
    // while the wire still takes messages queued before a Close, that Close is not late
    const isWaiting = this.phase === PHASES.ending || this.phase === PHASES.closeReceived
    if (isWaiting || (this.facts.closeSent && !this.owner.hasSentAll())) this.expectClose()
  }

  /** The wire takes bytes again. */
  drained(): void {
    this.usedPings?.drained()
  }

  /** The peer has not answered a keepalive Ping in time. */
  peerIsSilent(): void {
    this.record({ initiator: 'local' })
    this.abandon(new WebSocketError('WS_ERR_KEEPALIVE_TIMEOUT'))
  }

  // closeTimeout

  private beginClosing(step: Step): void {
    const isClosing = this.phase.state === 'closing'
    this.step(step)
    if (!isClosing) this.expectClose()
  }

  private expectClose(): void {
    this.usedPings?.stopKeepalive()
    const half = this.settings.closeTimeout / 2
    this.startTimer(half, () => {
      // the peer's Close may follow messages that the application does not read
      if (this.facts.closeSent && !this.owner.isRead()) this.owner.dropUnread()
      this.startTimer(half, () => this.closeIsLate())
    })
  }

  private closeIsLate(): void {
    if (this.facts.closeSent) this.owner.dropUnread()
    this.startTimer(0, () => this.giveUpClosing())
  }

  private giveUpClosing(): void {
    this.abandon(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'))
  }
}
