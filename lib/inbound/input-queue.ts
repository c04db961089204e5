// The base of the last inbound stages. Input waits in it until the application takes it; without room no more is requested.

import type { Batch, Receiver, Sender } from '../stages/stage.js'

/** Is notified of the end. */
export interface InputQueueOwner {
  /** All input has passed the stages; it may still wait for the application. */
  inputDelivered(): void
}

export abstract class InputQueue<T> implements Receiver<T> {
  prev: Sender<T> | null = null
  protected queue: Batch<T> | null = null
  /** Where the next item is in the queue. */
  protected index = 0
  // whether the queue is our own copy, and not the array of the stage before
  private ownsQueue = false
  protected state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  private outcome: Error | null | undefined = undefined
  private dropsNew = false

  constructor(protected readonly owner: InputQueueOwner) {}

  abstract receive(batch: Batch<T>): boolean

  /** Passes on what waits while it is taken, and returns the result of `ran`. */
  protected abstract run(): boolean

  /** Nothing more follows. */
  protected abstract end(outcome: Error | null): void

  finish(): void {
    this.owner.inputDelivered()
  }

  /** Whether input waits because the application does not take it. */
  get isBlocked(): boolean {
    return this.state === 'blocked'
  }

  protected isRunning(): boolean {
    return this.state === 'running'
  }

  /** Whether new input is dropped. */
  protected get drops(): boolean {
    return this.state === 'discarding' || this.dropsNew
  }

  /** Adds a batch at the end. */
  protected add(batch: Batch<T>): void {
    const { queue, index } = this
    if (queue === null) {
      this.queue = batch
      this.index = 0
      this.ownsQueue = false
      return
    }
    if (!this.ownsQueue || index * 2 > queue.length) {
      this.queue = queue.slice(index)
      this.index = 0
      this.ownsQueue = true
    }
    for (const item of batch) (this.queue as T[]).push(item)
  }

  /** Removes the next item. */
  protected shift(): void {
    if (++this.index < this.queue!.length) return
    this.queue = null
    this.index = 0
  }

  /**
   * The end of `run`: returns whether more is wanted.
   * @param more - whether everything was taken, and more is wanted
   */
  protected ran(more: boolean): boolean {
    // the application may have discarded the rest
    if (this.isRunning()) this.state = more ? 'idle' : 'blocked'
    this.endIfEmpty()
    return !this.isBlocked
  }

  /** Ends if everything has been taken and nothing more arrives. */
  protected endIfEmpty(): void {
    if (this.queue === null && this.outcome !== undefined) this.end(this.outcome)
  }

  /** Takes up what waits, after it was blocked. */
  protected goOn(): void {
    if (this.isBlocked && this.run()) this.prev!.proceed()
  }

  /** Keeps what waits readable and drops new input, to reach the Close after it. */
  dropNew(): void {
    this.dropsNew = true
    if (this.isBlocked) this.prev!.proceed()
  }

  /**
   * Drops all input, waiting and new.
   * @param failure - how it ends if input is dropped that would have come before a clean end
   */
  discard(failure: Error | null = null): void {
    const wasBlocked = this.isBlocked
    const hasRest = this.queue !== null && this.outcome !== undefined
    this.queue = null
    this.index = 0
    this.state = 'discarding'
    if (hasRest) this.outcome ??= failure
    // otherwise run() is under way, and goes on
    if (!wasBlocked) return
    if (hasRest) this.end(this.outcome!)
    this.prev!.proceed()
  }

  /** No more input arrives. */
  complete(outcome: Error | null): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.endIfEmpty()
  }
}
