// Batches of frames come in, batches of frames go out, as the negotiated extensions make them. With none, all that it does is to
// see that no reserved bit is set. Stands in the pipeline only where something was negotiated.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import type { FrameCodec } from '../extensions/extension.js'
import type { Frame } from '../protocol/frame.js'
import { isControl, Opcode } from '../protocol/opcode.js'
import { bindContext } from '../runtime/node.js'
import { type Batch, type FaultListener, Stage } from './stage.js'

/** What an ExtensionTransform is made with. */
export interface ExtensionTransformOptions {
  /** Reserved bits that something negotiated, as in `Frame.rsv`: 4, 2, 1 for RSV1, RSV2, RSV3. Default: none. */
  rsv?: number
  /** What data frames go through. Default: they pass as they are. */
  codec?: FrameCodec | null
}

/** A batch ends with so many bytes, or frames: what one frame inflates to is not gathered. */
const BATCH_SIZE = 65536
const BATCH_FRAMES = 1024

/** Validates reserved bits (RFC 6455 §5.2) and has frames processed. On its own it is destroyed by a fault. */
export class ExtensionTransform extends Stage<Frame, Frame> {
  /** @internal */
  listener: FaultListener | null = null
  /** Told when all that was taken has been handed on. @internal */
  whenIdle: (() => void) | null = null

  private taken = 0
  private made = 0
  private readonly rsv: number
  private readonly codec: FrameCodec | null
  private state: 'ready' | 'running' | 'working' | 'blocked' | 'stopped' = 'ready'
  private queue: Frame[] = []
  private at = 0
  // downstream wants more
  private wanted = true
  private ending = false

  constructor(options: ExtensionTransformOptions = {}) {
    super()
    this.rsv = options.rsv ?? 0
    this.codec = options.codec ?? null
    // a codec may share engines, and be told by another connection's work
    if (this.codec !== null) this.codec.ready = bindContext(() => this.goOn())
  }

  /** Bytes of payload that wait here. @internal */
  get size(): number {
    return this.queue.slice(this.at).reduce((sum, frame) => sum + frame.size, 0)
  }

  /** Bytes of payload taken by bytes made of them; 1 before there are any. @internal */
  get ratio(): number {
    return this.taken > 0 && this.made > 0 ? this.taken / this.made : 1
  }

  /** Whether a codec is at work elsewhere. @internal */
  get isWorking(): boolean {
    return this.state === 'working'
  }

  /** Whether nothing is under way here. @internal */
  get isIdle(): boolean {
    return this.state === 'ready' || this.state === 'stopped'
  }

  protected override get holdsInput(): boolean {
    return this.state === 'working' || this.state === 'blocked'
  }

  receive(frames: Batch<Frame>): boolean {
    if (this.state === 'stopped') return true
    this.queue = this.at === this.queue.length ? (frames as Frame[]) : [...this.queue.slice(this.at), ...frames]
    this.at = 0
    // what is downstream asked for something in the middle of a batch
    if (this.state !== 'ready') return false
    const more = this.run()
    // the end may have come in the midst of it
    if (this.ending && (this.state as string) === 'ready') this.complete()
    return more
  }

  override finish(): void {
    this.ending = true
    if (this.isIdle) this.complete()
  }

  override proceed(): void {
    this.wanted = true
    if (this.state === 'blocked') this.goOn()
    else if (this.state === 'ready') this.askForMore()
  }

  /** Drops all that waits or comes, and frees what the extensions hold. @internal */
  stop(): void {
    if (this.state === 'stopped') return
    this.state = 'stopped'
    this.queue = []
    this.at = 0
    this.codec?.close()
    if (this.ending) this.finishNext()
    this.tellIdle()
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stop()
    callback(error)
  }

  private goOn(): void {
    if (this.state === 'stopped' || this.state === 'running') return
    if (!this.wanted) {
      this.state = 'blocked'
      return
    }
    const more = this.run()
    if (this.ending && (this.state as string) === 'ready') this.complete()
    else if (more) this.askForMore()
  }

  private complete(): void {
    this.state = 'stopped'
    this.finishNext()
    this.codec?.close()
  }

  /** Works until all is handed on (true), or must wait (false). */
  private run(): boolean {
    this.state = 'running'
    let state: 'ready' | 'working' | 'blocked' = 'blocked'
    this.wanted = true
    try {
      state = this.process()
    } finally {
      if ((this.state as string) === 'running') this.state = state
    }
    if ((this.state as string) === 'stopped') return true
    if (this.isIdle) this.tellIdle()
    return this.isIdle && this.wanted
  }

  private process(): 'ready' | 'working' | 'blocked' {
    let batch: Frame[] = []
    let size = 0
    try {
      while ((this.state as string) === 'running') {
        const frame = this.nextFrame()
        if (frame === null) break
        size += frame.size
        if (batch.push(frame) < BATCH_FRAMES && size < BATCH_SIZE) continue
        const full = batch
        batch = []
        size = 0
        if (!this.pass(full)) return 'blocked'
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      this.pass(batch)
      this.fail(error)
      return 'ready'
    }
    this.pass(batch)
    return this.codec?.busy ? 'working' : 'ready'
  }

  /** Null where nothing is left to do, or the codec works elsewhere. */
  private nextFrame(): Frame | null {
    const { codec } = this
    for (;;) {
      const made = codec?.next() ?? null
      if (made !== null) {
        this.made += made.size
        return made
      }
      if (codec?.busy || this.at === this.queue.length) return null
      const frame = this.queue[this.at++]!
      if (this.at === this.queue.length) {
        this.queue = []
        this.at = 0
      }
      if ((frame.rsv & ~this.allowed(frame)) !== 0) throw new WebSocketError('WS_ERR_UNEXPECTED_RSV') // RFC 6455 §5.2
      if (codec === null || isControl(frame.opcode)) return frame
      this.taken += frame.size
      codec.push(frame)
    }
  }

  private pass(batch: Frame[]): boolean {
    if (batch.length === 0 || (this.state as string) !== 'running') return this.wanted
    this.wanted = false
    // somebody may ask for more while being handed it
    if (this.hand(batch)) this.wanted = true
    return this.wanted
  }

  private fail(error: WebSocketError): void {
    if ((this.state as string) === 'stopped') return
    this.stop()
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
  }

  private tellIdle(): void {
    const { whenIdle } = this
    this.whenIdle = null
    whenIdle?.()
  }

  // RFC 7692 §6: a message is marked on its first frame, and a control frame never
  private allowed(frame: Frame): number {
    return isControl(frame.opcode) || frame.opcode === Opcode.Continuation ? 0 : this.rsv
  }
}
