// A request that this library has read itself, with its body as a Readable that applies backpressure to the wire.

import { HandshakeError } from './errors.js'
import { BodyDecoder, type BodyLength } from './handshake/body-decoder.js'
import type { RequestHead } from './handshake/head-parser.js'
import type { UpgradeRequest } from './options.js'
import { Buffer } from './runtime/node.js'
import type { HandshakeReader } from './stages/handshake-transform.js'
import { type NodeReadable, Readable } from './streams.js'

/** The source of a body. */
export interface BodySource {
  /** Reads the body; called once, and only if the application reads it. */
  readBody(body: RequestBody): void
  /** Asks for more input. */
  readMore(): void
}

export class RequestBody implements HandshakeReader {
  readonly stream: NodeReadable
  isFull = false
  private readonly decoder: BodyDecoder
  private state: 'unread' | 'reading' | 'over'

  constructor(
    length: BodyLength,
    private readonly source: BodySource | null
  ) {
    this.decoder = new BodyDecoder(length)
    this.state = length === 0 ? 'over' : 'unread'
    this.stream = new Readable({ read: () => this.read() })
    // a client that aborts its request must not crash the process
    this.stream.on('error', () => {})
  }

  /** Whether a part of it has been read from the wire. */
  get isRead(): boolean {
    return this.state === 'reading'
  }

  private read(): void {
    if (this.state === 'over') {
      this.stream.push(null)
    } else if (this.state === 'unread') {
      this.state = 'reading'
      this.source!.readBody(this)
    } else if (this.isFull) {
      this.isFull = false
      this.source!.readMore()
    }
  }

  receive(chunk: Buffer): Buffer | null {
    return this.decoder.write(chunk, data => {
      // copied: the application owns what it gets
      if (!this.stream.push(Buffer.from(data))) this.isFull = true
    })
  }

  complete(): void {
    this.stream.push(null)
  }

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST', { detail: 'the client left before the end of its request' })
  }

  /** Ends the body: the request has been answered, or its connection has ended. */
  over(error?: HandshakeError): void {
    if (!this.stream.readableEnded) this.stream.destroy(error)
  }
}

/** The request for `request` listeners of `WebSocketStream.server()`. */
export class ReceivedRequest implements UpgradeRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly headers: RequestHead['headers']
  readonly rawHeaders: string[]
  readonly #length: BodyLength
  readonly #source: BodySource | null
  #body: RequestBody | null = null

  /** @param source - where the body is read from, if there is one */
  constructor(head: RequestHead, length: BodyLength = 0, source: BodySource | null = null) {
    this.method = head.method
    this.url = head.url
    this.httpVersion = head.httpVersion
    this.headers = head.headers
    this.rawHeaders = head.rawHeaders
    this.#length = length
    this.#source = source
  }

  get body(): NodeReadable {
    this.#body ??= new RequestBody(this.#length, this.#source)
    return this.#body.stream
  }

  /** Whether a part of the body has been read from the wire. @internal */
  get bodyIsRead(): boolean {
    return this.#body?.isRead === true
  }

  /** The request has been answered, or its connection has ended: the rest of the body is not delivered. @internal */
  endBody(error?: HandshakeError): void {
    this.#body?.over(error)
  }
}
