// What the views of a connection have in common: an object-mode Duplex that ends with it. What it is a Duplex of, its subclasses say.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import { queuedSize } from '../protocol/message-splitter.js'
import { nextTick, setImmediate } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { askForDrain, Duplex, emitSurfacing, giveDrain, prepareListeners } from '../streams.js'
import { surfacing } from '../surfacing.js'
import type { SendItem } from './send-item.js'

/** What a view asks of its connection. */
export interface ViewOwner {
  /** Whether messages can still be sent. */
  readonly takesMessages: boolean
  /** The error of what can no longer be sent. */
  notOpen(): WebSocketError
  /** Milliseconds that a write on a closed connection waits for a reader. */
  readonly closeTimeout: number
  /**
   * Sends what the application wrote; false asks to wait for `proceed` of the view.
   * @param written - called when the wire has written it, or with an error when it cannot
   * @throws TypeError for what cannot be sent
   */
  sendItem(item: SendItem, written: Written | null): boolean
  /** Calls back when the wire has written all that was sent before. @returns true */
  sendBarrier(written: Written): true
  /** More is wanted. */
  wantMessages(): void
  /** Nothing more will be written. */
  endsSoon(): void
  /** Nothing more will be written, and a message in pieces that the application has not ended is not waited for. */
  endsWhenStuck(): void
  /** Begins the closing handshake; the callback comes when the Close frame is on its way. */
  endMessages(callback: () => void): void
  /** The application destroyed the view. */
  messagesDestroyed(error: Error | null): void
}

/** What is written to hear of what was written before it. */
const BARRIER: unknown = Object.freeze({ begin: null })

/** A callback of `write`, and which write it belongs to. */
interface WriteCallback {
  readonly index: number
  readonly callback: Written
}

/** One side of a connection for the application: ends after a clean close, and is destroyed with an error after any other. */
export abstract class View<In, Out> extends Duplex {
  /** Calls back when the wire has room again for what was written last. */
  protected waiting: Written | null = null
  private ended: Error | null | undefined = undefined
  private patience: NodeJS.Timeout | undefined = undefined
  // writes that were made, and that were begun; the callbacks of those that were not begun
  private writes = 0
  private begun = 0
  private callbacks: WriteCallback[] | null = null
  // items that were read
  private reads = 0
  // the write that is being made
  private making = -1
  /** Bytes in writes that have not begun. @internal */
  queuedSize = 0

  // one object at a time: what is held is counted in bytes, by the stages
  constructor(
    protected readonly owner: ViewOwner,
    options: DuplexOptions = { objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 16 }
  ) {
    super(options)
    prepareListeners(this)
    // a peer's fault reaches readers, and crashes no process that does not listen for it
    this.on('error', ignore)
  }

  /**
   * Sends what was written; false where the wire is full, and `proceed` will come.
   * @param written - called when the wire has written it
   */
  protected send?(item: In, written: Written | null): boolean

  /** Takes what comes from the pipeline. @internal */
  deliver(item: Out): boolean {
    return this.push(item)
  }

  /** Takes the end from the pipeline. @internal */
  endMessages(error: Error | null): void {
    this.ended = error
    if (error === null) this.push(null)
    else this.destroyWhenRead()
  }

  /** Whether it is read, be it slowly. @internal */
  get isRead(): boolean {
    return this.readableFlowing === true || this.readableDidRead || this.listenerCount('readable') > 0
  }

  /** Whether a reader has stopped: it may go on, but nothing says so. @internal */
  get isStopped(): boolean {
    return this.readableFlowing !== true && this.listenerCount('readable') === 0
  }

  /** The connection is over: what cannot be sent any more is an error, what can be read is still there. @internal */
  connectionOver(): void {
    if (this.writableLength > 0) this.failWrites()
    else if (this.readableEnded) this.destroySoon()
    else this.once('end', this.destroySoon)
  }

  // A writer that waits must hear of it, though not before a reader has had what is there; nor much later, if nothing reads
  /** @internal */
  protected failWrites(): void {
    const isUnread = this.ended === undefined || this.readableLength > 0 || (this.ended === null && !this.readableEnded)
    const error = this.ended ?? this.owner.notOpen()
    const { closeTimeout } = this.owner
    if (this.ended === null && isUnread) this.once('end', () => this.destroy(error))
    if (!isUnread) this.destroy(error)
    else if (closeTimeout < Number.POSITIVE_INFINITY)
      this.patience ??= setTimeout(() => this.destroy(error), closeTimeout)
  }

  /** What was sent before this view was there has filled the wire: 'drain' comes as if it had been written here. @internal */
  startBlocked(): void {
    askForDrain(this)
    this.waiting = error => error || giveDrain(this)
  }

  /** The wire takes messages again. @internal */
  proceed(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  override write(item: In, callback?: (error?: Error | null) => void): boolean
  override write(item: In, encoding: BufferEncoding | undefined, callback?: (error?: Error | null) => void): boolean
  override write(item: In, ...rest: unknown[]): boolean {
    const index = this.writes++
    const callback = rest.at(-1)
    const { making } = this
    let more = false
    this.making = index
    try {
      more = typeof callback === 'function' ? this.writeWith(index, item, callback as Written) : super.write(item)
    } catch (error) {
      // null cannot be written
      this.writes--
      this.takeCallback(index)
      throw error
    } finally {
      this.making = making
    }
    if (this.begun <= index) this.queuedSize += queuedSize(item)
    if (this.waiting === null) return more
    // what filled the wire says so itself, and not only the next one
    askForDrain(this)
    return false
  }

  /** The callback comes when the item has been written, while the stream itself goes on as soon as the wire has room. */
  private writeWith(index: number, item: In, callback: Written): boolean {
    this.callbacks ??= []
    this.callbacks.push({ index, callback })
    return super.write(item, error => {
      // what has been begun is called back by the wire
      if (error && this.takeCallback(index) !== null) surfacing(() => callback(error))
    })
  }

  private takeCallback(index: number): Written | null {
    const { callbacks } = this
    const at = callbacks === null ? -1 : callbacks.findIndex(other => other.index === index)
    return at < 0 ? null : callbacks!.splice(at, 1)[0]!.callback
  }

  override end(callback?: () => void): this
  override end(item: In, callback?: () => void): this
  override end(item: In, encoding?: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    ;(super.end as (...args: unknown[]) => unknown)(...args)
    this.endsSoon()
    return this
  }

  /** Nothing more will be written: what was is to be sent in time. @internal */
  protected endsSoon(): void {
    this.owner.endsSoon()
  }

  override _write(item: In, _encoding: string, callback: (error?: Error | null) => void): void {
    const index = this.begun++
    if (index !== this.making) this.queuedSize -= queuedSize(item)
    if (!this.owner.takesMessages) {
      this.waiting = callback
      this.failWrites()
      return
    }
    const written = this.callbacks === null ? null : this.takeCallback(index)
    let more: boolean
    // the wire may have room again before it is known that it had none
    this.waiting = callback
    try {
      more = item === BARRIER ? this.owner.sendBarrier(written!) : this.send!(item, written)
    } catch (error) {
      this.waiting = null
      if (written !== null) nextTick(written, error)
      callback(error as Error)
      return
    }
    if (more) this.proceed()
  }

  override _final(callback: () => void): void {
    this.owner.endMessages(callback)
  }

  override read(size?: number): any {
    const item = super.read(size)
    if (item !== null) this.reads++
    // after the reader has had this one
    if (this.ended && this.readableLength === 0) nextTick(() => this.destroyWhenRead())
    return item
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { reads } = this
    const told = emitSurfacing(this, event, args)
    // a listener of 'readable' that reads until nothing is there, and throws in between, has not seen the rest
    if (event === 'readable' && this.reads !== reads && this.readableLength > 0) setImmediate(() => this.tellReadable())
    return told
  }

  private tellReadable(): void {
    if (this.readableLength > 0 && !this.destroyed) this.emit('readable')
  }

  /** Calls back when the wire has written all that was written here before. @internal */
  whenWritten(written: Written): void {
    if (this.writableEnded)
      this.once('close', () => written(this.writableFinished ? null : new WebSocketError('WS_ERR_NOT_OPEN')))
    else this.barrier(written)
  }

  /** Writes what is called back when all before it has been written. @internal */
  protected barrier(written: Written): void {
    this.write(BARRIER as In, written)
  }

  override _read(): void {
    this.owner.wantMessages()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { waiting } = this
    this.waiting = null
    this.queuedSize = 0
    clearTimeout(this.patience)
    if (waiting !== null) nextTick(waiting, error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
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

/** What a Duplex of Node's leaves open: the type of what is read. */
// biome-ignore lint/correctness/noUnusedVariables: the parameters are those of the class
export interface View<In, Out> {
  on<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  on(event: 'data', listener: (item: Out) => void): this
  once<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  once(event: 'data', listener: (item: Out) => void): this
  addListener<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  addListener(event: 'data', listener: (item: Out) => void): this
  /** What arrives, one by one; leaving the loop closes with 1000. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Out>
}

type Other<E, Known> = E extends Known ? never : unknown

function ignore(): void {}
