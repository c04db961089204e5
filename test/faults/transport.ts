// A wire in memory that behaves like a network, at moments chosen by a seed: it splits and joins what is written, delays it,
// stalls, ends one direction, or resets both, after any byte. Bytes move only in `step`.

import { Duplex } from 'node:stream'

export type Random = () => number

/** A fault of one direction, after this many bytes have been delivered. */
export interface Fault {
  readonly kind: 'reset' | 'end' | 'stall'
  readonly after: number
}

export interface TransportOptions {
  readonly random: Random
  /** From the first end to the second, and back. */
  readonly faults?: readonly [Fault | null, Fault | null]
  /** Bytes in flight in one direction before a write waits. Default: 65536. */
  readonly capacity?: number
  /** Maximum bytes that arrive at once, among about the first thousand: more would take too long. Default: no limit. */
  readonly largest?: number
  /** Whether an end may continue to write after it has read the end. Default: true. */
  readonly allowHalfOpen?: boolean
}

/** Bytes that may arrive in small pieces. */
const SLOWLY = 1000

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** One end of the wire. */
export class TransportEnd extends Duplex {
  /** The direction to which this end writes. */
  readonly out: Direction
  /** The other end asked for more than has arrived. */
  wantsMore = false

  constructor(out: Direction, allowHalfOpen: boolean) {
    super({ allowHalfOpen, highWaterMark: 16384 })
    this.out = out
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
  to!: TransportEnd
  from!: TransportEnd
  isEnded = false
  /** All bytes that were sent. */
  readonly sent: Buffer[] = []
  /** All bytes that have arrived. */
  readonly delivered: Buffer[] = []
  /** The fault of this direction has occurred. */
  hasFailed = false

  private queue: Buffer[] = []
  private queued = 0
  private count = 0
  private waiting: ((error?: Error | null) => void) | null = null
  private isOver = false
  // the sender is gone, and the receiver does not know it yet
  private isAbandoned = false

  constructor(
    private readonly random: Random,
    private readonly fault: Fault | null,
    private readonly capacity: number,
    private readonly largest: number
  ) {}

  send(chunk: Buffer, callback: (error?: Error | null) => void): void {
    if (this.to.destroyed) {
      callback(failure('EPIPE'))
      return
    }
    // a copy: the memory belongs to the writer again when its write is done
    const bytes = Buffer.from(chunk)
    this.sent.push(bytes)
    this.queue.push(bytes)
    this.queued += chunk.length
    if (this.queued < this.capacity) callback()
    else this.waiting = callback
  }

  /** The sender was destroyed: what it had sent may arrive, or be lost in a reset. */
  abandon(isRude: boolean): void {
    this.isAbandoned = true
    this.isEnded = true
    const { waiting } = this
    this.waiting = null
    waiting?.()
    // a reset overtakes all that is in flight, and a stall
    if (isRude && this.random() < 0.5) {
      this.queue = []
      this.queued = 0
      if (!this.isOver) this.resets = true
    }
  }

  private resets = false

  /** Whether there is anything to do here. */
  get isBusy(): boolean {
    // a writer whose peer is gone gets an error
    if (this.to.destroyed) return !this.from.destroyed && (this.queued > 0 || this.waiting !== null)
    if (this.isOver) return false
    if (this.resets) return true
    if (this.isFaultDue) return this.fault!.kind !== 'stall'
    if (this.queued > 0) return this.to.wantsMore
    return this.isEnded
  }

  private get isFaultDue(): boolean {
    return this.fault !== null && this.count >= this.fault.after
  }

  /** Delivers some bytes, the end, or a fault. */
  step(): void {
    if (this.to.destroyed) this.from.destroy(failure('EPIPE'))
    else if (this.resets) this.reset()
    else if (this.isFaultDue) this.fail(this.fault!)
    else if (this.queued > 0) this.deliver()
    else this.end()
  }

  private deliver(): void {
    const largest = this.count < SLOWLY ? this.largest : this.queued
    const most = Math.min(this.queued, largest, this.fault === null ? this.queued : this.fault.after - this.count)
    const size = this.random() < 0.3 ? most : 1 + Math.floor(this.random() * most)
    const all = Buffer.concat(this.queue)
    const chunk = Buffer.from(all.subarray(0, size))
    this.queue = [all.subarray(size)]
    this.queued -= size
    this.count += size
    this.delivered.push(chunk)
    if (this.isFaultDue) this.hasFailed = true
    this.to.wantsMore = false
    if (this.to.push(chunk)) this.to.wantsMore = true
    if (this.waiting === null || this.queued >= this.capacity) return
    const { waiting } = this
    this.waiting = null
    waiting()
  }

  private fail({ kind }: Fault): void {
    this.hasFailed = true
    if (kind === 'reset') this.reset()
    else this.end()
  }

  private end(): void {
    this.isOver = true
    if (!this.to.readableEnded) this.to.push(null)
    // an end that has ended its output and was not destroyed may still read
    if (this.isAbandoned) this.queue = []
  }

  private reset(): void {
    this.isOver = true
    this.to.destroy(failure('ECONNRESET'))
    if (!this.from.destroyed) this.from.destroy(failure('ECONNRESET'))
  }
}

export class Transport {
  readonly ends: readonly [TransportEnd, TransportEnd]
  readonly directions: readonly [Direction, Direction]

  constructor(private readonly options: TransportOptions) {
    const { random, faults = [null, null], capacity = 65536, allowHalfOpen = true } = options
    const { largest = Number.POSITIVE_INFINITY } = options
    const there = new Direction(random, faults[0], capacity, largest)
    const back = new Direction(random, faults[1], capacity, largest)
    this.directions = [there, back]
    this.ends = [new TransportEnd(there, allowHalfOpen), new TransportEnd(back, allowHalfOpen)]
    there.from = back.to = this.ends[0]
    there.to = back.from = this.ends[1]
  }

  /** Whether anything can move. */
  get isBusy(): boolean {
    return this.directions.some(direction => direction.isBusy)
  }

  /** Makes one step, in a direction chosen by the seed. */
  step(): void {
    const busy = this.directions.filter(direction => direction.isBusy)
    busy[Math.floor(this.options.random() * busy.length)]?.step()
  }
}
