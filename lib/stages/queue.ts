// Items come in, and go out in the same order. Taking one costs the same however many wait, where Array's `shift` moves all the others.

/** The array is shortened when more than so many items at its front are used up, and more than half of it. */
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

  /** The first item, which is taken out; undefined where there is none. */
  shift(): T | undefined {
    if (this.at === this.items.length) return undefined
    const item = this.items[this.at]!
    // what is taken is not kept alive
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
