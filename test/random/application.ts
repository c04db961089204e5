// What both kinds of applications have in common: the record of what they did and saw, and how they take their turns.

import { type Plan, pick, type Random } from './choices.js'
import type { WireEnd } from './wire.js'

/** A message, and what is known of its fate. */
export interface Sent {
  kind: 'text' | 'binary'
  /** The text, or that of which the bytes are the UTF-8. */
  text: string
  /** It was handed over whole. */
  isWhole: boolean
  /** The wire has taken it, as far as the application was told. */
  isConfirmed: boolean
  /** Calls of its callback: of so many. */
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
  /** What happened when all was said to be over. */
  readonly late: string[] = []
  /** Promises that were made, and that have settled. */
  readonly promises = { made: 0, settled: 0 }
  /** Exceptions that this application threw. */
  readonly thrown: Error[] = []
  opens = 0
  /** Bytes that it had been given at its end. */
  consumed = 0
  /** It asked for the end, or gave the connection up. */
  hasEnded = false
  hasDestroyed = false
  /** It does not want all messages. */
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

  /** Whether it can be said how the connection ended. */
  abstract get isOver(): boolean
  protected abstract get canSend(): boolean
  protected abstract act(): void
  /** Ends the connection as planned. */
  protected abstract endNow(): void

  /** Whether it still has something to do by itself. */
  get isBusy(): boolean {
    return this.wantsMore !== null || (this.left > 0 && !this.hasEnded && this.canSend)
  }

  /** Does one thing. */
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

  /** Reads on without end, and does nothing else any more. */
  settle(): void {
    this.left = 0
  }

  finish(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.say?.(`${this.name} ends: ${this.plan.ending}`)
    this.endNow()
  }

  /** Every listener and callback calls this when it has done its work; one of them throws. */
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

  /** A message to be sent, entered into the record. */
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
