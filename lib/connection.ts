// The state of one connection and its closing handshake (RFC 6455 §7): it records what has happened, and tables say what follows. It gets
// control frames and the ends of the wire; it knows no bytes and no streams.

import { after, PHASES, type Phase, type ReadyState, type Step } from './connection-phase.js'
import { HandshakeError, WebSocketError } from './errors.js'
import type { Settings } from './options.js'
import { PatientTimer } from './patient-timer.js'
import { Pings, type PingsOwner } from './pings.js'
import { type CloseBody, CloseCode, isSendable, readCloseBody, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import { Opcode } from './protocol/opcode.js'
import type { Buffer } from './runtime/node.js'

/** Which side of a connection this is (RFC 6455 §1.3). */
export type Role = 'server' | 'client'
/** How a connection ended (RFC 6455 §7.1). */
export interface CloseInfo {
  /** The code of the peer's Close: 1005 if it had none, 1006 if none came; or the code with which this side failed the connection. */
  readonly code: number
  /** The reason that belongs to the code. */
  readonly reason: string
  /** Whether both Close frames were exchanged and neither side broke the protocol. */
  readonly wasClean: boolean
  /** The side that started to end the connection. */
  readonly initiator: 'local' | 'peer'
}

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
  /** The Pings and Pongs of both sides. */
  readonly pings: Pings
  /** Why the connection does not end cleanly; null while nothing is wrong. */
  failure: WebSocketError | null = null
  /** Whether only `close` answers the peer's Close, because the application decides. */
  relaysClose = false

  private phase: Phase = PHASES.connecting
  // for the handshake, later for the closing handshake
  private readonly timer = new PatientTimer()
  // what has happened so far
  private closeSent = false
  private closeReceived: CloseBody | null = null
  private initiator: 'local' | 'peer' | null = null
  private wireEnded = false
  // ended by this side before all data was written
  private isCut = false
  // requested before the connection was open
  private queuedClose: Buffer | null = null
  private closesSoon = false
  // drafts without RFC 6455 framing have no Pings
  private hasPings = true

  constructor(
    readonly role: Role,
    private readonly settings: Settings,
    private readonly owner: ConnectionOwner
  ) {
    this.pings = new Pings(owner)
  }

  /** Calls `late` unless the handshake is done within `handshakeTimeout`. */
  expectHandshake(late: () => void): void {
    this.timer.start(this.settings.handshakeTimeout, late)
  }

  /** The handshake is done. */
  opened(version: string): void {
    this.step('handshake done')
    this.timer.stop()
    this.hasPings = !isDraft(version)
    if (this.hasPings) this.pings.opened(this.settings.keepalive)
    else this.pings.areRefused()
  }

  /** The handshake is done and the 'open' listeners have run: a close requested earlier may now be sent. */
  ready(): void {
    if (this.queuedClose !== null && this.phase === PHASES.open) this.startClose(this.queuedClose)
    else if (this.closesSoon) this.closeSoon()
  }

  private step(step: Step): void {
    this.phase = after(this.phase, step)
  }

  get state(): ReadyState {
    return this.phase.state
  }

  /** Whether messages can be sent now, or will be after the handshake. */
  get takesMessages(): boolean {
    return this.phase === PHASES.connecting ? this.queuedClose === null : this.phase.isSending
  }

  /** Whether Pings and Pongs can be sent now, or will be after the handshake. */
  get takesPings(): boolean {
    if (this.phase === PHASES.connecting) return this.queuedClose === null
    return this.phase === PHASES.open && this.hasPings
  }

  // the peer has sent its Close, or this side no longer reads
  private get inputIsOver(): boolean {
    return this.closeReceived !== null || this.failure !== null
  }

  /** How the connection ended. */
  get closeInfo(): CloseInfo {
    const { failure } = this
    const initiator = this.initiator!
    if (failure instanceof HandshakeError) return { code: CloseCode.Abnormal, reason: '', wasClean: false, initiator }
    if (failure !== null) {
      const reason = failure.closeCode === CloseCode.Abnormal ? '' : closeReason(failure)
      return { code: failure.closeCode, reason, wasClean: false, initiator }
    }
    // Without a failure the peer's Close has arrived; ours may be left to the application, or may not have been written.
    const { code, reason } = this.closeReceived!
    return { code, reason, wasClean: this.closeSent && !this.isCut && this.owner.closeHasLeft(), initiator }
  }

  /** The code of the peer's Close; 1005 if it had none, or has not arrived. */
  get peerCloseCode(): number {
    return this.closeReceived?.code ?? CloseCode.NoStatus
  }

  /**
   * The error for data that can no longer be sent; it says why.
   * @param cause - used if the connection itself knows no reason
   */
  notOpen(cause?: unknown): WebSocketError {
    const { failure, closeReceived } = this
    if (failure !== null) return new WebSocketError('WS_ERR_NOT_OPEN', { detail: failure.message, cause: failure })
    if (closeReceived === null || this.initiator === 'local') return new WebSocketError('WS_ERR_NOT_OPEN', { cause })
    const detail = `the peer closed it with ${closeReceived.code} ${closeReceived.reason}`.trimEnd()
    return new WebSocketError('WS_ERR_NOT_OPEN', { detail })
  }

  // The closing handshake

  /** Starts the closing handshake (RFC 6455 §7.1.2), or answers the peer's Close; a second call does nothing. */
  close(body: Buffer): void {
    if (this.phase === PHASES.connecting) this.queuedClose ??= body
    else if (this.phase === PHASES.open || this.phase === PHASES.ending) this.startClose(body)
    else if (this.phase === PHASES.closeReceived) {
      this.sendClose(body)
      this.endIfFirst()
    }
  }

  /** Announces a `close` that follows when the queued messages are sent, at most `closeTimeout` after the wire last took some of them. */
  closeSoon(): void {
    this.closesSoon = true
    if (this.phase !== PHASES.open) return
    this.initiator = 'local'
    this.beginClosing('close asked for')
  }

  private startClose(body: Buffer): void {
    this.initiator = 'local'
    if (!this.sendClose(body)) this.owner.endWire()
  }

  /** False if this version has no Close frame: the end of the wire replaces it. */
  private sendClose(body: Buffer): boolean {
    this.closeSent = true
    this.beginClosing('close sent')
    return this.owner.sendClose(body)
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    this.owner.saw(direction, frame)
  }

  /** Acts on a control frame (RFC 6455 §5.5); false pauses the input until `resumeInput`. */
  control(opcode: Opcode, payload: Buffer): boolean {
    // frames that arrived before the wire broke: their messages still count
    if (this.failure !== null) return true
    const isAnswered = this.settings.autoPong && this.phase.isSending
    if (opcode === Opcode.Ping) return this.pings.receivePing(payload, isAnswered)
    if (opcode === Opcode.Close) this.receiveClose(payload)
    else this.pings.receivePong(payload)
    return true
  }

  /** Holds a Close until the application has read the messages before it, for at most `closeTimeout`. */
  holdsClose(): boolean {
    if (this.phase !== PHASES.open || !this.owner.isRead()) return false
    this.timer.start(this.settings.closeTimeout, () => this.owner.releaseClose())
    return true
  }

  // RFC 6455 §5.5.1
  private receiveClose(payload: Buffer): void {
    try {
      this.closeReceived = readCloseBody(payload)
    } catch (error) {
      this.fail(error as WebSocketError)
      return
    }
    this.owner.stopReading()
    this.initiator ??= 'peer'
    this.beginClosing('close received')
    if (!this.relaysClose && this.phase === PHASES.closeReceived) this.sendClose(payload)
    this.owner.messagesEnded()
    this.endIfFirst()
  }

  // RFC 6455 §7.1.1: the server ends the wire first, and the client waits for that
  private endIfFirst(): void {
    if (this.role === 'server' || this.wireEnded) this.endWire()
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
    this.initiator ??= 'local'
    this.owner.stopReading()
    this.beginClosing('failed')
    if (!this.closeSent && !(error instanceof HandshakeError) && isSendable(error.closeCode)) {
      this.closeSent = true
      const reason = this.settings.faultReasons ? closeReason(error) : ''
      this.owner.sendClose(writeCloseBody(error.closeCode, reason))
    }
    this.owner.notifyError(error)
    this.owner.messagesEnded()
    this.owner.endWire()
  }

  // The ends of the wire

  /** Everything that arrived on the wire has been delivered. */
  inputDelivered(): void {
    if (this.phase === PHASES.closed) return
    if (!this.inputIsOver) this.lose(new WebSocketError('WS_ERR_CONNECTION_LOST'))
    if (this.wireEnded) this.endWire()
  }

  /** The peer ended the wire; data it sent before may still be on its way to the application. */
  inputEnded(): void {
    this.wireEnded = true
    if (this.phase === PHASES.connecting) this.endedByPeer()
    if (this.inputIsOver && this.phase !== PHASES.closed) this.endWire()
  }

  /** A redirect starts again on a new wire. */
  reopened(): void {
    this.wireEnded = false
    this.initiator = null
  }

  /** If the connection ends now, the peer is its initiator. */
  endedByPeer(): void {
    this.initiator ??= 'peer'
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
    this.initiator ??= 'local'
    this.step('no answer')
    // destroying a stream drops the data that waits in it
    this.isCut = !this.owner.hasSentAll()
    if (!this.inputIsOver) this.lose(error)
    else if (this.failure === null && this.isCut) this.owner.notifyError(error)
    this.owner.dropWire()
  }

  // 1006: no Close frame came (RFC 6455 §7.1.5)
  private lose(error: WebSocketError): void {
    this.failure = error
    this.initiator ??= 'peer'
    this.beginClosing('failed')
    if (error.code !== 'WS_ERR_DESTROYED') this.owner.notifyError(error)
    this.owner.messagesEnded()
  }

  /** Everything has ended. */
  over(): CloseInfo {
    const info = this.closeInfo
    this.step('over')
    this.timer.stop()
    this.pings.over()
    return info
  }

  /** Bytes arrived on the wire. */
  heard(): void {
    this.pings.heard()
  }

  /** A wire that was full has taken some data. */
  progressed(): void {
    this.pings.heard()
    // a wire that is being destroyed may report progress late
    if (this.phase === PHASES.closed) return
    // while the wire still takes messages queued before a Close, that Close is not late
    const isWaiting = this.phase === PHASES.ending || this.phase === PHASES.closeReceived
    if (isWaiting || (this.closeSent && !this.owner.hasSentAll())) this.expectClose()
  }

  /** The wire takes bytes again. */
  drained(): void {
    this.pings.drained()
  }

  /** The peer has not answered a keepalive Ping in time. */
  peerIsSilent(): void {
    this.initiator = 'local'
    this.abandon(new WebSocketError('WS_ERR_KEEPALIVE_TIMEOUT'))
  }

  // closeTimeout

  private beginClosing(step: Step): void {
    const isClosing = this.phase.state === 'closing'
    this.step(step)
    if (!isClosing) this.expectClose()
  }

  private expectClose(): void {
    this.pings.stopKeepalive()
    const half = this.settings.closeTimeout / 2
    this.timer.start(half, () => {
      // the peer's Close may follow messages that the application does not read
      if (this.closeSent && !this.owner.isRead()) this.owner.dropUnread()
      this.timer.start(half, () => this.closeIsLate())
    })
  }

  private closeIsLate(): void {
    if (this.closeSent) this.owner.dropUnread()
    this.timer.start(0, () => this.giveUpClosing())
  }

  private giveUpClosing(): void {
    this.abandon(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'))
  }
}

/** The text of an error, cut to the 123 bytes a Close frame has room for (RFC 6455 §5.5). Our texts are ASCII. */
function closeReason(error: WebSocketError): string {
  return error.message.slice(0, 123)
}
