// A queue from which events can be awaited, in order.

/** A queue between a reporter and a waiter. */
export class Inbox<T> {
  readonly #items: T[] = []
  readonly #waiting: ((item: T | undefined) => void)[] = []
  #ended = false

  put(item: T): void {
    const waiter = this.#waiting.shift()
    if (waiter) waiter(item)
    else this.#items.push(item)
  }

  /** Nothing more comes: every waiter, now or later, gets `undefined`. */
  end(): void {
    this.#ended = true
    for (const waiter of this.#waiting.splice(0)) waiter(undefined)
  }

  async take(): Promise<T | undefined> {
    if (this.#items.length > 0) return this.#items.shift()
    if (this.#ended) return undefined
    return new Promise(resolve => this.#waiting.push(resolve))
  }
}
