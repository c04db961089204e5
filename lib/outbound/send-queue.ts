// Passes messages to the MessageFragmenter one after the other: while one is written in pieces, all others wait. Part of the pipeline only
// if a message is written in pieces.

import { WebSocketError } from '../errors.js'
import type { Frame } from '../protocol/frame.js'
import { type Outgoing as Message, queuedSize } from '../protocol/message-splitter.js'
import { nextTick } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import type { MessageFragmenter } from '../stages/message-fragmenter.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'
import type { PiecewiseMessage, SendItem } from '../views/send-item.js'

/** The parts of the connection that a SendQueue uses. */
interface SendQueueOwner {
  /** Calls back when the wire has written everything sent before. */
  whenSent(written: Written): void
  /** Fails the connection. */
  fail(error: WebSocketError): void
}

interface Queued {
  /** Null if the entry is only a callback. */
  readonly item: SendItem | null
  readonly written: Written | null
  /** Bytes in a whole message. */
  readonly size: number
}

/** Entries already sent are removed when they number this many and make up more than half of the array. */
const CUT_FROM = 1024

export class SendQueue implements Sender<Message> {
  next: Receiver<Message> | null
  /** The writer that waits for room. */
  sender: { proceed(): void } | null = null
  private current: PiecewiseMessage | null = null
  private queue: Queued[] = []
  private at = 0
  private queuedBytes = 0
  // messages in pieces, and the bytes of each that `queuedBytes` includes
  private piecewise = new Map<PiecewiseMessage, number>()
  private blocked = false
  private held = false
  private settled: (() => void)[] = []
  private stuck: (() => void) | null = null

  constructor(
    private readonly fragmenter: MessageFragmenter,
    private readonly owner: SendQueueOwner
  ) {
    this.next = fragmenter
    fragmenter.prev = this
  }

  /** Whether all ended messages are sent: nothing waits, or only for a message that is still being written. */
  get isSettled(): boolean {
    return this.current === null ? this.at === this.queue.length : !this.current.isEnded
  }

  /** Whether nothing is being sent in pieces, and nothing waits. */
  get isEmpty(): boolean {
    return this.current === null && this.at === this.queue.length
  }

  /** Whether the current message is not ended. */
  get isOpen(): boolean {
    return this.current !== null && !this.current.isEnded
  }

  /** Calls back when the current message is one that the application writes in pieces and has not ended. */
  whenStuck(callback: () => void): void {
    this.stuck = callback
    if (this.isStuck) callback()
  }

  private get isStuck(): boolean {
    return this.isOpen && this.current!.isByHand
  }

  /** Calls back when all ended messages are sent. */
  whenSettled(callback: () => void): void {
    if (this.isSettled) callback()
    else this.settled.push(callback)
  }

  /** Bytes that wait here, and in messages that are written in pieces. */
  get size(): number {
    return this.queuedBytes
  }

  /** Must be called when the size of a message in pieces has changed. */
  recount(message: PiecewiseMessage): void {
    const counted = this.piecewise.get(message)
    if (counted === undefined || counted === message.size) return
    this.queuedBytes += message.size - counted
    this.piecewise.set(message, message.size)
  }

  /** Holds everything back until `release`. */
  hold(): void {
    this.held = true
  }

  release(): void {
    this.held = false
    if (this.current !== null) this.current.proceed()
    else if (this.run()) this.sender?.proceed()
  }

  /** Counts the bytes of a message in pieces that still waits in the view. */
  expect(message: PiecewiseMessage): void {
    if (!this.piecewise.has(message)) this.piecewise.set(message, 0)
    this.recount(message)
  }

  /** Adds an item at the end; false if the sender must wait for `proceed`. */
  add(item: SendItem, written: Written | null): boolean {
    const size = queuedSize(item)
    this.queue.push({ item, written, size })
    this.queuedBytes += size
    if (isPiecewise(item)) this.expect(item)
    return this.run()
  }

  /** Calls back when the wire has written everything sent before. */
  whenWritten(written: Written): void {
    this.queue.push({ item: null, written, size: 0 })
    this.run()
  }

  /** Sends a piece of the current message; false if the message must wait for `proceed`. */
  pieces(frames: Batch<Frame>): boolean {
    this.blocked = !this.fragmenter.pass(frames)
    return !this.blocked
  }

  /** Sends a frame of the current message without splitting it; false if the message must wait for `proceed`. */
  frame(frame: Frame): boolean {
    this.blocked = !this.fragmenter.pass([frame], false)
    return !this.blocked
  }

  /** The message has ended or was abandoned. */
  done(message: PiecewiseMessage): void {
    this.queuedBytes -= this.piecewise.get(message) ?? 0
    this.piecewise.delete(message)
    if (this.current !== message) return
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
    const waiting = this.queue.slice(this.at)
    const { piecewise } = this
    this.queue = []
    this.at = this.queuedBytes = 0
    this.piecewise = new Map()
    this.settled = []
    for (const message of piecewise.keys()) message.connectionOver()
    const error = new WebSocketError('WS_ERR_NOT_OPEN')
    for (const { written } of waiting) if (written !== null) nextTick(written, error)
  }

  private run(): boolean {
    while (this.current === null && !this.blocked && !this.held && this.at < this.queue.length) this.send(this.shift())
    this.callWaiting()
    if (this.settled.length > 0 && this.isSettled) this.settle()
    if (this.stuck !== null && this.isStuck) this.stuck()
    return this.current === null && !this.blocked && !this.held
  }

  /** The application may wait for what it has written before it ends its message: those callbacks do not wait for the end. */
  private callWaiting(): void {
    while (this.isStuck && this.at < this.queue.length && this.queue[this.at]!.item === null) {
      const { written } = this.shift()
      this.current!.whenTaken(() => this.owner.whenSent(written!))
    }
  }

  private settle(): void {
    const { settled } = this
    this.settled = []
    for (const callback of settled) callback()
  }

  private shift(): Queued {
    const next = this.queue[this.at++]!
    if (this.at === this.queue.length || (this.at >= CUT_FROM && this.at * 2 > this.queue.length)) {
      this.queue = this.queue.slice(this.at)
      this.at = 0
    }
    return next
  }

  private send({ item, written, size }: Queued): void {
    if (item === null) {
      this.owner.whenSent(written!)
      return
    }
    if (isPiecewise(item)) {
      // it may have been abandoned while it waited
      if (!this.piecewise.has(item)) return
      this.current = item
      item.begin()
      return
    }
    this.queuedBytes -= size
    if (queuedSize(item) !== size) {
      const error = new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
      if (written !== null) nextTick(written, error)
      this.owner.fail(error)
      return
    }
    this.blocked = !this.fragmenter.receive([item])
    if (written !== null) this.owner.whenSent(written)
  }
}

function isPiecewise(item: SendItem): item is PiecewiseMessage {
  return typeof item === 'object' && 'begin' in item
}
