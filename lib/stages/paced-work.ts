// Runs batches of items through a codec and passes on batches of frames while downstream has room. The rest waits here in order. For stages
// whose codec makes much output from little input, or works asynchronously.

import { WebSocketError } from '../errors.js'
import type { Frame } from '../protocol/frame.js'
import { nextTick } from '../runtime/node.js'
import { Queue } from './queue.js'
import type { Batch } from './stage.js'

/** Makes frames of items, one item after the other. */
export interface PacedCodec<In> {
  /** Takes the next item; called when `next` has returned null and `busy` is false. */
  push(item: In): void
  /** The next frame of the item; null if there is none, or none yet while `busy`. */
  next(): Frame | null
  /** Whether it is working asynchronously. */
  readonly busy: boolean
  /** Bytes of the item that are not processed yet. */
  readonly left: number
  /** Frees its memory; nothing more is called. */
  close(): void
}

/** The stage that the work is done for. */
export interface PacedStage {
  /** Passes a batch on; false pauses until `proceed`. */
  passOn(batch: Batch<Frame>): boolean
  /** Asks upstream for more. */
  wantMore(): void
  /** No more batches follow. */
  passEnd(): void
  /** The codec found an error, after all that has been passed on. */
  workFailed?(error: WebSocketError): void
}

/** A batch ends at this many bytes or frames, so that the output of one item is not collected whole. */
const BATCH_SIZE = 65536
const BATCH_FRAMES = 1024

type State = 'ready' | 'running' | 'working' | 'blocked' | 'stopped'

export class PacedWork<In> {
  private state: State = 'ready'
  private readonly queue = new Queue<In>()
  // bytes in the queue
  private waiting = 0
  // downstream wants more
  private wanted = true
  private ending = false
  private error: WebSocketError | null = null
  // called when nothing is being processed
  private idleListeners: (() => void)[] | null = null
  // called when the codec no longer works asynchronously
  private restListeners: (() => void)[] | null = null

  constructor(
    private readonly stage: PacedStage,
    private readonly codec: PacedCodec<In>,
    private readonly sizeOf: (item: In) => number
  ) {}

  /** Payload bytes taken and not passed on yet. */
  get size(): number {
    return this.waiting + this.codec.left
  }

  /** Whether the codec is working asynchronously. */
  get isWorking(): boolean {
    return this.state === 'working'
  }

  /** Whether nothing is being processed. */
  get isIdle(): boolean {
    return this.state === 'ready' || this.state === 'stopped'
  }

  /** Whether input is buffered. */
  get holdsInput(): boolean {
    return this.state === 'working' || this.state === 'blocked'
  }

  /** Whether it has ended or was stopped. */
  get isStopped(): boolean {
    return this.state === 'stopped'
  }

  /** Calls back once, in order of registration, when everything taken has been passed on. */
  whenIdle(callback: () => void): void {
    this.idleListeners ??= []
    this.idleListeners.push(callback)
  }

  /** Calls back once when the codec no longer works asynchronously: everything is passed on, or downstream is full. */
  whenRested(callback: () => void): void {
    this.restListeners ??= []
    this.restListeners.push(callback)
  }

  receive(items: Batch<In>): boolean {
    if (this.isStopped) return true
    for (const item of items) {
      this.waiting += this.sizeOf(item)
      this.queue.push(item)
    }
    // downstream may call back in the middle of a batch
    if (this.state !== 'ready') return false
    return this.run()
  }

  finish(): void {
    this.ending = true
    if (this.isIdle) this.complete()
  }

  /** Downstream wants more. */
  proceed(): void {
    this.wanted = true
    if (this.state === 'blocked') this.goOn()
    else if (this.state === 'ready') this.stage.wantMore()
  }

  /** The codec has finished its work, or downstream has room. */
  goOn(): void {
    if (this.isStopped || this.state === 'running') return
    if (!this.wanted) {
      this.state = 'blocked'
      this.tellRested()
    } else if (this.run()) this.stage.wantMore()
  }

  /** Drops all input, waiting and new. */
  stop(): void {
    if (this.isStopped) return
    this.state = 'stopped'
    this.queue.clear()
    this.waiting = 0
    this.codec.close()
    if (this.ending) this.stage.passEnd()
    this.tellIdle()
    this.tellRested()
  }

  /** Works until everything is passed on (true) or must wait (false). */
  private run(): boolean {
    this.state = 'running'
    this.wanted = true
    let next: State | null = null
    try {
      next = this.process()
    } finally {
      if (!this.isStopped) this.state = next ?? 'blocked'
      // a listener downstream threw: go on without waiting for more input
      if (next === null) nextTick(() => this.proceed())
    }
    if (this.isStopped) return true
    if (this.isIdle) {
      this.tellIdle()
      if (this.ending) this.complete()
    } else if (this.isWorking) return false
    this.tellRested()
    return this.isIdle && this.wanted
  }

  private process(): State {
    let batch: Frame[] = []
    let size = 0
    for (let frame = this.next(); frame !== null; frame = this.next()) {
      size += frame.size
      if (batch.push(frame) < BATCH_FRAMES && size < BATCH_SIZE) continue
      const full = batch
      batch = []
      size = 0
      if (!this.pass(full)) return 'blocked'
      if (this.isStopped) return 'stopped'
    }
    this.pass(batch)
    if (this.error !== null && !this.isStopped) this.stage.workFailed!(this.error)
    return this.codec.busy ? 'working' : 'ready'
  }

  /** Null if nothing is left to do, the codec is working asynchronously, or it has found an error. */
  private next(): Frame | null {
    try {
      return this.make()
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      this.error = error
      return null
    }
  }

  private make(): Frame | null {
    const { codec } = this
    for (;;) {
      const frame = codec.next()
      if (frame !== null || codec.busy) return frame
      const item = this.queue.shift()
      if (item === undefined) return null
      this.waiting -= this.sizeOf(item)
      codec.push(item)
    }
  }

  private pass(batch: Frame[]): boolean {
    if (batch.length === 0 || this.isStopped) return this.wanted
    this.wanted = false
    // downstream may ask for more during this call
    if (this.stage.passOn(batch)) this.wanted = true
    return this.wanted
  }

  private complete(): void {
    this.state = 'stopped'
    this.stage.passEnd()
    this.codec.close()
  }

  private tellIdle(): void {
    const { idleListeners } = this
    this.idleListeners = null
    if (idleListeners !== null) for (const callback of idleListeners) callback()
  }

  private tellRested(): void {
    const { restListeners } = this
    this.restListeners = null
    if (restListeners !== null) for (const callback of restListeners) callback()
  }
}
