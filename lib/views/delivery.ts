// Batches of messages, or of frames, come in, and go one by one to whoever takes them: the view, or the listeners of 'message'.
// Where nobody does, they wait, and no more is asked for.

import type { Batch, Receiver, Sender } from '../stages/stage.js'

/** Takes messages, or frames, one by one. */
export interface Taker<T> {
  /** Takes one; false asks for no more until `proceed` of the delivery is called. */
  deliver(message: T): boolean
  /** After the last one: a clean end, or an error. */
  endMessages(error: Error | null): void
  /** Whether the application reads it. */
  readonly isRead: boolean
}

/** What stands behind the last stage. */
export interface DeliveryOwner<T> {
  /** Whether 'message' has listeners. */
  readonly isHeard: boolean
  /** Gives a message to the listeners of 'message'; false where there are none. */
  announce(message: T): boolean
  /** Everything that had arrived has been delivered. */
  inputDelivered(): void
}

export class Delivery<T> implements Receiver<T> {
  prev: Sender<T> | null = null
  private queue: Batch<T> | null = null
  private index = 0
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  // what comes late, or not at all, stands in the prototype until then (benchmarks/questions/idle.js)
  declare private taker: Taker<T> | null
  declare private outcome: Error | null | undefined

  static {
    Delivery.prototype.taker = null
    Delivery.prototype.outcome = undefined
  }

  constructor(private readonly owner: DeliveryOwner<T>) {}

  /** Whether messages wait because nobody takes them. */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  /** The view that takes messages from now on. */
  attach(taker: Taker<T>): void {
    this.taker = taker
    if (this.outcome !== undefined && this.queue === null) taker.endMessages(this.outcome)
  }

  receive(messages: Batch<T>): boolean {
    if (this.state === 'discarding') return true
    this.queue = this.queue === null ? messages : [...this.queue.slice(this.index), ...messages]
    this.index = 0
    if (this.state === 'running') return true
    return this.run()
  }

  finish(): void {
    this.owner.inputDelivered()
  }

  /** Somebody takes messages again. */
  proceed(): void {
    if (this.state === 'blocked' && this.run()) this.prev!.proceed()
  }

  /** Drops all that waits or comes. */
  discard(): void {
    const wasBlocked = this.state === 'blocked'
    this.queue = null
    this.index = 0
    this.state = 'discarding'
    if (wasBlocked) this.prev!.proceed()
  }

  /** Nothing more will come. */
  complete(outcome: Error | null): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    if (this.queue === null) this.taker?.endMessages(outcome)
  }

  private run(): boolean {
    let more = this.taker !== null || this.owner.isHeard
    this.state = 'running'
    try {
      while (more && this.queue !== null && this.state === 'running') more = this.next(this.queue)
    } finally {
      // whoever took a message may have discarded the rest, or thrown
      if (this.state === 'running') this.state = more ? 'idle' : 'blocked'
    }
    if (this.queue === null && this.outcome !== undefined) this.taker?.endMessages(this.outcome)
    return (this.state as string) !== 'blocked'
  }

  /** Hands one message out; false where nobody takes it, or no more after it. */
  private next(queue: Batch<T>): boolean {
    const { taker, index } = this
    const message = queue[index]!
    if (index + 1 === queue.length) {
      this.queue = null
      this.index = 0
    } else {
      this.index = index + 1
    }
    const isHeard = this.owner.announce(message)
    // where there are listeners, the view may be there for writing only
    if (taker !== null) return (isHeard && !taker.isRead) || taker.deliver(message)
    if (isHeard) return true
    // the last listener went with the message before
    this.queue = queue
    this.index = index
    return false
  }
}
