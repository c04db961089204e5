// CONNECT through an HTTP proxy with the interface of npm's websocket-driver: a stream as in Node 0.8, piped into and out of the socket to
// the proxy, on top of a ProxyTunnel.

import { Stream } from 'node:stream'
import { ProxyTunnel } from '../../index.js'
import { asBuffer } from './data.js'
import { ConnectEvent } from './events.js'
import { Headers } from './headers.js'

/** No options so far. */
export type ProxyOptions = object

/** The driver that uses the tunnel. */
interface Client {
  readonly url: string
  /** Takes the bytes from the tunnel after the proxy's response. */
  parse(chunk: Buffer): unknown
}

/**
 * Emits `data` for the proxy, then `connect` when the tunnel is open, or `error` if the proxy refuses; afterwards `close` and `end`: from
 * then on the driver uses the socket, or the socket is of no further use.
 */
export class DriverProxy extends Stream {
  /** Whether it emits data. */
  readable = true
  /** Whether it takes data. */
  writable = true
  /** The status of the proxy's response. */
  statusCode: number | undefined
  /** The header fields of the response by lower-case name. */
  headers: { [name: string]: string | string[] | undefined } | undefined

  private readonly fields = new Headers()
  private hasStarted = false
  private isPaused = false
  private madeTunnel: ProxyTunnel | null = null

  /** @internal */
  constructor(
    private readonly client: Client,
    private readonly origin: string | URL
  ) {
    super()
  }

  /**
   * Adds a header field to the request, before `start`, unless one of the same name exists.
   * @returns false if it is too late
   * @throws TypeError if the field cannot be sent
   */
  setHeader(name: string, value: unknown): boolean {
    if (this.hasStarted) return false
    if (String(name).trim().toLowerCase() !== 'host') this.fields.set(name, value)
    return true
  }

  /**
   * Sends the CONNECT request.
   * @returns whether it was sent; true only once
   */
  start(): boolean {
    if (this.hasStarted) return false
    this.hasStarted = true
    const request: unknown = this.tunnel.read()
    this.emit('data', request)
    return true
  }

  private get tunnel(): ProxyTunnel {
    if (this.madeTunnel !== null) return this.madeTunnel
    const { protocol, hostname, port } = new URL(this.client.url)
    const target = { host: hostname, port: Number(port) || (protocol === 'wss:' ? 443 : 80) }
    const headers = [...this.fields].filter(([name]) => name.toLowerCase() !== 'proxy-authorization')
    const [authorization] = this.fields.get('proxy-authorization')
    const tunnel = new ProxyTunnel(target, {
      proxy: this.origin,
      headers,
      authorization,
      handshakeTimeout: Number.POSITIVE_INFINITY
    })
    tunnel.on('error', error => this.failed(error))
    this.madeTunnel = tunnel
    return tunnel
  }

  /** Applies backpressure to the socket. */
  pause(): void {
    this.isPaused = true
  }

  /** Ends the backpressure. */
  resume(): void {
    this.isPaused = false
    this.emit('drain')
  }

  /**
   * Takes bytes of the proxy.
   * @returns false if the next chunk should wait for `drain`
   */
  write(chunk: Uint8Array | string): boolean {
    if (!this.writable) return false
    const { tunnel } = this
    tunnel.write(asBuffer(chunk))
    if (tunnel.status !== 0) this.connected(tunnel)
    return !this.isPaused
  }

  private connected(tunnel: ProxyTunnel): void {
    this.statusCode = tunnel.status
    this.headers = tunnel.headers
    const rest = tunnel.target.read() as Buffer | null
    this.emit('connect', new ConnectEvent())
    this.end()
    if (rest !== null) this.client.parse(rest)
  }

  private failed(cause: Error): void {
    const { status, headers } = cause as { status?: number; headers?: DriverProxy['headers'] }
    if (status) {
      this.statusCode = status
      this.headers = headers
    }
    this.emit('error', new Error(`cannot reach ${this.client.url} through the proxy: ${cause.message}`, { cause }))
    this.over()
  }

  /** The socket to the proxy has ended, or is of no further use. */
  end(chunk?: Uint8Array | string | (() => void)): this {
    if (!this.writable) return this
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk)
    // these bytes may have completed the response
    if (!this.writable) return this
    this.writable = false
    // the end of the socket ends the body of a refusal, which is then told
    if (this.madeTunnel?.isRefused) this.madeTunnel.end()
    else this.over()
    return this
  }

  private over(): void {
    if (!this.readable) return
    this.readable = this.writable = false
    this.madeTunnel?.destroy()
    this.emit('close')
    this.emit('end')
  }

  /** The same as `end()`. */
  destroy(): void {
    this.end()
  }
}
