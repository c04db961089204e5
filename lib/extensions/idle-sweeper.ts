// Asks holders of dispensable memory to release it when they have not used it for a while. Uses one timer for the whole process, which does
// not keep the process alive and runs only while there are holders.

import { outsideContexts } from '../runtime/node.js'

/** Holds memory that it can release. */
export interface Holder {
  /** The sweeper's `time` at its last use. */
  lastUsed: number
  /** Releases what it can. It is not called again until it is added again. */
  release(): void
}

export class IdleSweeper {
  /** Number of sweeps so far, used as a cheap clock. */
  time = 0

  private readonly holders = new Set<Holder>()
  private timer: NodeJS.Timeout | null = null

  /** @param interval - time between sweeps in ms; memory is released after one to two intervals without use */
  constructor(private readonly interval: number) {}

  /** Number of holders. */
  get size(): number {
    return this.holders.size
  }

  add(holder: Holder): void {
    holder.lastUsed = this.time
    this.holders.add(holder)
    this.timer ??= outsideContexts(() => setInterval(() => this.sweep(), this.interval).unref())
  }

  delete(holder: Holder): void {
    this.holders.delete(holder)
  }

  /** Called by the timer. */
  sweep(): void {
    this.time++
    for (const holder of this.holders) {
      if (holder.lastUsed >= this.time - 1) continue
      this.holders.delete(holder)
      holder.release()
    }
    if (this.holders.size > 0) return
    clearInterval(this.timer!)
    this.timer = null
  }
}

/** The sweeper of this process. */
export const idleSweeper = new IdleSweeper(5000)
