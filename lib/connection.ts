// The state of one connection: connecting, open, closing, closed; pings, the closing handshake, keepalive, and the timers of all
// these. Sees control frames and the ends of the wire; knows no bytes and no streams.

import { HandshakeError, WebSocketError } from './errors.js'
import type { Settings } from './options.js'
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

/** What a connection asks of its surroundings. */
export interface Surroundings {
  /** Sends a Ping or Pong; false where a Pong already waited. */
  sendControl(opcode: Opcode, payload: Buffer): boolean
  /** Sends a Close behind what waits; no frame goes out after it. False where the end of the wire has to do. */
  sendClose(payload: Buffer): boolean
  /** Ends the wire behind what waits. */
  endWire(): void
  /**
   * Whether the wire has taken all that was to be sent.
   * @param isOver - the wire is gone
   */
  hasSentAll(isOver?: boolean): boolean
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

interface Waiting {
  payload: Buffer
  since: number
  resolve(milliseconds: number): void
  reject(error: Error): void
}

const EMPTY = Buffer.alloc(0)

export class Connection {
  state: ReadyState = 'connecting'
  /** Something came from the wire, or went into it, since keepalive last looked. */
  heard = false

  private timer: NodeJS.Timeout | null = null

  // What an open and quiet connection is without stands in the prototype, where it costs nothing (benchmarks/questions/idle.js)
  /** Why the connection ends other than cleanly; null while nothing is wrong. */
  declare failure: WebSocketError | null
  /** Whether a Close of the peer's is answered by `close` only: somebody else is asked first. */
  declare relaysClose: boolean
  /** Whether Pings are somebody else's to answer. */
  declare relaysPings: boolean
  declare private closeSent: boolean
  // our Close waits behind messages that the wire has not taken
  declare private closePending: boolean
  declare private closeReceived: CloseBody | null
  declare private initiator: 'local' | 'peer' | null
  declare private queuedClose: Buffer | null
  declare private replyPending: boolean
  declare private closesSoon: boolean
  declare private waiting: Waiting[] | null
  // while input waits for the wire to take a Pong
  declare private patience: NodeJS.Timeout | null
  declare private pingsLeft: number
  // the versions before RFC 6455's framing have none
  declare private pings: boolean
  // given up with something unsent
  declare private isCut: boolean
  declare private wireEnded: boolean

  static {
    const quiet = Connection.prototype
    quiet.failure = quiet.closeReceived = quiet.initiator = quiet.queuedClose = quiet.waiting = quiet.patience = null
    quiet.relaysClose = quiet.relaysPings = quiet.closeSent = quiet.closePending = quiet.replyPending = false
    quiet.closesSoon = quiet.isCut = quiet.wireEnded = false
    quiet.pings = true
    quiet.pingsLeft = 0
  }

  constructor(
    readonly role: Role,
    private readonly settings: Settings,
    private readonly around: Surroundings
  ) {}

  /** Runs `late` unless the handshake is done within `handshakeTimeout`. */
  expectHandshake(late: () => void): void {
    this.startTimer(this.settings.handshakeTimeout, late)
  }

  /** The handshake is done. */
  opened(version: string): void {
    this.state = 'open'
    if (isDraft(version)) this.pings = false
    this.stopTimer()
    if (this.settings.keepalive !== undefined && this.pings) this.watch(this.settings.keepalive.interval, false)
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
    return { code, reason, wasClean: this.closeSent && !this.isCut && this.around.hasSentAll(true), initiator }
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

  /** Sends a Ping; the promise gives the time until its Pong in ms (RFC 6455 §5.5.2). */
  ping(payload: Buffer): Promise<number> {
    const promise = new Promise<number>((resolve, reject) => {
      if (this.state !== 'open' || !this.pings) throw new WebSocketError('WS_ERR_NOT_OPEN')
      this.waiting ??= []
      this.waiting.push({ payload, since: performance.now(), resolve, reject })
      this.around.sendControl(Opcode.Ping, payload)
    })
    // who does not want the answer need not handle its absence
    promise.catch(() => {})
    return promise
  }

  /** Sends a Pong that nobody asked for; false where nothing more can be sent. */
  pong(payload: Buffer): boolean {
    if (this.state !== 'open' || !this.pings) return false
    this.around.sendControl(Opcode.Pong, payload)
    return true
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
    this.startTimer(this.settings.closeTimeout, () => this.around.releaseClose())
    return true
  }

  private receivePing(payload: Buffer): boolean {
    this.around.notify('ping', payload)
    if (this.closeSent || this.state === 'closed' || this.relaysPings) return true
    if (this.around.sendControl(Opcode.Pong, payload) || this.pingsLeft-- > 0) return true
    // a peer that pings and does not read is not read from either, or hardly
    this.patience ??= setTimeout(() => {
      this.pingsLeft = PINGS_AT_ONCE
      this.resumeInput()
    }, PONG_PATIENCE)
    return false
  }

  private resumeInput(): void {
    if (this.patience === null) return
    clearTimeout(this.patience)
    this.patience = null
    this.around.resumeInput()
  }

  private receivePong(payload: Buffer): void {
    const { waiting } = this
    if (waiting !== null) {
      const index = waiting.findIndex(ping => ping.payload.equals(payload))
      // RFC 6455 §5.5.3: a peer may answer only the newest of several
      for (const ping of waiting.splice(0, index + 1)) ping.resolve(performance.now() - ping.since)
    }
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
    this.stopTimer()
    if (this.patience !== null) clearTimeout(this.patience)
    const { waiting } = this
    if (waiting === null) return info
    this.waiting = null
    for (const ping of waiting) ping.reject(new WebSocketError('WS_ERR_NOT_OPEN'))
    return info
  }

  /** The wire takes bytes again. */
  drained(): void {
    this.heard = true
    if (this.pingsLeft !== 0) this.pingsLeft = 0
    // as long as the wire takes messages that a close waits behind, it is not late
    if (this.closePending) this.expectClose()
    this.resumeInput()
  }

  private beginClosing(): void {
    if (this.state === 'closing') return
    this.state = 'closing'
    this.expectClose()
  }

  private expectClose(): void {
    this.startTimer(this.settings.closeTimeout, () => this.abandon(new WebSocketError('WS_ERR_CLOSE_TIMEOUT')))
  }

  private watch(delay: number, pinged: boolean): void {
    const { interval, timeout } = this.settings.keepalive!
    this.startTimer(delay, () => {
      const alive = this.heard || this.around.holdsInput()
      this.heard = false
      if (!alive && pinged) {
        this.initiator = 'local'
        this.abandon(new WebSocketError('WS_ERR_KEEPALIVE_TIMEOUT'))
        return
      }
      if (!alive) this.around.sendControl(Opcode.Ping, EMPTY)
      this.watch(alive ? interval : timeout, !alive)
    })
  }

  private startTimer(delay: number, run: () => void): void {
    this.stopTimer()
    if (delay !== Number.POSITIVE_INFINITY) this.timer = setTimeout(run, delay)
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }
}

/** The text of an error as far as a Close frame has room: 123 bytes (RFC 6455 §5.5). Our texts are ASCII. */
function closeReason(error: WebSocketError): string {
  return error.message.slice(0, 123)
}
