// One message that the application writes in pieces: takes strings or bytes, sends fragments (RFC 6455 §5.4).

import { WebSocketError } from '../errors.js'
import type { SendQueue } from '../outbound/send-queue.js'
import { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { Utf8Reader } from '../protocol/utf8.js'
import { Buffer, nextTick } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { emitSurfacing, ignore, Writable, writeLast } from '../streams.js'
import type { MessageKind } from './message-stream.js'

/** Options of a message that is written in pieces. */
export interface MessageWriterOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/** The parts of the connection that a MessageWriter uses. */
export interface MessageWriterOwner {
  /** Whether messages can still be sent. */
  readonly takesMessages: boolean
  /** The error for data that can no longer be sent. */
  notOpen(): WebSocketError
  /** Sends the message when its turn comes. */
  readonly sendQueue: SendQueue
  /** Calls back when the wire has written everything sent before. */
  whenSent(written: Written): void
  /** The message cannot be ended, and cannot be cancelled. */
  messageBroken(error: Error | null): void
}

type Callback = (error?: Error | null) => void

/**
 * A Writable that sends one message: one fragment for each chunk, the last one at its end. Other messages wait until it has ended; Pings
 * and a Close do not. A text message takes strings, and bytes of UTF-8, which may be split inside a character. A chunk must not change
 * until the callback of its write has run or 'drain' was emitted. If it is destroyed after a part was sent, it closes the connection: with
 * 1007 if its text was not UTF-8, otherwise with 1011.
 */
export class MessageWriter extends Writable {
  private opcode: Opcode | null
  private readonly text = new Utf8Reader('local')
  private surrogate = ''
  // `waiting` for its turn, `ready` to send, `begun` when a part was sent, `done` when all was
  private state: 'waiting' | 'ready' | 'begun' | 'done' = 'waiting'
  // a write or end that waits for this message's turn, and its callback
  private held: (() => void) | null = null
  private callback: Callback | null = null
  // whether `give` has announced its content, and the bytes of that content until they are written here
  private isGiven = false
  private givenSize = 0
  // length of the write that was passed on, as `writableLength` counts it
  private passedOn = 0
  // callbacks of `whenTaken`
  private takers: (() => void)[] = []

  /** @internal */
  constructor(
    kind: MessageKind | null,
    private readonly compress: boolean,
    highWaterMark: number,
    private readonly owner: MessageWriterOwner
  ) {
    super({ highWaterMark, decodeStrings: false })
    this.opcode = kind === null ? null : kind === 'text' ? Opcode.Text : Opcode.Binary
    // the end of a connection is an error here, and must not crash a process that does not listen for it
    this.on('error', ignore)
  }

  /** Bytes that wait here, or that `give` has announced. @internal */
  get size(): number {
    return Math.max(this.writableLength - this.passedOn, this.givenSize)
  }

  /** Whether the application writes and ends it itself. @internal */
  isByHand = true

  /** Whether its end has been written, or will be without the application. @internal */
  get isEnded(): boolean {
    return this.isGiven || this.writableEnded
  }

  /**
   * Announces content that is complete, such as a Blob: `read`, called when its turn comes, writes and ends it. A Close waits for it.
   * @internal
   */
  give(size: number, read: () => void): void {
    this.isGiven = true
    this.givenSize = size
    this.owner.sendQueue.recount(this)
    if (this.state === 'waiting') this.held = read
    else read()
  }

  /** It will end without the application, as soon as bytes that are being read arrive: a Close waits for it. @internal */
  endsLater(): void {
    this.isGiven = true
  }

  /** @internal */
  begin(): void {
    const { held } = this
    // destroyed while it waited in the view
    if (this.state === 'done') {
      this.owner.sendQueue.done(this)
      return
    }
    this.state = 'ready'
    this.held = this.callback = null
    held?.()
  }

  /** Not needed: the callbacks of writes, which the wire calls, continue the stream. @internal */
  proceed(): void {}

  /** @internal */
  whenTaken(callback: () => void): void {
    if (this.writableLength === 0) callback()
    else this.takers.push(callback)
  }

  private taken(): void {
    const { takers } = this
    this.takers = []
    for (const callback of takers) callback()
  }

  /** @internal */
  connectionOver(): void {
    this.destroy(this.owner.notOpen())
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
      const more = (super.write as (...args: unknown[]) => boolean)(chunk, ...rest)
      this.owner.sendQueue.recount(this)
      return more
    }
    // a piped Readable may give anything, so report an error instead of throwing into the Readable
    const error = new TypeError('a piece of a message must be a string or bytes')
    const callback = rest.at(-1)
    if (typeof callback === 'function') nextTick(callback, error)
    this.destroy(error)
    return false
  }

  override end(callback?: () => void): this
  override end(chunk: unknown, callback?: () => void): this
  override end(chunk: unknown, encoding?: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    super.end(writeLast(this, args))
    return this
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, callback: Callback): void {
    this.whenReady(callback, () => {
      this.sendChunk(chunk, encoding)
      this.whenSent(callback)
    })
  }

  override _writev(chunks: { chunk: string | Buffer; encoding: BufferEncoding }[], callback: Callback): void {
    this.whenReady(callback, () => {
      for (const { chunk, encoding } of chunks) this.sendChunk(chunk, encoding)
      this.whenSent(callback)
    })
  }

  private whenSent(callback: Callback): void {
    this.owner.sendQueue.recount(this)
    this.owner.whenSent(error => {
      this.passedOn = 0
      callback(error)
      this.owner.sendQueue.recount(this)
      if (this.writableLength === 0) this.taken()
    })
  }

  private sendChunk(chunk: string | Buffer, encoding: BufferEncoding): void {
    this.passedOn += chunk.length
    this.givenSize = 0
    const isText = typeof chunk === 'string' && (encoding === 'utf8' || (encoding as string) === 'utf-8')
    const piece = typeof chunk !== 'string' || isText ? chunk : Buffer.from(chunk, encoding)
    this.opcode ??= typeof piece === 'string' ? Opcode.Text : Opcode.Binary
    this.send(this.opcode === Opcode.Text ? this.checked(piece) : piece, false)
  }

  override _final(callback: Callback): void {
    this.whenReady(callback, () => {
      this.text.end()
      // an unpaired surrogate at the very end is sent as the replacement character
      this.send(this.surrogate, true)
      this.owner.whenSent(callback)
      this.owner.sendQueue.done(this)
    })
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const { state } = this
    this.state = 'done'
    this.held = null
    if (state === 'begun') this.owner.messageBroken(error)
    if (state !== 'done') this.owner.sendQueue.done(this)
    this.taken()
    const { callback: waiting } = this
    this.callback = null
    if (waiting !== null) nextTick(waiting, error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
    callback(error)
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return emitSurfacing(this, event, args)
  }

  private whenReady(callback: Callback, run: () => void): void {
    const guarded = (): void => {
      try {
        if (!this.owner.takesMessages) throw this.owner.notOpen()
        run()
      } catch (error) {
        // in its own turn, since the stream would catch an exception from the callback
        nextTick(callback, error)
      }
    }
    if (this.state !== 'waiting') {
      guarded()
      return
    }
    this.held = guarded
    // if the writer is destroyed meanwhile, destroying calls back
    this.callback = callback
  }

  private send(piece: string | Uint8Array, fin: boolean): void {
    const opcode = this.state === 'begun' ? Opcode.Continuation : (this.opcode ?? Opcode.Binary)
    const frame = new Frame(opcode, piece, fin)
    if (!this.compress) frame.compress = false
    this.state = fin ? 'done' : 'begun'
    this.owner.sendQueue.pieces([frame])
  }

  /** @throws WebSocketError if the bytes are not UTF-8 */
  private checked(piece: string | Uint8Array): string | Uint8Array {
    if (typeof piece === 'string') {
      this.text.end()
      const whole = this.surrogate + piece
      const last = whole.charCodeAt(whole.length - 1)
      const isCut = last >= 0xd800 && last < 0xdc00
      this.surrogate = isCut ? whole.slice(-1) : ''
      return isCut ? whole.slice(0, -1) : whole
    }
    // a fragment may end inside a character: only the whole message must be UTF-8
    this.text.check(piece as Buffer)
    if (this.surrogate === '') return piece
    // the other half of the surrogate pair cannot follow
    const alone = Buffer.from(this.surrogate)
    this.surrogate = ''
    return Buffer.concat([alone, piece])
  }
}
