// The driver of a client: sends its request with `start`, over a wire that may go through a proxy.

import { type ClosingInfo, type OpenInfo, WebSocketStream } from '../../index.js'
import { Driver } from './driver.js'
import { type DriverOptions, readOptions } from './options.js'
import { DriverProxy, type ProxyOptions } from './proxy.js'

/** A client's driver. */
export class ClientDriver extends Driver {
  override readyState: Driver['readyState'] = -1
  override version = 'hybi-13'
  /** The status of the server's response, also of a refusal. */
  statusCode: number | undefined
  /** The header fields of the response by lower-case name. */
  headers: { [name: string]: string | string[] | undefined } | undefined
  private readonly hasCredentials: boolean

  /**
   * @param url - `ws:` or `wss:`; a user name and password in it are sent as Basic authorization
   * @throws Error if it is not a valid URL, or an option is unknown; TypeError, RangeError if an option is invalid
   */
  constructor(
    readonly url: string,
    options?: DriverOptions | null
  ) {
    const target = readUrl(url)
    super(WebSocketStream.client(target, readOptions(options)))
    this.hasCredentials = target.username !== '' || target.password !== ''
  }

  protected override isTaken(name: string): boolean {
    return super.isTaken(name) || (name === 'authorization' && this.hasCredentials)
  }

  override start(): boolean {
    if (this.readyState !== -1) return false
    this.readyState = 0
    this.hasStarted = true
    return this.run(() => {
      this.attach()
      const isSent = this.ws.start()
      this.giveEarly()
      return isSent
    })
  }

  /**
   * Makes a stream for an HTTP proxy, to be piped into and out of the socket to the proxy.
   * @param origin - the proxy's URL; only its user name and password are used
   */
  proxy(origin: string | URL, _options?: ProxyOptions): DriverProxy {
    return new DriverProxy(this, origin)
  }

  protected override opened(info: OpenInfo): void {
    this.statusCode = info.status
    this.headers = info.headers
    this.protocol = null
    super.opened(info)
  }

  protected override ended(info: ClosingInfo): void {
    const { status, headers } = this.ws
    if (status > 0) {
      this.statusCode = status
      this.headers = headers
      this.protocol ??= null
    }
    super.ended(info)
  }
}

function readUrl(url: unknown): URL {
  const target = URL.canParse(String(url)) ? new URL(String(url)) : null
  if (target?.protocol !== 'ws:' && target?.protocol !== 'wss:') throw new Error(`${url} is not a valid WebSocket URL`)
  return target
}
