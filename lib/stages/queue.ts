// A first-in, first-out queue. `shift` takes constant time; Array's `shift` moves all remaining items.

/** The array is shortened when more than this many items at its front are used up, and more than half of it. */
const SHORTENED_FROM = 1024

export class Queue<T> {
  private items: T[] = []
  private at = 0

  get length(): number {
    return this.items.length - this.at
  }

  push(item: T): void {
    this.items.push(item)
  }

  /** Removes and returns the first item; undefined if there is none. */
  shift(): T | undefined {
    if (this.at === this.items.length) return undefined
    const item = this.items[this.at]!
    // do not keep a removed item alive
    this.items[this.at++] = undefined as T
    if (this.at === this.items.length) this.clear()
    else if (this.at > SHORTENED_FROM && this.at * 2 > this.items.length) this.shorten()
    return item
  }

  clear(): void {
    this.items = []
    this.at = 0
  }

  private shorten(): void {
    this.items = this.items.slice(this.at)
    this.at = 0
  }
}
