// The application's side of a WebSocketStream: messages in every form, in and out, and Pings. Each member asks the part of the Endpoint that
// knows the answer.

import { kEndpoint } from './endpoint.js'
import { WebSocketError } from './errors.js'
import { type Sendable, toBytes, Uncompressed } from './protocol/message-splitter.js'
import { PreparedMessage } from './protocol/prepared-message.js'
import { TextBytes } from './protocol/text-bytes.js'
import { nextTick } from './runtime/node.js'
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

/** The messages of a WebSocketStream. */
export abstract class MessagingStream extends WireStream {
  /**
   * Whole messages, as an object-mode Duplex: strings for text, Buffers for binary. `end()` closes with 1000.
   * @throws TypeError where another view serves this connection
   */
  get messages(): MessagesView {
    return this[kEndpoint].open('messages') as MessagesView
  }

  /**
   * Messages as they arrive, as an object-mode Duplex of `MessageStream`s, never held whole. Also writable, of Readables and of whole
   * messages. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get streams(): StreamsView {
    return this[kEndpoint].open('streams') as StreamsView
  }

  /**
   * Frames as they are on the wire but unmasked, as an object-mode Duplex, control frames included: for relays.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get frames(): FramesView {
    return this[kEndpoint].open('frames') as FramesView
  }

  /**
   * Plain bytes, as a Duplex: what binary messages hold, one after another, whatever their borders; a text message is a fault (1003). A
   * write goes out as a binary message, what is written while the stream is corked as one. For MQTT, TLS (`tls.connect({ socket: ws.bytes })`)
   * and tunnels. `end()` closes with 1000.
   * @throws TypeError where another view, or a 'message' listener, serves this connection
   */
  get bytes(): BytesView {
    return this[kEndpoint].open('bytes') as BytesView
  }

  /**
   * A Writable that sends one message, a fragment for each chunk (RFC 6455 §5.4), with backpressure. Other messages wait behind it,
   * pings and a close do not. Destroyed when some of it has gone, it closes the connection: what was sent cannot be
   * taken back.
   * @param kind - text takes strings, and bytes that are UTF-8, cut anywhere
   * @throws TypeError for any other kind
   */
  createMessage(kind: MessageKind, options: MessageWriterOptions = {}): MessageWriter {
    if (kind !== 'text' && kind !== 'binary') throw new TypeError("kind must be 'text' or 'binary'")
    return this[kEndpoint].sender.createMessage(kind, readCompress(options))
  }

  /**
   * Sends text, as `messages.write` does.
   * @param message - a string, or bytes of UTF-8, which must not change until they are sent
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   * @throws TypeError where the bytes are not UTF-8
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
   * Sends bytes, as `messages.write` does: any ArrayBufferView or ArrayBuffer, which must not change until it is sent, or an array of
   * integers from 0 to 255.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
   * @returns true if the message was sent or queued; false if the connection can send no more messages
   */
  binary(message: BinaryMessage, options?: SendOptions, sent?: SentCallback): boolean
  /** The same, without options. */
  binary(message: BinaryMessage, sent?: SentCallback): boolean
  binary(message: BinaryMessage, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    return this.sendAs(Array.isArray(message) ? bytesOf(message) : toBytes(message), options, sent)
  }

  private sendAs(message: Sendable | TextBytes, options?: SendOptions | SentCallback, sent?: SentCallback): boolean {
    if (typeof options === 'function') return this[kEndpoint].sender.send(message, options)
    const item = readCompress(options) ? message : new Uncompressed(message)
    return this[kEndpoint].sender.send(item, readCallback(sent))
  }

  /**
   * Sends a message: text for a string or a TextBytes, binary for bytes and for a Blob, or what `prepareMessage` made.
   * @param options - `compress: false` keeps extensions from compressing it
   * @param sent - called when the wire has written it
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
    if (message instanceof PreparedMessage) return this[kEndpoint].sender.send(message, callback)
    if (!(message instanceof Blob)) return this.sendAs(toBytes(message), options, sent)
    return this.sendBlob(message, typeof options === 'function' ? undefined : options, callback)
  }

  // its bytes come later, and what is sent meanwhile waits behind it
  private sendBlob(blob: Blob, options: SendOptions | undefined, sent: SentCallback | null): boolean {
    if (!this[kEndpoint].sender.takesMessages) {
      if (sent !== null) nextTick(sent, new WebSocketError('WS_ERR_NOT_OPEN'))
      return false
    }
    const writer = this.createMessage('binary', options)
    // a Close waits for it
    writer.isGiven = true
    if (sent !== null) writer.once('close', () => surfacing(() => sent(writer.errored)))
    blob.arrayBuffer().then(
      bytes => writer.end(new Uint8Array(bytes)),
      error => {
        this[kEndpoint].lifecycle.fail(error)
        writer.destroy(error)
      }
    )
    return true
  }

  /**
   * Drops all messages that arrive from now on, for connections that only send. Messages are checked and control frames answered as
   * always.
   * @throws TypeError if the connection is read through `streams` or `frames`
   */
  discardMessages(): void {
    this[kEndpoint].discardMessages()
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   * @param payload - at most 125 bytes; by default something that no other ping has
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns the time until the matching Pong in ms; rejects when the connection ends before it. Never an unhandled rejection.
   */
  ping(payload?: string | Uint8Array, options?: ControlOptions): Promise<number> {
    const bytes = payload === undefined ? nextPing() : controlPayload(payload)
    return this[kEndpoint].ping(bytes, readInOrder(options))
  }

  /**
   * Sends an unsolicited Pong (RFC 6455 §5.5.3).
   * @param payload - at most 125 bytes
   * @param options - `inOrder: true` keeps it behind the messages that were sent before
   * @returns false where nothing more can be sent
   */
  pong(payload: string | Uint8Array = '', options?: ControlOptions): boolean {
    return this[kEndpoint].pong(controlPayload(payload), readInOrder(options))
  }

  /**
   * Keeps messages from `message` listeners, and from the messages view, until `resumeMessages()`. They wait, and once what waits has
   * reached `highWaterMark` the wire is paused; a Close that the peer has sent behind them waits too, for `closeTimeout` at most.
   * @throws TypeError where the connection is read through `streams` or `frames`
   */
  pauseMessages(): void {
    this[kEndpoint].receiver.pause()
  }

  /** Lets messages go on that `pauseMessages()` keeps. */
  resumeMessages(): void {
    this[kEndpoint].receiver.resume()
  }

  /** Whether `pauseMessages()` keeps messages at present. */
  get messagesArePaused(): boolean {
    return this[kEndpoint].receiver.isPaused
  }

  /** Whether the wire is full: what is sent now waits in memory. `await ws.drained()` waits for room. */
  get needsDrain(): boolean {
    return this[kEndpoint].sender.needsDrain
  }

  /**
   * Waits until the wire has taken all that was sent. Resolves at once if nothing waits.
   * @throws WebSocketError when the connection ends first
   */
  drained(): Promise<void> {
    return this[kEndpoint].sender.whenAllWritten()
  }

  /**
   * Hands what was sent to the wire now. Else the frames of one turn of the event loop leave together at its end, which costs less.
   * What an extension is still working on, and what a full wire does not take, waits as always.
   * @returns whether the wire takes more: false where what is sent next has to wait for it
   */
  flush(): boolean {
    const { encoder } = this[kEndpoint].pipeline
    encoder.flush()
    return !encoder.isBlocked
  }

  /** Bytes that were given to this connection and that the wire has not taken. */
  get bufferedAmount(): number {
    return this[kEndpoint].bufferedAmount
  }
}
