// What is given to `send` with options, or in fragments, goes to the core as whole messages or as a message in pieces.

import { type MessageWriter, WebSocketError, type WebSocketStream } from '../../index.js'

/** Told when a message has been written, or cannot be. */
export type Sent = (error?: Error | null) => void

/** How one message is sent. */
export interface SendOptions {
  /** Whether it is binary. Default: unless it is a string. */
  binary?: boolean | undefined
  /** Whether it may be compressed. Default: true. */
  compress?: boolean | undefined
  /** Whether the message ends with it. Default: true. */
  fin?: boolean | undefined
  /** Has no effect: a client masks, a server does not (RFC 6455 §5.1). */
  mask?: boolean | undefined
}

export class MessageSender {
  // a message of which some fragments have been sent
  private writer: MessageWriter | null = null
  // fragments that wait for the bytes of a Blob
  private pieces: Promise<void> | null = null

  /** @param unreadable - told of a Blob whose bytes cannot be had */
  constructor(
    private readonly core: WebSocketStream,
    private readonly unreadable: (error: Error) => void
  ) {}

  send(payload: string | Uint8Array | Blob, options: SendOptions, sent?: Sent): void {
    const { binary = typeof payload !== 'string', compress = true, fin = true } = options
    if (this.writer !== null || !fin) this.sendFragment(payload, binary, compress, fin, sent)
    else if (payload instanceof Blob) this.core.send(payload, { compress }, error => this.sentBlob(error, sent))
    else if (!binary) this.core.text(payload, { compress }, sent)
    else this.core.binary(typeof payload === 'string' ? Buffer.from(payload) : payload, { compress }, sent)
  }

  // what was to follow a Blob that cannot be read is not to go without it
  private sentBlob(error: Error | null | undefined, sent?: Sent): void {
    sent?.(error)
    if (!error || error instanceof WebSocketError) return
    this.unreadable(error)
    this.core.destroy()
  }

  private sendFragment(
    payload: string | Uint8Array | Blob,
    binary: boolean,
    compress: boolean,
    fin: boolean,
    sent?: Sent
  ): void {
    this.writer ??= this.core.createMessage(binary ? 'binary' : 'text', { compress })
    const { writer } = this
    if (fin) this.writer = null
    const write = (piece: string | Uint8Array): void => {
      if (fin) writer.end(piece, () => sent?.())
      else writer.write(piece, sent)
    }
    if (payload instanceof Blob || this.pieces !== null) {
      const bytes = payload instanceof Blob ? payload.arrayBuffer().then(buffer => new Uint8Array(buffer)) : payload
      this.pieces = Promise.all([bytes, this.pieces]).then(
        ([piece]) => write(piece),
        error => {
          writer.destroy(error)
          this.sentBlob(error, sent)
        }
      )
    } else {
      write(payload)
    }
    if (fin) this.pieces = null
  }
}
