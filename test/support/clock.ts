// Time that a test moves: `setTimeout`, `clearTimeout` and `performance.now` of this process, until the test is over.

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

  /** The timers that run, by their delay from now. */
  get waiting(): number[] {
    return [...this.timers].map(({ due }) => due - this.now).sort((a, b) => a - b)
  }

  /** Whether a timer keeps the process alive. */
  get keepsAlive(): boolean {
    return [...this.timers].some(({ keepsAlive }) => keepsAlive)
  }

  /** Lets so many ms pass; each timer runs when it is due, and a poll phase of the event loop follows it. */
  async pass(milliseconds: number): Promise<void> {
    // what fired before has its poll phase
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

  /** The event loop is blocked for so many ms: what is due runs behind it, before anything is read. */
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
