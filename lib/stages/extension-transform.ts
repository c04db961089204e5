// Batches of frames come in, batches of frames go out, as the negotiated extensions make them. With none, all that it does is to
// see that no reserved bit is set. Stands in the pipeline only where something was negotiated.

import type { DuplexOptions } from 'node:stream'
import { WebSocketError } from '../errors.js'
import type { Frame } from '../protocol/frame.js'
import { isControl, Opcode } from '../protocol/opcode.js'
import { type Batch, type FaultListener, Stage } from './stage.js'

export interface ExtensionTransformOptions {
  /** Reserved bits that something negotiated, as in `Frame.rsv`: 4, 2, 1 for RSV1, RSV2, RSV3. Default: none. */
  rsv?: number
}

/** Validates reserved bits (RFC 6455 §5.2) and passes frames through. On its own it is destroyed by a fault. */
export class ExtensionTransform extends Stage<Frame, Frame> {
  /** @internal */
  listener: FaultListener | null = null

  private readonly rsv: number

  constructor(options: ExtensionTransformOptions = {}) {
    super()
    this.rsv = options.rsv ?? 0
  }

  receive(frames: Batch<Frame>): boolean {
    const wrong = frames.findIndex(frame => (frame.rsv & ~this.allowed(frame)) !== 0)
    if (wrong < 0) return this.hand(frames)
    if (wrong > 0) this.hand(frames.slice(0, wrong))
    const error = new WebSocketError('WS_ERR_UNEXPECTED_RSV') // RFC 6455 §5.2
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
    return true
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }

  // RFC 7692 §6: a message is marked on its first frame, and a control frame never
  private allowed(frame: Frame): number {
    return isControl(frame.opcode) || frame.opcode === Opcode.Continuation ? 0 : this.rsv
  }
}
