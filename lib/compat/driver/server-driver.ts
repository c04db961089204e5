// The drivers of a server: one for a request that has already been parsed, and one that reads the request itself.

import { isWebSocket as asksForWebSocket, type UpgradeRequest, WebSocketStream } from '../../index.js'
import { asBuffer } from './data.js'
import { Driver } from './driver.js'
import { ConnectEvent } from './events.js'
import { type DriverOptions, readOptions } from './options.js'

/** The parts of a request that a driver uses; `node:http` has more. */
export interface DriverRequest extends UpgradeRequest {
  /** An older name of `socket`. */
  connection?: object | null | undefined
}

/** The driver of a server whose request has already been parsed. */
export class HttpDriver extends Driver {
  readonly url: string
  override version: string

  /** @throws Error if an option is unknown; TypeError, RangeError if an option is invalid */
  constructor(
    private readonly request: DriverRequest,
    options?: DriverOptions | null
  ) {
    super(WebSocketStream.http(request, undefined, readOptions(options)))
    this.url = urlOf(request)
    this.version = versionOf(request, options?.allowDrafts === true)
  }

  override get env(): DriverRequest {
    return this.request
  }

  override start(): boolean {
    if (this.readyState !== 0 || this.hasStarted) return false
    this.hasStarted = true
    return this.run(() => {
      this.attach()
      const isSent = this.ws.accept()
      this.giveEarly()
      return isSent
    })
  }
}

/** The driver of a server that reads the request itself; it has arrived when `connect` is emitted. */
export class ServerDriver extends Driver {
  /** The target of the request; null until then. */
  url: string | null = null
  /** The method of the request. */
  method: string | undefined
  /** The header fields of the request by lower-case name. */
  headers: { [name: string]: string | string[] | undefined } = {}
  /** The bytes after the head of the request that arrived in the same chunk. */
  body: Buffer | undefined
  // bytes of the request received so far; null after its head
  private head: Buffer | null = Buffer.alloc(0)
  private startsEarly = false

  /** @throws Error if an option is unknown; TypeError, RangeError if an option is invalid */
  constructor(options?: DriverOptions | null) {
    super(WebSocketStream.server(readOptions(options)))
    this.ws.on('request', request => this.asked(request, options?.allowDrafts === true))
    this.attach()
    this.giveEarly()
  }

  override parse(chunk: Uint8Array | readonly number[] | string): boolean {
    // grows only until the request has arrived, whose size is limited
    if (this.head !== null) this.head = Buffer.concat([this.head, asBuffer(chunk)])
    return super.parse(chunk)
  }

  private asked(request: UpgradeRequest, allowsDrafts: boolean): void {
    const head = this.head!
    this.head = null
    this.method = request.method
    this.url = request.url!
    this.headers = request.headers
    this.body = head.subarray(endOfHead(head))
    this.version = versionOf(request, allowsDrafts)
    if (this.startsEarly) this.ws.accept()
    this.tell('connect', new ConnectEvent())
  }

  override start(): boolean {
    if (this.readyState !== 0 || this.hasStarted) return false
    this.hasStarted = true
    this.startsEarly = this.head !== null
    return this.startsEarly || this.run(() => this.ws.accept())
  }
}

function endOfHead(head: Buffer): number {
  // latin1: as many characters as bytes
  const match = /[^\r\n]\r\n\r\n/.exec(head.toString('latin1'))
  /* c8 ignore next - the request was parsed, so its head has ended */
  return match === null ? head.length : match.index + match[0].length
}

/** The version of a request (RFC 6455 §4.2.1, and the drafts). */
function versionOf({ headers }: UpgradeRequest, allowsDrafts: boolean): string {
  const version = headers['sec-websocket-version']
  if (!allowsDrafts || version !== undefined || headers['sec-websocket-key'] !== undefined) {
    return version === '8' || version === '7' ? `hybi-${version}` : 'hybi-13'
  }
  const hasKeys = headers['sec-websocket-key1'] !== undefined || headers['sec-websocket-key2'] !== undefined
  return hasKeys ? 'hixie-76' : 'hixie-75'
}

function urlOf(request: DriverRequest): string {
  return `${isSecureRequest(request) ? 'wss' : 'ws'}://${request.headers['host']}${request.url}`
}

/** Whether a request asks for a WebSocket; the driver of `server()` is itself a request after `connect`. */
export function isWebSocket(request: Pick<DriverRequest, 'method' | 'headers'>): boolean {
  return asksForWebSocket(request)
}

/** Whether a request arrived over TLS, at this process or, according to its header fields, at a proxy in front of it. */
export function isSecureRequest({ connection, socket, headers }: Partial<DriverRequest>): boolean {
  if ((connection as { authorized?: unknown } | null | undefined)?.authorized !== undefined) return true
  if ((socket as { secure?: unknown } | null | undefined)?.secure) return true
  const { https, 'x-forwarded-ssl': ssl, 'x-forwarded-scheme': scheme, 'x-forwarded-proto': proto } = headers ?? {}
  return https === 'on' || ssl === 'on' || scheme === 'https' || proto === 'https'
}
