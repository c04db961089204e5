// Sends the Close frame, and knows whether it has left: whether a connection ended cleanly hangs on that (RFC 6455 §7.1.4).

import type { Pipeline } from '../pipeline.js'
import type { Buffer } from '../runtime/node.js'

export class CloseSender {
  private frame: 'none' | 'sent' | 'written' = 'none'
  /** The wire has taken all, its end included. */
  hasEnded = false

  constructor(private readonly pipeline: Pipeline) {}

  /** Sends a Close behind what waits; no frame goes out after it. False where this version has no Close frame. */
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

  /** Once all is over: whether our Close, or the end of the wire in its place, had left by then. */
  get hasLeft(): boolean {
    // a stream of HTTP/2 forgets what it has written when the peer resets it, which browsers do after their Close
    if (this.hasEnded || this.pipeline.wire?.isMultiplexed) return true
    return this.frame === 'none' ? this.hasSentAll : this.frame === 'written'
  }

  /** Whether the wire has taken all that was to be sent. */
  get hasSentAll(): boolean {
    const { encoder, wire, isCompressing } = this.pipeline
    if (this.hasEnded) return true
    if (encoder.size > 0 || encoder.isBlocked || isCompressing) return false
    return wire === null || wire.bufferedAmount === 0
  }
}
