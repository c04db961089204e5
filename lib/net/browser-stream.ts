// A connection with the API of the browsers' WebSocketStream (WHATWG proposal): promises and web streams, for code that runs in both. A
// wrapper only: the connection does the work.

import type { ReadableStream, WritableStream, WritableStreamDefaultController } from 'node:stream/web'
import { follow, unfollow } from '../abort-signals.js'
import { checkOptions } from '../checks.js'
import type { CloseInfo } from '../closing-facts.js'
import { Deferred } from '../deferred.js'
import { kEndpoint } from '../endpoint.js'
import { checkSignal } from '../options.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import type { Message } from '../protocol/message-joiner.js'
import { toBytes } from '../protocol/message-splitter.js'
import { builtin } from '../runtime/builtin.js'
import { each } from '../streams.js'
import { WebSocketStream } from '../websocket-stream.js'
import { connect } from './connect.js'
import type { ConnectOptions } from './connect-options.js'

/** The arguments of `close`, and the result of `closed`. */
export interface BrowserCloseInfo {
  /** 1000 or 3000-4999 to send; 1005 if none was received. Default: none, or 1000 if there is a reason. */
  closeCode?: number | undefined
  /** At most 123 bytes of UTF-8. */
  reason?: string | undefined
}

/** The properties of an open connection. */
export interface BrowserOpenInfo {
  /** Messages: strings for text, Uint8Arrays for binary. `cancel` closes the connection. */
  readonly readable: ReadableStream<string | Uint8Array>
  /**
   * Takes strings for text, ArrayBuffers and views for binary, and converts anything else to a string. `close` and `abort` close the
   * connection; `close` settles when it has closed.
   */
  readonly writable: WritableStream<unknown>
  /** The subprotocol; '' for none. */
  readonly protocol: string
  /** The extensions; '' for none. */
  readonly extensions: string
}

/** Why a connection ended, or, passed to `cancel` or `abort`, why it is to end. */
export class BrowserWebSocketError extends DOMException {
  /** Null for none. */
  readonly closeCode: number | null
  /** '' for none. */
  readonly reason: string

  /** @throws DOMException as `BrowserWebSocketStream.close` does */
  constructor(message = '', info: BrowserCloseInfo = {}) {
    super(message, 'WebSocketError')
    this.closeCode = codeOf(info)
    this.reason = info.reason ?? ''
  }
}

function lost(info: CloseInfo, cause: unknown): BrowserWebSocketError {
  const message = cause instanceof Error ? cause.message : 'the connection did not close cleanly'
  const error = new BrowserWebSocketError(message)
  Object.assign(error, { closeCode: info.code, reason: info.reason })
  // DOMException has no option for the cause
  Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  return error
}

const NOTHING = Buffer.alloc(0)

/**
 * `WebSocketStream` of browsers: `opened`, `closed`, `close`, and web streams of messages with backpressure.
 *
 * If the closing handshake is not completed, `closed` rejects with a BrowserWebSocketError, and both streams fail with it; if the
 * connection does not open, `opened` rejects too. None of them causes an unhandled rejection.
 */
export class BrowserWebSocketStream {
  /** The URL, `ws:` or `wss:`. */
  readonly url: string
  private readonly ws: WebSocketStream
  private readonly whenOpened = new Deferred<BrowserOpenInfo>()
  private readonly whenClosed = new Deferred<Required<BrowserCloseInfo>>()
  private writing: WritableStreamDefaultController | null = null
  private isClosing = false
  private error: Error | undefined = undefined

  /**
   * @param target - a URL for `connect`; or a connection, whose `messages` this object then uses
   * @param options - those of `connect`. As in browsers, `signal` only aborts the handshake
   * @throws DOMException 'SyntaxError' if the URL is not a WebSocket URL; TypeError, RangeError if an option is invalid
   */
  constructor(target: string | URL | WebSocketStream, options: ConnectOptions = {}) {
    const { signal, ...others } = checkOptions(options)
    if (signal !== undefined) checkSignal(signal)
    this.ws = target instanceof WebSocketStream ? target : dial(target, others)
    this.url = this.ws.url
    const { ws } = this
    const streams = this.makeStreams()
    const obeys = this.obey(signal)
    ws.on('error', error => (this.error ??= error))
    ws.opened.then(
      ({ protocol, extensions }) => {
        obeys.end()
        this.whenOpened.resolve({ ...streams, protocol, extensions })
      },
      error => {
        obeys.end()
        this.error ??= error
      }
    )
    void ws.whenClosed().then(info => this.over(info))
  }

  /** Resolves when the handshake is done. */
  get opened(): Promise<BrowserOpenInfo> {
    return this.whenOpened.promise
  }

  /** Resolves when the connection has ended. */
  get closed(): Promise<Required<BrowserCloseInfo>> {
    return this.whenClosed.promise
  }

  /**
   * Starts the closing handshake; aborts a connection that is not open yet.
   * @throws TypeError, DOMException if code or reason cannot be sent
   */
  close(info: BrowserCloseInfo = {}): void {
    if (typeof info !== 'object' || info === null) throw new TypeError('close takes { closeCode, reason }')
    const code = codeOf(info)
    if (this.ws.readyState === 'connecting') this.ws.destroy()
    else this.ws[kEndpoint].sender.close(code === null ? NOTHING : writeCloseBody(code, info.reason ?? ''))
  }

  /** Aborts the handshake when the signal is aborted; `end` stops that. */
  private obey(signal: AbortSignal | undefined): { end(): void } {
    if (signal === undefined) return { end() {} }
    const aborted = (): void => this.fail(signal.reason as Error)
    const follower = { aborted, end: () => unfollow(signal, follower) }
    if (signal.aborted) aborted()
    else follow(signal, follower)
    return follower
  }

  private makeStreams(): Pick<BrowserOpenInfo, 'readable' | 'writable'> {
    const streams = builtin('node:stream/web')
    const { messages } = this.ws
    const incoming = each<Message>(messages)[Symbol.asyncIterator]()
    const readable = new streams.ReadableStream<string | Uint8Array>({
      pull: async controller => {
        try {
          const { value, done } = await incoming.next()
          if (done) controller.close()
          else controller.enqueue(typeof value === 'string' ? value : plain(value))
        } catch {
          // `closed` reports what went wrong with the connection
          await this.closed
          controller.close()
        }
      },
      cancel: reason => this.closeFor(reason)
    })
    const writable = new streams.WritableStream({
      start: controller => {
        this.writing = controller
      },
      write: chunk => {
        const message = toMessage(chunk)
        return new Promise<void>((resolve, reject) => {
          /* c8 ignore next - an error occurs only if the connection ends while the wire is full */
          messages.write(message, error => (error ? this.closed.then(() => reject(error), reject) : resolve()))
        })
      },
      close: async () => {
        this.isClosing = true
        this.close()
        await this.closed
      },
      abort: reason => this.closeFor(reason)
    })
    return { readable, writable }
  }

  /** The application no longer uses one of the streams. */
  private closeFor(reason: unknown): void {
    const { closeCode, reason: text } =
      reason instanceof BrowserWebSocketError ? reason : { closeCode: null, reason: '' }
    this.close(closeCode === null ? {} : { closeCode, reason: text })
  }

  private fail(error: Error): void {
    this.error ??= error
    this.whenOpened.reject(error)
    this.whenClosed.reject(error)
    this.ws.destroy()
  }

  private over(info: CloseInfo): void {
    if (info.wasClean) {
      this.whenClosed.resolve({ closeCode: info.code, reason: info.reason })
      if (!this.isClosing) this.writing!.error(new DOMException('the connection is closed', 'InvalidStateError'))
      return
    }
    const error = lost(info, this.error)
    // as in browsers: a connection that did not open has no code
    this.whenOpened.reject(new BrowserWebSocketError(error.message))
    this.whenClosed.reject(error)
    this.writing!.error(error)
  }
}

function dial(url: string | URL, options: ConnectOptions): WebSocketStream {
  try {
    return connect(url, options)
  } catch (error) {
    if (error instanceof SyntaxError) throw new DOMException(error.message, 'SyntaxError')
    throw error
  }
}

/** The code to send; null for none. */
function codeOf({ closeCode, reason = '' }: BrowserCloseInfo): number | null {
  const isAllowed = closeCode === CloseCode.Normal || (Number(closeCode) >= 3000 && Number(closeCode) <= 4999)
  if (closeCode !== undefined && (!Number.isInteger(closeCode) || !isAllowed)) {
    throw new DOMException('closeCode must be 1000 or 3000 to 4999', 'InvalidAccessError')
  }
  if (Buffer.byteLength(reason) > 123) throw new DOMException('reason must be at most 123 bytes', 'SyntaxError')
  return closeCode ?? (reason === '' ? null : CloseCode.Normal)
}

/** A plain Uint8Array: browsers have no Buffer. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function toMessage(chunk: unknown): string | Uint8Array {
  if (ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer) return toBytes(chunk)
  return `${chunk as string}`
}
