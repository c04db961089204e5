// Takes batches of messages or frames and passes them one by one to the view, or to the 'message' listeners. Without either they wait, and
// no more input is requested.

import type { Batch, Receiver, Sender } from '../stages/stage.js'

/** Receives messages or frames one by one. */
export interface MessageConsumer<T> {
  /** Takes one message; false pauses until it calls `proceed` of the delivery. */
  deliver(message: T): boolean
  /** Called after the last message: null for a clean end, else the error. */
  endMessages(error: Error | null): void
  /** Whether the application reads it. */
  readonly isRead: boolean
}

/** The 'message' listeners. */
export interface MessageListeners<T> {
  /** Whether there are any listeners. */
  readonly isHeard: boolean
  /** Passes a message to the listeners; false if there are none. */
  announce(message: T): boolean
}

/** Is notified of the end. */
export interface DeliveryOwner {
  /** All input has passed the stages; it may still wait for the application. */
  inputDelivered(): void
}

export class Delivery<T> implements Receiver<T> {
  prev: Sender<T> | null = null
  private queue: Batch<T> | null = null
  private index = 0
  // whether the queue is our own copy, not the array of the stage before
  private ownsQueue = false
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  private consumer: MessageConsumer<T> | null = null
  private outcome: Error | null | undefined = undefined

  // bytes in the queue while the application has not started to read
  private unread = 0
  // whether the view has asked for a message
  private isAsked = false
  private dropsNew = false
  /** Whether delivery is paused until `proceed`. */
  paused = false

  /**
   * @param listeners - receive messages that no view takes; null if only a view may take them
   * @param room - bytes buffered before the application reads, so that a Close or the end of the wire after them is noticed
   */
  constructor(
    private readonly listeners: MessageListeners<T> | null,
    private readonly owner: DeliveryOwner,
    private readonly room: number
  ) {}

  private get isHeard(): boolean {
    return this.listeners?.isHeard ?? false
  }

  /** Whether messages wait because the application does not take them. */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  /** Sets the view that takes messages from now on. */
  attach(consumer: MessageConsumer<T>): void {
    this.consumer = consumer
    if (this.outcome !== undefined && this.queue === null) consumer.endMessages(this.outcome)
  }

  receive(messages: Batch<T>): boolean {
    if (this.state === 'discarding' || this.dropsNew) return true
    this.add(messages)
    if (this.state === 'running') return true
    if (this.state === 'idle' && this.run()) return true
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

  // whether the application reads, or has read before
  private get isRead(): boolean {
    return this.isHeard || (this.consumer?.isRead ?? false)
  }

  /** Delivers the messages that wait and drops new ones, to reach the Close after them. */
  dropNew(): void {
    this.dropsNew = true
    if (this.isBlocked) this.prev!.proceed()
  }

  finish(): void {
    this.owner.inputDelivered()
  }

  /** The consumer takes messages again. */
  proceed(): void {
    if (this.state === 'blocked' && this.run()) this.prev!.proceed()
  }

  /** The view asks for messages: the application reads it. */
  ask(): void {
    if (this.consumer !== null) this.isAsked = true
    this.proceed()
  }

  /**
   * Drops all messages, waiting and new.
   * @param failure - how the consumer ends if messages are dropped that would have come before a clean end
   */
  discard(failure: Error | null = null): void {
    const wasBlocked = this.state === 'blocked'
    const endsNow = this.queue !== null && this.outcome !== undefined
    this.queue = null
    this.index = 0
    this.state = 'discarding'
    if (endsNow) this.outcome ??= failure
    // otherwise run() is under way, and goes on
    if (!wasBlocked) return
    if (endsNow) this.consumer?.endMessages(this.outcome!)
    this.prev!.proceed()
  }

  /** No more messages arrive. */
  complete(outcome: Error | null): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    if (this.queue === null) this.consumer?.endMessages(outcome)
  }

  private run(): boolean {
    let more = !this.paused && (this.consumer !== null || this.isHeard)
    this.state = 'running'
    while (more && this.queue !== null && this.isRunning()) more = this.next(this.queue) && !this.paused
    // a listener may have discarded the rest
    if (this.isRunning()) this.state = more ? 'idle' : 'blocked'
    if (this.queue === null && this.outcome !== undefined) this.consumer?.endMessages(this.outcome)
    return !this.isBlocked
  }

  private isRunning(): boolean {
    return this.state === 'running'
  }

  /** Delivers one message; false if it was not taken, or the consumer wants no more after it. */
  private next(queue: Batch<T>): boolean {
    const { consumer, index } = this
    const message = queue[index]!
    if (index + 1 === queue.length) {
      this.queue = null
      this.index = 0
    } else {
      this.index = index + 1
    }
    const isHeard = this.listeners?.announce(message) ?? false
    // if there are listeners, the application may use the view only for writing
    const isTaken = consumer !== null && (this.listeners === null || consumer.isRead || (this.isAsked && !isHeard))
    if (isTaken) return consumer.deliver(message)
    if (isHeard) return true
    // nothing reads at present: the view may be used only for writing, and a listener may come
    this.queue = queue
    this.index = index
    return false
  }
}

function sizeOf(message: unknown): number {
  const { length, size } = message as { length: number; size?: number }
  return size ?? length
}
