// Detects a silent peer that is gone: sends a Ping after `interval` of silence, and ends the connection if nothing arrives within `timeout`
// after that.

import { PatientTimer } from './patient-timer.js'

/** The methods that Keepalive calls on its connection. */
export interface KeepaliveOwner {
  sendPing(): void
  /** Whether backpressure of this side keeps the peer from writing at present. */
  holdsInput(): boolean
  peerIsSilent(): void
}

export class Keepalive {
  private readonly timer = new PatientTimer()
  private heardAt = performance.now()
  private pingedAt = 0

  constructor(
    private readonly interval: number,
    private readonly timeout: number,
    private readonly owner: KeepaliveOwner
  ) {
    this.wait(interval)
  }

  /** Bytes arrived on the wire, or it took bytes that had waited. */
  heard(): void {
    this.heardAt = performance.now()
  }

  stop(): void {
    this.timer.stop()
  }

  private wait(delay: number): void {
    // the timer does not keep the process alive; the socket does
    this.timer.start(delay, () => this.look(), false)
  }

  private look(): void {
    if (this.owner.holdsInput()) {
      // The peer cannot send while our backpressure stops it. Node notices a reset only when it writes: hence the Ping.
      this.heard()
      this.owner.sendPing()
      this.wait(this.interval)
      return
    }
    const now = performance.now()
    const isPinged = this.pingedAt > this.heardAt
    if (isPinged && now - this.pingedAt >= this.timeout) this.owner.peerIsSilent()
    else if (isPinged) this.wait(Math.min(this.interval, this.timeout - (now - this.pingedAt)))
    else if (now - this.heardAt < this.interval) this.wait(this.interval - (now - this.heardAt))
    else this.ping(now)
  }

  private ping(now: number): void {
    this.pingedAt = now
    this.owner.sendPing()
    this.wait(Math.min(this.interval, this.timeout))
  }
}
