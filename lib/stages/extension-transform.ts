// Passes batches of frames through the negotiated extensions. Without any, it only checks that no reserved bit is set. Part of the pipeline
// only if an extension was negotiated.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import type { FrameCodec } from '../extensions/extension.js'
import type { Frame } from '../protocol/frame.js'
import { FrameCutter } from '../protocol/message-splitter.js'
import { isControl, Opcode } from '../protocol/opcode.js'
import { bindContext } from '../runtime/node.js'
import { type PacedCodec, PacedWork } from './paced-work.js'
import { type Batch, type ErrorListener, Stage } from './stage.js'

/** The options of an ExtensionTransform. */
export interface ExtensionTransformOptions {
  /** Reserved bits that were negotiated, as in `Frame.rsv`: 4, 2, 1 for RSV1, RSV2, RSV3. Default: none. */
  rsv?: number
  /** Processes data frames. Default: frames pass unchanged. */
  codec?: FrameCodec | null
  /** Maximum payload of an outgoing frame in bytes. Default: frames as the codec makes them. */
  fragmentSize?: number
}

/** Checks reserved bits (RFC 6455 §5.2) and applies the extensions. Used on its own, it is destroyed if the peer breaks a rule. */
export class ExtensionTransform extends Stage<Frame, Frame> {
  /** @internal */
  listener: ErrorListener | null = null
  /** The error of the codec, after which everything was dropped. @internal */
  failure: WebSocketError | null = null

  private readonly processing: Processing
  private readonly work: PacedWork<Frame>

  constructor(options: ExtensionTransformOptions = {}) {
    super()
    const { rsv = 0, codec = null, fragmentSize = Number.POSITIVE_INFINITY } = options
    this.processing = new Processing(rsv, codec, fragmentSize)
    const work = new PacedWork<Frame>(this, this.processing, frame => frame.size)
    this.work = work
    // a codec may share engines, so another connection's work may call this
    if (codec !== null) codec.ready = bindContext(() => work.goOn())
  }

  /** Payload bytes that wait here. @internal */
  get size(): number {
    return this.work.size
  }

  /** Payload bytes taken in, divided by those passed on; 1 before there are any. @internal */
  get ratio(): number {
    const { taken, made } = this.processing
    return taken > 0 && made > 0 ? taken / made : 1
  }

  /** Whether a codec is working asynchronously. @internal */
  get isWorking(): boolean {
    return this.work.isWorking
  }

  /** Whether nothing is being processed. @internal */
  get isIdle(): boolean {
    return this.work.isIdle
  }

  /** Calls back when nothing is being processed any more. Call it only while something is. @internal */
  whenIdle(callback: () => void): void {
    this.work.whenIdle(callback)
  }

  /** Calls back when the codec no longer works asynchronously: all is passed on, or downstream is full. @internal */
  whenRested(callback: () => void): void {
    this.work.whenRested(callback)
  }

  protected override get holdsInput(): boolean {
    return this.work.holdsInput
  }

  receive(frames: Batch<Frame>): boolean {
    return this.work.receive(frames)
  }

  override finish(): void {
    this.work.finish()
  }

  override proceed(): void {
    this.work.proceed()
  }

  /** Drops all input, waiting and new, and frees the memory of the extensions. @internal */
  stop(): void {
    this.work.stop()
  }

  /** @internal */
  passOn(batch: Batch<Frame>): boolean {
    return this.hand(batch)
  }

  /** @internal */
  wantMore(): void {
    this.askForMore()
  }

  /** @internal */
  passEnd(): void {
    this.finishNext()
  }

  /** @internal */
  workFailed(error: WebSocketError): void {
    this.failure = error
    this.stop()
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stop()
    callback(error)
  }
}

/** Runs the codec; control frames bypass it, and its output is cut into frames of `fragmentSize`. */
class Processing implements PacedCodec<Frame> {
  taken = 0
  made = 0
  private readonly cutter: FrameCutter
  // bytes of the frame that the codec is working on, less those of the frames it has made from it
  private inCodec = 0
  // a frame that bypasses the codec
  private passing: Frame | null = null

  constructor(
    private readonly rsv: number,
    private readonly codec: FrameCodec | null,
    fragmentSize: number
  ) {
    this.cutter = new FrameCutter(fragmentSize)
  }

  get busy(): boolean {
    return this.codec?.busy ?? false
  }

  get left(): number {
    return this.inCodec + this.cutter.left
  }

  /** @throws WebSocketError if a reserved bit is set that was not negotiated */
  push(frame: Frame): void {
    const { opcode, rsv } = frame
    if ((rsv & ~this.allowed(frame)) !== 0)
      throw new WebSocketError('WS_ERR_UNEXPECTED_RSV', { details: { opcode, rsv } }) // RFC 6455 §5.2
    if (this.codec === null || isControl(opcode)) {
      this.passing = frame
    } else {
      this.taken += this.inCodec = frame.size
      this.codec.push(frame)
    }
  }

  next(): Frame | null {
    const { passing } = this
    if (passing !== null) {
      this.passing = null
      return passing
    }
    const fragment = this.cutter.next()
    if (fragment !== null) return fragment
    const made = this.codec?.next() ?? null
    if (made === null) {
      if (!this.busy) this.inCodec = 0
      return null
    }
    this.made += made.size
    this.inCodec = Math.max(0, this.inCodec - made.size)
    this.cutter.cut(made)
    return this.cutter.next()
  }

  close(): void {
    this.inCodec = 0
    this.cutter.clear()
    this.codec?.close()
  }

  // RFC 7692 §6: only the first frame of a message is marked, and never a control frame
  private allowed(frame: Frame): number {
    return isControl(frame.opcode) || frame.opcode === Opcode.Continuation ? 0 : this.rsv
  }
}
