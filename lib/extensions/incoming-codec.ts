// Inflates the peer's data frames piece by piece, on request (RFC 7692 §7.2.2). Messages that are not compressed pass unchanged. Knows
// nothing of text or of the limit on fragments.

import { WebSocketError } from '../errors.js'
import { Frame } from '../protocol/frame.js'
import { applyMask, shiftMask } from '../protocol/mask.js'
import { Opcode } from '../protocol/opcode.js'
import { Buffer } from '../runtime/node.js'
import type { Engine, EngineKind, PoolUser } from './engine.js'
import { enginePool } from './engine-pool.js'
import type { FrameCodec } from './extension.js'
import { History } from './history.js'
import { keep, PIECE, scratch, slab, slabRoom, takeFromSlab } from './zlib-slab.js'

const RSV1 = 4
/** From this size on, the rest of a part is inflated in the thread pool. */
export const INFLATE_IN_POOL_FROM = 32768
/** Bytes that the sender removed from the end of a message: 00 00 ff ff (RFC 7692 §7.2.1). */
const TAIL = 4

export interface IncomingSettings {
  readonly kind: EngineKind
  /** Whether a message may refer to earlier ones. */
  readonly contextTakeover: boolean
  /** Maximum jobs of the process in the thread pool at the same time. */
  readonly concurrency: number
}

export class IncomingCodec implements FrameCodec, PoolUser {
  busy = false
  ready: (() => void) | null = null

  private message: 'none' | 'plain' | 'compressed' = 'none'
  // held during a compressed message
  private engine: Engine | null = null
  // the data a message may refer to: restored into the engine at the start of a message, and after a final block
  private history: History | null = null
  // the current part, and how many bytes of it, including the tail, are used up
  private frame: Frame | null = null
  private used = 0
  // inflated bytes of the frame, and of the message
  private offset = 0
  private total = 0
  // whether the message has any compressed byte
  private hasInput = false
  // whether the last run stopped because the output was full
  private full = false
  // whether the part has a final block: it may have thousands, and each would need a job in the thread pool
  private hasFinal = false
  // the buffers of the job in the thread pool
  private input: Buffer | null = null
  private output: Buffer | null = null
  private room = 0
  private error: WebSocketError | null = null

  /** @param maxMessageSize - maximum size of one message after inflation, in bytes */
  constructor(
    private readonly settings: IncomingSettings,
    private readonly maxMessageSize: number
  ) {}

  push(frame: Frame): void {
    if (typeof frame.data === 'string') frame.encode()
    this.frame = frame
    this.used = 0
    this.hasFinal = false
    if (frame.first) this.begin(frame)
    if (frame.size > 0) this.hasInput = true
  }

  private begin({ opcode, rsv }: Frame): void {
    this.offset = 0
    if (opcode === Opcode.Continuation) return
    if (this.message !== 'none') this.error = new WebSocketError('WS_ERR_EXPECTED_CONTINUATION') // RFC 6455 §5.4
    this.message = (rsv & RSV1) === 0 ? 'plain' : 'compressed' // RFC 7692 §6
    this.total = 0
    this.hasInput = false
  }

  next(): Frame | null {
    if (this.busy) return null
    if (this.error !== null) throw this.error
    const { frame } = this
    if (frame === null) return null
    if (this.message === 'compressed') return this.inflate(frame)
    this.frame = null
    if (frame.fin && frame.complete) this.message = 'none'
    return frame
  }

  /** The next piece of the inflated part; null if there is none. */
  private inflate(frame: Frame): Frame | null {
    try {
      let piece = this.output === null ? null : this.takeFromPool(frame)
      while (piece === null && this.frame !== null && !this.busy) {
        if (frame.size - this.used >= INFLATE_IN_POOL_FROM && !this.hasFinal)
          this.beginInPool(frame.payload.subarray(this.used))
        else piece = this.run(frame)
      }
      return piece
    } catch (error) {
      this.error = error as WebSocketError
      throw error
    }
  }

  private run(frame: Frame): Frame | null {
    // an empty fragment, or an empty message that lacks even the one byte of RFC 7692 §7.2.3.6
    if (this.used === this.inputSize(frame) && !this.full) return this.endPart(frame, scratch, 0, 0)
    const { direct: engine } = this.takeEngine()
    const given = this.fillScratch(frame)
    if (engine === null) {
      this.beginInPool(keep(scratch, 0, given))
      return null
    }
    let piece: Frame | null = null
    for (let at = 0; piece === null && this.frame !== null && (at < given || this.full); ) {
      const room = Math.min(slabRoom(), this.roomLeft)
      const { bytes, used } = slab
      engine.run(scratch, at, given - at, bytes, used, room)
      // read now: `advance` may return the engine to the pool
      const { consumed } = engine
      takeFromSlab(engine.produced)
      piece = this.advance(frame, bytes, used, given - at, room)
      at += consumed
    }
    return piece
  }

  /** Copies the next bytes of the part, unmasked, and the tail if the part ends the message; returns their number. */
  private fillScratch(frame: Frame): number {
    const { size, start } = frame
    const from = Math.min(this.used, size)
    const given = Math.min(size - from, INFLATE_IN_POOL_FROM)
    applyMask(frame.data as Uint8Array, start + from, start + from + given, scratch, 0, shiftMask(frame.mask, from))
    if (from + given < size) return given
    const tail = this.inputSize(frame) - Math.max(this.used, size)
    for (let i = 0; i < tail; i++) scratch[given + i] = i < tail - 2 ? 0 : 0xff
    return given + tail
  }

  private inputSize(frame: Frame): number {
    return isLast(frame) && this.hasInput ? frame.size + TAIL : frame.size
  }

  /** Maximum output of the next run: one byte over the limit suffices to detect a message that is too large. */
  private get roomLeft(): number {
    return this.maxMessageSize - this.total + 1
  }

  private beginInPool(input: Buffer): void {
    this.busy = true
    this.input = input
    this.output = Buffer.allocUnsafeSlow(PIECE)
    this.room = Math.min(PIECE, this.roomLeft)
    this.takeEngine().runInPool(input, this.output, this.room, this.settings.concurrency, this)
  }

  poolDone(error: WebSocketError | null): void {
    this.busy = false
    this.error = error
    this.ready?.()
  }

  private takeFromPool(frame: Frame): Frame | null {
    const { input, output, room } = this
    this.input = this.output = null
    const { produced } = this.engine!
    const bytes = produced < PIECE / 2 ? keep(output!, 0, produced) : output!
    return this.advance(frame, bytes, 0, input!.length, room)
  }

  /** Continues with the output of one run: the bytes in `data` from `start` on. */
  private advance(frame: Frame, data: Buffer, start: number, given: number, room: number): Frame | null {
    const engine = this.engine!
    const { consumed, produced } = engine
    this.used += consumed
    this.total += produced
    if (this.total > this.maxMessageSize) throw new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE')
    this.full = produced === room
    // RFC 7692 §7.2.3.4: a final block ends the DEFLATE stream, but not the message
    const final = !this.full && consumed < given
    // only the tail follows it
    if (final && this.used >= frame.size) this.used = this.inputSize(frame)
    const done = !this.full && this.used === this.inputSize(frame)
    if (this.settings.contextTakeover || !(done && isLast(frame))) this.remember(data, start, produced)
    if (final) {
      this.hasFinal = true
      engine.reset()
      this.history?.restore(engine)
    }
    if (done) return this.endPart(frame, data, start, produced)
    return produced === 0 ? null : this.piece(frame, data, start, produced)
  }

  private remember(data: Buffer, start: number, size: number): void {
    this.history ??= new History(2 ** this.settings.kind.windowBits)
    this.history.add(data, start, size)
  }

  /** The last piece of a part; if it ends the frame, it carries the frame's length. */
  private endPart(frame: Frame, data: Buffer, start: number, size: number): Frame | null {
    this.frame = null
    if (isLast(frame)) this.endMessage()
    if (!frame.complete) return size === 0 ? null : this.piece(frame, data, start, size)
    const piece = this.piece(frame, data, start, size)
    piece.length = this.offset
    return piece
  }

  private endMessage(): void {
    this.message = 'none'
    if (!this.settings.contextTakeover) this.history = null
    if (this.engine !== null) enginePool.put(this.engine)
    this.engine = null
  }

  private piece(frame: Frame, data: Buffer, start: number, size: number): Frame {
    const piece = new Frame(frame.opcode, data, frame.fin, frame.rsv & ~RSV1).within(start, size, 0, 'us')
    piece.asPart(this.offset, -1)
    this.offset += size
    return piece
  }

  private takeEngine(): Engine {
    if (this.engine !== null) return this.engine
    this.engine = enginePool.take(this.settings.kind)
    this.history?.restore(this.engine)
    return this.engine
  }

  close(): void {
    if (this.busy) this.engine!.close()
    else if (this.engine !== null) enginePool.put(this.engine)
    this.busy = false
    this.engine = this.history = this.frame = this.input = this.output = this.ready = null
  }
}

function isLast(frame: Frame): boolean {
  return frame.fin && frame.complete
}
