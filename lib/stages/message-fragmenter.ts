// Takes batches of messages and passes on batches of frames: one frame for each message, or as many as fragmentSize requires, while
// downstream has room.

import type { DuplexOptions } from 'node:stream'
import { checkNumber } from '../checks.js'
import type { Frame } from '../protocol/frame.js'
import { FrameCutter, frameOf, type OrderedControl, type Outgoing } from '../protocol/message-splitter.js'
import { type PacedCodec, PacedWork } from './paced-work.js'
import { type Batch, Stage } from './stage.js'

/** The options of a MessageFragmenter. */
export interface MessageFragmenterOptions {
  /** Maximum payload of one frame in bytes. Default: messages are not split. */
  fragmentSize?: number
}

/** A frame, and whether it may be split. */
interface Job {
  readonly frame: Frame
  readonly isCut: boolean
}

/** Makes frames of messages (RFC 6455 §5.4, §5.6). */
export class MessageFragmenter extends Stage<Outgoing, Frame> {
  /** Whether messages are split here, and not after an extension. @internal */
  cuts = true

  // null if messages are not split
  private readonly work: PacedWork<Job> | null = null

  constructor(options: MessageFragmenterOptions = {}) {
    super()
    const { fragmentSize = Number.POSITIVE_INFINITY } = options
    checkNumber(fragmentSize, 'fragmentSize', 1)
    if (fragmentSize === Number.POSITIVE_INFINITY) return
    this.work = new PacedWork<Job>(this, new Cutting(fragmentSize), ({ frame }) => frame.size)
  }

  /** Payload bytes that wait here. @internal */
  get size(): number {
    return this.work?.size ?? 0
  }

  /** Whether nothing waits here. @internal */
  get isIdle(): boolean {
    return this.work === null || this.work.isIdle
  }

  /** Calls back when nothing waits here any more. Call it only while something waits. @internal */
  whenIdle(callback: () => void): void {
    this.work!.whenIdle(callback)
  }

  protected override get holdsInput(): boolean {
    return this.work?.holdsInput ?? false
  }

  receive(messages: Batch<Outgoing | OrderedControl>): boolean {
    return this.pass(messages.length === 1 ? [frameOf(messages[0]!)] : messages.map(frameOf))
  }

  /** Passes on frames of a message that is written in pieces. @internal */
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

  /** Drops everything that waits. @internal */
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
