// Batches of frames come in, buffers go out. The frames of one turn of the event loop leave together; control frames join them
// ahead of waiting messages, a Close behind them.

import { checkNumber, checkRole } from '../checks.js'
import { channels } from '../diagnostics.js'
import type { DraftVersion } from '../protocol/draft-parser.js'
import { DraftWriter } from '../protocol/draft-writer.js'
import { Frame } from '../protocol/frame.js'
import { FrameWriter } from '../protocol/frame-writer.js'
import { Opcode } from '../protocol/opcode.js'
import { giveBack } from '../protocol/output-memory.js'
import { nextTick } from '../runtime/node.js'
import { BlockedTime } from '../stats.js'
import { type Batch, Stage } from './stage.js'

/** What an encoder has for the connection. */
export interface EncoderListener {
  /** The wire takes bytes again. */
  drained(): void
  /** Somebody watches frames. */
  saw?(direction: 'received' | 'sent', frame: Frame): void
}

/** What a FrameEncoder is made with. */
export interface FrameEncoderOptions {
  /** Which side this is: a client masks what it sends (RFC 6455 §5.3). Default: `'server'`. */
  role?: 'server' | 'client'
  /** Bytes that wait while the wire is blocked before no more are wanted. Default: 65536. */
  highWaterMark?: number
}

/** So many bytes leave without waiting for the end of the turn. */
const FLUSH_FROM = 65536

/** Encodes frames (RFC 6455 §5.2). */
export class FrameEncoder extends Stage<Frame, Buffer> {
  /** Told when the wire takes bytes again. @internal */
  listener: EncoderListener | null = null

  /** Bytes that were handed to the wire. @internal */
  bytes = 0
  private wire: { readonly hasWrittenAll: boolean } | null = null
  /** How long the wire took no more; not there before it did not. @internal */
  declare blockedTime?: BlockedTime
  private writer: FrameWriter | DraftWriter
  private readonly highWaterMark: number
  private blocked = false
  private held = false
  private scheduled = false
  // what an idle encoder is without stands in the prototype, where it costs nothing (benchmarks/questions/idle.js)
  declare private full: boolean
  declare private sealed: boolean
  declare private ending: boolean
  declare private pong: Frame | null

  static {
    const idle = FrameEncoder.prototype
    idle.full = idle.sealed = idle.ending = false
    idle.pong = null
  }

  constructor(options: FrameEncoderOptions = {}) {
    super()
    const { role = 'server', highWaterMark = 65536 } = options
    this.writer = new FrameWriter(checkRole(role) === 'client')
    this.highWaterMark = checkNumber(highWaterMark, 'highWaterMark', 0)
  }

  /** Speaks an older draft from now on, with what waits too. @internal */
  speak(version: DraftVersion): void {
    const frames = (this.writer as FrameWriter).takeFrames()
    this.writer = new DraftWriter(version)
    for (const frame of frames) this.writer.add(frame)
  }

  /** The frames that wait, given back as if they had not been taken. @internal */
  takeBack(): Frame[] {
    const writer = this.writer as FrameWriter
    this.writer = new FrameWriter(writer.masked)
    this.writer.borrows = writer.borrows
    return writer.takeFrames()
  }

  /** Has the memory of what goes out used again, as soon as the wire says that it has written all. @internal */
  borrowFor(wire: { readonly hasWrittenAll: boolean }): void {
    this.wire = wire
    this.writer.borrows = true
  }

  /** Bytes that wait here. @internal */
  get size(): number {
    return this.writer.size
  }

  /** Frames that were taken. @internal */
  get frames(): number {
    return this.writer.count
  }

  /** Messages whose last frame was taken. @internal */
  get messages(): number {
    return this.writer.messages
  }

  /** Whether the wire takes no more at present. @internal */
  get isBlocked(): boolean {
    return this.blocked
  }

  /** Whether no more is wanted until the wire takes bytes again. @internal */
  get isFull(): boolean {
    return this.full
  }

  protected override get readsBatches(): boolean {
    return false
  }

  protected override get holdsInput(): boolean {
    return this.full
  }

  receive(frames: Batch<Frame>): boolean {
    for (const frame of frames) {
      // RFC 6455 §5.5.1: nothing after a Close frame, which itself waits for the end of a frame in parts
      if (!this.sealed || this.writer.isMidFrame) this.writer.add(frame)
      if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    }
    this.schedule()
    if (this.blocked && this.writer.size >= this.highWaterMark) this.full = true
    return !this.full
  }

  /** Sends a Ping or a Pong. False where a Pong already waited for the wire: the new one took its place (§5.5.3). @internal */
  control(opcode: Opcode, payload: Buffer): boolean {
    if (this.sealed) return true
    const frame = new Frame(opcode, payload)
    if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    const replaced = this.pong !== null && opcode === Opcode.Pong && this.writer.replace(this.pong, frame)
    if (this.blocked && opcode === Opcode.Pong) this.pong = frame
    if (!replaced) this.writer.addUrgent(frame)
    this.schedule()
    return !replaced
  }

  /** Sends a Close behind all that wait, and nothing is taken after it; false where the version has no room for one. @internal */
  close(payload: Buffer): boolean {
    if (this.sealed) return true
    if (this.writer instanceof DraftWriter && !this.writer.canClose) return false
    const frame = new Frame(Opcode.Close, payload)
    if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    this.writer.addLast(frame)
    this.schedule()
    this.sealed = true
    return true
  }

  /** Ends the wire behind all that wait. @internal */
  override finish(): void {
    this.sealed = true
    this.ending = true
    this.flush()
    if (this.writer.size === 0 && this.ending) this.endWire()
  }

  /** Starts and ends a span in which frames gather, whatever the event loop does. @internal */
  hold(): void {
    this.held = true
  }

  /** @internal */
  release(): void {
    this.held = false
    this.flush()
  }

  /** Lets nothing out until `proceed`. @internal */
  block(): void {
    this.blocked = true
  }

  override proceed(): void {
    const wasBlocked = this.blocked
    this.blocked = false
    this.blockedTime?.stop()
    this.flush()
    if (this.blocked) return
    if (wasBlocked) this.listener?.drained()
    if (!this.full) return
    this.full = false
    this.askForMore()
  }

  private schedule(): void {
    if (this.blocked) return
    if (this.next === null || this.writer.size >= FLUSH_FROM) {
      this.flush()
    } else if (!this.held && !this.scheduled) {
      this.scheduled = true
      nextTick(flushLater, this)
    }
  }

  /** @internal */
  flushNow(): void {
    this.scheduled = false
    if (!this.held) this.flush()
  }

  private flush(): void {
    const { writer } = this
    if (this.blocked || writer.size === 0) return
    do {
      const { size } = writer
      const buffers = writer.take()
      this.bytes += size - writer.size
      if (!this.hand(buffers)) this.blocked = true
      if (this.wire !== null) giveBack(buffers[0]!, this.wire.hasWrittenAll)
    } while (writer.size > 0 && !this.blocked)
    if (this.blocked) (this.blockedTime ??= new BlockedTime()).start()
    if (writer.size > 0) return
    if (this.pong !== null) this.pong = null
    if (this.ending) this.endWire()
  }

  private endWire(): void {
    this.ending = false
    this.finishNext()
  }
}

function flushLater(encoder: FrameEncoder): void {
  encoder.flushNow()
}
