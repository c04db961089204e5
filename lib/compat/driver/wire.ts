// The stream that a driver's WebSocketStream is attached to: the bytes that the driver is given come out, the bytes that go in are
// what the driver emits. Everything happens in the turn of the call.

import { Duplex } from 'node:stream'

/** What stands at the outer end. */
export interface WireOwner {
  /** Whether what is sent has to wait. */
  readonly isPaused: boolean
  /** Takes bytes for the peer. */
  give(chunk: Buffer): void
  /** There is room for input again. */
  inputDrained(): void
}

export class Wire extends Duplex {
  private held: (() => void) | null = null

  constructor(private readonly owner: WireOwner) {
    // a chunk that has to wait is one too many
    super({ readableHighWaterMark: 1, writableHighWaterMark: 65536 })
    // a Readable that has not been read emits nothing in the turn of its push
    this.read(0)
  }

  /** What held output back is over. */
  release(): void {
    const { held } = this
    this.held = null
    held?.()
  }

  override _read(): void {
    this.owner.inputDrained()
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.owner.give(chunk)
    if (this.owner.isPaused) this.held = callback
    else callback()
  }
}
