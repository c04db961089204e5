// One message that the application writes piece by piece: strings or bytes come in, fragments go out (RFC 6455 §5.4).

import { WebSocketError } from '../errors.js'
import type { SendQueue } from '../outbound/send-queue.js'
import { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { Utf8Reader } from '../protocol/utf8.js'
import { Buffer, nextTick } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { emitSurfacing, Writable } from '../streams.js'
import type { MessageKind } from './message-stream.js'

/** How a message that is written in pieces is sent. */
export interface MessageWriterOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/** What a message in pieces asks of its connection. */
export interface MessageWriterOwner {
  /** Whether messages can still be sent. */
  readonly takesMessages: boolean
  /** The error of what can no longer be sent. */
  notOpen(): WebSocketError
  /** Who sends it when its turn comes. */
  readonly sendQueue: SendQueue
  /** Calls back when the wire has written all that was sent before. */
  whenSent(written: Written): void
  /** The message cannot be ended, and cannot be taken back. */
  messageBroken(error: Error | null): void
}

type Callback = (error?: Error | null) => void

/**
 * A Writable that sends one message: a fragment for each chunk, the last one at its end. Other messages wait behind it; pings and
 * a close do not. Text takes strings, and bytes that are UTF-8, in which characters may be cut anywhere. A chunk must not change
 * until the callback of its write, or 'drain', has come. Destroyed when some of it has gone and not all, it closes the connection: with
 * 1007 where its text was not UTF-8, else 1011.
 */
export class MessageWriter extends Writable {
  private opcode: Opcode | null
  private readonly text = new Utf8Reader('local')
  private surrogate = ''
  // whether this message's turn has come, whether some of it has gone, whether all has
  private state: 'waiting' | 'ready' | 'begun' | 'done' = 'waiting'
  // what waits for this message's turn, and its callback
  private held: (() => void) | null = null
  private callback: Callback | null = null

  /** @internal */
  constructor(
    kind: MessageKind | null,
    private readonly compress: boolean,
    highWaterMark: number,
    private readonly owner: MessageWriterOwner
  ) {
    super({ highWaterMark, decodeStrings: false })
    this.opcode = kind === null ? null : kind === 'text' ? Opcode.Text : Opcode.Binary
    // the end of a connection is an error here, which must not crash a process that does not listen
    this.on('error', ignore)
  }

  /** Bytes that wait here. @internal */
  get size(): number {
    return this.writableLength
  }

  /** Whether the application writes and ends it by itself. @internal */
  isByHand = true

  /** Whether all of it was given at once, though its bytes come later, as those of a Blob. @internal */
  isGiven = false

  /** Whether its end has been written. @internal */
  get isEnded(): boolean {
    return this.isGiven || this.writableEnded
  }

  /** @internal */
  begin(): void {
    const { held } = this
    this.state = 'ready'
    this.held = this.callback = null
    held?.()
  }

  /** The callbacks of writes come when the wire has written them, which says as much. @internal */
  proceed(): void {}

  /** @internal */
  connectionOver(): void {
    this.destroy(this.owner.notOpen())
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
      return (super.write as (...args: unknown[]) => boolean)(chunk, ...rest)
    }
    // a Readable that is piped here may bring anything, and must not have it thrown at itself
    const error = new TypeError('a piece of a message must be a string or bytes')
    const callback = rest.at(-1)
    if (typeof callback === 'function') nextTick(callback, error)
    this.destroy(error)
    return false
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, callback: Callback): void {
    this.whenReady(callback, () => {
      this.sendChunk(chunk, encoding)
      this.owner.whenSent(callback)
    })
  }

  override _writev(chunks: { chunk: string | Buffer; encoding: BufferEncoding }[], callback: Callback): void {
    this.whenReady(callback, () => {
      for (const { chunk, encoding } of chunks) this.sendChunk(chunk, encoding)
      this.owner.whenSent(callback)
    })
  }

  private sendChunk(chunk: string | Buffer, encoding: BufferEncoding): void {
    const isText = typeof chunk === 'string' && (encoding === 'utf8' || (encoding as string) === 'utf-8')
    const piece = typeof chunk !== 'string' || isText ? chunk : Buffer.from(chunk, encoding)
    this.opcode ??= typeof piece === 'string' ? Opcode.Text : Opcode.Binary
    this.send(this.opcode === Opcode.Text ? this.checked(piece) : piece, false)
  }

  override _final(callback: Callback): void {
    this.whenReady(callback, () => {
      this.text.end()
      // half a pair at the very end is no character; it goes out as UTF-16's replacement does
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
        // the stream would catch what the callback of the application throws
        nextTick(callback, error)
      }
    }
    if (this.state !== 'waiting') {
      guarded()
      return
    }
    this.held = guarded
    // who destroys this meanwhile answers for it
    this.callback = callback
  }

  private send(piece: string | Uint8Array, fin: boolean): void {
    const opcode = this.state === 'begun' ? Opcode.Continuation : (this.opcode ?? Opcode.Binary)
    const frame = new Frame(opcode, piece, fin)
    if (!this.compress) frame.compress = false
    this.state = fin ? 'done' : 'begun'
    this.owner.sendQueue.pieces([frame])
  }

  /** @throws WebSocketError for bytes that are not UTF-8 */
  private checked(piece: string | Uint8Array): string | Uint8Array {
    if (typeof piece === 'string') {
      this.text.end()
      const whole = this.surrogate + piece
      const last = whole.charCodeAt(whole.length - 1)
      const isCut = last >= 0xd800 && last < 0xdc00
      this.surrogate = isCut ? whole.slice(-1) : ''
      return isCut ? whole.slice(0, -1) : whole
    }
    // characters cut between chunks go out as they are: only the whole message has to be UTF-8
    this.text.check(piece as Buffer)
    if (this.surrogate === '') return piece
    // no other half comes for this one
    const alone = Buffer.from(this.surrogate)
    this.surrogate = ''
    return Buffer.concat([alone, piece])
  }
}

function ignore(): void {}
