// The application's side as a Duplex of plain bytes: what binary messages hold, one after another. The borders of messages mean nothing.

import { WebSocketError } from '../errors.js'
import { CloseCode } from '../protocol/close-code.js'
import { Buffer } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { Duplex } from '../streams.js'
import { View, type ViewOwner } from './view.js'

/** What a BytesView asks of its connection. */
export interface BytesOwner extends ViewOwner {
  /** The code of the peer's Close; 1005 where it had none. */
  readonly peerCloseCode: number
  readonly settings: { readonly highWaterMark: number }
}

/** A Close with another code says that the bytes are not all that there should be. */
const ENDS: ReadonlySet<number> = new Set([CloseCode.Normal, CloseCode.GoingAway, CloseCode.NoStatus])

const EMPTY = Buffer.alloc(0)

/**
 * Bytes in both directions, for protocols that have borders of their own: MQTT, TLS, tunnels. A write is sent as a binary message; what is
 * written between `cork()` and `uncork()`, or while the wire is busy, as one. Its callback comes when the wire has written it. `end` sends a
 * Close with 1000; what the peer writes until it ends its own side still arrives. When the peer has ended, this side ends by itself, unless
 * `allowHalfOpen` is set to true, and within `closeTimeout` in any case. The readable side ends where the peer closed with 1000, 1001 or without a code, and is destroyed with an error after any
 * other end. A text message is a fault, which closes with 1003.
 */
export class BytesView extends View<Uint8Array | string, Buffer> {
  // bytes that the wire is writing
  private inFlight = 0

  /** @internal */
  constructor(private readonly connection: BytesOwner) {
    const { highWaterMark } = connection.settings
    super(connection, {
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
      allowHalfOpen: false
    })
  }

  override write(chunk: Uint8Array | string, callback?: Written): boolean
  override write(chunk: Uint8Array | string, encoding: BufferEncoding | undefined, callback?: Written): boolean
  override write(...args: any[]): boolean {
    const more = (Duplex.prototype.write as (...args: unknown[]) => boolean).apply(this, args)
    this.count()
    return more
  }

  override _write(bytes: Buffer, _encoding: string, callback: Written): void {
    this.inFlight = bytes.length
    this.count()
    const done: Written = error => {
      this.inFlight = 0
      callback(error)
      this.count()
    }
    if (!this.owner.takesMessages) {
      this.waiting = done
      this.failWrites()
    } else if (bytes.length === 0) {
      this.owner.sendBarrier(done)
    } else {
      this.owner.sendItem(bytes, done)
    }
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Written): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', callback)
  }

  // the stages know of what they were given
  private count(): void {
    this.queuedSize = Math.max(0, this.writableLength - this.inFlight)
  }

  /** @internal */
  protected override barrier(written: Written): void {
    this.write(EMPTY, written)
  }

  /** @internal */
  override endMessages(error: Error | null): void {
    const code = this.connection.peerCloseCode
    const isEnd = error !== null || ENDS.has(code)
    super.endMessages(isEnd ? error : new WebSocketError('WS_ERR_BYTES_CUT', { detail: `close code ${code}` }))
  }
}
