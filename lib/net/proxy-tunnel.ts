// An HTTP CONNECT tunnel over any stream (RFC 9110 §9.3.6): the bytes of the connection to the proxy on one side, those inside the tunnel
// on the other. Opens no connection, and does not know the purpose of the tunnel.

import { checkOptions, unknownOption } from '../checks.js'
import { Deferred } from '../deferred.js'
import { HandshakeError, type Headers } from '../errors.js'
import { readUrl } from '../handshake/client-url.js'
import { type Authority, type Connected, ConnectHandshake, readAuthority } from '../handshake/connect-handshake.js'
import { type HeaderFields, readOptions } from '../options.js'
import { startGrace } from '../refusal-grace.js'
import { Duplex, ignore, type NodeDuplex } from '../streams.js'

/**
 * The options of a tunnel. An unknown name or a wrong type is a TypeError, NaN or a number out of range a RangeError; `undefined` means the
 * default, and `Infinity` removes a limit.
 */
export interface ProxyTunnelOptions {
  /** More header fields for the CONNECT request. */
  headers?: HeaderFields | undefined
  /** The value of `Proxy-Authorization` (RFC 9110 §11.7.2). Default: from `proxy`. */
  authorization?: string | undefined
  /** The proxy's URL; only its user name and password are used, as Basic authorization. */
  proxy?: string | URL | undefined
  /** Maximum bytes of the head of the proxy's response. Default: 16384. */
  maxHeaderSize?: number | undefined
  /** Maximum number of header fields of the proxy's response. Default: 100. */
  maxHeaders?: number | undefined
  /** Time in ms until the tunnel must be open. Default: 10000. */
  handshakeTimeout?: number | undefined
  /** Bytes buffered in each direction before backpressure. Default: 65536. */
  highWaterMark?: number | undefined
}

/** The response of a proxy. */
export interface TunnelInfo {
  /** The status, 2xx. */
  readonly status: number
  /** The header fields of the proxy's response. */
  readonly headers: Headers
}

const NAMES: readonly string[] = [
  'authorization',
  'handshakeTimeout',
  'headers',
  'highWaterMark',
  'maxHeaderSize',
  'maxHeaders',
  'proxy'
]

type Socket = NodeDuplex & { setNoDelay?(on: boolean): void; setTimeout?(milliseconds: number): void }

/** One of the two sides. `deliver` passes it data for its reader. */
class TunnelEnd extends Duplex {
  private waiting: (() => void) | null = null

  constructor(highWaterMark: number) {
    // data to be read stays with the writer of the other side, which counts it
    super({ readableHighWaterMark: 0, writableHighWaterMark: highWaterMark })
    // an error caused by the peer must not crash a process that does not listen for it
    this.on('error', ignore)
  }

  /** Passes bytes to the reader; calls `done` when there is room for more. @internal */
  deliver(chunk: Buffer, done: () => void): void {
    if (this.push(chunk)) done()
    else this.waiting = done
  }

  override _read(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  /** Whether both directions of the stream have ended. @internal */
  protected get isDone(): boolean {
    return this.readableEnded && this.writableFinished
  }
}

/** The side inside the tunnel. Data written to it waits until the tunnel is open. */
class TunnelTarget extends TunnelEnd {
  private held: (() => void) | null = null

  constructor(
    private readonly tunnel: ProxyTunnel,
    highWaterMark: number
  ) {
    super(highWaterMark)
  }

  opened(): void {
    const { held } = this
    this.held = null
    held?.()
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.whenOpen(() => this.tunnel.deliver(chunk, callback))
  }

  override _final(callback: () => void): void {
    this.whenOpen(() => {
      this.tunnel.push(null)
      callback()
    })
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (error !== null || !this.isDone) this.tunnel.destroy(error ?? undefined)
    callback(error)
  }

  // one entry is enough: a stream makes one write, or ends, at a time
  private whenOpen(act: () => void): void {
    if (this.tunnel.status === 0) this.held = act
    else act()
  }
}

/**
 * A tunnel through an HTTP proxy, over any stream: a Duplex of the bytes of the connection to the proxy, as in
 * `socket.pipe(tunnel).pipe(socket)`, whose `target` is a Duplex of the bytes inside the tunnel, for a WebSocketStream or for TLS.
 *
 * The ends of both directions are passed on separately; an error or destruction on either side destroys the other, and the piped streams.
 * Nothing is written into the tunnel before the proxy has answered 2xx. Emits the events of a Duplex; an error without a listener does
 * not throw.
 */
export class ProxyTunnel extends TunnelEnd {
  /** The bytes inside the tunnel. May be written to and piped at once. */
  readonly target: NodeDuplex

  private readonly inside: TunnelTarget
  private readonly handshake: ConnectHandshake
  private readonly opening = new Deferred<TunnelInfo>()
  private timer: NodeJS.Timeout | undefined
  private awaitsBody = false
  private readonly streams = new Set<NodeDuplex>()
  private info: TunnelInfo | null = null

  /**
   * @param target - where the tunnel leads: `'host:port'` or `{ host, port }`; in a string an IPv6 address needs brackets
   * @throws TypeError, RangeError if the target or an option is invalid or cannot be sent
   * @throws SyntaxError if `proxy` is not a URL
   */
  constructor(target: string | Authority, options: ProxyTunnelOptions = {}) {
    const { settings, authorization } = readTunnelOptions(options)
    const { headers, maxHeaderSize, maxHeaders, handshakeTimeout, highWaterMark } = settings
    const authority = readAuthority(target)
    const handshake = new ConnectHandshake({ authority, authorization, headers, maxHeaderSize, maxHeaders })
    super(highWaterMark)
    this.handshake = handshake
    this.inside = new TunnelTarget(this, highWaterMark)
    this.target = this.inside
    if (handshakeTimeout !== Number.POSITIVE_INFINITY) {
      this.timer = setTimeout(() => this.destroy(handshake.late()), handshakeTimeout)
    }
    this.on('pipe', source => this.watchSource(source as unknown as NodeDuplex))
    this.push(handshake.request())
  }

  /** Resolves with the proxy's response when the tunnel is open; rejects with a HandshakeError. Does not cause an unhandled rejection. */
  get opened(): Promise<TunnelInfo> {
    return this.opening.promise
  }

  /** The status of the response that opened the tunnel; 0 until then. */
  get status(): number {
    return this.info?.status ?? 0
  }

  /** Whether the head of a refusal has arrived, and its body may follow. @internal */
  get isRefused(): boolean {
    return this.handshake.isRefused
  }

  /** The header fields of the response that opened the tunnel; empty until then. */
  get headers(): Headers {
    return this.info?.headers ?? {}
  }

  /** Like `duplex.pipe(tunnel).pipe(duplex)`; also disables Nagle's algorithm and the timeout of a socket. */
  attach(duplex: NodeDuplex): this {
    const socket = duplex as Socket
    socket.setNoDelay?.(true)
    socket.setTimeout?.(0)
    duplex.pipe(this)
    this.pipe(duplex)
    return this
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean | undefined }): T {
    this.watchDestination(destination as unknown as NodeDuplex)
    return super.pipe(destination, options)
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error) => void): void {
    if (this.info !== null) {
      this.inside.deliver(chunk, callback)
      return
    }
    let response: Connected | null
    try {
      response = this.handshake.receive(chunk)
    } catch (error) {
      callback(error as HandshakeError)
      return
    }
    if (response !== null) {
      this.open(response, callback)
      return
    }
    this.expectBody()
    callback()
  }

  /** Reports a refusal when its body has ended, or some time after its head. */
  private expectBody(): void {
    if (!this.handshake.isRefused || this.awaitsBody) return
    this.awaitsBody = true
    clearTimeout(this.timer)
    this.timer = startGrace(() => this.destroy(this.handshake.refused()!))
  }

  override _final(callback: (error?: Error) => void): void {
    if (this.info === null) {
      callback(this.handshake.ended())
    } else {
      this.inside.push(null)
      callback()
    }
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.timer)
    // when both directions have ended, the reader of `target` may still have bytes to read
    if (error !== null || !this.isDone) {
      this.opening.reject(handshakeError(error))
      this.inside.destroy(error ?? undefined)
      for (const stream of this.streams) stream.destroy()
    }
    callback(error)
  }

  private open({ status, headers, rest }: Connected, callback: () => void): void {
    clearTimeout(this.timer)
    this.info = { status, headers }
    this.opening.resolve(this.info)
    if (rest.length > 0) this.inside.deliver(rest, callback)
    else callback()
    this.inside.opened()
  }

  private watchSource(source: NodeDuplex): void {
    this.watch(source, () => {
      if (!this.writableEnded) this.lost()
    })
    if (source.destroyed) process.nextTick(() => this.lost())
  }

  private watchDestination(destination: NodeDuplex): void {
    this.watch(destination, () => {
      if (this.readableEnded) return
      if (!this.writableEnded) {
        this.lost()
        return
      }
      // all input has arrived and may still be read; output has no destination any more
      this.unpipe()
      this.resume()
    })
  }

  private watch(stream: NodeDuplex, onClose: () => void): void {
    this.streams.add(stream)
    stream.on('error', error => this.destroy(this.handshake.refused() ?? error))
    stream.once('close', onClose)
  }

  /** The wire closed without an error. */
  private lost(): void {
    const { info, handshake } = this
    this.destroy(info === null ? (handshake.refused() ?? new HandshakeError('WS_ERR_CONNECTION_LOST')) : undefined)
  }
}

function handshakeError(error: Error | null): HandshakeError {
  if (error === null) return new HandshakeError('WS_ERR_ABORTED')
  return error instanceof HandshakeError ? error : new HandshakeError('WS_ERR_CONNECTION_LOST', { cause: error })
}

function readTunnelOptions(options: ProxyTunnelOptions) {
  for (const name of Object.keys(checkOptions(options))) {
    if (!NAMES.includes(name)) throw unknownOption(name, NAMES)
  }
  const { authorization, proxy, ...shared } = options
  if (authorization !== undefined && typeof authorization !== 'string') {
    throw new TypeError('authorization must be a string')
  }
  const ofProxy = proxy === undefined ? '' : readUrl(proxy).authorization
  return { settings: readOptions(shared), authorization: authorization ?? ofProxy }
}
