// One destination of a WebSocketStream's output, written to directly.

import type { Batch } from '../stages/stage.js'
import type { NodeWritable as Writable } from '../streams.js'
import { isSocket, type Written } from './wire.js'

/** The wire that writes to the outlet. */
export interface OutletOwner {
  /** The destination has room again. */
  outletDrained(): void
  /** The destination finished or failed. (The owner itself listens for 'close'.) */
  outletLeft(outlet: Outlet): void
}

/** After these events nothing more is written to a destination. */
const LAST_EVENTS = ['finish', 'error']

export class Outlet {
  isBlocked: boolean

  /**
   * @param ends - whether the destination ends when the output does
   * @param owner - notified about the destination
   */
  constructor(
    readonly stream: Writable,
    readonly ends: boolean,
    private readonly owner: OutletOwner
  ) {
    this.isBlocked = stream.writableNeedDrain
    stream.on('drain', this.onDrain)
    for (const event of LAST_EVENTS) stream.once(event, this.onLast)
    // disable Nagle's algorithm
    if (isSocket(stream)) (stream as Writable & { setNoDelay(on: boolean): void }).setNoDelay(true)
  }

  get isSocket(): boolean {
    return isSocket(this.stream)
  }

  /** Writes all buffers at once; false if the destination is full until it drains. */
  write(buffers: Batch<Buffer>, written: Written): boolean {
    const { stream } = this
    const last = buffers.length - 1
    if (last > 0) stream.cork()
    for (let i = 0; i < last; i++) stream.write(buffers[i])
    const more = stream.write(buffers[last], written)
    if (last > 0) stream.uncork()
    if (!more) this.isBlocked = true
    return more
  }

  release(): void {
    this.stream.off('drain', this.onDrain)
    for (const event of LAST_EVENTS) this.stream.off(event, this.onLast)
  }

  private readonly onDrain = (): void => {
    if (!this.isBlocked) return
    this.isBlocked = false
    this.owner.outletDrained()
  }

  private readonly onLast = (): void => this.owner.outletLeft(this)
}

/** A callback for each of several writes; runs `written` after the last, with the first error. */
export function afterAll(count: number, written: Written): Written {
  let failure: Error | null | undefined
  return error => {
    failure ||= error
    if (--count === 0) written(failure)
  }
}
