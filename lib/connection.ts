// The state of one connection and its closing handshake (RFC 6455 §7): what has happened is recorded, and tables say what follows from it. Sees
// control frames and the ends of the wire; knows no bytes and no streams.

import { after, PHASES, type Phase, type ReadyState, type Step } from './connection-phase.js'
import { HandshakeError, WebSocketError } from './errors.js'
import type { Settings } from './options.js'
import { PatientTimer } from './patient-timer.js'
import { type PingSurroundings, Pings } from './pings.js'
import { type CloseBody, CloseCode, isSendable, readCloseBody, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import { Opcode } from './protocol/opcode.js'
import type { Buffer } from './runtime/node.js'

/** Which side of a connection this is (RFC 6455 §1.3). */
export type Role = 'server' | 'client'
/** How a connection ended (RFC 6455 §7.1). */
export interface CloseInfo {
  /** The code of the peer's Close frame; 1005 where it had none, 1006 where no Close came; or the code with which this side failed the connection. */
  readonly code: number
  /** The reason along with it. */
  readonly reason: string
  /** Whether both Close frames were exchanged, and no rule was broken. */
  readonly wasClean: boolean
  /** Which side began to end the connection. */
  readonly initiator: 'local' | 'peer'
}

/** How a connection ends whose wire has not ended yet. */
export interface ClosingInfo extends Omit<CloseInfo, 'wasClean'> {
  /** What the `error` event will say; null where it does not come. */
  readonly error: Error | null
}

/** What a connection asks of its surroundings. */
export interface Surroundings extends PingSurroundings {
  /** Sends a Close behind what waits; no frame goes out after it. False where the end of the wire has to do. */
  sendClose(payload: Buffer): boolean
  /** Ends the wire behind what waits. */
  endWire(): void
  /** Whether the wire has taken all that was to be sent. */
  hasSentAll(): boolean
  /** Once all is over: whether our Close, or the end of the wire in its place, had left by then. */
  closeHasLeft(): boolean
  /** Gives up the wire at once. */
  dropWire(): void
  /** Takes no more frames from the wire: the rest is dropped. */
  stopReading(): void
  /** Whether the application is reading messages. */
  isRead(): boolean
  /** Drops messages that wait to be read, if there are any: a Close may lie behind them. */
  dropUnread(): void
  /** Lets a Close be acted on that was held. */
  releaseClose(): void
  /** No more messages will come, behind those that have arrived. */
  messagesEnded(): void
  /** A frame passes, and diagnostics_channel has subscribers for it. */
  saw(direction: 'received' | 'sent', frame: Frame): void
  /** Tells the application why the connection ends. */
  notifyError(error: Error): void
}

export class Connection {
  /** Pings and Pongs of both sides. */
  readonly pings: Pings
  /** Why the connection ends other than cleanly; null while nothing is wrong. */
  failure: WebSocketError | null = null
  /** Whether a Close of the peer's is answered by `close` only: the application is asked first. */
  relaysClose = false

  private phase: Phase = PHASES.connecting
  // of the handshake, or of the closing handshake
  private readonly timer = new PatientTimer()
  // what has happened
  private closeSent = false
  private closeReceived: CloseBody | null = null
  private initiator: 'local' | 'peer' | null = null
  private wireEnded = false
  // given up with something unsent
  private isCut = false
  // what was asked for before the connection was open
  private queuedClose: Buffer | null = null
  private closesSoon = false
  // the versions before RFC 6455's framing have no pings
  private hasPings = true

  constructor(
    readonly role: Role,
    private readonly settings: Settings,
    private readonly around: Surroundings
  ) {
    this.pings = new Pings(around)
  }

  /** Runs `late` unless the handshake is done within `handshakeTimeout`. */
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

  /** After the handshake and what the application does at once: a close that was asked for before may go out. */
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

  /** Whether messages can still be sent, or will be once the handshake is done. */
  get takesMessages(): boolean {
    return this.phase === PHASES.connecting ? this.queuedClose === null : this.phase.isSending
  }

  /** Whether Pings and Pongs can still be sent, or will be once the handshake is done. */
  get takesPings(): boolean {
    if (this.phase === PHASES.connecting) return this.queuedClose === null
    return this.phase === PHASES.open && this.hasPings
  }

  // the peer has said that nothing more comes, or is no longer listened to
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
    // without a failure the peer's Close has come; ours may have been the application's to give, or may not have left
    const { code, reason } = this.closeReceived!
    return { code, reason, wasClean: this.closeSent && !this.isCut && this.around.closeHasLeft(), initiator }
  }

  /** The code of the peer's Close; 1005 where it had none, or has not come. */
  get peerCloseCode(): number {
    return this.closeReceived?.code ?? CloseCode.NoStatus
  }

  /**
   * The error of what can no longer be sent, which says why.
   * @param cause - what is known where the connection says nothing
   */
  notOpen(cause?: unknown): WebSocketError {
    const { failure, closeReceived } = this
    if (failure !== null) return new WebSocketError('WS_ERR_NOT_OPEN', { detail: failure.message, cause: failure })
    if (closeReceived === null || this.initiator === 'local') return new WebSocketError('WS_ERR_NOT_OPEN', { cause })
    const detail = `the peer closed it with ${closeReceived.code} ${closeReceived.reason}`.trimEnd()
    return new WebSocketError('WS_ERR_NOT_OPEN', { detail })
  }

  // The closing handshake

  /** Begins the closing handshake (RFC 6455 §7.1.2), or answers the peer's Close; a second call does nothing. */
  close(body: Buffer): void {
    if (this.phase === PHASES.connecting) this.queuedClose ??= body
    else if (this.phase === PHASES.open || this.phase === PHASES.ending) this.startClose(body)
    else if (this.phase === PHASES.closeReceived) {
      this.sendClose(body)
      this.endIfFirst()
    }
  }

  /** A `close` will come when the messages before it are sent: `closeTimeout` after the wire took some of them at most. */
  closeSoon(): void {
    this.closesSoon = true
    if (this.phase !== PHASES.open) return
    this.initiator = 'local'
    this.beginClosing('close asked for')
  }

  private startClose(body: Buffer): void {
    this.initiator = 'local'
    if (!this.sendClose(body)) this.around.endWire()
  }

  /** False where this version has no Close frame: the end of the wire stands for it. */
  private sendClose(body: Buffer): boolean {
    this.closeSent = true
    this.beginClosing('close sent')
    return this.around.sendClose(body)
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    this.around.saw(direction, frame)
  }

  /** Acts on a control frame (RFC 6455 §5.5); false asks for no more input until `resumeInput`. */
  control(opcode: Opcode, payload: Buffer): boolean {
    // frames that had arrived when the wire broke: their messages still count
    if (this.failure !== null) return true
    const isAnswered = this.settings.autoPong && this.phase.isSending
    if (opcode === Opcode.Ping) return this.pings.receivePing(payload, isAnswered)
    if (opcode === Opcode.Close) this.receiveClose(payload)
    else this.pings.receivePong(payload)
    return true
  }

  /** A Close waits for a reader of what is ahead of it, though no longer than `closeTimeout`. */
  holdsClose(): boolean {
    if (this.phase !== PHASES.open || !this.around.isRead()) return false
    this.timer.start(this.settings.closeTimeout, () => this.around.releaseClose())
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
    this.around.stopReading()
    this.initiator ??= 'peer'
    this.beginClosing('close received')
    if (!this.relaysClose && this.phase === PHASES.closeReceived) this.sendClose(payload)
    this.around.messagesEnded()
    this.endIfFirst()
  }

  // RFC 6455 §7.1.1: the server ends the wire first; a client waits for that
  private endIfFirst(): void {
    if (this.role === 'server' || this.wireEnded) this.endWire()
  }

  private endWire(): void {
    if (this.phase !== PHASES.closeReceived) this.around.endWire()
  }

  /** Fails the connection (RFC 6455 §7.1.7): says why, ends the wire, and listens to nothing more. */
  fail(error: WebSocketError): void {
    if (this.phase === PHASES.closed || this.failure !== null) {
      this.around.messagesEnded()
      return
    }
    this.failure = error
    this.initiator ??= 'local'
    this.around.stopReading()
    this.beginClosing('failed')
    if (!this.closeSent && !(error instanceof HandshakeError) && isSendable(error.closeCode)) {
      this.closeSent = true
      const reason = this.settings.faultReasons ? closeReason(error) : ''
      this.around.sendClose(writeCloseBody(error.closeCode, reason))
    }
    this.around.notifyError(error)
    this.around.messagesEnded()
    this.around.endWire()
  }

  // The ends of the wire

  /** All that the wire brought has been delivered; nothing more will be. */
  inputDelivered(): void {
    if (this.phase === PHASES.closed) return
    if (!this.inputIsOver) this.lose(new WebSocketError('WS_ERR_CONNECTION_LOST'))
    if (this.wireEnded) this.endWire()
  }

  /** The peer ended the wire; what it sent before may still be on its way to the application. */
  inputEnded(): void {
    this.wireEnded = true
    if (this.phase === PHASES.connecting) this.endedByPeer()
    if (this.inputIsOver && this.phase !== PHASES.closed) this.endWire()
  }

  /** The next wire is not the one that ended. */
  reopened(): void {
    this.wireEnded = false
    this.initiator = null
  }

  /** Whatever ends the connection now, the peer began. */
  endedByPeer(): void {
    this.initiator ??= 'peer'
  }

  /** The wire is gone, with an error or without. */
  wireLost(cause?: unknown, error?: HandshakeError): void {
    this.step('no answer')
    if (this.phase === PHASES.closed || this.inputIsOver) return
    this.lose(error ?? new WebSocketError('WS_ERR_CONNECTION_LOST', { cause }))
  }

  /** Ends the connection without a word to the peer. */
  abandon(error: WebSocketError): void {
    if (this.phase === PHASES.closed) return
    this.initiator ??= 'local'
    this.step('no answer')
    // a stream that is destroyed forgets what waited in it
    this.isCut = !this.around.hasSentAll()
    if (!this.inputIsOver) this.lose(error)
    else if (this.failure === null && this.isCut) this.around.notifyError(error)
    this.around.dropWire()
  }

  // 1006: no Close frame came (RFC 6455 §7.1.5)
  private lose(error: WebSocketError): void {
    this.failure = error
    this.initiator ??= 'peer'
    this.beginClosing('failed')
    if (error.code !== 'WS_ERR_DESTROYED') this.around.notifyError(error)
    this.around.messagesEnded()
  }

  /** All is over. */
  over(): CloseInfo {
    const info = this.closeInfo
    this.step('over')
    this.timer.stop()
    this.pings.over()
    return info
  }

  /** Something came from the wire. */
  heard(): void {
    this.pings.heard()
  }

  /** The wire, which had taken no more, has taken some. */
  progressed(): void {
    this.pings.heard()
    // a wire that is given up may say so late
    if (this.phase === PHASES.closed) return
    // as long as the wire takes messages that a Close waits behind, it is not late
    const isWaiting = this.phase === PHASES.ending || this.phase === PHASES.closeReceived
    if (isWaiting || (this.closeSent && !this.around.hasSentAll())) this.expectClose()
  }

  /** The wire takes bytes again. */
  drained(): void {
    this.pings.drained()
  }

  /** Keepalive's Ping has not been answered in time. */
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
      // the peer's Close may lie behind messages that nothing reads
      if (this.closeSent && !this.around.isRead()) this.around.dropUnread()
      this.timer.start(half, () => this.closeIsLate())
    })
  }

  private closeIsLate(): void {
    if (this.closeSent) this.around.dropUnread()
    this.timer.start(0, () => this.giveUpClosing())
  }

  private giveUpClosing(): void {
    this.abandon(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'))
  }
}

/** The text of an error as far as a Close frame has room: 123 bytes (RFC 6455 §5.5). Our texts are ASCII. */
function closeReason(error: WebSocketError): string {
  return error.message.slice(0, 123)
}
