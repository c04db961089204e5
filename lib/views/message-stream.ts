// One message as it arrives: a Readable of Buffers for binary, of strings for text. The StreamAssembler fills it.

import { WebSocketError } from '../errors.js'
import { Utf8Reader } from '../protocol/utf8.js'
import { nextTick } from '../runtime/node.js'
import { emitSurfacing, ignore, Readable } from '../streams.js'

/** The kind of a message (RFC 6455 §5.6). */
export type MessageKind = 'text' | 'binary'

/** The StreamAssembler as a MessageStream sees it. */
export interface MessageStreamOwner {
  /** The stream has room again, or its data is no longer wanted. */
  wantMore(stream: MessageStream): void
}

/**
 * A message as it arrives, from its first bytes on: Buffers, or for `kind: 'text'` strings that split no character. Reading slowly applies
 * backpressure to the peer. Destroying the stream skips the rest of the message. If the connection ends inside the message, or the message
 * breaks a rule, the stream is destroyed with a WebSocketError after the data that arrived has been read; without an `error` listener this
 * does not crash the process. A stream that is neither read nor paused when the application asks for the next message is skipped.
 */
export class MessageStream extends Readable {
  /** `'text'` or `'binary'`. */
  readonly kind: MessageKind
  private readonly text: Utf8Reader | null
  private failure: Error | null = null

  /** @internal */
  constructor(
    kind: MessageKind,
    highWaterMark: number,
    private readonly filler: MessageStreamOwner
  ) {
    super(kind === 'text' ? { highWaterMark, encoding: 'utf8' } : { highWaterMark })
    this.kind = kind
    this.text = kind === 'text' ? new Utf8Reader() : null
    this.on('error', ignore)
  }

  /**
   * Converts the next bytes of the message to a chunk.
   * @throws WebSocketError if text is not UTF-8 or ends inside a character
   * @internal
   */
  decode(bytes: Buffer, isLast: boolean): Buffer | string {
    if (this.text === null) return bytes
    const text = this.text.read(bytes)
    if (isLast) this.text.end()
    return text
  }

  /** Adds the next piece of the message; false pauses until there is room. @internal */
  fill(piece: Buffer | string): boolean {
    if (piece.length === 0 || this.destroyed) return true
    return typeof piece === 'string' ? this.push(piece, 'utf8') : this.push(piece)
  }

  /** The message has ended. @internal */
  complete(): void {
    if (!this.destroyed) this.push(null)
  }

  /** The message ends early. @internal */
  fail(error: Error): void {
    this.failure = error
    this.destroyWhenRead()
  }

  /** Whether the application reads it, or paused it to read it later. @internal */
  get isWanted(): boolean {
    return this.destroyed || this.readableFlowing !== null || this.readableDidRead || this.listenerCount('readable') > 0
  }

  /** The application asked for the next message without reading this one. @internal */
  skip(): void {
    this.destroy(new WebSocketError('WS_ERR_MESSAGE_SKIPPED'))
  }

  override read(size?: number): any {
    const piece = super.read(size)
    if (this.failure !== null && this.readableLength === 0) nextTick(() => this.destroyWhenRead())
    return piece
  }

  override _read(): void {
    this.filler.wantMore(this)
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return emitSurfacing(this, event, args)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    callback(error)
    this.filler.wantMore(this)
  }

  private destroyWhenRead(): void {
    if (this.readableLength === 0 && this.failure !== null) this.destroy(this.failure)
  }
}

/** Types the chunks, which Node's Readable leaves untyped. */
export interface MessageStream {
  on(event: 'data', listener: (chunk: Buffer | string) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  on(event: string | symbol, listener: (...args: any[]) => void): this
  once(event: 'data', listener: (chunk: Buffer | string) => void): this
  once(event: 'error', listener: (error: Error) => void): this
  once(event: string | symbol, listener: (...args: any[]) => void): this
  addListener(event: 'data', listener: (chunk: Buffer | string) => void): this
  addListener(event: 'error', listener: (error: Error) => void): this
  addListener(event: string | symbol, listener: (...args: any[]) => void): this
  /** The chunks: strings of a text message, Buffers of a binary one. Leaving the loop skips the rest of the message. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer | string>
}
