// CONNECT through an HTTP proxy under the interface of npm's websocket-driver: a stream of Node 0.8 to pipe in and out of the socket to
// the proxy, over a ProxyTunnel.

import { Stream } from 'node:stream'
import { ProxyTunnel } from '../../index.js'
import { asBuffer } from './data.js'
import { ConnectEvent } from './events.js'
import { Headers } from './headers.js'

/** None so far. */
export type ProxyOptions = object

/** What the tunnel is for. */
interface Client {
  readonly url: string
  /** Takes what came through the tunnel behind the proxy's answer. */
  parse(chunk: Buffer): unknown
}

/**
 * Emits `data` for the proxy, then `connect` when the tunnel is there, or `error` where the proxy refuses it; and `close` and `end` behind
 * either: the socket is the driver's from then on, or of no more use.
 */
export class DriverProxy extends Stream {
  /** Whether it emits data. */
  readable = true
  /** Whether it takes data. */
  writable = true
  /** The status of the proxy's answer. */
  statusCode: number | undefined
  /** The header fields of the answer, by lower-case name. */
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
   * Adds a field to the request, before `start`, unless one of that name is there.
   * @returns false where it is too late
   * @throws TypeError where the field cannot be sent
   */
  setHeader(name: string, value: unknown): boolean {
    if (this.hasStarted) return false
    if (String(name).trim().toLowerCase() !== 'host') this.fields.set(name, value)
    return true
  }

  /**
   * Sends the CONNECT request.
   * @returns whether it was sent: once
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

  /** Asks the socket for no more. */
  pause(): void {
    this.isPaused = true
  }

  /** The socket may go on. */
  resume(): void {
    this.isPaused = false
    this.emit('drain')
  }

  /**
   * Takes bytes of the proxy.
   * @returns false where the next ones should wait for `drain`
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
    this.emit('error', new Error(`no way to ${this.client.url} through the proxy: ${cause.message}`, { cause }))
    this.end()
  }

  /** The socket to the proxy has ended, or is of no more use. */
  end(chunk?: Uint8Array | string | (() => void)): this {
    if (!this.writable) return this
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk)
    // the bytes may have been the answer
    if (!this.writable) return this
    this.readable = this.writable = false
    this.madeTunnel?.destroy()
    this.emit('close')
    this.emit('end')
    return this
  }

  /** As `end()`. */
  destroy(): void {
    this.end()
  }
}
