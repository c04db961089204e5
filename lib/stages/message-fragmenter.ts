// Batches of messages come in, batches of frames go out: one frame for each message, or as many as fragmentSize asks for, as far as there is
// room for them downstream.

import type { DuplexOptions } from 'node:stream'
import { checkNumber } from '../checks.js'
import type { Frame } from '../protocol/frame.js'
import { FrameCutter, frameOf, type OrderedControl, type Outgoing } from '../protocol/message-splitter.js'
import { type PacedCodec, PacedWork } from './paced-work.js'
import { type Batch, Stage } from './stage.js'

/** What a MessageFragmenter is made with. */
export interface MessageFragmenterOptions {
  /** Bytes of payload in one frame. Default: no splitting. */
  fragmentSize?: number
}

/** A frame, and whether it may be cut. */
interface Job {
  readonly frame: Frame
  readonly isCut: boolean
}

/** Makes frames of messages (RFC 6455 §5.4, §5.6). */
export class MessageFragmenter extends Stage<Outgoing, Frame> {
  /** Whether messages are cut here, and not behind an extension. @internal */
  cuts = true

  // only where messages are cut
  private readonly work: PacedWork<Job> | null = null

  constructor(options: MessageFragmenterOptions = {}) {
    super()
    const { fragmentSize = Number.POSITIVE_INFINITY } = options
    checkNumber(fragmentSize, 'fragmentSize', 1)
    if (fragmentSize === Number.POSITIVE_INFINITY) return
    this.work = new PacedWork<Job>(this, new Cutting(fragmentSize), ({ frame }) => frame.size)
  }

  /** Bytes of payload that wait here. @internal */
  get size(): number {
    return this.work?.size ?? 0
  }

  /** Whether nothing waits here. @internal */
  get isIdle(): boolean {
    return this.work === null || this.work.isIdle
  }

  /** Calls back when nothing waits here any more, which is not now. @internal */
  whenIdle(callback: () => void): void {
    this.work!.whenIdle(callback)
  }

  protected override get holdsInput(): boolean {
    return this.work?.holdsInput ?? false
  }

  receive(messages: Batch<Outgoing | OrderedControl>): boolean {
    return this.pass(messages.length === 1 ? [frameOf(messages[0]!)] : messages.map(frameOf))
  }

  /** Frames of a message that comes in pieces. @internal */
  pass(frames: Batch<Frame>, isCut = this.cuts): boolean {
    if (this.work === null) return this.hand(frames)
    return this.work.receive(frames.map(frame => ({ frame, isCut })))
  }

  override proceed(): void {
    if (this.work === null) this.askForMore()
    else this.work.proceed()
  }

  override finish(): void {
    if (this.work === null) this.finishNext()
    else this.work.finish()
  }

  /** Drops all that waits. @internal */
  stop(): void {
    this.work?.stop()
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

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }
}

class Cutting implements PacedCodec<Job> {
  readonly busy = false
  private readonly cutter: FrameCutter
  private uncut: Frame | null = null

  constructor(fragmentSize: number) {
    this.cutter = new FrameCutter(fragmentSize)
  }

  get left(): number {
    return this.cutter.left
  }

  push({ frame, isCut }: Job): void {
    if (isCut) this.cutter.cut(frame)
    else this.uncut = frame
  }

  close(): void {
    this.cutter.clear()
  }

  next(): Frame | null {
    const { uncut } = this
    this.uncut = null
    return uncut ?? this.cutter.next()
  }
}
