// The state of one connection: connecting, open, closing, closed; pings, the closing handshake, keepalive, and the timers of all
// these. Sees control frames and the ends of the wire; knows no bytes and no streams.

import { HandshakeError, WebSocketError } from './errors.js'
import { Keepalive, type KeepaliveOwner } from './keepalive.js'
import type { Settings } from './options.js'
import { PatientTimer } from './patient-timer.js'
import { PendingPings } from './pending-pings.js'
import { type CloseBody, CloseCode, isSendable, readCloseBody, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import { Opcode } from './protocol/opcode.js'
import { Buffer } from './runtime/node.js'

/** Which side of a connection this is (RFC 6455 §1.3). */
export type Role = 'server' | 'client'
/** The state of a connection: `'connecting'` until the handshake is done, `'closing'` from the first Close on. */
export type ReadyState = 'connecting' | 'open' | 'closing' | 'closed'

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
export interface Surroundings {
  /** Sends a Ping or Pong; false where the answer to another Ping already waited. */
  sendControl(opcode: Opcode, payload: Buffer, isAnswer?: boolean): boolean
  /** Sends a Ping or Pong behind the messages that were sent before. */
  sendInOrder(opcode: Opcode, payload: Buffer): void
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
  /** Whether the application, or this library, keeps the peer from writing at present. */
  holdsInput(): boolean
  /** Lets input go on that `control` asked to wait. */
  resumeInput(): void
  /** Whether the application is reading messages. */
  isRead(): boolean
  /** Drops messages that wait to be read, if there are any: a Close may lie behind them. */
  dropUnread(): void
  /** Lets a Close be acted on that was held. */
  releaseClose(): void
  /** No more messages will come, behind those that have arrived. */
  messagesEnded(): void
  /** Somebody watches frames. */
  saw(direction: 'received' | 'sent', frame: Frame): void
  /** Tells the application. */
  notify(event: 'ping' | 'pong', payload: Buffer): void
  /** Tells the application why the connection ends. */
  notifyError(error: Error): void
}

/**
 * Milliseconds that input waits for the wire to take a Pong, and Pings that are read then before it waits again. Two peers that both
 * write and ping would wait for each other for ever; one that pings and reads nothing is read so slowly that it costs little.
 */
const PONG_PATIENCE = 100
const PINGS_AT_ONCE = 1024

const EMPTY = Buffer.alloc(0)

export class Connection implements KeepaliveOwner {
  state: ReadyState = 'connecting'
  /** Why the connection ends other than cleanly; null while nothing is wrong. */
  failure: WebSocketError | null = null
  /** Whether a Close of the peer's is answered by `close` only: the application is asked first. */
  relaysClose = false
  /** Whether Pings are the application's to answer. */
  relaysPings = false

  // of the handshake, or of the closing handshake
  private readonly timer = new PatientTimer()
  private keepalive: Keepalive | null = null
  private closeSent = false
  // our Close waits behind messages that the wire has not taken
  private closePending = false
  private closeReceived: CloseBody | null = null
  private initiator: 'local' | 'peer' | null = null
  private queuedClose: Buffer | null = null
  private replyPending = false
  private closesSoon = false
  private pings: PendingPings | null = null
  // Pings and Pongs of before the connection is open
  private early: { opcode: Opcode; payload: Buffer }[] | null = null
  // while input waits for the wire to take a Pong
  private patience: NodeJS.Timeout | null = null
  private pingsLeft = 0
  // the versions before RFC 6455's framing have no pings
  private hasPings = true
  // given up with something unsent
  private isCut = false
  private wireEnded = false

  constructor(
    readonly role: Role,
    private readonly settings: Settings,
    private readonly around: Surroundings
  ) {}

  /** Runs `late` unless the handshake is done within `handshakeTimeout`. */
  expectHandshake(late: () => void): void {
    this.timer.start(this.settings.handshakeTimeout, late)
  }

  /** The handshake is done. */
  opened(version: string): void {
    const { early } = this
    this.early = null
    this.state = 'open'
    this.timer.stop()
    if (isDraft(version)) {
      this.hasPings = false
      this.pings?.fail()
      return
    }
    const { keepalive } = this.settings
    if (keepalive !== undefined) this.keepalive = new Keepalive(keepalive.interval, keepalive.timeout, this)
    // ahead of what an 'open' listener sends, a Close included
    if (early !== null) for (const { opcode, payload } of early) this.around.sendControl(opcode, payload)
  }

  /** After the handshake and what the application does at once: a close that was asked for before may go out. */
  ready(): void {
    if (this.queuedClose !== null && this.state === 'open') this.startClose(this.queuedClose)
    else if (this.closesSoon) this.closeSoon()
  }

  /** Whether messages can still be sent, or will be once the handshake is done. */
  get takesMessages(): boolean {
    if (this.state === 'connecting') return this.queuedClose === null
    return this.state === 'open' || this.closePending || this.replyPending
  }

  // the peer has said that nothing more comes, or is no longer listened to
  private get inputIsOver(): boolean {
    return this.closeReceived !== null || this.failure !== null
  }

  /** What there is to say once all is over. */
  get closeInfo(): CloseInfo {
    const { failure } = this
    const initiator = this.initiator!
    if (failure instanceof HandshakeError) return { code: CloseCode.Abnormal, reason: '', wasClean: false, initiator }
    if (failure !== null) {
      const reason = failure.closeCode === CloseCode.Abnormal ? '' : closeReason(failure)
      return { code: failure.closeCode, reason, wasClean: false, initiator }
    }
    // without a failure the peer's Close has come; ours may have been somebody else's to give, or may not have left
    const { code, reason } = this.closeReceived!
    return { code, reason, wasClean: this.closeSent && !this.isCut && this.around.closeHasLeft(), initiator }
  }

  /** The code of the peer's Close; 1005 where it had none, or has not come. */
  get peerCloseCode(): number {
    return this.closeReceived?.code ?? CloseCode.NoStatus
  }

  /** Begins the closing handshake (RFC 6455 §7.1.2); a second call does nothing. */
  close(body: Buffer): void {
    if (this.state === 'connecting') this.queuedClose ??= body
    else if (this.state === 'open' || this.closePending) this.startClose(body)
    else if (this.replyPending) {
      this.reply(body)
      this.endIfFirst()
    }
  }

  /** A `close` will come when the messages before it are sent: `closeTimeout` after the wire took some of them at most. */
  closeSoon(): void {
    this.closesSoon = true
    if (this.state !== 'open') return
    this.initiator = 'local'
    this.closePending = true
    this.beginClosing()
  }

  private startClose(body: Buffer): void {
    this.initiator = 'local'
    this.closePending = false
    this.beginClosing()
    this.closeSent = true
    if (!this.around.sendClose(body)) this.around.endWire()
  }

  /** Sends a Ping; the promise gives the time until its Pong in ms (RFC 6455 §5.5.2). Before the connection is open it waits. */
  ping(payload: Buffer, inOrder = false): Promise<number> {
    if (!this.takesControl) return unhandled(Promise.reject(new WebSocketError('WS_ERR_NOT_OPEN')))
    this.pings ??= new PendingPings()
    const answered = this.pings.add(payload)
    this.sendControl(Opcode.Ping, payload, inOrder)
    return answered
  }

  /** Sends an unsolicited Pong (RFC 6455 §5.5.3), or has it wait as a Ping does; false if nothing more can be sent. */
  pong(payload: Buffer, inOrder = false): boolean {
    if (!this.takesControl) return false
    this.sendControl(Opcode.Pong, payload, inOrder)
    return true
  }

  private get takesControl(): boolean {
    if (this.state === 'connecting') return this.queuedClose === null
    return this.state === 'open' && this.hasPings
  }

  private sendControl(opcode: Opcode, payload: Buffer, inOrder: boolean): void {
    if (inOrder) {
      this.around.sendInOrder(opcode, payload)
      return
    }
    if (this.state === 'open') {
      this.around.sendControl(opcode, payload)
      return
    }
    this.early ??= []
    this.early.push({ opcode, payload })
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    this.around.saw(direction, frame)
  }

  /** Acts on a control frame (RFC 6455 §5.5); false asks for no more input until `resumeInput`. */
  control(opcode: Opcode, payload: Buffer): boolean {
    // frames that had arrived when the wire broke: their messages still count
    if (this.failure !== null) return true
    if (opcode === Opcode.Close) this.receiveClose(payload)
    else if (opcode === Opcode.Ping) return this.receivePing(payload)
    else this.receivePong(payload)
    return true
  }

  /** A Close waits for a reader of what is ahead of it, though no longer than `closeTimeout`. */
  holdsClose(): boolean {
    if (this.state !== 'open' || !this.around.isRead()) return false
    this.timer.start(this.settings.closeTimeout, () => this.around.releaseClose())
    return true
  }

  private receivePing(payload: Buffer): boolean {
    const isAnswered = this.settings.autoPong && !this.closeSent && this.state !== 'closed' && !this.relaysPings
    const more = !isAnswered || this.around.sendControl(Opcode.Pong, payload, true) || this.pingsLeft-- > 0
    // a peer that pings and does not read is not read from either, or hardly
    if (!more) this.patience ??= setTimeout(() => this.readPings(), PONG_PATIENCE)
    this.around.notify('ping', payload)
    return more
  }

  private readPings(): void {
    this.pingsLeft = PINGS_AT_ONCE
    this.resumeInput()
  }

  private resumeInput(): void {
    if (this.patience === null) return
    clearTimeout(this.patience)
    this.patience = null
    this.around.resumeInput()
  }

  private receivePong(payload: Buffer): void {
    this.pings?.settle(payload)
    this.around.notify('pong', payload)
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
    this.closePending = false
    this.beginClosing()
    this.replyPending = !this.closeSent
    if (!this.relaysClose) this.reply(payload)
    this.around.messagesEnded()
    this.endIfFirst()
  }

  private reply(body: Buffer): void {
    if (!this.replyPending) return
    this.replyPending = false
    this.closeSent = true
    this.around.sendClose(body)
  }

  // RFC 6455 §7.1.1: the server ends the wire first; a client waits for that
  private endIfFirst(): void {
    if (this.role === 'server' || this.wireEnded) this.endWire()
  }

  private endWire(): void {
    if (!this.replyPending) this.around.endWire()
  }

  /** Fails the connection (RFC 6455 §7.1.7): says why, ends the wire, and listens to nothing more. */
  fail(error: WebSocketError): void {
    if (this.state === 'closed' || this.failure !== null) {
      this.around.messagesEnded()
      return
    }
    this.failure = error
    this.closePending = this.replyPending = false
    this.initiator ??= 'local'
    this.around.stopReading()
    this.beginClosing()
    if (!this.closeSent && !(error instanceof HandshakeError) && isSendable(error.closeCode)) {
      this.closeSent = true
      this.around.sendClose(writeCloseBody(error.closeCode, closeReason(error)))
    }
    this.around.notifyError(error)
    this.around.messagesEnded()
    this.around.endWire()
  }

  /** All that the wire brought has been delivered; nothing more will be. */
  inputDelivered(): void {
    if (this.state === 'closed') return
    if (!this.inputIsOver) this.lose(new WebSocketError('WS_ERR_CONNECTION_LOST'))
    if (this.wireEnded) this.endWire()
  }

  /** The peer ended the wire; what it sent before may still be on its way to the application. */
  inputEnded(): void {
    this.wireEnded = true
    if (this.state === 'connecting') this.endedByPeer()
    if (this.inputIsOver && this.state !== 'closed') this.endWire()
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
    this.replyPending = false
    if (this.state === 'closed' || this.inputIsOver) return
    this.lose(error ?? new WebSocketError('WS_ERR_CONNECTION_LOST', { cause }))
  }

  /** Ends the connection without a word to the peer. */
  abandon(error: WebSocketError): void {
    if (this.state === 'closed') return
    this.initiator ??= 'local'
    this.replyPending = false
    // a stream that is destroyed forgets what waited in it
    this.isCut = !this.around.hasSentAll()
    if (!this.inputIsOver) this.lose(error)
    else if (this.failure === null && this.isCut) this.around.notifyError(error)
    this.around.dropWire()
  }

  // 1006: no Close frame came (RFC 6455 §7.1.5)
  private lose(error: WebSocketError): void {
    this.failure = error
    this.closePending = this.replyPending = false
    this.initiator ??= 'peer'
    this.beginClosing()
    if (error.code !== 'WS_ERR_DESTROYED') this.around.notifyError(error)
    this.around.messagesEnded()
  }

  /** All is over. */
  over(): CloseInfo {
    const info = this.closeInfo
    this.state = 'closed'
    this.timer.stop()
    this.keepalive?.stop()
    if (this.patience !== null) clearTimeout(this.patience)
    this.pings?.fail()
    return info
  }

  /** Something came from the wire. */
  heard(): void {
    this.keepalive?.heard()
  }

  /** The wire, which had taken no more, has taken some. */
  progressed(): void {
    this.keepalive?.heard()
    // a wire that is given up may say so late
    if (this.state === 'closed') return
    // as long as the wire takes messages that a close waits behind, it is not late
    if (this.closePending || this.replyPending || (this.closeSent && !this.around.hasSentAll())) this.expectClose()
  }

  /** The wire takes bytes again. */
  drained(): void {
    if (this.pingsLeft !== 0) this.pingsLeft = 0
    this.resumeInput()
  }

  // Keepalive

  sendPing(): void {
    this.around.sendControl(Opcode.Ping, EMPTY)
  }

  holdsInput(): boolean {
    return this.around.holdsInput()
  }

  peerIsSilent(): void {
    this.initiator = 'local'
    this.abandon(new WebSocketError('WS_ERR_KEEPALIVE_TIMEOUT'))
  }

  private beginClosing(): void {
    if (this.state === 'closing') return
    this.state = 'closing'
    this.expectClose()
  }

  private expectClose(): void {
    this.keepalive?.stop()
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

/** A promise whose rejection need not be handled. */
function unhandled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** The text of an error as far as a Close frame has room: 123 bytes (RFC 6455 §5.5). Our texts are ASCII. */
function closeReason(error: WebSocketError): string {
  return error.message.slice(0, 123)
}
