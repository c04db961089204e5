// The bytes view: a Duplex of the payloads of binary messages, one after another. Message borders mean nothing.

import { WebSocketError } from '../errors.js'
import { CloseCode } from '../protocol/close-code.js'
import { Buffer } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { Duplex } from '../streams.js'
import { View, type ViewOwner } from './view.js'

/** The parts of the connection that a BytesView uses. */
export interface BytesOwner extends ViewOwner {
  /** The code of the peer's Close; 1005 if it had none. */
  readonly peerCloseCode: number
  readonly settings: { readonly highWaterMark: number }
}

/** Close codes that mean the byte stream is complete; after any other, bytes may be missing. */
const ENDS: ReadonlySet<number> = new Set([CloseCode.Normal, CloseCode.GoingAway, CloseCode.NoStatus])

/** An empty write whose callback runs after those of all earlier writes. */
const BARRIER = Buffer.alloc(0)

/**
 * Bytes in both directions, for protocols with borders of their own: MQTT, TLS, tunnels. Each write is sent as one binary message; writes
 * between `cork()` and `uncork()` as one. The callback of a write runs when the wire has written it. `end` sends a Close with 1000; bytes
 * that the peer sends before it ends its side still arrive. When the peer has ended, this side ends too (with `allowHalfOpen: true` only
 * when the application ends it), within `closeTimeout` in any case. The readable side ends if the peer closed with 1000, 1001 or no code,
 * and is otherwise destroyed with an error. A text message fails the connection with 1003.
 */
export class BytesView extends View<Uint8Array | string, Buffer> {
  // bytes that the wire is writing
  private inFlight = 0
  // whether a write is in progress, even an empty one
  private isSending = false
  // the message number of each write that waits
  private readonly batches: number[] = []
  private batch = 0

  /** @internal */
  constructor(private readonly connection: BytesOwner) {
    const { highWaterMark } = connection.settings
    super(connection, {
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
      allowHalfOpen: false
    })
  }

  /** Whether writes wait or are in progress; `writableLength` does not count those without bytes. @internal */
  override get hasWaitingWrites(): boolean {
    return this.isSending || this.batches.length > 0
  }

  override write(chunk: Uint8Array | string, callback?: Written): boolean
  override write(chunk: Uint8Array | string, encoding: BufferEncoding | undefined, callback?: Written): boolean
  override write(...args: any[]): boolean {
    if (this.writableCorked === 0) this.batch++
    this.batches.push(this.batch)
    try {
      return (Duplex.prototype.write as (...args: unknown[]) => boolean).apply(this, args)
    } catch (error) {
      // write(null) throws
      this.batches.pop()
      throw error
    }
  }

  override cork(): void {
    if (this.writableCorked === 0) this.batch++
    super.cork()
  }

  /** @internal */
  override endBehindWrites(): void {
    this.end()
  }

  override _write(bytes: Buffer, _encoding: string, callback: Written): void {
    this.batches.shift()
    this.sendAll([bytes], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Written): void {
    const batches = this.batches.splice(0, chunks.length)
    const messages: Buffer[][] = []
    for (const [i, { chunk }] of chunks.entries()) {
      if (i > 0 && batches[i] === batches[i - 1]) messages.at(-1)!.push(chunk)
      else messages.push([chunk])
    }
    this.sendAll(
      messages.map(pieces => (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))),
      callback
    )
  }

  private sendAll(messages: readonly Buffer[], callback: Written): void {
    this.isSending = true
    const done: Written = error => {
      this.isSending = false
      this.inFlight = 0
      callback(error)
    }
    for (const { length } of messages) this.inFlight += length
    if (!this.owner.takesMessages) {
      this.waiting = done
      this.failWrites()
      return
    }
    for (const bytes of messages) if (bytes !== BARRIER) this.owner.sendItem(bytes, null)
    this.owner.sendBarrier(done)
  }

  /** Without the bytes that were passed to the stages, which count them. @internal */
  override get queuedSize(): number {
    return this.destroyed ? 0 : Math.max(0, this.writableLength - this.inFlight)
  }

  /** @internal */
  protected override barrier(written: Written): void {
    this.write(BARRIER, written)
  }

  /** @internal */
  override endMessages(error: Error | null): void {
    const code = this.connection.peerCloseCode
    const isEnd = error !== null || ENDS.has(code)
    super.endMessages(isEnd ? error : new WebSocketError('WS_ERR_BYTES_CUT', { detail: `close code ${code}` }))
  }
}
