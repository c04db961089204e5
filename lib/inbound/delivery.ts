// Batches of messages, or of frames, come in, and go one by one to the view, or to the listeners of 'message'.
// Without either they wait, and no more is asked for.

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

/** The listeners of 'message'. */
export interface MessageListeners<T> {
  /** Whether there are any. */
  readonly isHeard: boolean
  /** Gives them a message; false where there are none. */
  announce(message: T): boolean
}

/** Told of the end. */
export interface DeliveryOwner {
  /** Everything that had arrived has been delivered. */
  inputDelivered(): void
}

export class Delivery<T> implements Receiver<T> {
  prev: Sender<T> | null = null
  private queue: Batch<T> | null = null
  private index = 0
  // the queue is no batch of the stage before
  private ownsQueue = false
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  private taker: Taker<T> | null = null
  private outcome: Error | null | undefined = undefined

  // bytes in the queue of a connection that nothing has read
  private unread = 0
  private dropsNew = false
  /** Whether nothing is handed out until `proceed`. */
  paused = false

  /**
   * @param listeners - where messages go that no view takes; null where only a view takes them
   * @param room - bytes that are held while nothing has read, so that a Close or the end of the wire behind them is seen
   */
  constructor(
    private readonly listeners: MessageListeners<T> | null,
    private readonly owner: DeliveryOwner,
    private readonly room: number
  ) {}

  private get isHeard(): boolean {
    return this.listeners?.isHeard ?? false
  }

  /** Whether messages wait because nothing takes them. */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  /** The view that takes messages from now on. */
  attach(taker: Taker<T>): void {
    this.taker = taker
    if (this.outcome !== undefined && this.queue === null) taker.endMessages(this.outcome)
  }

  receive(messages: Batch<T>): boolean {
    if (this.state === 'discarding' || this.dropsNew) return true
    this.add(messages)
    if (this.state === 'running') return true
    if (this.run()) return true
    if (this.isRead) return false
    for (const message of messages) this.unread += sizeOf(message)
    return this.unread < this.room
  }

  private add(messages: Batch<T>): void {
    const { queue, index } = this
    if (queue === null) {
      this.queue = messages
      this.index = 0
      this.ownsQueue = false
      return
    }
    if (!this.ownsQueue || index * 2 > queue.length) {
      this.queue = queue.slice(index)
      this.index = 0
      this.ownsQueue = true
    }
    for (const message of messages) (this.queue as T[]).push(message)
  }

  // whether the application reads, or has
  private get isRead(): boolean {
    return this.isHeard || (this.taker?.isRead ?? false)
  }

  /** What waits is still delivered, and what comes is dropped: it lies before a Close that must be seen. */
  dropNew(): void {
    this.dropsNew = true
    if (this.isBlocked) this.prev!.proceed()
  }

  finish(): void {
    this.owner.inputDelivered()
  }

  /** Messages are taken again. */
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
    let more = !this.paused && (this.taker !== null || this.isHeard)
    this.state = 'running'
    while (more && this.queue !== null && this.isRunning()) more = this.next(this.queue) && !this.paused
    // a listener may have discarded the rest
    if (this.isRunning()) this.state = more ? 'idle' : 'blocked'
    if (this.queue === null && this.outcome !== undefined) this.taker?.endMessages(this.outcome)
    return !this.isBlocked
  }

  private isRunning(): boolean {
    return this.state === 'running'
  }

  /** Hands one message out; false if nothing takes it, or no more after it. */
  private next(queue: Batch<T>): boolean {
    const { taker, index } = this
    const message = queue[index]!
    if (index + 1 === queue.length) {
      this.queue = null
      this.index = 0
    } else {
      this.index = index + 1
    }
    const isHeard = this.listeners?.announce(message) ?? false
    // where there are listeners, the view may be there for writing only
    if (taker !== null) return (isHeard && !taker.isRead) || taker.deliver(message)
    if (isHeard) return true
    // the last listener went with the message before
    this.queue = queue
    this.index = index
    return false
  }
}

function sizeOf(message: unknown): number {
  const { length, size } = message as { length: number; size?: number }
  return size ?? length
}
