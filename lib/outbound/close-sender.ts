// Sends the Close frame and knows whether it was written, which decides whether a connection ended cleanly (RFC 6455 §7.1.4).

import type { Pipeline } from '../pipeline.js'
import type { Buffer } from '../runtime/node.js'

export class CloseSender {
  private frame: 'none' | 'sent' | 'written' = 'none'
  /** The wire has taken everything, including its end. */
  hasEnded = false

  constructor(private readonly pipeline: Pipeline) {}

  /** Sends a Close after queued data; no frame follows it. False if this version has no Close frame. */
  send(payload: Buffer): boolean {
    const { encoder } = this.pipeline
    let isSent = true
    this.pipeline.behindMessages(() => {
      isSent = encoder.close(payload)
      if (!isSent) return
      this.frame = 'sent'
      encoder.whenWritten(error => {
        if (!error) this.frame = 'written'
      })
    })
    return isSent
  }

  /** After the end: whether our Close, or the end of the wire in its place, was written. */
  get hasLeft(): boolean {
    // an HTTP/2 stream no longer knows what it wrote once the peer has reset it, as browsers do after their Close
    if (this.hasEnded || this.pipeline.wire?.isMultiplexed) return true
    return this.frame === 'none' ? this.hasSentAll : this.frame === 'written'
  }

  /** Whether the wire has taken everything that was queued. */
  get hasSentAll(): boolean {
    const { encoder, wire, isCompressing } = this.pipeline
    if (this.hasEnded) return true
    if (encoder.size > 0 || encoder.isBlocked || isCompressing) return false
    return wire === null || wire.bufferedAmount === 0
  }
}
