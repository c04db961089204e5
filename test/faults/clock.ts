// Virtual time, which passes only on command: it replaces setTimeout and clearTimeout while it is installed, so that a closing handshake
// that is never answered takes no real time.

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }

class Timer {
  constructor(
    private readonly clock: VirtualClock,
    readonly due: number,
    readonly run: () => void
  ) {}

  unref(): this {
    return this
  }

  ref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  clear(): void {
    this.clock.timers.delete(this)
  }
}

export class VirtualClock {
  now = 0
  /** All timers that have neither fired nor been cleared. */
  readonly timers = new Set<Timer>()

  install(): void {
    const start = (run: (...args: unknown[]) => void, delay = 0, ...args: unknown[]): Timer => {
      const timer = new Timer(this, this.now + delay, () => run(...args))
      this.timers.add(timer)
      return timer
    }
    const stop = (timer: unknown): void => {
      if (timer instanceof Timer) timer.clear()
      else real.clearTimeout(timer as NodeJS.Timeout)
    }
    Object.assign(globalThis, { setTimeout: start, clearTimeout: stop })
  }

  uninstall(): void {
    Object.assign(globalThis, real)
  }

  /** Advances to the next timer and fires it; false if there is none. */
  advance(): boolean {
    let next: Timer | undefined
    for (const timer of this.timers) if (next === undefined || timer.due < next.due) next = timer
    if (next === undefined) return false
    this.timers.delete(next)
    this.now = next.due
    next.run()
    return true
  }
}
