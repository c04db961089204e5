// connect(url, { http2: true }) if a server, or the network, misbehaves: dead sessions, streams that
// are refused or unavailable, silent proxies, and long round trips.

import { once } from 'node:events'
import http2, { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import net, { type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { acceptWebSockets, type ConnectOptions, connect, type WebSocketStream } from '../../lib/index.js'
import { LOCALHOST } from '../support/certificates.js'
import { rejection } from '../websocket-stream/sides.js'
import { listen } from './web-servers.js'

interface Way {
  url: string
  /** The connections so far. */
  sockets: Socket[]
  /** From now on, the existing connections lose all input. */
  forget(): void
}

/** A network path with `delay` ms in each direction, which can forget its connections, as a NAT does. */
async function way(t: Test, port: number, delay = 0): Promise<Way> {
  const sockets: Socket[] = []
  const dead = new Set<Socket>()
  const carry = (from: Socket, to: Socket): void => {
    const later = (act: () => void): unknown => (delay === 0 ? act() : setTimeout(act, delay))
    from.on('data', chunk => later(() => dead.has(from) || to.write(chunk)))
    from.on('close', () => later(() => dead.has(from) || to.destroy()))
    from.on('error', () => {})
  }
  const server = net.createServer(socket => {
    const onward = net.connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.push(socket)
    t.teardown(() => onward.destroy())
    carry(socket, onward)
    carry(onward, socket)
    forgotten.push(socket, onward)
  })
  const forgotten: Socket[] = []
  const forget = (): void => {
    for (const socket of forgotten) dead.add(socket)
  }
  return { url: `ws://127.0.0.1:${await listen(t, server as never)}/`, sockets, forget }
}

/** A server of HTTP/2 without TLS that accepts every stream, or does with it what the test says. */
async function serve(
  t: Test,
  settings: http2.Settings = {},
  onStream: (stream: ServerHttp2Stream, count: number) => void = stream => stream.respond({ ':status': 200 })
) {
  const server = http2.createServer({ settings: { enableConnectProtocol: true, ...settings } })
  const sessions: ServerHttp2Session[] = []
  let count = 0
  server.on('session', session => sessions.push(session))
  server.on('sessionError', () => {})
  server.on('stream', stream => {
    stream.on('error', () => {})
    onStream(stream, ++count)
  })
  const port = await listen(t, server)
  return { url: `ws://127.0.0.1:${port}/`, port, sessions, server }
}

async function leave(...all: WebSocketStream[]): Promise<void> {
  for (const ws of all) ws.destroy()
  await Promise.all(all.map(ws => ws.whenClosed()))
}

t.test('a session with a dead TCP connection is dropped, and another is dialled', async t => {
  const server = http2.createServer()
  acceptWebSockets(server, {}, ws => void ws.messages.resume())
  const { url, sockets, forget } = await way(t, await listen(t, server))
  const first = Array.from({ length: 3 }, () => connect(url, { http2: true }))
  await Promise.all(first.map(ws => ws.opened))
  t.equal(sockets.length, 1)
  // a session that was active a moment ago is not pinged
  await new Promise(resolve => setTimeout(resolve, 1100))
  forget()
  const again = Array.from({ length: 20 }, () => connect(url, { http2: true }))
  await Promise.all(again.map(ws => ws.opened))
  t.equal(sockets.length, 2)
  t.equal(first[0]!.readyState, 'open', 'others that are on it have their own patience')
  await leave(...first, ...again)
})

t.test('a live session is used again, however long it was quiet', async t => {
  const { url, sessions } = await serve(t)
  const first = connect(url, { http2: true })
  await first.opened
  await new Promise(resolve => setTimeout(resolve, 1100))
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const later = [connect(url, { http2: true }), connect(url, { http2: true })]
  await Promise.all(later.map(ws => ws.opened))
  t.equal(sessions.length, 1)
  t.equal(timers(), before, 'the timer of the Ping is stopped')
  await leave(first, ...later)
})

t.test('a caller that gives up while a session is tested leaves it to the others', async t => {
  const { url, sessions } = await serve(t)
  const first = connect(url, { http2: true })
  await first.opened
  await new Promise(resolve => setTimeout(resolve, 1100))
  const [gone, stays] = [connect(url, { http2: true }), connect(url, { http2: true })]
  gone.destroy()
  t.match(await rejection(gone.opened), { code: 'WS_ERR_ABORTED' })
  await stays.opened
  t.equal(sessions.length, 1)
  await leave(first, stays)
})

t.test('a session that ends while it is tested is replaced', async t => {
  const { url, sessions } = await serve(t)
  const first = connect(url, { http2: true })
  await first.opened
  await new Promise(resolve => setTimeout(resolve, 1100))
  sessions[0]!.destroy()
  const second = connect(url, { http2: true })
  await second.opened
  t.equal(sessions.length, 2)
  await leave(first, second)
})

t.test('a session that the server ends at once is replaced, at most four times', async t => {
  for (const most of [1, 9]) {
    const { url, sessions, server } = await serve(t)
    server.prependListener('session', (session: ServerHttp2Session) => {
      if (sessions.length < most) session.goaway(0)
    })
    const ws = connect(url, { http2: true })
    if (most === 1) {
      t.match(await ws.opened, { version: 'rfc8441' })
      t.equal(sessions.length, 2)
    } else {
      t.match(await rejection(ws.opened), { message: 'the server refused every stream of HTTP/2' })
      t.equal(sessions.length, 4)
    }
    await leave(ws)
  }
})

t.test('a server that allows no streams at present is dialled once, and waited for', async t => {
  const { url, sessions } = await serve(t, { maxConcurrentStreams: 0 })
  const all = Array.from({ length: 3 }, () => connect(url, { http2: true }))
  for (const ws of all) {
    t.match(await rejection(ws.opened), {
      code: 'WS_ERR_CONNECTION_LOST',
      message: 'the server of HTTP/2 allows no streams at present',
      cause: { cause: { name: 'TimeoutError' } }
    })
  }
  t.equal(sessions.length, 1)

  // a call that comes while another waits for streams waits with it
  const busy = await serve(t, { maxConcurrentStreams: 0 })
  const isKnown = once(busy.server, 'session').then(([session]) => once(session, 'localSettings'))
  const both = [connect(busy.url, { http2: true })]
  await isKnown
  both.push(connect(busy.url, { http2: true }))
  for (const ws of both) t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST' })
  t.equal(busy.sessions.length, 1)

  const other = await serve(t, { maxConcurrentStreams: 0 })
  const ws = connect(other.url, { http2: true })
  other.server.once('session', (session: ServerHttp2Session) => {
    session.once('remoteSettings', () => session.settings({ initialWindowSize: 70_000 }))
    session.once('localSettings', () =>
      setTimeout(() => session.settings({ maxConcurrentStreams: 5, enableConnectProtocol: true }), 50)
    )
  })
  await ws.opened
  t.equal(other.sessions.length, 1)
  await leave(ws)
})

t.test('a stream that the server refused without processing is requested again, at most four times', async t => {
  const refuse = (stream: ServerHttp2Stream): void => stream.close(constants.NGHTTP2_REFUSED_STREAM)
  const twice = await serve(t, {}, (stream, count) => (count < 3 ? refuse(stream) : stream.respond({ ':status': 200 })))
  const ws = connect(twice.url, { http2: true })
  t.match(await ws.opened, { version: 'rfc8441' })
  await leave(ws)

  let asked = 0
  const always = await serve(t, {}, stream => {
    asked++
    refuse(stream)
  })
  const message = 'the server refused every stream of HTTP/2'
  t.match(await rejection(connect(always.url, { http2: true }).opened), { code: 'WS_ERR_CONNECTION_LOST', message })
  t.equal(asked, 4)
})

t.test('a stream beyond the last one of a GOAWAY is requested again on another session', async t => {
  const { url, sessions } = await serve(t, {}, (stream, count) => {
    if (count !== 2) stream.respond({ ':status': 200 })
    else stream.session!.goaway(0, 1)
  })
  const first = connect(url, { http2: true })
  await first.opened
  const second = connect(url, { http2: true })
  t.match(await second.opened, { version: 'rfc8441' })
  t.equal(sessions.length, 2)
  t.equal(first.readyState, 'open')
  await leave(first, second)
})

t.test('a stream that ends in another way is an error, and not requested again', async t => {
  let asked = 0
  const codes = [constants.NGHTTP2_PROTOCOL_ERROR, constants.NGHTTP2_CANCEL]
  const { url } = await serve(t, {}, stream => stream.close(codes[asked++]!))
  const first = await rejection(connect(url, { http2: true }).opened)
  t.match(first, { code: 'WS_ERR_CONNECTION_LOST', message: 'Stream closed with error code NGHTTP2_PROTOCOL_ERROR' })
  const second = await rejection(connect(url, { http2: true }).opened)
  t.match(second, { code: 'WS_ERR_CONNECTION_LOST', message: 'the server closed the stream without an answer' })
  t.equal(asked, 2)
})

t.test('a stream without a response is cancelled on timeout', async t => {
  const closed: Promise<number>[] = []
  const { url } = await serve(t, {}, stream => {
    closed.push(new Promise(resolve => stream.once('close', () => resolve(stream.rstCode!))))
  })
  const ws = connect(url, { http2: true, handshakeTimeout: 100 })
  t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  t.equal(await closed[0], constants.NGHTTP2_CANCEL)
})

t.test('a proxy or server that stays silent is dropped on timeout, with its socket', async t => {
  const sockets = new Set<Socket>()
  const mute = net.createServer(socket => {
    sockets.add(socket)
    socket.resume().on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
  t.teardown(() => mute.close())
  const { port } = mute.address() as AddressInfo
  const tls = { ca: LOCALHOST.cert }
  const attempts: [string, ConnectOptions][] = ['ws', 'wss'].flatMap((scheme): [string, ConnectOptions][] => [
    [`${scheme}://127.0.0.1:${port}/`, { tls }],
    [`${scheme}://a.example/`, { tls, proxy: `http://127.0.0.1:${port}` }],
    [`${scheme}://a.example/`, { tls, proxyTls: tls, proxy: `https://127.0.0.1:${port}` }]
  ])
  for (const [url, options] of attempts) {
    for (const http2 of [true, false]) {
      const ws = connect(url, { ...options, http2, handshakeTimeout: 100 })
      t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' }, `${url} ${http2}`)
      await ws.whenClosed()
      while (sockets.size > 0) await new Promise(setImmediate)
    }
  }
  t.equal(sockets.size, 0)
})

t.test("the windows have the requested size: a path of 50 ms carries more than with Node's defaults", async t => {
  const SIZE = 2 ** 20
  const server: Http2Server = http2.createServer()
  acceptWebSockets(server, {}, ws => void ws.binary(Buffer.alloc(SIZE)))
  const { url } = await way(t, await listen(t, server), 25)
  const timed = async (http2: ConnectOptions['http2']): Promise<number> => {
    const ws = connect(url, { http2 })
    await ws.opened
    const began = performance.now()
    await once(ws, 'message')
    await leave(ws)
    return performance.now() - began
  }
  const small = await timed({ initialWindowSize: 65_535, connectionWindowSize: 65_535 })
  const usual = await timed(true)
  // round trips for one MiB: 16 or more instead of 4
  t.ok(usual < small / 2, `${Math.round(usual)} ms, and ${Math.round(small)} ms with windows of 64 KiB`)
})
