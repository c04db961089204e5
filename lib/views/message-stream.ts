// One message as it arrives: a Readable of Buffers for binary, of strings for text. Filled by the StreamAssembler.

import { WebSocketError } from '../errors.js'
import { Utf8Reader } from '../protocol/utf8.js'
import { nextTick } from '../runtime/node.js'
import { emitSurfacing, Readable } from '../streams.js'

/** What kind of message it is (RFC 6455 §5.6). */
export type MessageKind = 'text' | 'binary'

/** Who fills a MessageStream. */
export interface MessageStreamOwner {
  /** The stream has room again, or is not wanted any more. */
  wantMore(stream: MessageStream): void
}

/**
 * A message as it arrives, from its first bytes on: Buffers, or for `kind: 'text'` strings in which no character is cut. Reading it
 * slowly slows the peer. Destroying it skips the rest of the message. If the connection ends before the message does, or breaks a
 * rule in it, it is destroyed with a WebSocketError once what had arrived is read; that does not crash a process that does not listen. One that is
 * neither read nor paused when the next message is asked for is skipped.
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
   * What the next bytes of the message are.
   * @throws WebSocketError if text is not UTF-8, or ends inside a character
   * @internal
   */
  decode(bytes: Buffer, isLast: boolean): Buffer | string {
    if (this.text === null) return bytes
    const text = this.text.read(bytes)
    if (isLast) this.text.end()
    return text
  }

  /** Takes the next piece of the message; false asks for no more until it has room. @internal */
  fill(piece: Buffer | string): boolean {
    if (piece.length === 0 || this.destroyed) return true
    return typeof piece === 'string' ? this.push(piece, 'utf8') : this.push(piece)
  }

  /** The message has ended. @internal */
  complete(): void {
    if (!this.destroyed) this.push(null)
  }

  /** Nothing more will come, though the message has not ended. @internal */
  fail(error: Error): void {
    this.failure = error
    this.destroyWhenRead()
  }

  /** Whether it is read, or is going to be. @internal */
  get isWanted(): boolean {
    // what is paused is kept for later
    return this.destroyed || this.readableFlowing !== null || this.readableDidRead || this.listenerCount('readable') > 0
  }

  /** It has not been read, and the next message is asked for. @internal */
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

/** What a Readable of Node's leaves open: the type of its chunks. */
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

function ignore(): void {}
