// What the six stages share: a Transform around one codec. Between two stages `pipe` makes a direct link, on which batches are
// handed on by a call; between a stage and any other stream it is what it always is.

import type { DuplexOptions, TransformCallback } from 'node:stream'
import { isTraced, trace } from '../diagnostics.js'
import type { WebSocketError } from '../errors.js'
import { lazy, Transform } from '../streams.js'

/** What a link carries: all that one chunk held, as an array of frames, of messages, or of buffers. */
export type Batch<T> = readonly T[]

/** The downstream end of a link. */
export interface Receiver<T> {
  /** Takes the whole batch; false asks for no more until `proceed` is called upstream. */
  receive(batch: Batch<T>): boolean
  /** No more will come. */
  finish(): void
}

/** The upstream end of a link. */
export interface Sender<T> {
  /** What is linked downstream; null for nothing. */
  next: Receiver<T> | null
  /** More is welcome again. */
  proceed(): void
}

/** Who is told of a peer's fault in place of the stream, so that a close frame can still go out. */
export interface FaultListener {
  fail(error: WebSocketError): void
}

const LazyTransform = lazy(Transform)

/** One stage of the pipeline. Object-mode sides carry batches; a single item is taken for a batch of one. */
export abstract class Stage<In, Out> extends LazyTransform implements Receiver<In>, Sender<Out> {
  /** What this stage is linked to. */
  next: Receiver<Out> | null = null
  /** What is linked to this stage. */
  prev: Sender<In> | null = null
  // the callback of a _transform whose batch filled what is downstream, or of a _flush whose end is still to be passed on
  private waiting: TransformCallback | undefined = undefined

  /** Whether the readable side carries batches, and not bytes. @internal */
  protected get readsBatches(): boolean {
    return true
  }

  /** Whether the writable side takes batches, and not bytes. @internal */
  protected get writesBatches(): boolean {
    return true
  }

  /** Whether input is held that downstream has not room for. @internal */
  protected get holdsInput(): boolean {
    return false
  }

  /** Takes a batch from upstream; false asks for no more until it proceeds. */
  abstract receive(batch: Batch<In>): boolean

  /** No more comes from upstream. */
  finish(): void {
    this.finishNext()
  }

  /** Downstream wants more. */
  proceed(): void {
    this.askForMore()
  }

  /**
   * Like any stream's, but a link to another stage: no data passes through stream buffers then. A stage that has been read from
   * by other means, or written to, keeps its ordinary ways.
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

  /** Hands a batch on, by the link or by the stream. @internal */
  protected hand(batch: Batch<Out>): boolean {
    if (isTraced) trace(this.constructor.name, batch)
    if (this.next !== null) return this.next.receive(batch)
    if (this.readsBatches) return this.push(batch)
    let more = true
    for (const bytes of batch) more = this.push(bytes)
    return more
  }

  /** Passes on that no more will come. @internal */
  protected finishNext(): void {
    const { waiting } = this
    if (waiting !== undefined) this.waiting = undefined
    if (this.next !== null) this.next.finish()
    if (waiting !== undefined) waiting()
    else if (this.next === null) this.push(null)
    // the readable side of a linked stage has no reader; its end is emitted all the same
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

  /** Takes this stage out of its links; its neighbours are joined. @internal */
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
    // where the readable side is full, Transform itself waits; what it cannot know is what a stage still holds
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

  // there is a second reader: the link becomes an ordinary pipe
  private unlink(): void {
    const { next } = this
    if (!(next instanceof Stage)) return
    this.next = null
    next.prev = null
    super.pipe(next)
  }

  private get canLink(): boolean {
    // a subclass that does the work of a Transform itself is one, and no more
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

/** Links two stages, or a stage and what stands at an end of the pipeline. */
export function link<T>(from: Sender<T>, to: Receiver<T>): void {
  from.next = to
  if ('prev' in to) (to as { prev: Sender<T> | null }).prev = from
}
