// Emits the events of a connection in order, each once (open, error, closing, close), and holds the promises of opening and closing. Knows
// no stage and no wire.

import type { CloseInfo } from './closing-facts.js'
import type { Role } from './connection.js'
import { Deferred } from './deferred.js'
import { channels, type FrameEvent } from './diagnostics.js'
import { type Emitter, emitEvent, emitMessageBytes, emitOrThrow, hasErrorListeners, hasListeners } from './emitting.js'
import type { HandshakeError, Headers } from './errors.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { UpgradeRequest } from './options.js'
import type { Frame } from './protocol/frame.js'
import type { ReceivedMessage } from './protocol/message-joiner.js'
import { TextBytes } from './protocol/text-bytes.js'
import { Buffer, nextTick, warn } from './runtime/node.js'
import type { ConnectionStats } from './stats.js'

/** State that is rarely set, or only for a short time; kept in one object to save memory. */
interface RareState {
  opened?: Deferred<OpenInfo>
  closed?: Deferred<CloseInfo>
  openError?: HandshakeError
  error?: Error | undefined
  isErrorEmitted?: boolean
  isErrorHeard?: true
  isClosingEmitted?: true
}

const NO_FIELDS: Headers = Object.freeze({})

export class Lifecycle {
  /** What the handshake agreed on; null until then. */
  info: OpenInfo | null = null
  /** Server: the request, kept after the handshake. */
  request: UpgradeRequest | null = null
  /** How the connection ended; undefined until then. */
  closeInfo: CloseInfo | undefined = undefined
  private rare: RareState | null = null

  /** @param textAs - the form in which 'message' listeners get text */
  constructor(
    readonly emitter: Emitter,
    private readonly textAs: 'string' | 'bytes'
  ) {}

  /** Resolves with what the handshake agreed on; rejects with a HandshakeError. */
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

  /** Resolves with how the connection ended. */
  get closed(): Promise<CloseInfo> {
    this.rare ??= {}
    const { rare } = this
    if (rare.closed === undefined) {
      rare.closed = new Deferred()
      if (this.closeInfo !== undefined) rare.closed.resolve(this.closeInfo)
    }
    return rare.closed.promise
  }

  /** Status and header fields of the handshake response, also of one that refused; null until it is known. */
  get response(): { readonly status: number; readonly headers: Headers } | null {
    return this.info ?? this.rare?.openError ?? null
  }

  // The handshake

  /** Emits 'request'; false if there are no listeners. @throws what a listener throws */
  emitRequest(request: UpgradeRequest): boolean {
    return emitOrThrow(this.emitter, 'request', request)
  }

  /** Whether the application listens for errors, or did when one was emitted. */
  get hasErrorListeners(): boolean {
    return this.rare?.isErrorHeard === true || hasErrorListeners(this.emitter)
  }

  /** Whether 'open' has listeners. */
  get hasOpenListeners(): boolean {
    return hasListeners(this.emitter, 'open')
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

  /** Drops the request of an open connection and the fields of the response, for a user that shows neither. */
  forgetHeads(): void {
    this.request = null
    if (this.info !== null) this.info = { ...this.info, headers: NO_FIELDS }
  }

  /** The handshake failed. The first error is kept. */
  openFailed(error: HandshakeError): void {
    this.rare ??= {}
    this.rare.openError ??= error
    this.rare.opened?.reject(error)
  }

  /** Emits 'open', then calls `goOn`. If a listener throws, the exception surfaces and `goOn` runs in its own turn. */
  emitOpen(goOn: () => void): void {
    let isTold = false
    try {
      emitOrThrow(this.emitter, 'open', this.info)
      isTold = true
    } finally {
      if (isTold) goOn()
      else nextTick(goOn)
    }
  }

  // While it is open

  /** Whether 'message' has listeners. */
  get isHeard(): boolean {
    return hasListeners(this.emitter, 'message')
  }

  /** Passes a message to the 'message' listeners; false if there are none. */
  announce(message: ReceivedMessage): boolean {
    if (this.textAs === 'string') return emitEvent(this.emitter, 'message', message)
    const isText = message instanceof TextBytes
    return emitMessageBytes(this.emitter, isText ? message.bytes : (message as Buffer), isText ? 'text' : 'binary')
  }

  /** A Ping or a Pong has arrived. */
  notify(event: 'ping' | 'pong', payload: Buffer): void {
    // copied: the answer sends the same bytes, and a listener may change its own
    if (hasListeners(this.emitter, event)) emitEvent(this.emitter, event, Buffer.from(payload))
  }

  /** Reports a frame to diagnostics_channel; called only if it has subscribers. */
  saw(direction: 'received' | 'sent', frame: Frame): void {
    const event: FrameEvent = { stream: this.emitter, direction, frame }
    channels.frame.publish(event)
  }

  // The end

  /** Records why the connection does not end cleanly; `emitError` emits only the first error. */
  fail(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ stream: this.emitter, error })
    this.rare ??= {}
    if (!this.rare.isErrorEmitted) this.rare.error ??= error
  }

  /** Emits 'error', after the Close frame that names it has been written, since a listener may destroy the wire. */
  emitError(): void {
    const error = this.rare?.error
    if (error === undefined) return
    this.rare!.error = undefined
    this.rare!.isErrorEmitted = true
    if (hasErrorListeners(this.emitter)) this.errorIsHeard()
    if (hasListeners(this.emitter, 'error')) emitEvent(this.emitter, 'error', error)
  }

  /** The error that is about to be emitted has a listener, which may remove itself while it is called. */
  errorIsHeard(): void {
    this.rare ??= {}
    this.rare.isErrorHeard = true
  }

  /** Emits 'closing' as soon as it is known how the connection ends. Data still to be sent leaves after the listeners have run. */
  emitClosing(connection: { readonly closeInfo: CloseInfo }): void {
    if (!hasListeners(this.emitter, 'closing')) return
    this.rare ??= {}
    if (this.rare.isClosingEmitted) return
    this.rare.isClosingEmitted = true
    const { code, reason, initiator } = connection.closeInfo
    emitEvent(this.emitter, 'closing', { code, reason, initiator, error: this.rare.error ?? null })
  }

  /**
   * The connection has ended, and `closeInfo` is set. Emits 'error' and 'close', each in its own turn: an exception in a listener of one
   * does not stop the other.
   * @param failure - warns that a client did not open, if the application would not notice
   */
  over(stats: () => ConnectionStats, failure: (() => void) | null): void {
    const info = this.closeInfo!
    this.rare?.closed?.resolve(info)
    if (failure !== null) nextTick(failure)
    nextTick(() => this.emitError())
    nextTick(() => {
      if (channels.close.hasSubscribers) channels.close.publish({ stream: this.emitter, info, stats: stats() })
      emitEvent(this.emitter, 'close', info)
    })
  }

  /** Warns about a client that did not open if nothing in the application would notice. */
  warnOfFailure(url: string): void {
    const { rare } = this
    if (this.info !== null || rare?.opened !== undefined || this.hasErrorListeners) return
    const error = rare!.openError!
    // the application aborted it
    if (error.code === 'WS_ERR_ABORTED') return
    // leave the query out: it may hold secrets
    const where = url.split('?', 1)[0]
    warn(
      `no connection to ${where}: ${error.message}. Listen for 'error', or await opened, to handle it`,
      'WS_NOT_OPENED'
    )
  }
}
