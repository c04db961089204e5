// The stream to which a driver's WebSocketStream is attached: connects it to `parse` and `io` of the driver. Everything is synchronous.

import { Duplex } from 'node:stream'

/** The driver as its wire sees it. */
export interface WireOwner {
  /** Whether output has to wait. */
  readonly isPaused: boolean
  /** Takes bytes for the peer. */
  give(chunk: Buffer): void
  /** There is room for input again. */
  inputDrained(): void
}

export class Wire extends Duplex {
  private held: (() => void) | null = null

  constructor(private readonly owner: WireOwner) {
    // a single chunk that waits is over the limit
    super({ readableHighWaterMark: 1, writableHighWaterMark: 65536 })
    // read once: otherwise push() would not emit synchronously
    this.read(0)
  }

  /** Output may continue. */
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
