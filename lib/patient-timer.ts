// A timer for timeouts of a peer. Time in which this process could not read does not count.

import { setImmediate } from './runtime/node.js'

/** If a timer fires later than this, in ms, the event loop was blocked. */
const LATE_FROM = 50

export class PatientTimer {
  private timer: NodeJS.Timeout | null = null

  /**
   * Restarts the timer. `run` is called at least one poll phase of the event loop after `delay` ms, so that what has arrived is read first.
   * If the loop was blocked at that time, the timer waits once more, for the time lost.
   * @param delay - in ms; Infinity never fires
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
    // a browser's timers are numbers without unref()
    if (!keepsAlive) timer.unref?.()
    this.timer = timer
  }

  private fire(timer: NodeJS.Timeout, delay: number, due: number, run: () => void, keepsAlive: boolean): void {
    setImmediate(() => {
      // reading may have stopped or restarted the timer
      if (this.timer !== timer) return
      // the loop may have been blocked before this timer fired, or afterwards by reading for other connections
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
