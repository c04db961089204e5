// Takes messages from the WebSocketStream or a view and passes them to the outbound chain in order. A close waits here for the messages
// sent before it.

import type { Connection } from '../connection.js'
import type { WebSocketError } from '../errors.js'
import type { MessageReceiver } from '../inbound/message-receiver.js'
import type { Lifecycle } from '../lifecycle.js'
import type { Settings } from '../options.js'
import type { Pipeline } from '../pipeline.js'
import { isDraft } from '../protocol/draft-parser.js'
import { isNoBinary, noBinary } from '../protocol/draft-writer.js'
import { isText, OrderedControl, type Outgoing } from '../protocol/message-splitter.js'
import type { Opcode } from '../protocol/opcode.js'
import { type Buffer, nextTick } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import type { Sender } from '../stages/stage.js'
import type { BytesOwner } from '../views/bytes-view.js'
import type { FramesOwner } from '../views/frames-view.js'
import type { MessageKind } from '../views/message-stream.js'
import { MessageWriter, type MessageWriterOwner } from '../views/message-writer.js'
import type { SendItem } from '../views/send-item.js'
import type { StreamsOwner } from '../views/streams-view.js'
import type { View } from '../views/view.js'
import { brokenBody, closeForView, NORMAL } from './destroyed-view.js'
import { SendQueue } from './send-queue.js'

/** State that is rarely needed, or only for a short time; kept in one object to save memory. */
interface PendingWork {
  closeBody?: Buffer
  closeSent?: (error?: Error) => void
  /** Callbacks waiting until the wire takes bytes again. */
  drained?: (() => void)[]
  /** Stands in for the view if messages filled the wire before there was a view. */
  writer?: { proceed(): void }
  /** A message was refused because the connection takes no more. */
  hasRefused?: true
  /** Why a message that was queued will be missing. */
  missing?: Error
}

export class MessageSender implements StreamsOwner, FramesOwner, BytesOwner, MessageWriterOwner {
  // holds messages while one is written in pieces
  private queue: SendQueue | null = null
  private pending: PendingWork | null = null

  constructor(
    readonly settings: Settings,
    private readonly pipeline: Pipeline,
    private readonly connection: Connection,
    private readonly receiver: MessageReceiver,
    private readonly lifecycle: Lifecycle
  ) {}

  // Messages

  get takesMessages(): boolean {
    return this.connection.takesMessages
  }

  /** The error for data that can no longer be sent; it says why. */
  notOpen(): WebSocketError {
    return this.connection.notOpen()
  }

  /**
   * Sends a message after all that are queued. False if nothing more can be sent.
   * @param written - called when it has been written to the wire, or with an error if it cannot be
   */
  send(message: Outgoing, written: Written | null): boolean {
    const isTaken = this.canSend && (this.hasBinary || isText(message))
    if (isTaken) this.enqueue(message, written)
    else this.refuse(written)
    return isTaken
  }

  /** The message cannot be sent: its callback gets an error. If the connection takes no more messages, `drained()` rejects from now on. */
  refuse(written: Written | null): void {
    const { canSend } = this
    if (!canSend) (this.pending ??= {}).hasRefused = true
    if (written !== null) nextTick(written, canSend ? noBinary() : this.notOpen())
  }

  /** Sends a Ping or a Pong after all queued messages; at once if the view was ended, since nothing can be written to it any more. */
  sendInOrder(opcode: Opcode, payload: Buffer): void {
    const { view } = this.receiver
    if (view !== null && this.viewTakesItems && !view.writable) this.pipeline.encoder.control(opcode, payload)
    else this.enqueue(new OrderedControl(opcode, payload), null)
  }

  /** Whether this version has binary messages, as far as it is known. */
  get hasBinary(): boolean {
    return !isDraft(this.lifecycle.info?.version ?? '')
  }

  /** Whether messages sent now are taken. */
  get canSend(): boolean {
    if (!this.connection.takesMessages || this.isEnding) return false
    const { view } = this.receiver
    return view === null || !this.viewTakesItems || view.writable
  }

  /** Whether messages go through the view, after those written to it. */
  private get viewTakesItems(): boolean {
    const { kind } = this.receiver
    return kind === 'messages' || kind === 'streams'
  }

  private enqueue(item: Outgoing | OrderedControl, written: Written | null): void {
    const { view } = this.receiver
    if (view === null) {
      if (!this.sendItem(item, written)) this.rememberWriter()
    } else if (!this.viewTakesItems) {
      this.sendItem(item, written)
    } else {
      ;(view as View<unknown, unknown>).write(item, written ?? undefined)
    }
  }

  sendItem(item: SendItem, written: Written | null): boolean {
    if (this.queue !== null) return this.queue.add(item, written)
    const more = this.pipeline.fragmenter.receive([item as Outgoing])
    if (written !== null) this.pipeline.whenSent(written)
    return more
  }

  sendBarrier(written: Written): true {
    if (this.queue === null) this.pipeline.whenSent(written)
    else this.queue.whenWritten(written)
    return true
  }

  whenSent(written: Written): void {
    this.pipeline.whenSent(written)
  }

  fail(error: WebSocketError): void {
    this.connection.fail(error)
  }

  /** The application has opened its view, which is notified when the wire takes more. */
  viewOpened(): void {
    const view = this.receiver.view!
    // the application may still write before it answers the peer's Close
    if (this.receiver.kind === 'bytes') this.connection.relaysClose = true
    this.setSender(view)
    if (this.pending?.writer !== undefined) view.startBlocked()
  }

  private setSender(sender: { proceed(): void }): void {
    if (this.queue !== null) this.queue.sender = sender
    else this.pipeline.fragmenter.prev = sender as unknown as Sender<Outgoing>
  }

  /** A view that is opened later emits 'drain' for messages sent before. */
  private rememberWriter(): void {
    this.pending ??= {}
    const { pending } = this
    pending.writer ??= { proceed: () => delete pending.writer }
    this.setSender(pending.writer)
  }

  // Messages written in pieces

  /** Holds messages while one is written in pieces; created with the first of these. */
  get sendQueue(): SendQueue {
    if (this.queue === null) {
      this.queue = new SendQueue(this.pipeline.fragmenter, this)
      this.queue.sender = this.receiver.view ?? this.pending?.writer ?? null
    }
    return this.queue
  }

  /** Begins a message that is written in pieces, after all that are queued. */
  createMessage(kind: MessageKind, compress: boolean): MessageWriter {
    const writer = this.makeWriter(kind, compress)
    const { view } = this.receiver
    if (view?.writable === false || this.isEnding) {
      writer.connectionOver()
    } else if (kind === 'binary' && !this.hasBinary) {
      writer.destroy(noBinary())
    } else if (view === null || view.writableLength === 0 || !this.viewTakesItems) {
      this.sendQueue.add(writer, null)
    } else {
      this.sendQueue.expect(writer)
      ;(view as View<unknown, unknown>).write(writer, error => error && writer.connectionOver())
    }
    return writer
  }

  beginMessage(kind: MessageKind | null): MessageWriter {
    const writer = this.makeWriter(kind, true)
    writer.isByHand = false
    this.sendQueue.add(writer, null)
    return writer
  }

  private makeWriter(kind: MessageKind | null, compress: boolean): MessageWriter {
    return new MessageWriter(kind, compress, this.settings.highWaterMark, this)
  }

  /** A message has begun and cannot be ended; RFC 6455 has no way to cancel it. */
  messageBroken(error: Error | null): void {
    // nothing of a binary message was sent on a draft
    if (!isNoBinary(error)) this.close(brokenBody(error))
  }

  /** A message will be missing: the peer must not take the end for a normal one, even if a Close waits behind that message. */
  messageMissing(error: Error): void {
    const pending = (this.pending ??= {})
    pending.missing = error
    if (this.isEnding || this.receiver.view?.writableEnded) pending.closeBody = brokenBody(error)
    else this.close(brokenBody(error))
  }

  // Backpressure

  /** Whether the wire takes no more at present. */
  get isBlocked(): boolean {
    return this.pipeline.encoder.isBlocked
  }

  /** Whether data sent now has to wait, for the wire or for the compressor. */
  get needsDrain(): boolean {
    if (this.lifecycle.closeInfo !== undefined) return false
    return this.isFull || (this.pipeline.isCompressing && this.pipeline.bufferedAmount > this.settings.highWaterMark)
  }

  /** Whether the wire is full, or a message written in pieces holds back as many bytes. */
  get isFull(): boolean {
    const { view } = this.receiver
    const isQueueFull = this.queue !== null && this.queue.size > this.settings.highWaterMark
    return this.pipeline.encoder.isFull || isQueueFull || (view?.writableNeedDrain ?? false)
  }

  /** Bytes that wait here or in the view. */
  get size(): number {
    return (this.queue?.size ?? 0) + (this.receiver.view?.queuedSize ?? 0)
  }

  /** Calls back when the wire has written everything sent before; with an error if the connection ends first, or a message was not sent. */
  whenAllWritten(written: Written): void {
    if (this.lifecycle.closeInfo !== undefined || this.pending?.hasRefused) written(this.notOpen())
    else
      this.whenWritten(error => {
        // a message that this version does not have keeps nothing waiting
        const failure = this.pending?.missing ?? (isNoBinary(error) ? null : error)
        written(failure && this.connection.notOpen(failure))
      })
  }

  /** Calls back when the wire has written everything sent before, or never will. */
  whenWritten(written: Written): void {
    const { view } = this.receiver
    // first what waits in the view, then what waits for a message written in pieces
    if (view?.hasWaitingWrites) view.whenWritten(written)
    else this.sendBarrier(written)
  }

  /** Calls back once, when the wire takes bytes again or is gone. */
  whenDrained(callback: () => void): void {
    const pending = (this.pending ??= {})
    ;(pending.drained ??= []).push(callback)
  }

  /** The wire takes bytes again or is gone; `isLost` if what waited for it was not written. */
  drained(isLost = false): void {
    const { pending } = this
    if (pending === null) return
    const { closeSent, drained } = pending
    delete pending.closeSent
    delete pending.drained
    closeSent?.(isLost ? this.notOpen() : undefined)
    if (drained !== undefined) for (const callback of drained) callback()
  }

  // Close

  get peerCloseCode(): number {
    return this.connection.peerCloseCode
  }

  get closeTimeout(): number {
    return this.settings.closeTimeout
  }

  /** Whether a Close waits for messages sent before it. */
  private get isEnding(): boolean {
    return this.pending?.closeBody !== undefined
  }

  /** The body of the Close that waits, or of the one that follows the end of a view. */
  private get closeBody(): Buffer {
    return this.pending?.closeBody ?? NORMAL
  }

  /** Starts the closing handshake after all queued messages. */
  close(body: Buffer): void {
    // the application does not read: drop its messages, so that the peer's answer can be read
    if (this.receiver.isUnheard) this.receiver.discard()
    const { queue } = this
    const { view } = this.receiver
    const isSettled = queue === null || queue.isSettled
    // do not wait for a message that the application has not ended, nor for messages queued after it
    const isWritten = view === null || view.destroyed || !view.hasWaitingWrites || (queue?.isOpen ?? false)
    if (isSettled && isWritten) {
      this.connection.close(body)
      // a stream piped into the view gets an error when the connection has ended
      if (view !== null && !view.hasSource) view.end()
      return
    }
    if (this.isEnding || view?.writableEnded) return
    ;(this.pending ??= {}).closeBody = body
    this.connection.closeSoon()
    // a view that was destroyed behind a message in pieces ends no more
    if (view === null || view.destroyed) {
      queue!.whenSettled(() => this.connection.close(this.closeBody))
      return
    }
    view.endBehindWrites()
    this.endsWhenStuck()
  }

  /** Closes without waiting for a message that has not ended, and those queued after it. */
  endsWhenStuck(): void {
    if (this.receiver.kind !== 'frames') this.queue?.whenStuck(() => this.connection.close(this.closeBody))
  }

  /** The application writes no more; queued messages must be sent within `closeTimeout`. */
  endsSoon(): void {
    if (!this.receiver.view!.hasWaitingWrites) return
    this.connection.closeSoon()
    this.endsWhenStuck()
  }

  endMessages(callback: (error?: Error) => void): void {
    if (this.queue === null) this.closeEnded(callback)
    else this.queue.whenSettled(() => this.closeEnded(callback))
  }

  private closeEnded(callback: (error?: Error) => void): void {
    this.connection.close(this.closeBody)
    if (this.pipeline.encoder.isBlocked && this.lifecycle.closeInfo === undefined) {
      ;(this.pending ??= {}).closeSent = callback
    } else {
      callback()
    }
  }

  /** The application wrote a Close frame itself. */
  closeWith(body: Buffer): void {
    this.connection.close(body)
  }

  messagesDestroyed(error: Error | null): void {
    const { connection, lifecycle, receiver } = this
    receiver.discard()
    closeForView(error, connection, lifecycle, receiver, () => this.closeBody)
  }

  /** The connection has ended. */
  connectionOver(): void {
    // without a clean end, the last messages of an ended view may be lost
    this.drained(!this.lifecycle.closeInfo!.wasClean)
    this.receiver.view?.connectionOver()
    this.queue?.connectionOver()
  }

  // Called by the views

  wantMessages(): void {
    this.receiver.proceed()
  }

  get allowedRsv(): number {
    return this.pipeline.decoder.allowedRsv
  }

  /** Sends a Ping or a Pong; false if it replaced an answer that was still waiting. */
  sendControl(opcode: Opcode, payload: Buffer, isAnswer = false): boolean {
    const { encoder, isCompressing } = this.pipeline
    // while messages wait, at most one answer waits, ahead of them
    const waits = encoder.isBlocked || isCompressing || (this.queue !== null && !this.queue.isEmpty)
    if (!isAnswer || this.settings.autoPong !== 'in order' || waits) return encoder.control(opcode, payload, isAnswer)
    this.sendInOrder(opcode, payload)
    return true
  }
}
