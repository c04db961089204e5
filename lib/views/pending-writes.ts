// The writes of a view that its stream has not begun. They begin in the order in which they were made, so a number finds each: a record for
// each write would cost more than sending a small message (benchmarks/questions/echo.js, messages, 100 in flight).

import type { Written } from '../stages/frame-encoder.js'

export class PendingWrites {
  /** Bytes in writes that have not begun. */
  size = 0
  private made = 0
  private begun = 0
  private sizes: Map<number, number> | null = null
  private callbacks: Map<number, Written> | null = null

  /** Returns the number of a write that is being made. */
  make(written: Written | null): number {
    const number = this.made++
    if (written !== null) (this.callbacks ??= new Map()).set(number, written)
    return number
  }

  /** The stream threw, and does not make the last write. */
  undo(): void {
    this.made--
    this.callbacks?.delete(this.made)
  }

  /** Whether the write of this number has not begun. */
  has(number: number): boolean {
    return this.begun <= number
  }

  /** A write waits, with this many bytes. */
  hold(number: number, size: number): void {
    this.sizes ??= new Map()
    this.sizes.set(number, size)
    this.size += size
  }

  /** Returns the number of the write that begins. */
  begin(): number {
    return this.begun++
  }

  /** Returns and forgets the bytes of a write; undefined if it did not wait. */
  takeSize(number: number): number | undefined {
    const size = this.sizes?.get(number)
    if (size === undefined) return undefined
    this.sizes!.delete(number)
    this.size -= size
    return size
  }

  /** Returns and forgets the callback of a write; null if it had none, or it was taken before. */
  takeCallback(number: number): Written | null {
    const callback = this.callbacks?.get(number)
    if (callback === undefined) return null
    this.callbacks!.delete(number)
    return callback
  }
}
