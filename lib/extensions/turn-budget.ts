// Limits synchronous work, over all connections, to a few milliseconds in each turn of the event loop. The rest waits for later turns, in
// order, so that sockets and timers are served in between.

import { setImmediate } from '../runtime/node.js'

/** Does a piece of work when its turn comes. */
export interface TurnUser {
  turnCame(): void
}

interface Waiting {
  readonly user: TurnUser
  next: Waiting | null
}

/**
 * Number of pieces in a turn that are not timed, since reading the clock and requesting a turn have a cost (benchmarks/questions/echo.js).
 */
const UNTIMED = 16

export class TurnBudget {
  private count = 0
  private began = 0
  private asked = false
  private first: Waiting | null = null
  private last: Waiting | null = null

  /**
   * @param milliseconds - time after which further work in the same turn waits
   * @param now - a clock
   */
  constructor(
    private readonly milliseconds: number,
    private readonly now: () => number = () => performance.now()
  ) {}

  /** Whether a piece of work may be done now; true counts as doing it. */
  take(): boolean {
    if (this.first !== null) return false
    if (this.count++ < UNTIMED) return true
    if (!this.asked) this.ask()
    return this.hasTime
  }

  /** Calls `user` in a later turn, after those that already wait. */
  wait(user: TurnUser): void {
    const waiting = { user, next: null }
    if (this.last === null) this.first = waiting
    else this.last.next = waiting
    this.last = waiting
  }

  private get hasTime(): boolean {
    return this.now() - this.began < this.milliseconds
  }

  private ask(): void {
    this.asked = true
    this.began = this.now()
    setImmediate(() => this.turn())
  }

  private turn(): void {
    this.asked = false
    this.count = 0
    this.began = this.now()
    if (this.first !== null) this.ask()
    // at least one piece, however slow it is
    while (this.first !== null) {
      const { user, next } = this.first
      this.first = next
      if (next === null) this.last = null
      user.turnCame()
      if (!this.hasTime) return
    }
  }
}

/** The budget of this process. */
export const turnBudget = new TurnBudget(10)
