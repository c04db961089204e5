// The application's side as an object-mode Duplex of whole messages: strings for text, Buffers for binary.

import { WebSocketError } from '../errors.js'
import type { Message } from '../protocol/message-joiner.js'
import type { Sendable } from '../protocol/message-splitter.js'
import type { Receiver, Sender } from '../stages/stage.js'
import { askForDrain, Duplex } from '../streams.js'
import type { MessageTaker } from './delivery.js'

/** What a view asks of its connection. */
export interface MessagesOwner {
  /** Whether messages can still be sent. */
  readonly takesMessages: boolean
  /** Milliseconds that a write on a closed connection waits for a reader. */
  readonly closeTimeout: number
  /** Sends a message; false asks to wait for `proceed` of the view. @throws TypeError for what is no message */
  sendMessage(message: Sendable): boolean
  /** More messages are wanted. */
  wantMessages(): void
  /** Begins the closing handshake; the callback comes when the Close frame is on its way. */
  endMessages(callback: () => void): void
  /** The application destroyed the view. */
  messagesDestroyed(error: Error | null): void
}

/**
 * Whole messages. `write` takes strings, ArrayBufferViews and ArrayBuffers, and says false while the wire is blocked; its
 * callback comes when the message has room. `end` closes with 1000. The readable side ends after a clean close, and is
 * destroyed with an error after any other, once all that had arrived is read.
 */
export class MessagesView extends Duplex implements MessageTaker, Sender<Sendable> {
  next: Receiver<Sendable> | null = null
  private waiting: ((error?: Error) => void) | null = null
  private ended: Error | null | undefined = undefined
  private patience: NodeJS.Timeout | undefined = undefined

  constructor(private readonly owner: MessagesOwner) {
    // one message at a time: what is held is counted in bytes, by the stages
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 16 })
    // a peer's fault reaches whoever listens or iterates, and crashes nobody who does not
    this.on('error', ignore)
  }

  /** Takes a message from the pipeline. */
  deliver(message: Message): boolean {
    return this.push(message)
  }

  /** Takes the end of messages from the pipeline. */
  endMessages(error: Error | null): void {
    this.ended = error
    if (error === null) this.push(null)
    else this.destroyWhenRead()
  }

  /** Whether somebody reads, be it slowly. @internal */
  get isRead(): boolean {
    return this.readableFlowing === true || this.readableDidRead || this.listenerCount('readable') > 0
  }

  /** The connection is over: what cannot be sent any more is an error, what can be read is still there. @internal */
  connectionOver(): void {
    if (this.writableLength > 0) this.failWrites()
    else if (this.readableEnded) this.destroySoon()
    else this.once('end', this.destroySoon)
  }

  // A writer that waits must hear of it, though not before a reader has had what is there; nor much later, if nobody reads
  private failWrites(): void {
    const isUnread = this.ended === undefined || this.readableLength > 0
    const error = this.ended ?? new WebSocketError('WS_ERR_NOT_OPEN')
    const { closeTimeout } = this.owner
    if (!isUnread) this.destroy(error)
    else if (closeTimeout < Number.POSITIVE_INFINITY)
      this.patience ??= setTimeout(() => this.destroy(error), closeTimeout)
  }

  /** The wire takes messages again. */
  proceed(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  override write(message: unknown, ...rest: unknown[]): boolean {
    const more = (super.write as (...args: unknown[]) => boolean)(message, ...rest)
    if (this.waiting === null) return more
    // the message that filled the wire says so itself, and not only the next one
    askForDrain(this)
    return false
  }

  override _write(message: Sendable, _encoding: string, callback: (error?: Error) => void): void {
    if (!this.owner.takesMessages) {
      this.waiting = callback
      this.failWrites()
      return
    }
    let more: boolean
    try {
      more = this.owner.sendMessage(message)
    } catch (error) {
      callback(error as Error)
      return
    }
    if (more) callback()
    else this.waiting = callback
  }

  override _final(callback: () => void): void {
    this.owner.endMessages(callback)
  }

  override read(size?: number): unknown {
    const message = super.read(size)
    // after the reader has had this one
    if (this.ended && this.readableLength === 0) process.nextTick(() => this.destroyWhenRead())
    return message
  }

  override _read(): void {
    this.owner.wantMessages()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { waiting } = this
    this.waiting = null
    clearTimeout(this.patience)
    waiting?.(error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
    this.owner.messagesDestroyed(error)
    callback(error)
  }

  // after whatever follows from the end of reading, as an echo's end of writing does
  private destroySoon(): void {
    setImmediate(() => this.destroy())
  }

  private destroyWhenRead(): void {
    if (this.readableLength === 0 && this.ended) this.destroy(this.ended)
  }
}

function ignore(): void {}
