// The common part of both kinds of applications: the record of what they did and saw, and how they take their turns.

import { type Plan, pick, type Random } from './choices.js'
import type { WireEnd } from './wire.js'

/** A message, and its known fate. */
export interface Sent {
  kind: 'text' | 'binary'
  /** The text, or the text whose UTF-8 was sent as bytes. */
  text: string
  /** It was sent whole. */
  isWhole: boolean
  /** The wire has taken it, as far as the application knows. */
  isConfirmed: boolean
  /** Calls of its callback, and how many are expected. */
  callbacks: number
  wantsCallback: boolean
}

export interface Received {
  kind: 'text' | 'binary'
  text: string
}

export const SIZES = [0, 1, 5, 125, 126, 200, 1000, 9000, 70000]

export abstract class Application {
  readonly sent: Sent[] = []
  readonly received: Received[] = []
  readonly closes: { code: number; wasClean?: boolean }[] = []
  readonly errors: Error[] = []
  /** Events after the connection was said to be over. */
  readonly late: string[] = []
  /** Promises that were made, and that have settled. */
  readonly promises = { made: 0, settled: 0 }
  /** Exceptions thrown by this application. */
  readonly thrown: Error[] = []
  opens = 0
  /** Bytes that it had received at its end. */
  consumed = 0
  /** It asked for the end, or destroyed the connection. */
  hasEnded = false
  hasDestroyed = false
  /** It does not need all messages. */
  hasStoppedReading = false

  protected left: number
  protected wantsMore: (() => void) | null = null
  private calls = 0

  constructor(
    readonly name: 'client' | 'server',
    readonly end: WireEnd,
    readonly plan: Plan,
    protected readonly random: Random,
    protected readonly say: ((line: string) => void) | null
  ) {
    this.left = plan.actions
  }

  /** Whether it is known how the connection ended. */
  abstract get isOver(): boolean
  protected abstract get canSend(): boolean
  protected abstract act(): void
  /** Ends the connection as planned. */
  protected abstract endNow(): void

  /** Whether it still has something to do. */
  get isBusy(): boolean {
    return this.wantsMore !== null || (this.left > 0 && !this.hasEnded && this.canSend)
  }

  /** Takes one action. */
  step(): void {
    const { wantsMore } = this
    if (wantsMore !== null && (this.random() < 0.5 || this.left <= 0 || this.hasEnded || !this.canSend)) {
      this.wantsMore = null
      this.say?.(`${this.name} reads on`)
      wantsMore()
    } else if (this.left > 0 && !this.hasEnded && this.canSend) {
      this.left--
      this.act()
    }
  }

  /** From now on only reads. */
  settle(): void {
    this.left = 0
  }

  finish(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.say?.(`${this.name} ends: ${this.plan.ending}`)
    this.endNow()
  }

  /** Every listener and callback calls this after its work; one of them throws. */
  protected called(what: string): void {
    if (this.closes.length > 0 && what !== 'close' && !what.startsWith('after')) this.late.push(what)
    if (++this.calls !== this.plan.throwsAt) return
    const error = new Error(`thrown by the ${this.name} at '${what}'`)
    this.thrown.push(error)
    this.say?.(error.message)
    throw error
  }

  protected take(kind: Received['kind'], text: string): void {
    this.received.push({ kind, text })
    this.say?.(`${this.name} receives ${kind} of ${text.length}`)
  }

  protected closed(code: number, wasClean?: boolean): void {
    if (this.closes.length === 0) this.consumed = this.end.consumed
    this.closes.push(wasClean === undefined ? { code } : { code, wasClean })
    this.say?.(`${this.name} sees close ${code}${wasClean ? '' : ', not clean'}`)
  }

  protected watch(promise: Promise<unknown>): void {
    this.promises.made++
    const settled = (): number => this.promises.settled++
    promise.then(settled, settled)
  }

  /** A message to be sent, added to the record. */
  protected next(wantsCallback: boolean): Sent {
    const size = SIZES[Math.floor(this.random() ** 2 * SIZES.length)]!
    const text = String(this.sent.length).padEnd(size, 'é')
    const kind = pick(this.random, 'text', 'binary')
    const sent: Sent = { kind, text, isWhole: true, isConfirmed: false, callbacks: 0, wantsCallback }
    this.sent.push(sent)
    this.say?.(`${this.name} sends ${kind} of ${text.length}`)
    return sent
  }
}
