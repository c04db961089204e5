// Buffers come in, batches of frames go out. Control frames go to the listener at once; a fault likewise, after all
// that had arrived before it. Stops inside a chunk where nothing more is wanted downstream.

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
import { type Batch, type FaultListener, Stage } from './stage.js'

/** What a decoder has for the connection: control frames and faults. */
export interface ControlListener extends FaultListener {
  /** Acts on a control frame; false asks for no more input until the decoder proceeds. */
  control(opcode: Opcode, payload: Buffer): boolean
  /** A frame passes, and diagnostics_channel has subscribers for it. */
  saw?(direction: 'received' | 'sent', frame: Frame): void
  /** Whether a Close is to wait while messages ahead of it are being read, so that they can be answered. */
  holdsClose(): boolean
}

/** What a FrameDecoder is made with. */
export interface FrameDecoderOptions {
  /** Which side this is: a server reads masked frames, a client unmasked ones (RFC 6455 §5.1). Default: `'server'`. */
  role?: 'server' | 'client'
  /** Bytes of payload in one frame. Default: 2^26-1. */
  maxFrameSize?: number
  /** False takes masked and unmasked frames alike. Default: true, as RFC 6455 §5.1 demands. */
  requireMasking?: boolean
}

/** A batch ends with so many frames: a chunk of tiny ones is not a hundred times its size in objects, and those stay in the cache (benchmarks/questions/decode.js). */
const BATCH_FRAMES = 64

/** Decodes frames (RFC 6455 §5.2). On its own it passes control frames on with the others, and is destroyed by a fault. */
export class FrameDecoder extends Stage<Buffer, Frame> {
  /** @internal */
  listener: ControlListener | null = null
  /** Whether chunks may be unmasked in place: their memory is not shared. @internal */
  ownsInput = false
  /** Whether control frames go down the pipeline as well as to the listener. @internal */
  passesControl = false
  /** How long input has waited; undefined before it has. @internal */
  blockedTime: BlockedTime | undefined

  private parser: FrameParser | DraftParser
  private state: 'ready' | 'running' | 'blocked' | 'stopped' = 'ready'
  private ending = false
  private ignoresBackpressure = false
  // asked for more while running
  private woken = false
  // a Close behind messages that wait to be taken
  private heldClose: Frame | null = null
  // what the peer has done wrong, behind the frames that were decoded
  private fault: WebSocketError | null = null

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

  /** Reads an older draft, before anything has been read. @internal */
  speak(version: DraftVersion): void {
    this.parser = new DraftParser({ version, maxFrameSize: this.parser.maxFrameSize })
  }

  /** Whether input waits because nothing more is wanted. @internal */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  protected override get writesBatches(): boolean {
    return false
  }

  protected override get holdsInput(): boolean {
    return this.isBlocked
  }

  /** Frames whose header has been read. @internal */
  get frames(): number {
    return this.parser.frames
  }

  /** Messages whose last frame has begun to arrive. @internal */
  get messages(): number {
    return this.parser.messages
  }

  /** Drops all further input. @internal */
  stop(): void {
    const wasBlocked = this.state === 'blocked'
    this.blockedTime?.stop()
    this.state = 'stopped'
    // what is dropped need not wait
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
      // who takes the last message before a Close has the rest of this turn to answer it
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

  /** Decodes all that is there, whether or not more is wanted downstream: the wire is gone, and nothing comes behind it. @internal */
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

  // where the end of the wire stands for a Close, who acts on that ends the input
  private endInput(): void {
    const close = this.parser instanceof DraftParser && this.state !== 'stopped' ? this.parser.end() : null
    if (close === null) this.finishNext()
    else this.control(close)
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1 }
  }

  /** Decodes until the input is used up (true), or nothing more is wanted (false). */
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
      // something downstream may have stopped it
      if (this.isRunning()) this.state = more && !hasThrown ? 'ready' : 'blocked'
      // the rest of the input is decoded whatever a listener of the application throws
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
    // an array that grows from nothing costs more than the frame in it (benchmarks/questions/echo.js, one in flight)
    let frames: Frame[] | null = null
    let more = true
    for (let frame = this.nextFrame(); frame !== null; frame = this.nextFrame()) {
      if (channels.frame.hasSubscribers) listener?.saw?.('received', frame)
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
    if (this.fault === null) return more
    this.fail(this.fault)
    return true
  }

  /** Null where more bytes are needed, or the peer has broken a rule, which is then in `fault`. */
  private nextFrame(): Frame | null {
    const { heldClose } = this
    if (heldClose !== null) {
      this.heldClose = null
      return heldClose
    }
    try {
      return this.parser.next()
    } catch (error) {
      /* c8 ignore next - the parser throws nothing else, and a fault of ours must not be taken for the peer's */
      if (!(error instanceof WebSocketError)) throw error
      this.fault = error
      return null
    }
  }

  private control(frame: Frame): boolean {
    const payload = smallBytes(frame)
    // the frames view must see Close and Ping before they are acted on, and gets bytes of its own
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
