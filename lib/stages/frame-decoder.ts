// Buffers come in, batches of frames go out. Control frames go to whoever listens for them, at once; a fault likewise, after all
// that had arrived before it. Stops inside a chunk where nothing more is wanted downstream.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import type { Frame } from '../protocol/frame.js'
import { FrameParser } from '../protocol/frame-parser.js'
import { isControl, type Opcode } from '../protocol/opcode.js'
import { type Batch, type FaultListener, Stage } from './stage.js'

/** What a decoder has for the connection: control frames and faults. */
export interface ControlListener extends FaultListener {
  /** Acts on a control frame; false asks for no more input until the decoder proceeds. */
  control(opcode: Opcode, payload: Buffer): boolean
}

export interface FrameDecoderOptions {
  /** Which side this is: a server reads masked frames, a client unmasked ones (RFC 6455 §5.1). Default: `'server'`. */
  role?: 'server' | 'client'
  /** Bytes of payload in one frame. Default: 2^26-1. */
  maxFrameSize?: number
}

/** A batch ends with so many frames, so that a chunk of tiny ones is not a hundred times its size in objects. */
const BATCH_FRAMES = 1024

/** Decodes frames (RFC 6455 §5.2). On its own it passes control frames on with the others, and is destroyed by a fault. */
export class FrameDecoder extends Stage<Buffer, Frame> {
  /** @internal */
  listener: ControlListener | null = null
  /** Whether chunks may be unmasked in place: nobody else uses their memory. @internal */
  ownsInput = false

  private readonly parser: FrameParser
  private state: 'ready' | 'running' | 'blocked' | 'stopped' = 'ready'
  private ending = false

  constructor(options: FrameDecoderOptions = {}) {
    super()
    const { role = 'server', maxFrameSize = 2 ** 26 - 1 } = options
    this.parser = new FrameParser({ masked: role === 'server', maxFrameSize })
  }

  /** Reserved bits that may be set, as in `Frame.rsv`. @internal */
  set allowedRsv(bits: number) {
    this.parser.allowedRsv = bits
  }

  /** Whether input waits because nothing more is wanted. @internal */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  protected override get writesBatches(): boolean {
    return false
  }

  /** Drops all further input. @internal */
  stop(): void {
    this.state = 'stopped'
  }

  receive(chunks: Batch<Buffer>): boolean {
    if (this.state === 'stopped') return true
    this.parser.push(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), this.ownsInput)
    return this.state === 'ready' ? this.run() : this.state === 'running'
  }

  override finish(): void {
    if (this.state === 'blocked' || this.state === 'running') this.ending = true
    else this.finishNext()
  }

  override proceed(): void {
    if (this.state !== 'blocked' || !this.run()) return
    if (this.ending) this.finishNext()
    else this.askForMore()
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1 }
  }

  /** Decodes until the input is used up (true), or nothing more is wanted (false). */
  private run(): boolean {
    this.state = 'running'
    const more = this.decode()
    // somebody downstream may have stopped it
    if ((this.state as string) === 'running') this.state = more ? 'ready' : 'blocked'
    return this.state !== 'blocked'
  }

  private decode(): boolean {
    const { parser, listener } = this
    // an array that grows from nothing costs more than the frame in it (benchmarks/questions/echo.js, one in flight)
    let frames: Frame[] | null = null
    let more = true
    try {
      for (let frame = parser.next(); frame !== null; frame = parser.next()) {
        if (listener !== null && isControl(frame.opcode)) {
          if (frames !== null) more = this.hand(frames)
          frames = null
          if (this.state !== 'stopped' && !listener.control(frame.opcode, frame.payload)) more = false
        } else if (frames === null) {
          frames = [frame]
        } else if (frames.push(frame) === BATCH_FRAMES) {
          more = this.hand(frames)
          frames = null
        }
        if (this.state === 'stopped') return true
        if (!more && frames === null) return false
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      if (frames !== null) this.hand(frames)
      this.fail(error)
      return true
    }
    return frames === null ? more : this.hand(frames)
  }

  private fail(error: WebSocketError): void {
    if ((this.state as string) === 'stopped') return
    this.stop()
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
  }
}
