// Batches of messages come in, and go to whoever takes messages: the view, or the listeners of 'message'. Where nobody does,
// they wait, and no more is asked for.

import type { Message } from '../protocol/message-joiner.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'

/** Takes messages one by one. */
export interface MessageTaker {
  /** Takes a message; false asks for no more until it calls `proceed` of the delivery. */
  deliver(message: Message): boolean
  /** After the last message: a clean end, or an error. */
  endMessages(error: Error | null): void
}

/** What stands behind the last stage. */
export interface DeliveryOwner {
  /** Whether 'message' has listeners. */
  readonly isHeard: boolean
  /** Gives a message to the listeners of 'message'. */
  announce(message: Message): void
  /** Everything that had arrived has been delivered. */
  inputDelivered(): void
}

export class Delivery implements Receiver<Message> {
  prev: Sender<Message> | null = null
  private taker: MessageTaker | null = null
  private queue: Batch<Message> | null = null
  private index = 0
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  private outcome: Error | null | undefined = undefined

  constructor(private readonly owner: DeliveryOwner) {}

  /** Whether messages wait because nobody takes them. */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  /** The view that takes messages from now on. */
  attach(taker: MessageTaker): void {
    this.taker = taker
    if (this.outcome !== undefined && this.queue === null) taker.endMessages(this.outcome)
  }

  receive(messages: Batch<Message>): boolean {
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
    this.state = 'running'
    let more = true
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
  private next(queue: Batch<Message>): boolean {
    const { taker } = this
    const message = queue[this.index]!
    if (taker === null && !this.owner.isHeard) return false
    if (++this.index === queue.length) {
      this.queue = null
      this.index = 0
    }
    this.owner.announce(message)
    return taker === null || taker.deliver(message)
  }
}
