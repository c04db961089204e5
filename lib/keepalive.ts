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
  // 0 if nothing has arrived since the timer was started
  private heardAt = 0
  // how long the peer had been silent then, in ms; after a Ping, since the Ping. The delays of the timer are added up, and not measured,
  // so that tests which mock timers, but no clock, see it work.
  private silence = 0
  private isPinged = false

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
    this.timer.start(delay, () => this.look(delay), false)
  }

  private look(waited: number): void {
    // The peer cannot send while our backpressure stops it. Node notices a reset only when it writes: hence the Ping.
    const isHeldBack = this.owner.holdsInput()
    if (isHeldBack) this.heard()
    this.addSilence(waited)
    const { silence, interval, timeout } = this
    if (isHeldBack) {
      this.owner.sendPing()
      this.wait(interval)
    } else if (!this.isPinged) {
      if (silence < interval) this.wait(interval - silence)
      else this.ping()
    } else if (silence < timeout) {
      this.wait(Math.min(interval, timeout - silence))
    } else {
      this.owner.peerIsSilent()
    }
  }

  private addSilence(waited: number): void {
    if (this.heardAt === 0) {
      this.silence += waited
      return
    }
    this.silence = performance.now() - this.heardAt
    this.heardAt = 0
    this.isPinged = false
  }

  private ping(): void {
    this.silence = 0
    this.isPinged = true
    this.owner.sendPing()
    this.wait(Math.min(this.interval, this.timeout))
  }
}
