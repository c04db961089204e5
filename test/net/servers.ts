// The servers for the tests of connect, all on the loopback: of `ws` and of this library, plain and with TLS, and an HTTP proxy written
// for these tests.

import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { WebSocketServer } from 'ws'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import type { Certificate } from '../support/certificates.js'
import { RawPeer } from '../support/raw-peer.js'

export interface TestLike {
  teardown(fn: () => unknown): unknown
}

/** Listens until the test is over, and then destroys every connection; resolves with the port. */
export async function listen(
  t: TestLike,
  server: Server,
  where: string | { path: string } = '127.0.0.1'
): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  // errors of clients that do not trust the certificate
  server.on('tlsClientError', () => {})
  if (typeof where === 'string') server.listen(0, where)
  else server.listen(where.path)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** An echo server, and a record of its requests. */
export interface Echo {
  port: number
  requests: IncomingMessage[]
}

type Kind = 'ws' | 'ours'
export const KINDS: Kind[] = ['ws', 'ours']

export async function echo(
  t: TestLike,
  kind: Kind = 'ours',
  options: { tls?: TlsOptions; where?: string | { path: string }; stream?: WebSocketOptions } = {}
): Promise<Echo> {
  const requests: IncomingMessage[] = []
  const http: HttpServer = options.tls === undefined ? createHttpServer() : createHttpsServer(options.tls)
  http.on('upgrade', request => requests.push(request))
  if (kind === 'ws') echoByWs(http)
  else echoByUs(http, options.stream)
  return { port: await listen(t, http, options.where), requests }
}

function echoByWs(server: HttpServer): void {
  new WebSocketServer({ server }).on('connection', socket => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
}

function echoByUs(server: HttpServer, options?: WebSocketOptions): void {
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, options)
    ws.messages.pipe(ws.messages)
    ws.attach(socket)
  })
}

/** A server that calls `talk` with each connection; a client may leave at any time. */
export function serve(
  t: TestLike,
  talk: (peer: RawPeer, socket: Socket) => unknown,
  tls?: Certificate
): Promise<number> {
  const meet = (socket: Socket): void => {
    Promise.resolve(talk(new RawPeer(socket, 'server'), socket)).catch(() => socket.destroy())
  }
  return listen(t, tls === undefined ? createServer(meet) : createTlsServer({ ...tls }, meet))
}

/** An HTTP proxy that supports only CONNECT. */
export interface TestProxy {
  port: number
  /** The heads of the requests so far. */
  requests: string[]
  /** The bytes that went through the tunnels to the servers. */
  sent: Buffer[]
  /** Resets every connection to it. */
  cut(): void
}

/** Called when this many bytes have come back through a tunnel. */
export interface Fall {
  after: number
  end: 'end' | 'reset'
}

/** `redirect`: where tunnels lead instead, since no test uses a name server. */
export async function proxy(
  t: TestLike,
  options: { tls?: Certificate; authorization?: string; redirect?: number; fall?: Fall } = {}
): Promise<TestProxy> {
  const { tls, authorization, redirect, fall } = options
  const sockets: Socket[] = []
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const seen: TestProxy = { port: 0, requests: [], sent: [], cut }
  const meet = async (socket: Socket): Promise<void> => {
    sockets.push(socket)
    const peer = new RawPeer(socket, 'server')
    const { first, headers, text } = await peer.head()
    seen.requests.push(text)
    if (authorization !== undefined && headers['proxy-authorization'] !== authorization) {
      socket.end('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="test"\r\nContent-Length: 7\r\n\r\ndenied!')
      return
    }
    const [, host = '', port] = /^CONNECT (.*):(\d+) HTTP\/1\.1$/.exec(first) ?? []
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const far = connect({ port: redirect ?? Number(port), host: redirect === undefined ? host : '127.0.0.1' })
    joinSockets(socket, far, peer.input, seen.sent)
    if (fall !== undefined) letFall(socket, far, fall)
  }
  const start = (socket: Socket): void => {
    meet(socket).catch(() => socket.destroy())
  }
  seen.port = await listen(t, tls === undefined ? createServer(start) : createTlsServer({ ...tls }, start))
  return seen
}

function letFall(near: Socket, far: Socket, { after, end }: Fall): void {
  let count = 0
  const act = (): void => {
    if (end === 'end') near.end()
    else near.resetAndDestroy()
    far.destroy()
  }
  if (after === 0) act()
  far.on('data', chunk => {
    count += chunk.length
    if (count > after) act()
  })
}

function joinSockets(near: Duplex, far: Duplex, early: Buffer, sent: Buffer[]): void {
  near.removeAllListeners('data')
  near.on('data', chunk => sent.push(chunk as Buffer))
  if (early.length > 0) far.write(early)
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy()).on('close', () => far.destroy())
  far.on('error', () => near.destroy()).on('close', () => near.destroy())
}
