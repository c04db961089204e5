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
  // Blobs that are being read, which other messages wait behind
  private blobs = 0

  /** @param unreadable - told of a Blob whose bytes cannot be had */
  constructor(
    private readonly core: WebSocketStream,
    private readonly unreadable: (error: Error) => void
  ) {}

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

  /** Tells a callback in the words of `ws` why its message was not sent: what it waited for when the connection ended. */
  private explaining(callback: Sent): Sent {
    const { core, blobs } = this
    if (blobs === 0 && core.extensions === '') return callback
    const what = blobs > 0 ? 'the blob was being read' : 'data was being compressed'
    return error => {
      const isLost = error instanceof WebSocketError
      callback(isLost ? new Error(`The socket was closed while ${what}`, { cause: error }) : error)
    }
  }

  // what was to follow a Blob that cannot be read is not to go without it
  private sentBlob(error: Error | null | undefined, sent?: Sent): void {
    this.blobs--
    sent?.(error)
    // the core tells why
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
      if (fin) writer.end(piece, () => sent?.())
      else writer.write(piece, sent)
    }
    if (payload instanceof Blob || this.pieces !== null) {
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
