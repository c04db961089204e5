// A timer that judges a peer fairly: time in which this process could not read does not count.

import { setImmediate } from './runtime/node.js'

/** A timer that fires later than this, in ms, was kept by a blocked event loop. */
const LATE_FROM = 50

export class PatientTimer {
  private timer: NodeJS.Timeout | null = null

  /**
   * Starts the timer anew. `run` is called at the earliest one poll phase of the event loop after `delay` ms, so that what has arrived
   * is read first. If the loop was blocked when the time was up, the peer gets the time that was lost, once.
   * @param delay - in ms; never for Infinity
   * @param keepsAlive - whether the timer keeps the process alive
   */
  start(delay: number, run: () => void, keepsAlive = true): void {
    this.wait(delay, performance.now() + delay, run, keepsAlive)
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  private wait(delay: number, due: number, run: () => void, keepsAlive: boolean): void {
    this.stop()
    if (delay === Number.POSITIVE_INFINITY) return
    const timer = setTimeout(() => this.fire(timer, delay, due, run, keepsAlive), delay)
    // a browser's timers are numbers, and keep nothing alive
    if (!keepsAlive) timer.unref?.()
    this.timer = timer
  }

  private fire(timer: NodeJS.Timeout, delay: number, due: number, run: () => void, keepsAlive: boolean): void {
    setImmediate(() => {
      // it may have been stopped or started anew by what was read
      if (this.timer !== timer) return
      // the loop may have been blocked before this timer fired, or after it while others read
      const late = performance.now() - due
      if (late >= LATE_FROM) {
        this.wait(Math.min(late, delay), Number.POSITIVE_INFINITY, run, keepsAlive)
        return
      }
      this.timer = null
      run()
    })
  }
}
