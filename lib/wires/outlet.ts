// One destination of a WebSocketStream's output, written to directly.

import type { Batch } from '../stages/stage.js'
import type { NodeWritable as Writable } from '../streams.js'
import { isSocket, type Written } from './wire.js'

export class Outlet {
  isBlocked: boolean
  /** Called when the destination closes, finishes or fails. */
  leaves: (() => void) | null = null
  readonly leave = (): void => this.leaves?.()

  /**
   * @param ends - whether the destination ends when the output does
   * @param drained - called when the destination has room again
   */
  constructor(
    readonly stream: Writable,
    readonly ends: boolean,
    private readonly drained: () => void
  ) {
    this.isBlocked = stream.writableNeedDrain
    stream.on('drain', this.onDrain)
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
  }

  private readonly onDrain = (): void => {
    if (!this.isBlocked) return
    this.isBlocked = false
    this.drained()
  }
}
