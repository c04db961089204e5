// The base class of the stages: a Transform around one codec. `pipe` links two stages directly, so that batches are passed by a
// function call; to any other stream it works as usual.

import type { DuplexOptions, TransformCallback } from 'node:stream'
import { isTraced, trace } from '../diagnostics.js'
import type { WebSocketError } from '../errors.js'
import { lazy, Transform } from '../streams.js'

/** The unit that a link carries: all frames, messages or buffers from one chunk. */
export type Batch<T> = readonly T[]

/** The downstream end of a link. */
export interface Receiver<T> {
  /** Takes the whole batch; false pauses until it calls `proceed` upstream. */
  receive(batch: Batch<T>): boolean
  /** No more batches follow. */
  finish(): void
}

/** The upstream end of a link. */
export interface Sender<T> {
  /** The next receiver downstream; null for none. */
  next: Receiver<T> | null
  /** The receiver takes more again. */
  proceed(): void
}

/** Is notified when the peer breaks a rule. Otherwise the stream would be destroyed, and no Close frame could be sent. */
export interface ErrorListener {
  fail(error: WebSocketError): void
}

const LazyTransform = lazy(Transform)

/** One stage of the pipeline. Object-mode sides carry batches; a single item counts as a batch of one. */
export abstract class Stage<In, Out> extends LazyTransform implements Receiver<In>, Sender<Out> {
  /** The next stage downstream. */
  next: Receiver<Out> | null = null
  /** The next stage upstream. */
  prev: Sender<In> | null = null
  // the callback of a _transform whose batch filled downstream, or of a _flush whose end has not been passed on
  declare private waiting: TransformCallback | undefined

  /** Whether the readable side carries batches instead of bytes. @internal */
  protected get readsBatches(): boolean {
    return true
  }

  /** Whether the writable side takes batches instead of bytes. @internal */
  protected get writesBatches(): boolean {
    return true
  }

  /** Whether input is buffered because downstream is full. @internal */
  protected get holdsInput(): boolean {
    return false
  }

  /** Takes a batch from upstream; false pauses until this stage calls `proceed`. */
  abstract receive(batch: Batch<In>): boolean

  /** No more batches come from upstream. */
  finish(): void {
    this.finishNext()
  }

  /** Downstream wants more. */
  proceed(): void {
    this.askForMore()
  }

  /**
   * Like `pipe` of any stream, but links two stages directly, without stream buffers. A stage that has already been read or written in
   * another way is piped as usual.
   */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean | undefined }): T {
    if (destination instanceof Stage && options?.end !== false && this.canLink && destination.canBeLinked) {
      link(this, destination)
      destination.emit('pipe', this)
      return destination
    }
    this.unlink()
    return super.pipe(destination, options)
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    const { next } = this
    if (!(next instanceof Stage) || (destination !== undefined && destination !== (next as unknown))) {
      return super.unpipe(destination)
    }
    this.next = null
    next.prev = null
    next.emit('unpipe', this, { hasUnpiped: false })
    return this
  }

  override on(event: string | symbol, listener: (...args: any[]) => void): this {
    if (event === 'data' || event === 'readable') this.unlink()
    return super.on(event, listener)
  }

  /** Passes a batch on, by the link or the stream. @internal */
  protected hand(batch: Batch<Out>): boolean {
    if (isTraced) trace(this.constructor.name, batch)
    if (this.next !== null) return this.next.receive(batch)
    if (this.readsBatches) return this.push(batch)
    let more = true
    for (const bytes of batch) more = this.push(bytes)
    return more
  }

  /** Passes the end on. @internal */
  protected finishNext(): void {
    const { waiting } = this
    if (waiting !== undefined) this.waiting = undefined
    if (this.next !== null) this.next.finish()
    if (waiting !== undefined) waiting()
    else if (this.next === null) this.push(null)
    // the readable side of a linked stage has no reader; resume it to emit 'end'
    if (this.next !== null && this.isBuilt) this.resume()
  }

  /** @internal */
  protected askForMore(): void {
    const { waiting } = this
    if (waiting === undefined) {
      this.prev?.proceed()
      return
    }
    this.waiting = undefined
    waiting()
  }

  /** Removes this stage from its links and links its neighbours. @internal */
  protected leave(): void {
    const { prev, next } = this
    if (prev !== null) prev.next = next as Receiver<unknown> as Receiver<In> | null
    if (next !== null && 'prev' in next)
      (next as Stage<Out, unknown>).prev = prev as Sender<unknown> as Sender<Out> | null
    this.prev = null
    this.next = null
  }

  /** @internal */
  override streamOptions(): DuplexOptions {
    return { writableObjectMode: this.writesBatches, readableObjectMode: this.readsBatches }
  }

  override _transform(chunk: unknown, _encoding: string, callback: TransformCallback): void {
    let more: boolean
    try {
      more = this.receive(Array.isArray(chunk) ? chunk : [chunk as In])
    } catch (error) {
      callback(error as Error)
      return
    }
    // Transform waits by itself if its readable side is full, but it does not know about input that the stage still holds
    if (more || (this.next === null && !this.holdsInput)) callback()
    else this.waiting = callback
  }

  override _flush(callback: TransformCallback): void {
    this.waiting = callback
    this.finish()
  }

  override _read(size: number): void {
    if (this.next === null) this.proceed()
    super._read(size)
  }

  // a second reader was added: the link becomes an ordinary pipe
  private unlink(): void {
    const { next } = this
    if (!(next instanceof Stage)) return
    this.next = null
    next.prev = null
    super.pipe(next)
  }

  private get canLink(): boolean {
    // a subclass that overrides _transform or _flush needs an ordinary pipe
    if (this.next !== null || !this.isPlain) return false
    return !this.isBuilt || (this.readableFlowing === null && this.readableLength === 0 && !this.readableEnded)
  }

  private get isPlain(): boolean {
    const { _transform, _flush } = Stage.prototype
    return this._transform === _transform && this._flush === _flush
  }

  private get canBeLinked(): boolean {
    return this.prev === null && this.isPlain && (!this.isBuilt || (this.writableLength === 0 && !this.writableEnded))
  }
}

/** Links two stages, or a stage and an end of the pipeline. */
export function link<T>(from: Sender<T>, to: Receiver<T>): void {
  from.next = to
  if ('prev' in to) (to as { prev: Sender<T> | null }).prev = from
}
