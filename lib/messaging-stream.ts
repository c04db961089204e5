// The message side of a WebSocketStream: sending and receiving messages in every form, and Pings. Each member delegates to the part of the
// Endpoint that holds the answer.

import { kEndpoint } from './endpoint.js'
import { type Sendable, toBytes, Uncompressed } from './protocol/message-splitter.js'
import { PreparedMessage } from './protocol/prepared-message.js'
import { TextBytes } from './protocol/text-bytes.js'
import {
  type BinaryMessage,
  bytesOf,
  type ControlOptions,
  controlPayload,
  nextPing,
  readCallback,
  readCompress,
  readInOrder,
  type SendOptions,
  type SentCallback
} from './send-arguments.js'
import { surfacing } from './surfacing.js'
import type { BytesView } from './views/bytes-view.js'
import type { FramesView } from './views/frames-view.js'
import type { MessageKind } from './views/message-stream.js'
import type { MessageWriter, MessageWriterOptions } from './views/message-writer.js'
import type { MessagesView } from './views/messages-view.js'
import type { StreamsView } from './views/streams-view.js'
import { WireStream } from './wire-stream.js'

/** The message methods of a WebSocketStream. */
export abstract class MessagingStream extends WireStream {
  /**
   * Whole messages, as an object-mode Duplex: strings for text, Buffers for binary. `end()` closes with 1000.
   * @throws TypeError if this connection is already read through another view
   */
  get messages(): MessagesView {
    return this[kEndpoint].open('messages') as MessagesView
  }

  /**
   * Messages as they arrive, as an object-mode Duplex of `MessageStream`s; no message is buffered whole. Write Readables or whole messages
   * to it. `end()` closes with 1000.
   * @throws TypeError if this connection is already read through another view or a `message` listener
   */
  get streams(): StreamsView {
    return this[kEndpoint].open('streams') as StreamsView
  }

  /**
   * Frames as on the wire, but unmasked and with control frames, as an object-mode Duplex: for relays.
   * @throws TypeError if this connection is already read through another view or a `message` listener
   */
  get frames(): FramesView {
    return this[kEndpoint].open('frames') as FramesView
  }

  /**
   * Plain bytes, as a Duplex: the payloads of binary messages one after another, without message borders. A text message fails the
   * connection (1003). Each write is sent as one binary message; writes while the stream is corked are sent as one. For MQTT, TLS
   * (`tls.connect({ socket: ws.bytes })`) and tunnels. `end()` closes with 1000.
   * @throws TypeError if this connection is already read through another view or a `message` listener
   */
  get bytes(): BytesView {
    return this[kEndpoint].open('bytes') as BytesView
  }

  /**
   * A Writable that sends one message, one fragment for each chunk (RFC 6455 §5.4), with backpressure. Other messages wait until it has
   * ended; Pings and a Close do not. If it is destroyed after a part was sent, it closes the connection: that part cannot be taken back.
   * @param kind - a text message takes strings, and bytes of UTF-8, which may be split anywhere
   * @throws TypeError for any other kind
   */
  createMessage(kind: MessageKind, options: MessageWriterOptions = {}): MessageWriter {
    if (kind !== 'text' && kind !== 'binary') throw new TypeError("kind must be 'text' or 'binary'")
    return this[kEndpoint].sender.createMessage(kind, readCompress(options))
  }

  /**
   * Sends a text message, like `messages.write`.
   * @param message - a string, or bytes of UTF-8, which must not change until they are sent
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when it has been written to the wire
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   * @throws TypeError if the bytes are not UTF-8
   */
  text(message: string | Uint8Array, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  text(message: string | Uint8Array, sent?: SentCallback): boolean
  text(message: string | Uint8Array, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof message === 'string') return this.sendAs(message, options, sent)
    if (!(message instanceof Uint8Array)) throw new TypeError('text must be a string, or bytes of UTF-8')
    return this.sendAs(new TextBytes(message), options, sent)
  }

  /**
   * Sends a binary message, like `messages.write`: any ArrayBufferView or ArrayBuffer, which must not change until it is sent, or an array
   * of integers from 0 to 255.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when it has been written to the wire
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  binary(message: BinaryMessage, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  binary(message: BinaryMessage, sent?: SentCallback): boolean
  binary(message: BinaryMessage, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    const bytes = Array.isArray(message) ? bytesOf(message) : toBytes(message, 'a binary message', 'an array of bytes')
    return this.sendAs(bytes, options, sent)
  }

  private sendAs(message: Sendable | TextBytes, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof options === 'function') return this[kEndpoint].sender.send(message, options)
    const item = readCompress(options) ? message : new Uncompressed(message)
    return this[kEndpoint].sender.send(item, readCallback(sent))
  }

  /**
   * Sends a message: a string or a TextBytes as text, bytes or a Blob as binary, and the result of `prepareMessage` as what it is.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when it has been written to the wire
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  send(message: Sendable | TextBytes | Blob | PreparedMessage, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  send(message: Sendable | TextBytes | Blob | PreparedMessage, sent?: SentCallback): boolean
  send(
    message: Sendable | TextBytes | Blob | PreparedMessage,
    options?: SendOptions | SentCallback,
    sent?: SentCallback
  ): boolean {
    if (typeof message === 'string' || message instanceof TextBytes) return this.sendAs(message, options, sent)
    const callback = typeof options === 'function' ? options : readCallback(sent)
    if (message instanceof PreparedMessage) {
      if (typeof options !== 'function') readCompress(options)
      return this[kEndpoint].sender.send(message, callback)
    }
    if (!(message instanceof Blob)) return this.sendAs(toBytes(message, 'a message', 'a string, a Blob'), options, sent)
    return this.sendBlob(message, typeof options === 'function' ? undefined : options, callback)
  }

  // The bytes of a Blob are read when its turn comes; messages sent meanwhile wait for it.
  private sendBlob(blob: Blob, options: SendOptions | undefined, sent: SentCallback | null): boolean {
    const { sender } = this[kEndpoint]
    if (!sender.canSend || !sender.hasBinary) {
      sender.refuse(sent)
      return false
    }
    const writer = this.createMessage('binary', options)
    let failure: Error | null = null
    writer.give(blob.size, () => {
      readBlob(blob).then(
        bytes => writer.end(new Uint8Array(bytes)),
        error => {
          failure = error
          this[kEndpoint].lifecycle.fail(error)
          this[kEndpoint].sender.messageMissing(error)
          writer.destroy(error)
        }
      )
    })
    // in order with the callbacks of other messages
    if (sent !== null) sender.whenWritten(error => surfacing(() => sent(failure ?? writer.errored ?? error)))
    return true
  }

  /**
   * Drops all messages that arrive from now on, for connections that only send. Messages are still checked, and control frames answered.
   * @throws TypeError if the connection is read through `streams`, `frames` or `bytes`
   */
  discardMessages(): void {
    this[kEndpoint].receiver.ignore()
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   * @param payload - at most 125 bytes; by default a unique value
   * @param options - `inOrder: true` sends it after the messages that were sent before
   * @returns the time until the matching Pong in ms; rejects if the connection ends first. Does not cause an unhandled rejection.
   */
  ping(payload?: string | Uint8Array, options?: ControlOptions): Promise<number> {
    const bytes = payload === undefined ? nextPing() : controlPayload(payload)
    return this[kEndpoint].ping(bytes, readInOrder(options))
  }

  /**
   * Sends an unsolicited Pong (RFC 6455 §5.5.3).
   * @param payload - at most 125 bytes
   * @param options - `inOrder: true` sends it after the messages that were sent before
   * @returns false if nothing more can be sent
   */
  pong(payload: string | Uint8Array = '', options?: ControlOptions): boolean {
    return this[kEndpoint].pong(controlPayload(payload), readInOrder(options))
  }

  /**
   * Stops `message` events and the messages view until `resumeMessages()`. Messages wait, and backpressure stops the peer before
   * `highWaterMark` bytes wait. A Close that the peer sent after them waits too, for at most `closeTimeout`.
   * @throws TypeError if the connection is read through `streams`, `frames` or `bytes`
   */
  pauseMessages(): void {
    this[kEndpoint].receiver.pause()
  }

  /** Resumes what `pauseMessages()` stopped. */
  resumeMessages(): void {
    this[kEndpoint].receiver.resume()
  }

  /** Whether `pauseMessages()` is in effect. */
  get messagesArePaused(): boolean {
    return this[kEndpoint].receiver.isPaused
  }

  /** Whether the wire or the compressor is full, so that messages sent now wait in memory. `await ws.drained()` waits for room. */
  get needsDrain(): boolean {
    return this[kEndpoint].sender.needsDrain
  }

  /**
   * Waits until the wire has taken everything that was sent. Resolves at once if nothing waits.
   * @throws WebSocketError if the connection ends first, or a message was refused because it is closing
   */
  drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      this[kEndpoint].sender.whenAllWritten(error => (error ? reject(error) : resolve()))
    })
  }

  /**
   * Writes all frames to the wire now. Otherwise the frames of one turn of the event loop are written together at its end, which costs
   * less. Messages that an extension is still compressing, and bytes for which the wire is too full, wait as always.
   * @returns whether the wire takes more; false if the next message has to wait
   */
  flush(): boolean {
    const { encoder } = this[kEndpoint].pipeline
    encoder.flush()
    return !encoder.isBlocked
  }

  /** Bytes passed to this connection that have not been written to the wire. */
  get bufferedAmount(): number {
    return this[kEndpoint].bufferedAmount
  }
}

/** Its own `arrayBuffer` may throw. */
async function readBlob(blob: Blob): Promise<ArrayBuffer> {
  return blob.arrayBuffer()
}
