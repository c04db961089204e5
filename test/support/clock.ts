// Time that a test advances: `setTimeout`, `clearTimeout` and `performance.now` of this process, until the test is over.

import type { TestLike } from '../websocket-stream/sides.js'

interface Timer {
  due: number
  run: () => void
  keepsAlive: boolean
  unref(): Timer
}

export class Clock {
  now = 1000
  private readonly timers = new Set<Timer>()

  constructor(t: TestLike) {
    const { setTimeout, clearTimeout } = globalThis
    const { now } = performance
    const { timers } = this
    const start = (run: () => void, delay = 0): Timer => {
      const timer: Timer = { due: this.now + delay, run, keepsAlive: true, unref }
      timers.add(timer)
      return timer
    }
    function unref(this: Timer): Timer {
      this.keepsAlive = false
      return this
    }
    Object.assign(globalThis, { setTimeout: start, clearTimeout: (timer: Timer) => timers.delete(timer) })
    performance.now = () => this.now
    t.teardown(() => {
      Object.assign(globalThis, { setTimeout, clearTimeout })
      performance.now = now
    })
  }

  /** The delays of the running timers, from now. */
  get waiting(): number[] {
    return [...this.timers].map(({ due }) => due - this.now).sort((a, b) => a - b)
  }

  /** Whether a timer keeps the process alive. */
  get keepsAlive(): boolean {
    return [...this.timers].some(({ keepsAlive }) => keepsAlive)
  }

  /** Advances by this many ms; each timer fires when it is due, followed by a poll phase of the event loop. */
  async pass(milliseconds: number): Promise<void> {
    // timers that fired before get their poll phase
    await new Promise(setImmediate)
    const end = this.now + milliseconds
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.now = Math.max(this.now, next.due)
      this.fire(next)
      await new Promise(setImmediate)
    }
    this.now = end
    await new Promise(setImmediate)
  }

  /** Blocks the event loop for this many ms: timers that are due fire afterwards, before anything is read. */
  stall(milliseconds: number): void {
    this.now += milliseconds
    for (const timer of [...this.timers]) if (timer.due <= this.now) this.fire(timer)
  }

  private next(end: number): Timer | undefined {
    return [...this.timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0]
  }

  private fire(timer: Timer): void {
    this.timers.delete(timer)
    timer.run()
  }
}
