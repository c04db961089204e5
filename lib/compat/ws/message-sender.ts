// Passes messages that `send` gets with options or in fragments to the core, whole or in pieces.

import { type MessageWriter, WebSocketError, type WebSocketStream } from '../../index.js'

/** Called when a message has been written, or cannot be. */
export type Sent = (error?: Error | null) => void

/** Options for sending one message. */
export interface SendOptions {
  /** Whether it is binary. Default: true unless it is a string. */
  binary?: boolean | undefined
  /** Whether it may be compressed. Default: true. */
  compress?: boolean | undefined
  /** Whether it is the last fragment of the message. Default: true. */
  fin?: boolean | undefined
  /** Has no effect: a client masks, a server does not (RFC 6455 §5.1). */
  mask?: boolean | undefined
}

export class MessageSender {
  // a message of which some fragments have been sent
  private writer: MessageWriter | null = null
  // fragments that wait for the bytes of a Blob
  private pieces: Promise<void> | null = null
  // number of Blobs being read, for which other messages wait
  private blobs = 0

  /** @param unreadable - called for a Blob that cannot be read */
  constructor(
    private readonly core: WebSocketStream,
    private readonly unreadable: (error: Error) => void
  ) {}

  /** Whether a message has begun whose last fragment has not been sent. */
  get isOpen(): boolean {
    return this.writer !== null
  }

  send(payload: string | Uint8Array | Blob, options: SendOptions, callback?: Sent): void {
    const { binary = typeof payload !== 'string', compress = true, fin = true } = options
    const isBlob = payload instanceof Blob
    if (isBlob) this.blobs++
    const sent = callback === undefined ? undefined : this.explaining(callback)
    if (this.writer !== null || !fin) this.sendFragment(payload, binary, compress, fin, sent)
    else if (isBlob) this.core.send(payload, { compress }, error => this.sentBlob(error, sent))
    else if (!binary) this.core.text(payload, { compress }, sent)
    else this.core.binary(typeof payload === 'string' ? Buffer.from(payload) : payload, { compress }, sent)
  }

  /** A callback that gets the error of `ws`, which says what the message waited for when the connection ended. */
  private explaining(callback: Sent): Sent {
    const { core, blobs } = this
    if (blobs === 0 && core.extensions === '') return callback
    const what = blobs > 0 ? 'the blob was being read' : 'data was being compressed'
    return error => {
      const isLost = error instanceof WebSocketError
      callback(isLost ? new Error(`The socket was closed while ${what}`, { cause: error }) : error)
    }
  }

  // messages after a Blob that cannot be read must not be sent without it
  private sentBlob(error: Error | null | undefined, sent?: Sent): void {
    this.blobs--
    sent?.(error)
    // the core reports other errors
    if (error && !(error instanceof WebSocketError)) this.core.destroy()
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
      if (fin) writer.end(piece, sent)
      else writer.write(piece, sent)
    }
    if (payload instanceof Blob || this.pieces !== null) {
      if (fin) writer.endsLater()
      const bytes = payload instanceof Blob ? payload.arrayBuffer().then(buffer => new Uint8Array(buffer)) : payload
      this.pieces = Promise.all([bytes, this.pieces]).then(
        ([piece]) => {
          if (payload instanceof Blob) this.blobs--
          write(piece)
        },
        error => {
          writer.destroy(error)
          sent?.(error)
          this.unreadable(error)
          this.core.destroy()
        }
      )
    } else {
      write(payload)
    }
    if (fin) this.pieces = null
  }
}
