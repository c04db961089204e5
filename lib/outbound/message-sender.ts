// What the application sends comes in, from the WebSocketStream or from a view, and goes to the outbound chain in the order in which it was
// sent. A close waits here for what was sent before it.

import type { Connection } from '../connection.js'
import { WebSocketError } from '../errors.js'
import type { MessageReceiver } from '../inbound/message-receiver.js'
import type { Lifecycle } from '../lifecycle.js'
import type { Settings } from '../options.js'
import type { Pipeline } from '../pipeline.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { isDraft } from '../protocol/draft-parser.js'
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
import { SendQueue } from './send-queue.js'

/** What few connections need, or need for a short time only. */
interface PendingWork {
  closeBody?: Buffer
  closeSent?: () => void
  /** Who waits for the wire to take bytes again. */
  drained?: (() => void)[]
  /** Stands for the view of an application that was told to wait before there was one. */
  writer?: { proceed(): void }
}

export const NORMAL = writeCloseBody(1000, '')

export class MessageSender implements StreamsOwner, FramesOwner, BytesOwner, MessageWriterOwner {
  // where messages wait while one is written piece by piece
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

  /** The error of what can no longer be sent, which says why. */
  notOpen(): WebSocketError {
    return this.connection.notOpen()
  }

  /**
   * Sends a message behind all that wait. False if nothing more can be sent.
   * @param written - called when the wire has written it, or with an error when it cannot
   */
  send(message: Outgoing, written: Written | null): boolean {
    // the drafts have no binary messages
    const isTaken = this.canSend && (!isDraft(this.lifecycle.info?.version ?? '') || isText(message))
    if (isTaken) this.enqueue(message, written)
    else if (written !== null) nextTick(written, this.notOpen())
    return isTaken
  }

  /** Sends a Ping or a Pong behind all messages that wait. */
  sendInOrder(opcode: Opcode, payload: Buffer): void {
    this.enqueue(new OrderedControl(opcode, payload), null)
  }

  private get canSend(): boolean {
    if (!this.connection.takesMessages || this.isEnding) return false
    const { view } = this.receiver
    return view === null || !this.viewTakesItems || !view.writableEnded
  }

  /** Whether messages go through the view, behind what was written there. */
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
    } else if (written === null) {
      ;(view as View<unknown, unknown>).write(item)
    } else {
      ;(view as View<unknown, unknown>).write(item, written)
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

  /** The view that the application writes to is there: it is told when the wire takes more. */
  viewOpened(): void {
    const view = this.receiver.view!
    // what is still to be written goes ahead of the answer to a Close
    if (this.receiver.kind === 'bytes') this.connection.relaysClose = true
    this.setSender(view)
    if (this.pending?.writer !== undefined) view.startBlocked()
  }

  private setSender(sender: { proceed(): void }): void {
    if (this.queue !== null) this.queue.sender = sender
    else this.pipeline.fragmenter.prev = sender as unknown as Sender<Outgoing>
  }

  /** An application that is told to wait may listen for 'drain' on a view that is yet to be made. */
  private rememberWriter(): void {
    this.pending ??= {}
    const { pending } = this
    pending.writer ??= { proceed: () => delete pending.writer }
    this.setSender(pending.writer)
  }

  // Messages in pieces

  /** Keeps all that is sent until `release`. */
  hold(): void {
    this.sendQueue.hold()
  }

  release(): void {
    this.sendQueue.release()
  }

  /** Where messages wait while one is written piece by piece; made when the first of these is begun. */
  get sendQueue(): SendQueue {
    if (this.queue === null) {
      this.queue = new SendQueue(this.pipeline.fragmenter, written => this.pipeline.whenSent(written))
      this.queue.sender = this.receiver.view ?? this.pending?.writer ?? null
    }
    return this.queue
  }

  /** Begins a message that is written in pieces, behind all that wait. */
  createMessage(kind: MessageKind, compress: boolean): MessageWriter {
    const writer = this.makeWriter(kind, compress)
    const { sendQueue } = this
    const { view } = this.receiver
    if (view?.writableEnded || this.isEnding) writer.connectionOver()
    else if (view !== null && view.writableLength > 0 && this.viewTakesItems)
      (view as View<unknown, unknown>).write(writer, error => error && writer.connectionOver())
    else sendQueue.add(writer, null)
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

  /** A message that was begun cannot be ended (RFC 6455 has no way to take it back). */
  messageBroken(error: Error | null): void {
    const isText = error instanceof WebSocketError && error.code === 'WS_ERR_INVALID_UTF8'
    this.close(writeCloseBody(isText ? CloseCode.InvalidPayload : CloseCode.InternalError, ''))
  }

  // Backpressure

  /** Whether the wire takes no more at present. */
  get isBlocked(): boolean {
    return this.pipeline.encoder.isBlocked
  }

  /** Whether what is sent now has to wait. */
  get needsDrain(): boolean {
    const { view } = this.receiver
    if (this.lifecycle.closeInfo !== undefined) return false
    // behind a message that is written in pieces
    const isQueueFull = this.queue !== null && this.queue.size > this.settings.highWaterMark
    return this.pipeline.encoder.isFull || isQueueFull || (view?.writableNeedDrain ?? false)
  }

  /** Bytes that wait here, or in the view. */
  get size(): number {
    return (this.queue?.size ?? 0) + (this.receiver.view?.queuedSize ?? 0)
  }

  /** Resolves when the wire has written all that was sent before; rejects if the connection ends first. */
  whenAllWritten(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle: Written = error => {
        if (error) reject(this.connection.notOpen(error))
        else resolve()
      }
      const { view } = this.receiver
      if (this.lifecycle.closeInfo !== undefined) settle(this.notOpen())
      // behind what waits in the view, and behind a message in pieces
      else if (view !== null && view.writableLength > 0) view.whenWritten(settle)
      else this.sendBarrier(settle)
    })
  }

  /** Calls back once when the wire takes bytes again, or is gone. */
  whenDrained(callback: () => void): void {
    this.pending ??= {}
    this.pending.drained ??= []
    this.pending.drained.push(callback)
  }

  /** The wire takes bytes again, or is gone. */
  drained(): void {
    const { pending } = this
    if (pending === null) return
    const { closeSent, drained } = pending
    delete pending.closeSent
    delete pending.drained
    closeSent?.()
    if (drained !== undefined) for (const callback of drained) callback()
  }

  // Close

  get peerCloseCode(): number {
    return this.connection.peerCloseCode
  }

  get closeTimeout(): number {
    return this.settings.closeTimeout
  }

  /** Whether a Close waits for messages that have been sent. */
  private get isEnding(): boolean {
    return this.pending?.closeBody !== undefined
  }

  /** Begins the closing handshake behind the messages that wait. */
  close(body: Buffer): void {
    // if nothing reads, the peer's answer must not wait behind messages that are not wanted
    if (this.receiver.isUnheard) this.receiver.discard()
    const { queue } = this
    const { view } = this.receiver
    const isSettled = queue === null || queue.isSettled
    // a message that the application has not ended is not waited for, nor what waits behind it
    const isWritten = view === null || view.writableLength === 0 || (queue?.isOpen ?? false)
    if (isSettled && isWritten) {
      this.connection.close(body)
      view?.end()
      return
    }
    if (this.isEnding || view?.writableEnded) return
    this.pending ??= {}
    this.pending.closeBody = body
    this.connection.closeSoon()
    if (view === null) {
      queue!.whenSettled(() => this.connection.close(body))
      return
    }
    view.end()
    this.closeIfStuck(body)
  }

  /** What waits behind a message that the application has not ended is not waited for. */
  private closeIfStuck(body: Buffer): void {
    if (this.receiver.kind !== 'frames') this.queue?.whenStuck(() => this.connection.close(body))
  }

  /** The application writes no more; what it wrote is to be sent within `closeTimeout`. */
  endsSoon(): void {
    if (this.receiver.view!.writableLength === 0) return
    this.connection.closeSoon()
    this.closeIfStuck(NORMAL)
  }

  endsWhenStuck(): void {
    this.closeIfStuck(NORMAL)
  }

  endMessages(callback: () => void): void {
    if (this.queue === null) this.closeEnded(callback)
    else this.queue.whenSettled(() => this.closeEnded(callback))
  }

  private closeEnded(callback: () => void): void {
    this.connection.close(this.pending?.closeBody ?? NORMAL)
    if (this.pipeline.encoder.isBlocked && this.lifecycle.closeInfo === undefined) {
      this.pending ??= {}
      this.pending.closeSent = callback
    } else {
      callback()
    }
  }

  /** The application writes a Close frame itself. */
  closeWith(body: Buffer): void {
    this.connection.close(body)
  }

  messagesDestroyed(error: Error | null): void {
    this.receiver.discard()
    // leaving a `for await` loop destroys the stream with an AbortError, and is no failure
    const isNormal = error === null || error.name === 'AbortError'
    if (!isNormal && !(error instanceof WebSocketError)) this.lifecycle.fail(error)
    this.connection.close(isNormal ? NORMAL : writeCloseBody(CloseCode.InternalError, ''))
  }

  /** The connection is over. */
  connectionOver(): void {
    this.drained()
    this.receiver.view?.connectionOver()
    this.queue?.connectionOver()
  }

  // What the views ask of the rest

  wantMessages(): void {
    this.receiver.proceed()
  }

  get allowedRsv(): number {
    return this.pipeline.decoder.allowedRsv
  }

  sendControl(opcode: Opcode, payload: Buffer): boolean {
    return this.pipeline.encoder.control(opcode, payload)
  }
}
