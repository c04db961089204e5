// A wire in memory that behaves like a network, at moments chosen by a seed: it splits and joins what is written, delays it, ends one
// direction, stalls, or resets both. Bytes move only in `step`. Keeps what it carried, to be checked afterwards.

import { Duplex } from 'node:stream'
import type { Random } from './choices.js'

/** A fault of one direction, after this many bytes have been delivered. */
export interface Fault {
  readonly kind: 'reset' | 'end' | 'stall'
  readonly after: number
}

export interface WireOptions {
  readonly random: Random
  /** From the first end to the second, and back. */
  readonly faults: readonly [Fault | null, Fault | null]
  /** Bytes in flight in one direction before a write waits. */
  readonly capacity: number
  /** Maximum bytes that arrive at once, among the first 1,000. */
  readonly largest: number
  readonly allowHalfOpen: boolean
}

const SLOWLY = 1000
const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** One end of the wire. */
export class WireEnd extends Duplex {
  out!: Direction
  /** It asked for more than has arrived. */
  wantsMore = false
  /** Bytes that its reader has got. */
  consumed = 0

  constructor(allowHalfOpen: boolean) {
    super({ allowHalfOpen, highWaterMark: 16384 })
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'data') this.consumed += (args[0] as Buffer).length
    return super.emit(event as string, ...args)
  }

  override _read(): void {
    this.wantsMore = true
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.out.send(chunk, callback)
  }

  override _final(callback: () => void): void {
    this.out.isEnded = true
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.out.abandon(error !== null || !this.writableFinished)
    callback(error)
  }
}

/** Bytes in flight in one direction. */
export class Direction {
  from!: WireEnd
  to!: WireEnd
  /** All bytes in flight arrive at once. */
  isPlain = false
  /** The sender writes no more. */
  isEnded = false
  /** The fault of this direction has occurred. */
  hasFailed = false
  /** Copies of what was sent, and of what has arrived. */
  readonly sent: Buffer[] = []
  readonly delivered: Buffer[] = []
  /** The chunks that the receiver got, whose memory it does not own. */
  readonly chunks: Buffer[] = []

  private queue: Buffer[] = []
  private queued = 0
  private count = 0
  private waiting: ((error?: Error | null) => void) | null = null
  // the end has arrived, or nothing more will
  private isOver = false
  private resets = false

  constructor(
    private readonly fault: Fault | null,
    private readonly options: WireOptions
  ) {}

  send(chunk: Buffer, callback: (error?: Error | null) => void): void {
    if (this.to.destroyed) {
      callback(failure('EPIPE'))
      return
    }
    const bytes = Buffer.from(chunk)
    this.sent.push(bytes)
    this.queue.push(bytes)
    this.queued += chunk.length
    if (this.queued < this.options.capacity) callback()
    else this.waiting = callback
  }

  /** The sender was destroyed: what it had sent may arrive, or be lost in a reset. */
  abandon(isRude: boolean): void {
    this.isEnded = true
    this.release()
    if (!isRude || this.options.random() < 0.5) return
    // a reset overtakes all that is in flight, and a stall
    this.queue = []
    this.queued = 0
    this.resets = !this.isOver
  }

  /** Whether there is anything to do here. */
  get isBusy(): boolean {
    // a writer whose peer is gone gets an error
    if (this.to.destroyed) return !this.from.destroyed && (this.queued > 0 || this.waiting !== null)
    if (this.isOver) return false
    if (this.resets) return true
    if (this.isFaultDue) return this.fault!.kind !== 'stall'
    return this.queued > 0 ? this.to.wantsMore : this.isEnded
  }

  private get isFaultDue(): boolean {
    return this.fault !== null && this.count >= this.fault.after
  }

  /** Delivers some bytes, the end, or a fault. */
  step(): string {
    if (this.to.destroyed) {
      this.from.destroy(failure('EPIPE'))
      return 'is broken'
    }
    if (this.resets || (this.isFaultDue && this.fault!.kind === 'reset')) return this.reset()
    if (this.queued > 0 && !this.isFaultDue) return this.deliver()
    this.hasFailed ||= this.isFaultDue
    this.isOver = true
    if (!this.to.readableEnded) this.to.push(null)
    return 'ends'
  }

  private deliver(): string {
    const { random, largest } = this.options
    const limit = this.fault === null ? this.queued : this.fault.after - this.count
    const most = Math.min(this.queued, limit, this.count < SLOWLY && !this.isPlain ? largest : this.queued)
    const size = this.isPlain || random() < 0.3 ? most : 1 + Math.floor(random() * most)
    const all = this.queue.length === 1 ? this.queue[0]! : Buffer.concat(this.queue)
    this.queue = [all.subarray(size)]
    this.queued -= size
    this.count += size
    this.hasFailed ||= this.isFaultDue
    const chunk = Buffer.from(all.subarray(0, size))
    this.delivered.push(all.subarray(0, size))
    this.chunks.push(chunk)
    this.to.wantsMore = false
    if (this.queued < this.options.capacity) this.release()
    if (this.to.push(chunk)) this.to.wantsMore = true
    return `brings ${size}`
  }

  private release(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  private reset(): string {
    this.hasFailed = true
    this.isOver = true
    this.to.destroy(failure('ECONNRESET'))
    if (!this.from.destroyed) this.from.destroy(failure('ECONNRESET'))
    return 'resets'
  }
}

export class Wire {
  readonly ends: readonly [WireEnd, WireEnd]
  readonly directions: readonly [Direction, Direction]

  constructor(options: WireOptions) {
    const { faults, allowHalfOpen } = options
    const [there, back] = [new Direction(faults[0], options), new Direction(faults[1], options)]
    const [near, far] = [new WireEnd(allowHalfOpen), new WireEnd(allowHalfOpen)]
    there.from = back.to = near
    there.to = back.from = far
    near.out = there
    far.out = back
    this.directions = [there, back]
    this.ends = [near, far]
  }
}
