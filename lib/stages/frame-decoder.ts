// Takes buffers and passes on batches of frames. Control frames and errors go to the listener, after the frames before them. Stops in the
// middle of a chunk if downstream is full.

import type { DuplexOptions } from 'node:stream'
import { checkNumber, checkRole } from '../checks.js'
import { channels } from '../diagnostics.js'
import { WebSocketError } from '../errors.js'
import { DraftParser, type DraftVersion } from '../protocol/draft-parser.js'
import { Frame } from '../protocol/frame.js'
import { FrameParser } from '../protocol/frame-parser.js'
import { isControl, Opcode } from '../protocol/opcode.js'
import { smallBytes } from '../protocol/small-payload.js'
import { Buffer, nextTick, setImmediate } from '../runtime/node.js'
import { BlockedTime } from '../stats.js'
import { type Batch, type ErrorListener, Stage } from './stage.js'

/** The Connection, which gets control frames and errors. */
export interface ControlListener extends ErrorListener {
  /** Acts on a control frame; false pauses the input until the decoder proceeds. */
  control(opcode: Opcode, payload: Buffer): boolean
  /** Reports a frame to diagnostics_channel; called only if it has subscribers. */
  saw?(direction: 'received' | 'sent', frame: Frame): void
  /** Whether a Close must wait until the messages before it have been read, so that the application can answer them. */
  holdsClose(): boolean
}

/** The options of a FrameDecoder. */
export interface FrameDecoderOptions {
  /** Which side this is: a server reads masked frames, a client unmasked ones (RFC 6455 §5.1). Default: `'server'`. */
  role?: 'server' | 'client'
  /** Maximum payload of one frame in bytes. Default: 2^26-1. */
  maxFrameSize?: number
  /** False accepts masked and unmasked frames. Default: true, as RFC 6455 §5.1 demands. */
  requireMasking?: boolean
}

/**
 * Maximum frames in a batch: limits the memory for a chunk of tiny frames, and keeps them in the CPU cache
 * (benchmarks/questions/decode.js).
 */
const BATCH_FRAMES = 64

/**
 * Decodes frames (RFC 6455 §5.2). Used on its own, it passes control frames on with the others, and is destroyed if the peer breaks a rule.
 */
export class FrameDecoder extends Stage<Buffer, Frame> {
  /** @internal */
  listener: ControlListener | null = null
  /** Whether chunks may be unmasked in place because their memory is not shared. @internal */
  ownsInput = false
  /** Whether control frames are also passed on, not only to the listener. @internal */
  passesControl = false
  /** How long input has been blocked; null if it never was. @internal */
  blockedTime: BlockedTime | null = null

  private parser: FrameParser | DraftParser
  private state: 'ready' | 'running' | 'blocked' | 'stopped' = 'ready'
  private ending = false
  private ignoresBackpressure = false
  // proceed() was called while running
  private woken = false
  // a Close that waits until the messages before it are read
  private heldClose: Frame | null = null
  // the rule that the peer broke, reported after the frames decoded before it
  private error: WebSocketError | null = null

  constructor(options: FrameDecoderOptions = {}) {
    super()
    const { role = 'server', maxFrameSize = 2 ** 26 - 1, requireMasking = true } = options
    checkNumber(maxFrameSize, 'maxFrameSize', 0)
    const masked = checkRole(role) === 'server'
    this.parser = new FrameParser({ masked, eitherMasked: !requireMasking, maxFrameSize })
  }

  /** Reserved bits that may be set, as in `Frame.rsv`. @internal */
  set allowedRsv(bits: number) {
    this.parser.allowedRsv = bits
  }

  /** @internal */
  get allowedRsv(): number {
    return this.parser.allowedRsv
  }

  /** Switches to the framing of a draft, before anything has been read. @internal */
  speak(version: DraftVersion): void {
    this.parser = new DraftParser({ version, maxFrameSize: this.parser.maxFrameSize })
  }

  /** Whether input waits because downstream is full. @internal */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  protected override get writesBatches(): boolean {
    return false
  }

  protected override get holdsInput(): boolean {
    return this.isBlocked
  }

  /** Number of frames whose header has been read. @internal */
  get frames(): number {
    return this.parser.frames
  }

  /** Number of messages whose last frame has begun to arrive. @internal */
  get messages(): number {
    return this.parser.messages
  }

  /** Drops all further input. @internal */
  stop(): void {
    const wasBlocked = this.state === 'blocked'
    this.blockedTime?.stop()
    this.state = 'stopped'
    // input that is dropped need not wait
    if (wasBlocked) this.askForMore()
  }

  receive(chunks: Batch<Buffer>): boolean {
    if (this.state === 'stopped') return true
    this.parser.push(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), this.ownsInput)
    if (this.state !== 'ready') return this.state === 'running'
    const more = this.run()
    if (more && this.ending) this.endInput()
    return more
  }

  override finish(): void {
    if (this.state === 'blocked' || this.state === 'running') this.ending = true
    else this.endInput()
  }

  override proceed(): void {
    if (this.state === 'running') {
      this.woken = true
    } else if (this.state === 'blocked') {
      // an application that takes the last message before a Close has the rest of this turn to answer it
      if (this.heldClose === null) this.goOn()
      else setImmediate(() => this.goOn())
    }
  }

  /** Acts on a Close that waits for a reader. @internal */
  releaseClose(): void {
    const { heldClose } = this
    this.heldClose = null
    if (heldClose !== null) this.control(heldClose)
  }

  /** Decodes all buffered input even if downstream is full: the wire is gone, and nothing more arrives. @internal */
  decodeRest(): void {
    this.ignoresBackpressure = true
    this.goOn()
  }

  private goOn(): void {
    if (this.state !== 'blocked') return
    this.blockedTime?.stop()
    if (!this.run()) return
    if (this.ending) this.endInput()
    else this.askForMore()
  }

  // hixie-75: the end of the wire counts as a Close, and the listener then ends the input
  private endInput(): void {
    const close = this.parser instanceof DraftParser && this.state !== 'stopped' ? this.parser.end() : null
    if (close === null) this.finishNext()
    else this.control(close)
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1 }
  }

  /** Decodes until the input is used up (true) or downstream is full (false). */
  private run(): boolean {
    this.state = 'running'
    let more = true
    let hasThrown = true
    try {
      do {
        this.woken = false
        more = this.decode()
      } while (!more && (this.woken || this.ignoresBackpressure))
      hasThrown = false
    } finally {
      // downstream may have stopped the decoder
      if (this.isRunning()) this.state = more && !hasThrown ? 'ready' : 'blocked'
      // the rest of the input is decoded even if a listener of the application throws
      if (hasThrown) nextTick(() => this.goOn())
    }
    if (!this.isBlocked) return true
    this.blockedTime ??= new BlockedTime()
    this.blockedTime.start()
    return false
  }

  private isRunning(): boolean {
    return this.state === 'running'
  }

  private decode(): boolean {
    const { listener } = this
    // growing an array from empty costs more than decoding the frame (benchmarks/questions/echo.js, one in flight)
    let frames: Frame[] | null = null
    let more = true
    for (let frame = this.nextFrame(); frame !== null; frame = this.nextFrame()) {
      if (channels.frame.hasSubscribers && listener?.saw !== undefined) {
        // a subscriber may keep it, and read it later
        if (frame.owner === 'us') frame.owner = 'wire'
        listener.saw('received', frame)
      }
      if (listener !== null && isControl(frame.opcode)) {
        if (frames !== null) more = this.hand(frames)
        frames = null
        if (!more && frame.opcode === Opcode.Close && listener.holdsClose()) {
          this.heldClose = frame
          return false
        }
        if (this.isRunning() && !this.control(frame)) more = false
      } else if (frames === null) {
        frames = [frame]
      } else if (frames.push(frame) === BATCH_FRAMES) {
        more = this.hand(frames)
        frames = null
      }
      if (!this.isRunning()) return true
      if (!more && frames === null) return false
    }
    if (frames !== null) more = this.hand(frames)
    if (this.error === null) return more
    this.fail(this.error)
    return true
  }

  /** Null if more bytes are needed, or if the peer broke a rule; then `error` is set. */
  private nextFrame(): Frame | null {
    const { heldClose } = this
    if (heldClose !== null) {
      this.heldClose = null
      return heldClose
    }
    try {
      return this.parser.next()
    } catch (error) {
      /* c8 ignore next - the parser throws nothing else, and an error of ours must not be reported as the peer's */
      if (!(error instanceof WebSocketError)) throw error
      this.error = error
      return null
    }
  }

  private control(frame: Frame): boolean {
    const payload = smallBytes(frame)
    // the frames view must see a Close or Ping before it is acted on, and gets its own copy of the bytes
    const more = !this.passesControl || this.hand([new Frame(frame.opcode, Buffer.from(payload))])
    return this.listener!.control(frame.opcode, payload) && more
  }

  private fail(error: WebSocketError): void {
    if (this.state === 'stopped') return
    this.stop()
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
  }
}
