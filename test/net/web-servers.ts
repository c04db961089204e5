// Node's servers on the loopback, and raw peers of them: HTTP/1.1 by hand, HTTP/2 by Node's client.

import { type EventEmitter, once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import type { TestLike } from '../support/peers.js'
import { type FieldChanges, type Head, RawPeer, requestHead } from '../support/raw-peer.js'

/** `h2` is HTTP/2 over TLS, `h2+h1` also accepts HTTP/1.1, `h2c` is HTTP/2 without TLS. */
export type ServerKind = 'http' | 'https' | 'h2' | 'h2c' | 'h2+h1'

export const isSecure = (kind: ServerKind): boolean => kind !== 'http' && kind !== 'h2c'

/** The options of `acceptWebSockets`, and some of the test. */
export type TestServer = http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer

export function makeServer(kind: ServerKind): TestServer {
  if (kind === 'http') return http.createServer()
  if (kind === 'https') return https.createServer(LOCALHOST)
  if (kind === 'h2c') return http2.createServer()
  return http2.createSecureServer({ ...LOCALHOST, allowHTTP1: kind === 'h2+h1' })
}

/** Listens on a free port of the loopback until the test is over, and then destroys every connection. */
export async function listen(t: TestLike, server: TestServer): Promise<number> {
  const sockets = new Set<Socket>()
  for (const event of ['connection', 'secureConnection']) {
    ;(server as EventEmitter).on(event, (socket: Socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    })
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A connection of HTTP/1.1, by hand. */
export async function dialHttp1(t: TestLike, port: number, secure = false): Promise<RawPeer> {
  const where = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }
  const socket = secure
    ? tls.connect({ ...where, ca: AUTHORITY, servername: 'localhost', ALPNProtocols: ['http/1.1'] })
    : net.connect(where)
  t.teardown(() => socket.destroy())
  await once(socket, secure ? 'secureConnect' : 'connect')
  return new RawPeer(socket, 'client')
}

/** A request for a WebSocket over HTTP/1.1, and the head of its response. */
export async function upgrade(
  t: TestLike,
  port: number,
  { path = '/', fields = {}, secure = false }: { path?: string; fields?: FieldChanges; secure?: boolean } = {}
): Promise<{ peer: RawPeer; head: Head }> {
  const peer = await dialHttp1(t, port, secure)
  peer.write(requestHead(fields, `GET ${path} HTTP/1.1`))
  return { peer, head: await peer.head() }
}

/** A session of HTTP/2 that has got the SETTINGS of the server. */
export async function session(t: TestLike, port: number, secure = true): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`${secure ? 'https' : 'http'}://localhost:${port}`, {
    ca: AUTHORITY,
    lookup: (_host, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }] as never, 4)
  })
  t.teardown(() => session.destroy())
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  return session
}

export interface Opened {
  stream: http2.ClientHttp2Stream
  /** The frames in both directions. */
  peer: RawPeer
  status: number
  headers: http2.IncomingHttpHeaders
}

/** An extended CONNECT, and its response. */
export async function connectStream(
  session: http2.ClientHttp2Session,
  fields: http2.OutgoingHttpHeaders = {}
): Promise<Opened> {
  const others = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value])
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': session.encrypted ? 'https' : 'http',
      ':authority': 'localhost',
      ':path': '/',
      'sec-websocket-version': '13',
      ...Object.fromEntries(others)
    },
    { endStream: false }
  )
  const peer = new RawPeer(stream, 'client')
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  return { stream, peer, status: Number(headers[':status']), headers }
}
