// The messages of a connection as JSON values, read and written through the messages view. Parses messages, validates values, and reports
// errors; its owner decides what happens then.

import { WebSocketError } from '../errors.js'
import { isPromise } from '../is-promise.js'
import { CloseCode } from '../protocol/close-code.js'
import type { Message, ReceivedMessage } from '../protocol/message-joiner.js'
import { TextBytes } from '../protocol/text-bytes.js'
import { nextTick, setImmediate } from '../runtime/node.js'
import { askForDrain, Duplex, emitSurfacing, ignore, writeLast } from '../streams.js'
import { surfacing } from '../surfacing.js'
import type { MessagesView } from './messages-view.js'

type Callback = (error?: Error | null) => void

/** What happens after an invalid message: reading continues, or stops; then this view or the connection reports the error. */
export type Verdict = 'go on' | 'fail here' | 'end here'

/** Decides about incoming values. */
export interface JsonRules<In> {
  /** Returns the value to deliver, or a promise of it, or throws what is wrong; null accepts every value but null. */
  readonly validate: ((value: unknown) => In | PromiseLike<In>) | null
  /** A message was invalid. */
  invalid(error: WebSocketError, message: Message): Verdict
}

/** A value as it waits in the Writable side. */
interface Item {
  readonly text: string
  /** Null once the messages view has it and calls it. */
  sent: Callback | null
}

/**
 * An object-mode Duplex of values, each sent as one JSON message; made by `jsonMessages`. `write` throws a TypeError for a value that has
 * no JSON form, and sends nothing then; its return value, `drain` and callbacks work as in `ws.messages`. `end` closes with 1000, and so
 * does leaving a `for await` loop. The readable side ends after a clean close; after any other it is destroyed with an error, once
 * everything that arrived has been read.
 */
export class JsonView<In, Out> extends Duplex {
  private isStarted = false
  // `validate` is running
  private isBusy = false
  // further messages are dropped
  private isDone = false
  // how reading ends after the last value: null for a clean end; undefined until then
  private outcome: Error | null | undefined = undefined
  // the callback of a write that found the wire full
  private waiting: Callback | null = null
  // whether the messages view has not taken the item of that write
  private isUnsent = false
  private pipes = 0

  /** @internal */
  constructor(
    private readonly messages: MessagesView,
    private readonly rules: JsonRules<In>
  ) {
    super({ objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 16 })
    // an error caused by the peer must not crash a process that does not listen for it
    this.on('error', ignore)
    this.on('pipe', () => this.pipes++)
    this.on('unpipe', () => this.pipes--)
    messages.noticesEnd = true
    messages.on('drain', () => this.proceed())
    messages.on('error', error => this.endWith(error))
    messages.on('close', () => this.messagesClosed())
  }

  // Reading

  override _read(): void {
    const { messages } = this
    if (this.isBusy) return
    if (this.isStarted) {
      messages.resume()
      return
    }
    this.isStarted = true
    messages.on('end', () => this.endWith(null))
    messages.on('data', message => this.receive(message))
  }

  private receive(received: ReceivedMessage): void {
    if (this.isDone) return
    const message = received instanceof TextBytes ? received.toString() : received
    const { value, error } = parse(message)
    if (error !== null) this.refuse(error, message)
    else if (this.rules.validate !== null) this.validate(value, message, this.rules.validate)
    else if (value !== null) this.give(value as In)
    else this.refuse(invalid('null, which no stream carries'), message)
  }

  private validate(value: unknown, message: Message, validate: (value: unknown) => In | PromiseLike<In>): void {
    let validated: In | PromiseLike<In>
    try {
      validated = validate(value)
    } catch (error) {
      this.refuse(invalid(REFUSED, error), message)
      return
    }
    if (isPromise(validated)) this.receiveLater(validated, message)
    else this.give(validated)
  }

  /** Waits for the value; messages keep their order. */
  private receiveLater(promise: PromiseLike<In>, message: Message): void {
    this.isBusy = true
    this.messages.pause()
    const goOn = (step: () => void): void => {
      this.isBusy = false
      if (this.isDone) return
      this.messages.resume()
      step()
      this.endIfRead()
    }
    promise.then(
      value => goOn(() => this.give(value)),
      error => goOn(() => this.refuse(invalid(REFUSED, error), message))
    )
  }

  private give(value: In): void {
    // null would end the stream, and undefined means that validate has no return statement
    if (value === null || value === undefined) this.destroy(new TypeError(`validate must return a value, not ${value}`))
    else if (!this.push(value)) this.messages.pause()
  }

  private refuse(error: WebSocketError, message: Message): void {
    const verdict = this.rules.invalid(error, message)
    this.isDone = verdict !== 'go on'
    if (verdict === 'fail here') this.endWith(error)
  }

  /** All messages have been taken. */
  private endWith(outcome: Error | null): void {
    if (this.outcome === undefined) this.outcome = outcome
    this.endIfRead()
  }

  private endIfRead(): void {
    const { outcome } = this
    if (outcome === undefined || this.isBusy || this.destroyed) return
    if (outcome === null) this.push(null)
    else if (this.readableLength === 0) this.destroy(outcome)
  }

  override read(size?: number): any {
    const value = super.read(size)
    // after the reader has got this value
    if (this.outcome && this.readableLength === 0) nextTick(() => this.endIfRead())
    return value
  }

  // Writing: the texts wait in the messages view, which counts them

  override write(value: Out, callback?: (error?: Error | null) => void): boolean
  override write(value: Out, encoding: BufferEncoding | undefined, callback?: (error?: Error | null) => void): boolean
  override write(value: Out, ...rest: unknown[]): boolean {
    const callback = rest.at(-1)
    const item = this.itemOf(value, typeof callback === 'function' ? (callback as Callback) : null)
    if (item === null) return false
    const isBlocked = this.waiting !== null && this.writableLength === 1
    if (isBlocked && this.writable && this.messages.writable) {
      this.pass(item)
    } else {
      const more = super.write(item, error => {
        const { sent } = item
        if (error && sent !== null) surfacing(() => sent(error))
      })
      if (this.waiting === null) return more
    }
    askForDrain(this)
    return false
  }

  override end(callback?: () => void): this
  override end(value: Out, callback?: () => void): this
  override end(value: Out, encoding?: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    super.end(writeLast(this, args))
    // the wire is full: closeTimeout limits the wait
    if (this.waiting !== null && this.writableLength === 1) this.messages.end()
    return this
  }

  /** @throws TypeError if the value has no JSON form. A pipe cannot catch it, so a piped write destroys the view. */
  private itemOf(value: Out, sent: Callback | null): Item | null {
    try {
      return { text: stringify(value), sent }
    } catch (error) {
      if (this.pipes === 0) throw error
      this.destroy(error as Error)
      return null
    }
  }

  override _write(item: Item, _encoding: string, callback: Callback): void {
    this.waiting = callback
    this.isUnsent = true
    const { messages } = this
    // otherwise messagesClosed() calls back
    if (messages.closed) this.messagesClosed()
    else if (messages.writable && this.pass(item)) this.proceed()
  }

  private pass(item: Item): boolean {
    const { text, sent } = item
    item.sent = null
    this.isUnsent = false
    return sent === null ? this.messages.write(text) : this.messages.write(text, sent)
  }

  private proceed(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  override _final(callback: () => void): void {
    const { messages } = this
    if (messages.writable) messages.end()
    if (messages.writableFinished || messages.closed) callback()
    else messages.once('finish', callback)
  }

  // The end

  /** Whether a pipe or a pipeline writes here, and has not ended. One listener for 'unpipe' is our own. */
  private get hasSource(): boolean {
    return !this.writableEnded && (this.listenerCount('drain') > 0 || this.listenerCount('unpipe') > 1)
  }

  private messagesClosed(): void {
    const over = (): void => {
      if (this.destroyed) return
      if (this.waiting !== null && (this.isUnsent || this.writableLength > 1)) {
        this.destroy(new WebSocketError('WS_ERR_NOT_OPEN'))
        return
      }
      this.proceed()
      // as in every view: after a clean close it finishes too, but not under a source
      if (!this.hasSource && !this.writableEnded) super.end()
      setImmediate(() => this.destroy())
    }
    // nothing was read, and nothing is left to read
    if (this.outcome === undefined && !this.isStarted && !this.destroyed) {
      this.endWith(null)
      this.read(0)
    }
    if (this.outcome === null && !this.readableEnded) this.once('end', over)
    else if (this.outcome) this.endIfRead()
    else over()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const { waiting } = this
    this.waiting = null
    this.isDone = true
    this.messages.destroy(error ?? undefined)
    if (waiting !== null) nextTick(waiting, error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
    callback(error)
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return emitSurfacing(this, event, args)
  }
}

/** Types the chunks, which Node's Duplex leaves untyped. */
// biome-ignore lint/correctness/noUnusedVariables: the parameters must match those of the class
export interface JsonView<In, Out> {
  on<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  on(event: 'data', listener: (value: In) => void): this
  once<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  once(event: 'data', listener: (value: In) => void): this
  addListener<E extends string | symbol>(event: E & Other<E, 'data'>, listener: (...args: any[]) => void): this
  addListener(event: 'data', listener: (value: In) => void): this
  /** The values one by one; leaving the loop closes with 1000. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<In>
}

type Other<E, Known> = E extends Known ? never : unknown

const REFUSED = 'refused by validate'

function invalid(detail: string, cause?: unknown): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_MESSAGE', { detail, cause })
}

function parse(message: Message): { value: unknown; error: WebSocketError | null } {
  if (typeof message !== 'string') {
    const closeCode = CloseCode.UnsupportedData
    const error = new WebSocketError('WS_ERR_INVALID_MESSAGE', { detail: 'binary, not text', closeCode }) // RFC 6455 §7.4.1
    return { value: null, error }
  }
  try {
    return { value: JSON.parse(message), error: null }
  } catch (cause) {
    return { value: null, error: invalid('not JSON', cause) }
  }
}

/** @throws TypeError if it has no JSON form */
function stringify(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    // for a circular structure V8 adds a drawing below the first line
    const [why = ''] = String((cause as Error | null)?.message).split('\n')
    throw new TypeError(`cannot be sent as JSON: ${why}`, { cause })
  }
  if (text !== undefined) return text
  throw new TypeError(
    `cannot be sent as JSON: ${typeof value}; write null, a boolean, a number, a string, an array or an object`
  )
}
