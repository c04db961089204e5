// Holders of memory that they can do without come in, and are told to give it back when they have not used it for a while. One timer
// for the process, which does not keep it alive, and none while there is no holder.

import { outsideContexts } from '../runtime/node.js'

/** Holds memory that it can give back. */
export interface Holder {
  /** The sweeper's `time` when it last used what it holds. */
  lastUsed: number
  /** Gives back what it can. It is not called again until it is added again. */
  release(): void
}

export class IdleSweeper {
  /** Sweeps so far, as a cheap clock. */
  time = 0

  private readonly holders = new Set<Holder>()
  private timer: NodeJS.Timeout | null = null

  /** @param interval - milliseconds between sweeps: what lay unused for one to two of them is given back */
  constructor(private readonly interval: number) {}

  /** Those that hold something. */
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

  /** What the timer does. */
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

/** The one of this process. */
export const idleSweeper = new IdleSweeper(5000)
