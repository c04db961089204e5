// The base class of the views: an object-mode Duplex that ends with its connection. Its subclasses decide what it carries.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import { queuedSize } from '../protocol/message-splitter.js'
import { nextTick, setImmediate } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { askForDrain, Duplex, emitSurfacing, giveDrain, ignore, prepareListeners, writeLast } from '../streams.js'
import { surfacing } from '../surfacing.js'
import { PendingWrites } from './pending-writes.js'
import type { SendItem } from './send-item.js'

/** The parts of the connection that a view uses. */
export interface ViewOwner {
  /** Whether messages can still be sent. */
  readonly takesMessages: boolean
  /** The error for data that can no longer be sent. */
  notOpen(): WebSocketError
  /** Time in ms that a write on a closed connection waits for a reader before it fails. */
  readonly closeTimeout: number
  /**
   * Sends what the application wrote; false if it must wait for `proceed` of the view.
   * @param written - called when it has been written to the wire, or with an error if it cannot be
   * @throws TypeError if it cannot be sent
   */
  sendItem(item: SendItem, written: Written | null): boolean
  /** Calls back when the wire has written everything sent before. @returns true */
  sendBarrier(written: Written): true
  /** The view wants more. */
  wantMessages(): void
  /** The application will write no more. */
  endsSoon(): void
  /** The same, but without waiting for a message in pieces that the application has not ended. */
  endsWhenStuck(): void
  /** Starts the closing handshake; calls back when the Close frame has been passed on. */
  endMessages(callback: (error?: Error) => void): void
  /** The application destroyed the view. */
  messagesDestroyed(error: Error | null): void
}

/** An empty write whose callback runs after those of all earlier writes. */
const BARRIER: unknown = Object.freeze({ begin: null })
/** An empty write that ends like `_final`, and never completes: writes after it fail with the connection. */
const END: unknown = Object.freeze({ begin: null })

/** One view of a connection: ends after a clean close, and is destroyed with an error after any other. */
export abstract class View<In, Out> extends Duplex {
  /** The callback of the stream for a write that found the wire full. */
  protected waiting: Written | null = null
  private ended: Error | null | undefined = undefined
  private patience: NodeJS.Timeout | undefined = undefined
  // created with the first write
  private pending: PendingWrites | null = null
  // callbacks of `whenWritten` after `end`
  private finishing: Written[] | null = null
  // whether END is being written
  private hasBegunEnd = false
  /** Whether the writer notices the end itself: a pipe from the view into itself, or a JsonView. @internal */
  noticesEnd = false
  // number of items read
  private reads = 0

  // one object at a time: the stages count the buffered bytes
  constructor(
    protected readonly owner: ViewOwner,
    options: DuplexOptions = { objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 16 }
  ) {
    super(options)
    prepareListeners(this)
    // an error caused by the peer must not crash a process that does not listen for it
    this.on('error', ignore)
  }

  /**
   * Sends what was written; false if the wire is full: then `proceed` is called later.
   * @param written - called when it has been written to the wire
   */
  protected send?(item: In, written: Written | null): boolean

  /** Takes an item from the pipeline. @internal */
  deliver(item: Out): boolean {
    return this.push(item)
  }

  /** Takes the end from the pipeline. @internal */
  endMessages(error: Error | null): void {
    this.ended = error
    if (error === null) this.push(null)
    else this.destroyWhenRead()
  }

  /** Bytes in writes that have not begun. @internal */
  get queuedSize(): number {
    return this.destroyed ? 0 : (this.pending?.size ?? 0)
  }

  /** Whether something that was written has not been passed on. @internal */
  get hasWaitingWrites(): boolean {
    return this.writableLength > 0
  }

  /** Whether the application reads it, even slowly. @internal */
  get isRead(): boolean {
    return this.readableFlowing === true || this.readableDidRead || this.listenerCount('readable') > 0
  }

  /** Whether the reader has paused; it may resume at any time. @internal */
  get isStopped(): boolean {
    return this.readableFlowing !== true && this.listenerCount('readable') === 0
  }

  /** The connection has ended: pending writes fail, but what arrived can still be read. @internal */
  connectionOver(): void {
    // nothing is left to read: an application that only writes must not wait for a reader of the end
    const isReadToEnd = this.ended === null && this.readableLength === 0
    const isWritten = this.writableLength === (this.hasBegunEnd ? 1 : 0)
    // reading the end may end the writable side too
    const isOnlyWritten = isReadToEnd && isWritten && !this.isRead && this.hasSource
    if (isReadToEnd && !isOnlyWritten) this.read(0)
    if (!isWritten) this.failWrites()
    else if (isOnlyWritten || this.readableEnded) this.destroySoon()
    else this.once('end', this.destroySoon)
  }

  // Pending writes must fail, but only after the reader has read what arrived, or after `closeTimeout` if nothing reads.
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

  /** Messages sent before this view was opened have filled the wire: emit 'drain' as if they had been written here. @internal */
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
    const last = rest.at(-1)
    const callback = typeof last === 'function' ? (last as Written) : null
    this.pending ??= new PendingWrites()
    const { pending } = this
    const number = pending.make(callback)
    let more: boolean
    try {
      more = callback === null ? super.write(item) : this.writeWith(number, item)
    } catch (error) {
      // write(null) throws
      pending.undo()
      throw error
    }
    // it waits, unless the stream has ended or was destroyed
    if (pending.has(number) && this.writable) pending.hold(number, queuedSize(item))
    if (this.waiting === null) return more
    // return false for the write that filled the wire, not only for the next one
    askForDrain(this)
    return false
  }

  /** Runs the callback when the item has been written to the wire, but lets the stream continue as soon as the wire has room. */
  private writeWith(number: number, item: In): boolean {
    return super.write(item, error => {
      // once the write has begun, the wire calls back
      const callback = error ? this.pending!.takeCallback(number) : null
      if (callback !== null) surfacing(() => callback(error))
    })
  }

  override end(callback?: () => void): this
  override end(item: In, callback?: () => void): this
  override end(item: In, encoding?: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    super.end(writeLast(this, args))
    this.endsSoon()
    return this
  }

  /** The application will write no more: closeTimeout limits the time to send the rest. @internal */
  protected endsSoon(): void {
    this.owner.endsSoon()
  }

  override _write(item: In, _encoding: string, callback: (error?: Error | null) => void): void {
    const pending = this.pending!
    const number = pending.begin()
    const size = pending.takeSize(number)
    if (!this.owner.takesMessages) {
      this.waiting = callback
      this.failWrites()
      return
    }
    if (item === END) {
      this.hasBegunEnd = true
      this.owner.endMessages(() => {})
      return
    }
    const written = pending.takeCallback(number)
    let more: boolean
    // proceed() may be called before send() returns false
    this.waiting = callback
    try {
      if (size !== undefined && queuedSize(item) !== size)
        throw new TypeError('the memory of the message has changed its size')
      more = item === BARRIER ? this.owner.sendBarrier(written!) : this.send!(item, written)
    } catch (error) {
      this.waiting = null
      if (written !== null) nextTick(written, error)
      callback(error as Error)
      return
    }
    if (more) this.proceed()
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.owner.endMessages(callback)
  }

  override read(size?: number): any {
    const item = super.read(size)
    if (item !== null) this.reads++
    // after the reader has got this item
    if (this.ended && this.readableLength === 0) nextTick(() => this.destroyWhenRead())
    return item
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { reads } = this
    const told = emitSurfacing(this, event, args)
    // a 'readable' listener that threw while reading has not read the rest: emit the event again
    if (event === 'readable' && this.reads !== reads && this.readableLength > 0) setImmediate(() => this.tellReadable())
    return told
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    if (destination === (this as unknown)) this.noticesEnd = true
    return super.pipe(destination, options)
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    super.unpipe(destination)
    if (destination === undefined || destination === (this as unknown)) this.noticesEnd = false
    // an echo that can write no more: what it would read must not hold back the peer's Close
    if (destination === (this as unknown) && this.writableEnded && this.listenerCount('data') === 0) this.resume()
    return this
  }

  private tellReadable(): void {
    if (this.readableLength > 0 && !this.destroyed) this.emit('readable')
  }

  /** Calls back when the wire has written everything written here before. @internal */
  whenWritten(written: Written): void {
    if (!this.writableEnded) this.barrier(written)
    else if (this.closed) nextTick(written, new WebSocketError('WS_ERR_NOT_OPEN'))
    else if (this.finishing !== null) this.finishing.push(written)
    else {
      this.finishing = [written]
      this.once('finish', () => this.settle(null))
      this.once('close', () => this.settle(new WebSocketError('WS_ERR_NOT_OPEN')))
    }
  }

  private settle(error: Error | null): void {
    const callbacks = this.finishing!
    this.finishing = []
    for (const written of callbacks) written(error)
  }

  /** Writes an empty item whose callback runs after those of all earlier writes. @internal */
  protected barrier(written: Written): void {
    this.write(BARRIER as In, written)
  }

  override _read(): void {
    this.owner.wantMessages()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { waiting } = this
    this.waiting = null
    clearTimeout(this.patience)
    if (waiting !== null) nextTick(waiting, error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
    this.owner.messagesDestroyed(error)
    callback(error)
  }

  /** The application closes the connection: ends after what was written; a source gets an error instead. @internal */
  endBehindWrites(): void {
    if (this.hasSource) this.write(END as In)
    else this.end()
  }

  /** Whether a pipe or pipeline writes here that has not ended, and would not notice the end of this view. @internal */
  get hasSource(): boolean {
    if (this.noticesEnd) return false
    return !this.writableEnded && (this.listenerCount('drain') > 0 || this.listenerCount('unpipe') > 0)
  }

  // after other reactions to the end of reading, such as an echo that ends its writing
  private destroySoon(): void {
    setImmediate(() => {
      // After a clean close it finishes too, for `stream.finished` and Readable.toWeb; but not while a source writes here, which needs an
      // error: after 'finish' a pipeline from a generator would wait for ever.
      if (!this.writableEnded && !this.hasSource) super.end()
      setImmediate(() => this.destroy())
    })
  }

  private destroyWhenRead(): void {
    if (this.readableLength === 0 && this.ended) this.destroy(this.ended)
  }
}

/** Types the chunks, which Node's Duplex leaves untyped. */
// biome-ignore lint/correctness/noUnusedVariables: the parameters must match those of the class
export interface View<In, Out> {
  on<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  on(event: 'data', listener: (item: Out) => void): this
  once<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  once(event: 'data', listener: (item: Out) => void): this
  addListener<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  addListener(event: 'data', listener: (item: Out) => void): this
  /** The items one by one; leaving the loop closes with 1000. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Out>
}

type Other<E, Known> = E extends Known ? never : unknown
