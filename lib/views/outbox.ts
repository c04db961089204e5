// What the application sends comes in, and goes to MessageFragmenter one after the other: while a message is being written piece by
// piece, all others wait behind it. Stands in the pipeline only where messages are written in pieces.

import type { Frame } from '../protocol/frame.js'
import { type Outgoing as Message, writtenSize } from '../protocol/message-splitter.js'
import type { MessageFragmenter } from '../stages/message-fragmenter.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'

/** A message in pieces, waiting for its turn, or having it. */
export interface PiecewiseMessage {
  /** It is the next to be sent, by `pieces` and `done` of the outbox; those before it are gone. */
  begin(): void
  /** The wire takes more of it. */
  proceed(): void
  /** Nothing can be sent any more. */
  connectionOver(): void
}

/** What the application may write. */
export type Outgoing = Message | PiecewiseMessage

export class Outbox implements Sender<Message> {
  next: Receiver<Message> | null
  /** Whose write waits for room. */
  sender: { proceed(): void } | null = null
  private current: PiecewiseMessage | null = null
  private queue: Outgoing[] = []
  private blocked = false

  constructor(private readonly fragmenter: MessageFragmenter) {
    this.next = fragmenter
    fragmenter.prev = this
  }

  /** Whether a message is being written in pieces. */
  get isBusy(): boolean {
    return this.current !== null
  }

  /** Bytes that wait here. */
  get size(): number {
    return [this.current, ...this.queue].reduce((sum, item) => sum + (item === null ? 0 : writtenSize(item)), 0)
  }

  /** Sends this behind all that wait; false asks to wait for `proceed` of the sender. */
  add(item: Outgoing): boolean {
    this.queue.push(item)
    return this.run()
  }

  /** Sends a piece of the message whose turn it is; false asks to wait for its `proceed`. */
  pieces(frames: Batch<Frame>): boolean {
    this.blocked = !this.fragmenter.pass(frames)
    return !this.blocked
  }

  /** Sends a frame of the message whose turn it is, and leaves it whole; false asks to wait for its `proceed`. */
  frame(frame: Frame): boolean {
    this.blocked = !this.fragmenter.pass([frame], false)
    return !this.blocked
  }

  /** The message whose turn it is has ended. */
  done(message: PiecewiseMessage): void {
    if (this.current !== message) {
      this.queue = this.queue.filter(item => item !== message)
      return
    }
    this.current = null
    if (this.run()) this.sender?.proceed()
  }

  /** The wire takes more. */
  proceed(): void {
    this.blocked = false
    if (this.current !== null) this.current.proceed()
    else if (this.run()) this.sender?.proceed()
  }

  connectionOver(): void {
    const { current, queue } = this
    this.queue = []
    for (const item of [current, ...queue]) if (item !== null && isPiecewise(item)) item.connectionOver()
  }

  private run(): boolean {
    while (this.current === null && !this.blocked && this.queue.length > 0) {
      const item = this.queue.shift()!
      if (isPiecewise(item)) {
        this.current = item
        item.begin()
      } else {
        this.blocked = !this.fragmenter.receive([item])
      }
    }
    return this.current === null && !this.blocked
  }
}

function isPiecewise(item: Outgoing): item is PiecewiseMessage {
  return typeof item === 'object' && 'begin' in item
}
