// Finds out whether a silent peer is still there: after `interval` of silence it is pinged, and after `timeout` without any sign of
// life behind that it is given up.

import { PatientTimer } from './patient-timer.js'

/** What keepalive asks of its connection. */
export interface KeepaliveOwner {
  sendPing(): void
  /** Whether the application, or this library, keeps the peer from writing at present. */
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

  /** Something came from the wire, or it took bytes that had waited. */
  heard(): void {
    this.heardAt = performance.now()
  }

  stop(): void {
    this.timer.stop()
  }

  private wait(delay: number): void {
    // the socket keeps the process alive, if anything does
    this.timer.start(delay, () => this.look(), false)
  }

  private look(): void {
    // it cannot speak, and need not
    if (this.owner.holdsInput()) this.heard()
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
