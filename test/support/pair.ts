// Two ends of a wire in memory. What is written at one end is read at the other; backpressure, ends and resets pass as on a socket.

import { Duplex } from 'node:stream'

export interface PairOptions {
  /** Bytes that each end holds before a write has to wait. Default: 16384. */
  highWaterMark?: number
}

/** One end: `destroy()` appears as an end of input at the other, `destroy(error)` as a reset. */
export class PairEnd extends Duplex {
  /** Bytes that were written to this end. */
  sent = 0
  private other!: PairEnd
  private pending: (() => void) | null = null

  static join(options: PairOptions = {}): [PairEnd, PairEnd] {
    const { highWaterMark = 16384 } = options
    const ends: [PairEnd, PairEnd] = [new PairEnd({ highWaterMark }), new PairEnd({ highWaterMark })]
    ends[0].other = ends[1]
    ends[1].other = ends[0]
    return ends
  }

  override _read(): void {
    const { pending } = this.other
    this.other.pending = null
    // in its own turn, like all input from outside
    if (pending !== null) setImmediate(pending)
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error) => void): void {
    const { other } = this
    if (other.destroyed) {
      callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return
    }
    this.sent += chunk.length
    // a copy: the memory belongs to the writer again when its write is done
    if (other.push(Buffer.from(chunk))) setImmediate(callback)
    else this.pending = callback
  }

  override _final(callback: () => void): void {
    if (!this.other.destroyed && !this.other.readableEnded) this.other.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { other, pending } = this
    this.pending = null
    pending?.()
    setImmediate(() => {
      const waiting = other.pending
      other.pending = null
      waiting?.()
      if (other.destroyed) return
      if (error !== null) other.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      else if (!this.writableFinished) other.push(null)
    })
    callback(error)
  }
}

/** A wire in memory. */
export function pair(options?: PairOptions): [PairEnd, PairEnd] {
  return PairEnd.join(options)
}
