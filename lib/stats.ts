// What has gone through one connection, counted.

/** Counts of one connection, from its first byte on. */
export interface ConnectionStats {
  /** Messages whose last frame has arrived. */
  readonly messagesReceived: number
  /** Messages whose last frame has been given to the wire, or waits for it. */
  readonly messagesSent: number
  /** Frames that have arrived, control frames included. */
  readonly framesReceived: number
  /** Frames that have been given to the wire, or wait for it. */
  readonly framesSent: number
  /** Bytes that the wire has brought, the opening handshake included. */
  readonly bytesReceived: number
  /** Bytes that were given to the wire, the opening handshake included. */
  readonly bytesSent: number
  /** Bytes of received messages before compression by bytes after it; 1 where nothing was negotiated, or nothing has gone through it. */
  readonly compressionReceived: number
  /** The same of sent messages. */
  readonly compressionSent: number
  /** Milliseconds in which the application, or this library, kept the peer from writing. */
  readonly inputBlocked: number
  /** Milliseconds in which the wire took no more. */
  readonly outputBlocked: number
}

/** Adds up the time that something is blocked, now and then. */
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

  /** Milliseconds. */
  get milliseconds(): number {
    return this.total + (this.since < 0 ? 0 : performance.now() - this.since)
  }
}
