// Compresses outgoing data frames (RFC 7692 §7.2.1), or passes them unchanged if compression is not worthwhile. A large payload is
// compressed in pieces, which form one frame up to a limit.

import type { WebSocketError } from '../errors.js'
import { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { Buffer } from '../runtime/node.js'
import type { Engine, EngineKind, PoolUser } from './engine.js'
import { enginePool, keyOf } from './engine-pool.js'
import type { FrameCodec } from './extension.js'
import { type Holder, idleSweeper } from './idle-sweeper.js'
import { deflateAtOnce } from './stream-engine.js'
import { type TurnUser, turnBudget } from './turn-budget.js'
import type { ZlibEngine } from './zlib-engine.js'
import { keep, scratch } from './zlib-slab.js'

const RSV1 = 4
/** A larger payload is compressed in the thread pool. */
export const DEFLATE_IN_POOL_ABOVE = 16384
/** Bytes of a large payload that one job in the thread pool compresses. */
export const DEFLATE_PIECE = 65536
/**
 * A fragment ends at this many compressed bytes. Smaller fragments would need more writes, which wait for each other if Nagle's algorithm
 * is enabled; larger ones would take more memory for a peer that does not read.
 */
export const FRAGMENT_FROM = 2 ** 20
/** Size of 00 00 ff ff, which ends every flush, and is not sent at the end of a message (RFC 7692 §7.2.1). */
const TAIL = 4
/** The compressed form of an empty message (RFC 7692 §7.2.3.6). */
const NOTHING = Buffer.from([0])

/** Maximum output for `size` bytes: incompressible data in the smallest blocks that zlib makes. */
function bound(size: number): number {
  return size + (size >>> 3) + 64
}

const output = Buffer.allocUnsafeSlow(bound(DEFLATE_IN_POOL_ABOVE))

/** How one side compresses; shared by all connections that agreed on the same parameters. */
export class OutgoingSettings {
  readonly key: number

  /**
   * @param kind - null if nothing can be compressed for this peer
   * @param contextTakeover - whether a message may refer to earlier ones
   * @param threshold - size in bytes below which a message is not compressed
   * @param concurrency - maximum jobs of the process in the thread pool at the same time
   */
  constructor(
    readonly kind: EngineKind | null,
    readonly contextTakeover: boolean,
    readonly threshold: number,
    readonly concurrency: number
  ) {
    this.key = kind === null ? 0 : keyOf(kind)
  }

  /** Compresses a message without reference to earlier ones. */
  readonly deflateAlone = (payload: Buffer): Buffer => {
    if (payload.length === 0) return NOTHING
    const kind = this.kind!
    const engine = enginePool.take(kind)
    const bytes = engine.direct === null ? deflateAtOnce(kind, payload) : deflateInPieces(engine.direct, payload)
    enginePool.put(engine)
    return bytes.subarray(0, bytes.length - TAIL)
  }
}

function deflateInPieces(engine: ZlibEngine, payload: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < payload.length; at += DEFLATE_IN_POOL_ABOVE) {
    const size = Math.min(DEFLATE_IN_POOL_ABOVE, payload.length - at)
    engine.run(payload, at, size, output, 0, output.length)
    pieces.push(keep(output, 0, engine.produced))
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

export class OutgoingCodec implements FrameCodec, Holder, PoolUser, TurnUser {
  busy = false
  ready: (() => void) | null = null
  lastUsed = 0

  private message: 'none' | 'plain' | 'compressed' = 'none'
  // whether the first fragment of the message has been passed on
  private begun = false
  private engine: Engine | null = null
  // whether the peer's window differs from the engine's
  private windowDiffers = false
  // the current frame, and how many bytes of it are compressed
  private frame: Frame | null = null
  private used = 0
  // the buffers of the job in the thread pool
  private input: Buffer | null = null
  private output: Buffer | null = null
  // whether a turn of the TurnBudget was granted
  private hasTurn = false
  // output of the current frame that is not a fragment yet
  private pieces: Buffer[] = []
  private gathered = 0
  private error: WebSocketError | null = null

  constructor(private readonly settings: OutgoingSettings) {}

  push(frame: Frame): void {
    this.frame = frame
    this.used = 0
  }

  next(): Frame | null {
    if (this.busy) return null
    if (this.error !== null) throw this.error
    const { frame } = this
    if (frame === null) return null
    if (this.message === 'none') {
      if (frame.prepared !== null) return this.sendPrepared(frame)
      this.message = this.isWorthwhile(frame) ? 'compressed' : 'plain'
    }
    if (this.message === 'compressed') return this.compress(frame)
    this.frame = null
    if (frame.fin && frame.complete) this.message = 'none'
    return frame
  }

  private isWorthwhile(frame: Frame): boolean {
    const { kind, threshold } = this.settings
    // the length of a fragmented message is not known yet
    return kind !== null && frame.compress && (!frame.fin || frame.length >= threshold)
  }

  private sendPrepared(frame: Frame): Frame {
    this.frame = null
    const prepared = frame.prepared!.message
    const { key, deflateAlone, contextTakeover } = this.settings
    if (!prepared.compress || !this.isWorthwhile(prepared.whole)) return prepared.whole
    // the peer's window now contains this message, and ours does not: later messages must not refer to earlier ones
    if (contextTakeover) this.windowDiffers = true
    return prepared.deflated(key, deflateAlone)
  }

  private compress(frame: Frame): Frame | null {
    if (this.output !== null) {
      const fragment = this.takeFromPool(frame)
      if (fragment !== null) return fragment
    }
    const left = frame.size - this.used
    if (left > DEFLATE_IN_POOL_ABOVE) {
      this.runInPool(frame)
      return null
    }
    if (left === 0) return this.fragment(frame, frame.fin && frame.complete ? NOTHING : NOTHING.subarray(1))
    if (!this.hasTurn && !turnBudget.take()) {
      this.busy = true
      turnBudget.wait(this)
      return null
    }
    this.hasTurn = false
    return this.runNow(frame, left)
  }

  turnCame(): void {
    // closed meanwhile
    if (this.ready === null) return
    this.busy = false
    this.hasTurn = true
    this.ready()
  }

  private runNow(frame: Frame, left: number): Frame | null {
    const { direct: engine } = this.takeEngine()
    if (engine === null) {
      this.runInPool(frame)
      return null
    }
    if (typeof frame.data === 'string' || frame.mask !== 0) {
      copyTo(scratch, frame)
      engine.run(scratch, 0, left, output, 0, output.length)
    } else {
      frame.checkMemory()
      engine.run(frame.data, frame.start + this.used, left, output, 0, output.length)
    }
    this.used = frame.size
    return this.fragment(frame, this.withoutTail(frame, output, engine.produced))
  }

  private runInPool(frame: Frame): void {
    const { used } = this
    this.busy = true
    // a copy, 1/100 of the work: another thread must not read memory that the application may make smaller
    this.input = Buffer.from(frame.payload.subarray(used, used + DEFLATE_PIECE))
    const room = bound(this.input.length)
    this.output = Buffer.allocUnsafeSlow(room)
    this.takeEngine().runInPool(this.input, this.output, room, this.settings.concurrency, this)
  }

  poolDone(error: WebSocketError | null): void {
    this.busy = false
    this.error = error
    this.ready?.()
  }

  /** Null if the next piece of the frame must be added first. */
  private takeFromPool(frame: Frame): Frame | null {
    this.used += this.input!.length
    const bytes = this.withoutTail(frame, this.output!, this.engine!.produced)
    this.input = this.output = null
    if (this.used < frame.size && this.gathered + bytes.length < FRAGMENT_FROM) {
      this.pieces.push(bytes)
      this.gathered += bytes.length
      return null
    }
    return this.fragment(frame, bytes)
  }

  private withoutTail(frame: Frame, bytes: Buffer, made: number): Buffer {
    const size = frame.fin && frame.complete && this.used === frame.size ? made - TAIL : made
    // a frame may wait for the wire, so it must not keep a larger buffer alive
    return size * 2 < bytes.length || bytes === output ? keep(bytes, 0, size) : bytes.subarray(0, size)
  }

  private fragment(frame: Frame, payload: Buffer): Frame {
    const ended = this.used === frame.size
    const last = ended && frame.fin && frame.complete
    const opcode = this.begun ? Opcode.Continuation : frame.opcode
    const fragment = new Frame(opcode, this.join(payload), last, this.begun ? 0 : frame.rsv | RSV1)
    this.begun = !last
    if (ended) this.frame = null
    if (last) this.endMessage()
    return fragment
  }

  private join(last: Buffer): Buffer {
    if (this.gathered === 0) return last
    const payload = Buffer.concat([...this.pieces, last])
    this.pieces = []
    this.gathered = 0
    return payload
  }

  private endMessage(): void {
    this.message = 'none'
    if (this.settings.contextTakeover || this.engine === null) return
    enginePool.put(this.engine)
    this.engine = null
  }

  private takeEngine(): Engine {
    this.lastUsed = idleSweeper.time
    if (this.engine === null) {
      this.engine = enginePool.take(this.settings.kind!)
      if (this.settings.contextTakeover) idleSweeper.add(this)
    } else if (this.windowDiffers) {
      this.engine.reset()
    }
    this.windowDiffers = false
    return this.engine
  }

  /** Idle: releases the engine, so the next message refers to no earlier one. */
  release(): void {
    if (this.message !== 'none' || this.engine === null) {
      idleSweeper.add(this)
      return
    }
    enginePool.put(this.engine)
    this.engine = null
  }

  close(): void {
    idleSweeper.delete(this)
    if (this.input !== null && this.busy) this.engine!.close()
    else if (this.engine !== null) enginePool.put(this.engine)
    this.busy = false
    this.pieces = []
    this.engine = this.frame = this.input = this.output = this.ready = null
  }
}

function copyTo(bytes: Buffer, frame: Frame): void {
  const { data, size } = frame
  // as many bytes as characters: ASCII
  if (typeof data === 'string' && data.length === size) bytes.latin1Write(data, 0)
  else frame.copy(bytes, 0)
}
