// A request that this library has read itself, and its body as a Readable: bytes of the wire come in, as many as the application
// reads, and data comes out.

import { HandshakeError } from './errors.js'
import { BodyDecoder, type BodyLength } from './handshake/body-decoder.js'
import type { RequestHead } from './handshake/head-parser.js'
import type { UpgradeRequest } from './options.js'
import { Buffer } from './runtime/node.js'
import type { HandshakeReader } from './stages/handshake-transform.js'
import { type NodeReadable, Readable } from './streams.js'

/** What a body is read from. */
export interface BodySource {
  /** Reads what stands behind the head; once, and only if the application reads the body. */
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
    // a client that breaks its request off must not end the process
    this.stream.on('error', () => {})
  }

  /** Whether some of it has been taken from the wire. */
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
      // a copy: what the application gets is its own
      if (!this.stream.push(Buffer.from(data))) this.isFull = true
    })
  }

  complete(): void {
    this.stream.push(null)
  }

  end(): never {
    throw new HandshakeError('WS_ERR_CONNECTION_LOST', { detail: 'the client left before the end of its request' })
  }

  /** Ends it: the request has been answered, or its connection is over. */
  over(error?: HandshakeError): void {
    if (!this.stream.readableEnded) this.stream.destroy(error)
  }
}

/** What `WebSocketStream.server()` gives to `request` listeners. */
export class ReceivedRequest implements UpgradeRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly headers: RequestHead['headers']
  readonly rawHeaders: string[]
  readonly #length: BodyLength
  readonly #source: BodySource | null
  #body: RequestBody | null = null

  /** @param source - what the body is read from, where there is one */
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

  /** Whether some of the body has been taken from the wire. @internal */
  get bodyIsRead(): boolean {
    return this.#body?.isRead === true
  }

  /** The request has been answered, or its connection is over: what is left of the body does not come. @internal */
  endBody(error?: HandshakeError): void {
    this.#body?.over(error)
  }
}
