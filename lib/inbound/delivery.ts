// Takes batches of messages or frames and passes them one by one to the view, or to the 'message' listeners. Without either they wait, and
// no more input is requested.

import type { Batch } from '../stages/stage.js'
import { InputQueue, type InputQueueOwner } from './input-queue.js'

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

export class Delivery<T> extends InputQueue<T> {
  private consumer: MessageConsumer<T> | null = null
  // bytes in the queue while the application has not started to read
  private unread = 0
  // whether the view has asked for a message
  private isAsked = false
  /** Whether delivery is paused until `proceed`. */
  paused = false

  /**
   * @param listeners - receive messages that no view takes; null if only a view may take them
   * @param room - bytes buffered before the application reads, so that a Close or the end of the wire after them is noticed
   */
  constructor(
    private readonly listeners: MessageListeners<T> | null,
    owner: InputQueueOwner,
    private readonly room: number
  ) {
    super(owner)
  }

  private get isHeard(): boolean {
    return this.listeners?.isHeard ?? false
  }

  /** Sets the view that takes messages from now on. */
  attach(consumer: MessageConsumer<T>): void {
    this.consumer = consumer
    this.endIfEmpty()
  }

  receive(messages: Batch<T>): boolean {
    if (this.drops) return true
    this.add(messages)
    if (this.isRunning()) return true
    if (!this.isBlocked && this.run()) return true
    if (this.isRead) return false
    for (const message of messages) this.unread += sizeOf(message)
    return this.unread < this.room
  }

  // whether the application reads, or has read before
  private get isRead(): boolean {
    return this.isHeard || (this.consumer?.isRead ?? false)
  }

  /** The consumer takes messages again. */
  proceed(): void {
    this.goOn()
  }

  /** The view asks for messages: the application reads it. */
  ask(): void {
    if (this.consumer !== null) this.isAsked = true
    this.goOn()
  }

  protected run(): boolean {
    let more = !this.paused && (this.consumer !== null || this.isHeard)
    this.state = 'running'
    while (more && this.queue !== null && this.isRunning()) more = this.next(this.queue) && !this.paused
    return this.ran(more)
  }

  protected end(outcome: Error | null): void {
    this.consumer?.endMessages(outcome)
  }

  /** Delivers one message; false if it was not taken, or the consumer wants no more after it. */
  private next(queue: Batch<T>): boolean {
    const { consumer, index } = this
    const message = queue[index]!
    this.shift()
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
