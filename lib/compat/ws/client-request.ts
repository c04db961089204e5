// Makes the HTTP request of a client with node:http, follows redirects, and passes the last socket to the WebSocket. Knows no frames.

import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import net from 'node:net'
import querystring from 'node:querystring'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { TOKEN } from '../../handshake/fields.js'
import { WebSocketStream } from '../../index.js'
import { kAdopt, kFail, kFailing } from './internals.js'
import { type ClientOptions, coreOptions, deflate } from './options.js'
import type { WebSocket } from './web-socket.js'

const SCHEMES: Record<string, string> = { 'http:': 'ws:', 'https:': 'wss:' }
/** Header fields not to send to another host, or without TLS. */
const SECRETS: ReadonlySet<string> = new Set(['authorization', 'cookie'])

/** Options that a program cannot set: they are taken from the address. */
const FROM_ADDRESS = {
  socketPath: undefined,
  hostname: undefined,
  protocol: undefined,
  timeout: undefined,
  method: 'GET',
  host: undefined,
  path: undefined,
  port: undefined
}

interface Destination {
  readonly isSecure: boolean
  /** The host with its port, or the path of the unix socket. */
  readonly host: string
  readonly isUnix: boolean
}

type Fields = Record<string, unknown>

export class ClientRequests {
  /** The current request. */
  request: ClientRequest | null = null
  private redirects = 0
  private first: Destination | null = null

  /** @throws SyntaxError, RangeError, TypeError if an option is invalid */
  constructor(
    private readonly socket: WebSocket,
    private readonly protocols: readonly string[],
    private options: ClientOptions
  ) {
    const { protocolVersion = 13, generateMask } = options
    if (protocolVersion !== 13 && protocolVersion !== 8) {
      throw new RangeError(`Unsupported protocol version: ${protocolVersion} (supported versions: 8, 13)`)
    }
    if (generateMask !== undefined && typeof generateMask !== 'function') {
      throw new TypeError('generateMask must be a function')
    }
    const isUnique = new Set(protocols).size === protocols.length
    if (!isUnique || !protocols.every(name => typeof name === 'string' && TOKEN.test(name))) {
      throw new SyntaxError('An invalid or duplicated subprotocol was specified')
    }
  }

  /** @throws SyntaxError if the address is not a WebSocket URL */
  start(address: string | URL): void {
    this.send(readAddress(address))
  }

  private send(url: URL): void {
    const { options, socket } = this
    socket._url = url.href
    const core = this.makeCore()
    const destination = destinationOf(url)
    const [user, password] = [url.username, url.password].map(querystring.unescape)
    const auth = user || password ? `${user}:${password}` : undefined
    const given = { ...options, ...FROM_ADDRESS, ...targetOf(url, destination) }
    const request = (destination.isSecure ? https : http).request({
      ...given,
      auth: this.authFor(destination, auth ?? options.auth ?? undefined),
      headers: this.headersFor(destination, core.requestHeaders()),
      createConnection: options.createConnection ?? (destination.isSecure ? connectByTls : connectByTcp),
      timeout: options.handshakeTimeout
    } as http.RequestOptions)
    this.request = request
    this.listen(request, core, url)
    if (this.redirects > 0) socket.emit('redirect', url.href, request)
    if (options.finishRequest === undefined) request.end()
    else options.finishRequest(request, socket)
  }

  private makeCore(): WebSocketStream {
    const { options, protocols } = this
    const { perMessageDeflate = true, protocolVersion = 13 } = options
    return WebSocketStream.client('ws://localhost/', {
      ...coreOptions(options),
      version: protocolVersion as 13 | 8,
      protocols,
      extensions: deflate(perMessageDeflate, false)
    })
  }

  private headersFor(destination: Destination, core: Record<string, string>): Fields {
    const { options, protocols } = this
    const { origin, protocolVersion = 13 } = options
    const fields: Fields = {
      ...this.ownHeaders(destination),
      'Sec-WebSocket-Version': protocolVersion,
      'Sec-WebSocket-Key': core['sec-websocket-key'],
      Connection: 'Upgrade',
      Upgrade: 'websocket'
    }
    const offer = core['sec-websocket-extensions']
    if (offer !== undefined) fields['Sec-WebSocket-Extensions'] = offer
    if (protocols.length > 0) fields['Sec-WebSocket-Protocol'] = protocols.join(',')
    if (origin) fields[protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin'] = origin
    return fields
  }

  /** The application's header fields, without those that another host must not get. */
  private ownHeaders(destination: Destination): Fields {
    const headers = (this.options.headers ?? {}) as Fields
    if (!this.dropsSecrets(destination)) return headers
    const isSameHost = this.isFirstHost(destination)
    return Object.fromEntries(
      Object.entries(headers).filter(([name]) => {
        const lower = name.toLowerCase()
        return !SECRETS.has(lower) && (isSameHost || lower !== 'host')
      })
    )
  }

  // the credentials of the first address are sent to the same host only; a field set by the application takes precedence
  private authFor(destination: Destination, auth: string | undefined): string | undefined {
    if (!this.options.followRedirects) return auth
    this.first ??= destination
    if (auth === undefined || this.dropsSecrets(destination)) return undefined
    const headers = (this.options.headers ?? {}) as Fields
    const hasOwn = Object.keys(headers).some(name => name.toLowerCase() === 'authorization')
    if (!hasOwn) {
      const authorization = `Basic ${Buffer.from(auth).toString('base64')}`
      this.options = { ...this.options, headers: { ...headers, authorization } as never }
    }
    return auth
  }

  private dropsSecrets(destination: Destination): boolean {
    const { first } = this
    // a 'redirect' listener is responsible itself
    if (first === null || this.redirects === 0 || this.socket.listenerCount('redirect') > 0) return false
    return !this.isFirstHost(destination) || (first.isSecure && !destination.isSecure)
  }

  private isFirstHost({ host, isUnix }: Destination): boolean {
    return this.first!.host === host && this.first!.isUnix === isUnix
  }

  private listen(request: ClientRequest, core: WebSocketStream, url: URL): void {
    if (this.options.handshakeTimeout) {
      request.on('timeout', () => this.abort('Opening handshake has timed out'))
    }
    request.on('error', error => {
      if (this.request !== request) return
      this.request = null
      this.socket[kFail](error)
    })
    request.on('response', response => this.takeResponse(request, response, url))
    request.on('upgrade', (response, stream, head) => this.upgraded(core, response, stream, head))
  }

  private takeResponse(request: ClientRequest, response: IncomingMessage, url: URL): void {
    const { statusCode = 0, headers } = response
    const { followRedirects, maxRedirects = 10 } = this.options
    const isRedirect = statusCode >= 300 && statusCode < 400 && headers.location !== undefined
    if (!followRedirects || !isRedirect) {
      if (!this.socket.emit('unexpected-response', request, response)) {
        this.abort(`Unexpected server response: ${statusCode}`)
      }
      return
    }
    this.socket._redirects = ++this.redirects
    if (this.redirects > maxRedirects) {
      this.abort('Maximum redirects exceeded')
      return
    }
    this.request = null
    request.destroy()
    this.follow(headers.location!, url)
  }

  private follow(location: string, from: URL): void {
    let url: URL
    try {
      url = readAddress(resolve(location, from))
    } catch (error) {
      this.socket[kFail](error as Error)
      return
    }
    this.send(url)
  }

  private upgraded(core: WebSocketStream, response: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { socket } = this
    socket.emit('upgrade', response)
    // a listener may have closed the WebSocket
    if (socket.readyState !== 0) return
    this.request = null
    const problem = this.checkResponse(response)
    if (problem !== null) {
      socket[kFailing]()
      stream.once('close', () => socket[kFail](new Error(problem)))
      stream.on('error', () => {})
      stream.destroy()
      return
    }
    if (head.length > 0) stream.unshift(head)
    socket[kAdopt](core.upgraded(response), stream)
  }

  /** The message of `ws` for an invalid response, if the core's differs. */
  private checkResponse({ headers }: IncomingMessage): string | null {
    if (headers.upgrade?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header'
    const { perMessageDeflate = true } = this.options
    if (headers['sec-websocket-extensions'] !== undefined && !perMessageDeflate) {
      return 'Server sent a Sec-WebSocket-Extensions header but no extension was requested'
    }
    return this.checkProtocol(headers['sec-websocket-protocol'])
  }

  private checkProtocol(chosen: string | undefined): string | null {
    const { protocols } = this
    if (chosen === undefined) return protocols.length > 0 ? 'Server sent no subprotocol' : null
    if (protocols.length === 0) return 'Server sent a subprotocol but none was requested'
    return protocols.includes(chosen) ? null : 'Server sent an invalid subprotocol'
  }

  /** Aborts the request. */
  abort(message: string): void {
    const { request, socket } = this
    this.request = null
    const error = new Error(message)
    socket[kFailing]()
    request?.destroy()
    request?.socket?.destroy()
    process.nextTick(() => socket[kFail](error))
  }
}

function readAddress(address: string | URL): URL {
  const url = address instanceof URL ? new URL(address.href) : parse(address)
  url.protocol = SCHEMES[url.protocol] ?? url.protocol
  const { protocol, pathname, hash } = url
  if (protocol !== 'ws:' && protocol !== 'wss:' && protocol !== 'ws+unix:') {
    throw new SyntaxError(`The URL's protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"`)
  }
  if (protocol === 'ws+unix:' && pathname === '') throw new SyntaxError("The URL's pathname is empty")
  if (hash !== '') throw new SyntaxError('The URL contains a fragment identifier')
  return url
}

function parse(address: string): URL {
  try {
    return new URL(address)
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`)
  }
}

function resolve(location: string, from: URL): URL {
  try {
    return new URL(location, from)
  } catch {
    throw new SyntaxError(`Invalid URL: ${location}`)
  }
}

function destinationOf(url: URL): Destination {
  const isUnix = url.protocol === 'ws+unix:'
  return { isSecure: url.protocol === 'wss:', isUnix, host: isUnix ? url.pathname.split(':', 1)[0]! : url.host }
}

/** The target of the request, as options of `http.request`. */
function targetOf(url: URL, { isSecure, isUnix, host }: Destination): Fields {
  const defaultPort = isSecure ? 443 : 80
  const path = url.pathname + url.search
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  const target: Fields = { defaultPort, host: hostname, port: url.port || defaultPort, path }
  return isUnix ? { ...target, socketPath: host, path: path.split(':')[1] } : target
}

function connectByTcp(options: Fields): Duplex {
  return net.connect({ ...options, path: options['socketPath'] } as never)
}

function connectByTls(options: Fields): Duplex {
  const { host, servername } = options as { host: string; servername?: string }
  const name = servername || servername === '' ? servername : net.isIP(host) ? '' : host
  return tls.connect({ ...options, path: undefined, servername: name } as never)
}
