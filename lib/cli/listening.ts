// The part of `serve` and `relay` that listens, checks origins, and shuts down.

import { type EventEmitter, once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import { type OriginCheck, WebSocketStream } from '../index.js'
import { checked } from './client-options.js'
import { Failure, whenAborted } from './io.js'
import { list, type Option, text } from './options.js'
import { type Notes, printable } from './terminal.js'

export const LISTENING_OPTIONS = {
  host: text<string, string>('HOST', 'the address to listen on (default: 127.0.0.1)', undefined, '127.0.0.1'),
  origin: list(
    'ORIGIN',
    "an origin whose pages may connect; '*': any (default: this server's own, and clients without an Origin)"
  )
} satisfies { [name: string]: Option<unknown> }

export const PORT_RANGE = { least: 0, most: 65535 }

/** The parts of a server that the commands use: `node:http`, `node:https` and `node:http2` have them. */
interface Server extends EventEmitter {
  listen(where: ListenOptions): unknown
  address(): unknown
  close(): unknown
}

interface Connection extends EventEmitter {
  readonly remoteAddress?: string | undefined
  destroy(): unknown
}

/** Time in ms for the closing handshakes of all connections when the server ends. */
export const FAREWELL = 5000

export class Listening {
  private readonly sockets = new Set<Connection>()
  private port = 0

  constructor(
    private readonly server: Server,
    private readonly host: string,
    private readonly isSecure: boolean
  ) {
    for (const event of ['connection', 'secureConnection']) server.on(event, (socket: Connection) => this.add(socket))
  }

  private add(socket: Connection): void {
    this.sockets.add(socket)
    socket.once('close', () => this.sockets.delete(socket))
    // a socket that was asked keeps its address when it is destroyed, for the log
    void socket.remoteAddress
  }

  /** @throws Failure if it cannot listen */
  async begin(port: number, notes: Notes): Promise<void> {
    const { server, host } = this
    await listenOn(server, { port, host }, notes).catch(error => {
      throw new Failure(`cannot listen on ${authority(host)}:${port}: ${explain(error)}`)
    })
    this.port = (server.address() as { port: number }).port
  }

  /** @param scheme - 'ws' or 'http'; the s is added for a secure server */
  url(scheme: string): string {
    return `${scheme}${this.isSecure ? 's' : ''}://${authority(this.host)}:${this.port}`
  }

  /**
   * Accepts requests without an origin, which do not come from a browser, our own pages, and the listed origins. `Host` does not prove that
   * a page is ours: any name can resolve to this address.
   * @throws UsageError if no browser sends such an origin
   */
  originCheck(listed: readonly string[]): OriginCheck {
    checked(() => WebSocketStream.server({ origins: listed.filter(origin => origin !== '*') }).destroy())
    const names = [this.host, ...(hasLoopback(this.host) ? ['localhost', '127.0.0.1', '::1'] : [])]
    return origin => {
      if (origin === undefined || listed.includes('*') || listed.includes(origin)) return true
      return names.some(name => origin === originOf(this.isSecure, name, this.port))
    }
  }

  /** Accepts no more connections, and destroys the existing ones. */
  end(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}

/** Resolves when the server listens, and rejects if it cannot. Its later errors, such as a lack of file descriptors, are only noted. */
export async function listenOn(server: Server, where: ListenOptions, notes: Notes): Promise<void> {
  server.listen(where)
  await once(server, 'listening')
  server.on('error', error => notes.fail(error.message))
}

function explain(error: Error & { code?: string }): string {
  return error.code === 'EADDRINUSE' ? 'it is in use; port 0 picks a free one' : error.message
}

/** An IPv6 address in brackets (RFC 3986 §3.2.2); any other host as it is. */
export function authority(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function hasLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.') || host === '0.0.0.0' || host === '::'
}

/** RFC 6454 §6.2: without the default port of the scheme. */
function originOf(isSecure: boolean, host: string, port: number): string {
  return new URL(`http${isSecure ? 's' : ''}://${authority(host)}:${port}`).origin
}

/** Answers that this server only accepts WebSockets (RFC 9110 §15.5.22). */
export function askForUpgrade(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { 'Content-Type': 'text/plain; charset=utf-8', Upgrade: 'websocket' })
  response.end('This is a WebSocket server.\n')
}

/** The client and the target of a request, for a log line. */
export function describeRequest({ url, socket }: { url?: string | undefined; socket?: Socket | undefined }): string {
  const address = socket?.remoteAddress
  const client = address === undefined ? 'a client that has left' : `${authority(address)}:${socket!.remotePort}`
  return printable(`${url} from ${client}`)
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => whenAborted(signal, resolve))
}
