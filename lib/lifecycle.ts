// In which order, and how often, the application hears of a connection: open, an error, how it closes, close; and the promises of
// opening and closing. Knows no stage and no wire.

import type { CloseInfo, Role } from './connection.js'
import { Deferred } from './deferred.js'
import { channels, type FrameEvent } from './diagnostics.js'
import { ask, type Emitter, hears, hearsErrors, tell, tellBytes } from './emitting.js'
import type { HandshakeError, Headers } from './errors.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { UpgradeRequest } from './options.js'
import type { Frame } from './protocol/frame.js'
import type { ReceivedMessage } from './protocol/message-joiner.js'
import { TextBytes } from './protocol/text-bytes.js'
import { Buffer, nextTick, warn } from './runtime/node.js'
import type { ConnectionStats } from './stats.js'

/** What few connections need, or need for a short time only. */
interface Rare {
  opened?: Deferred<OpenInfo>
  closed?: Deferred<CloseInfo>
  openError?: HandshakeError
  error?: Error
  isErrorTold?: boolean
  isClosingTold?: true
}

export class Lifecycle {
  /** What the handshake agreed on; null before. */
  info: OpenInfo | null = null
  /** How it all ended; undefined before. */
  closeInfo: CloseInfo | undefined = undefined
  private rare: Rare | null = null

  /** @param textAs - the form in which listeners of 'message' get text */
  constructor(
    readonly emitter: Emitter,
    private readonly textAs: 'string' | 'bytes'
  ) {}

  /** The promise of what was agreed; rejects with a HandshakeError. */
  get opened(): Promise<OpenInfo> {
    this.rare ??= {}
    const { rare } = this
    if (rare.opened === undefined) {
      rare.opened = new Deferred()
      if (this.info !== null) rare.opened.resolve(this.info)
      else if (rare.openError !== undefined) rare.opened.reject(rare.openError)
    }
    return rare.opened.promise
  }

  /** The promise of how it ended. */
  get closed(): Promise<CloseInfo> {
    this.rare ??= {}
    const { rare } = this
    if (rare.closed === undefined) {
      rare.closed = new Deferred()
      if (this.closeInfo !== undefined) rare.closed.resolve(this.closeInfo)
    }
    return rare.closed.promise
  }

  /** Status and fields of the handshake's answer, also of one that refused; null before it. */
  get answer(): { readonly status: number; readonly headers: Headers } | null {
    return this.info ?? this.rare?.openError ?? null
  }

  // The handshake

  /** Emits 'request'; false if it has no listeners. @throws what a listener throws */
  askAbout(request: UpgradeRequest): boolean {
    return ask(this.emitter, 'request', request)
  }

  /** Whether 'open' has listeners. */
  get hearsOpen(): boolean {
    return hears(this.emitter, 'open')
  }

  /** The handshake begins. */
  begins(role: Role, url: string, request: UpgradeRequest | null): void {
    if (channels.handshake.hasSubscribers) channels.handshake.publish({ stream: this.emitter, role, url, request })
  }

  /** The handshake is done. */
  openSucceeded(info: OpenInfo): void {
    this.info = info
    if (channels.open.hasSubscribers) channels.open.publish({ stream: this.emitter, info })
    this.rare?.opened?.resolve(info)
  }

  /** The handshake failed. The first reason counts. */
  openFailed(error: HandshakeError): void {
    this.rare ??= {}
    this.rare.openError ??= error
    this.rare.opened?.reject(error)
  }

  /** Emits 'open', then goes on. A listener's exception surfaces, and the connection goes on in a turn of its own. */
  tellOpen(goOn: () => void): void {
    let isTold = false
    try {
      ask(this.emitter, 'open', this.info)
      isTold = true
    } finally {
      if (isTold) goOn()
      else nextTick(goOn)
    }
  }

  // While it is open

  /** Whether 'message' has listeners. */
  get isHeard(): boolean {
    return hears(this.emitter, 'message')
  }

  /** Gives a message to the listeners of 'message'; false where there are none. */
  announce(message: ReceivedMessage): boolean {
    if (this.textAs === 'string') return tell(this.emitter, 'message', message)
    const isText = message instanceof TextBytes
    return tellBytes(this.emitter, isText ? message.bytes : (message as Buffer), isText ? 'text' : 'binary')
  }

  /** A Ping or a Pong has arrived. */
  notify(event: 'ping' | 'pong', payload: Buffer): void {
    // the answer has the same bytes, and what a listener gets is its own
    if (hears(this.emitter, event)) tell(this.emitter, event, Buffer.from(payload))
  }

  /** A frame passes, and diagnostics_channel has subscribers for it. */
  saw(direction: 'received' | 'sent', frame: Frame): void {
    const event: FrameEvent = { stream: this.emitter, direction, frame }
    channels.frame.publish(event)
  }

  // The end

  /** Why the connection ends other than cleanly; told later, and the first one only. */
  fail(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ stream: this.emitter, error })
    this.rare ??= {}
    if (!this.rare.isErrorTold) this.rare.error ??= error
  }

  /** Emits 'error': when the Close frame that names it has left, since a listener may tear the wire down. */
  tellError(): void {
    const error = this.rare?.error
    if (error === undefined) return
    delete this.rare!.error
    this.rare!.isErrorTold = true
    if (hears(this.emitter, 'error')) tell(this.emitter, 'error', error)
  }

  /** Emits 'closing': how the connection ends is known. What this side still has to send waits, and leaves behind the listeners. */
  tellClosing(connection: { readonly closeInfo: CloseInfo }): void {
    if (!hears(this.emitter, 'closing')) return
    this.rare ??= {}
    if (this.rare.isClosingTold) return
    this.rare.isClosingTold = true
    const { code, reason, initiator } = connection.closeInfo
    tell(this.emitter, 'closing', { code, reason, initiator, error: this.rare.error ?? null })
  }

  /**
   * All is over. Emits 'error' and 'close', each by itself: what a listener of one throws does not keep the others.
   * @param failure - says that a client did not open, where nothing else tells it
   */
  over(info: CloseInfo, stats: () => ConnectionStats, failure: (() => void) | null): void {
    this.closeInfo = info
    this.rare?.closed?.resolve(info)
    if (failure !== null) nextTick(failure)
    nextTick(() => this.tellError())
    nextTick(() => {
      if (channels.close.hasSubscribers) channels.close.publish({ stream: this.emitter, info, stats: stats() })
      tell(this.emitter, 'close', info)
    })
  }

  /** A client that does not open, and that has nothing which would notice, must not fail in silence. */
  warnOfFailure(url: string): void {
    const { rare } = this
    if (this.info !== null || rare?.opened !== undefined || hearsErrors(this.emitter)) return
    const error = rare!.openError!
    // the application gave it up itself
    if (error.code === 'WS_ERR_ABORTED') return
    // a query may hold secrets
    const where = url.split('?', 1)[0]
    warn(
      `no connection to ${where}: ${error.message}. Listen for 'error', or await opened, to handle it`,
      'WS_NOT_OPENED'
    )
  }
}
