// Counters of one connection.

/** Counters of one connection, from its first byte on. */
export interface ConnectionStats {
  /** Messages whose last frame has arrived. */
  readonly messagesReceived: number
  /** Messages whose last frame has been passed to the wire, or waits for it. */
  readonly messagesSent: number
  /** Frames that have arrived, including control frames. */
  readonly framesReceived: number
  /** Frames that have been passed to the wire, or wait for it. */
  readonly framesSent: number
  /** Bytes received, including the opening handshake. */
  readonly bytesReceived: number
  /** Bytes passed to the wire, including the opening handshake. */
  readonly bytesSent: number
  /**
   * Uncompressed size of received messages divided by their compressed size; 1 if no extension was negotiated or no message has arrived.
   */
  readonly compressionReceived: number
  /** The same for sent messages. */
  readonly compressionSent: number
  /** Time in ms in which backpressure of this side kept the peer from writing. */
  readonly inputBlocked: number
  /** Time in ms in which the wire was full. */
  readonly outputBlocked: number
}

/** Adds up the periods in which something is blocked. */
export class BlockedTime {
  private total = 0
  private since = -1

  start(): void {
    if (this.since < 0) this.since = performance.now()
  }

  stop(): void {
    if (this.since >= 0) this.total += performance.now() - this.since
    this.since = -1
  }

  /** The total in ms. */
  get milliseconds(): number {
    return this.total + (this.since < 0 ? 0 : performance.now() - this.since)
  }
}
