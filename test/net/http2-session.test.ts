// Sessions of HTTP/2 that clients share: when one is dialled, when it is shared, when it ends, and the errors if none
// is available.

import { once } from 'node:events'
import http from 'node:http'
import http2, { type ServerHttp2Session } from 'node:http2'
import net, { type Socket } from 'node:net'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import { Http2Sessions, type Http2Want } from '../../lib/net/http2-session.js'
import { makeDialled } from '../../lib/websocket-stream.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { listen, type TestServer } from './web-servers.js'

const REQUEST = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' }

interface Served {
  port: number
  server: TestServer
  sessions: ServerHttp2Session[]
}

/** A server that accepts every stream. */
async function serve(t: Test, settings: http2.Settings = {}, allowHTTP1 = false): Promise<Served> {
  const enabled = { enableConnectProtocol: true, ...settings }
  const server = http2.createSecureServer({ ...LOCALHOST, settings: enabled, allowHTTP1 })
  const sessions: ServerHttp2Session[] = []
  server.on('session', session => sessions.push(session))
  server.on('stream', stream => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    stream.resume().on('end', () => stream.end())
  })
  return { port: await listen(t, server), server, sessions }
}

function dialTls(t: Test, port: number, ALPNProtocols = ['h2', 'http/1.1']): tls.TLSSocket {
  const where = { port, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY }
  const socket = tls.connect({ ...where, ...(ALPNProtocols.length > 0 && { ALPNProtocols }) })
  t.teardown(() => socket.destroy())
  return socket
}

/** Parameters of a request for a session, and the number of dials. */
function want(t: Test, port: number, changes: Partial<Http2Want> = {}): Http2Want & { dialled: Socket[] } {
  const dialled: Socket[] = []
  return {
    origin: `https://localhost:${port}`,
    dial() {
      const socket = dialTls(t, port)
      dialled.push(socket)
      return socket
    },
    request: session => session.request(REQUEST, { endStream: false }),
    windows: { initialWindowSize: 262_144, connectionWindowSize: 524_288 },
    dialled,
    ...changes
  }
}

async function open(sessions: Http2Sessions, want: Http2Want): Promise<http2.ClientHttp2Stream> {
  const outcome = await sessions.open(want)
  if (!('stream' in outcome)) throw new Error('it was no stream')
  return outcome.stream
}

async function close(stream: http2.ClientHttp2Stream): Promise<void> {
  const closed = once(stream, 'close')
  stream.resume().end()
  await closed
}

t.test('connections share a session, which ends with the last of them', async t => {
  const { port, sessions: theirs } = await serve(t)
  const sessions = new Http2Sessions()
  const wanted = want(t, port)
  const streams = await Promise.all([open(sessions, wanted), open(sessions, wanted)])
  streams.push(await open(sessions, wanted))
  t.equal(wanted.dialled.length, 1)
  t.equal(sessions.size, 1)
  const ended = once(theirs[0]!, 'close')
  for (const stream of streams) await close(stream)
  t.equal(sessions.size, 0)
  await ended
  await close(await open(sessions, wanted))
  t.equal(wanted.dialled.length, 2)
})

t.test('origins have sessions of their own', async t => {
  const [one, other] = [await serve(t), await serve(t)]
  const sessions = new Http2Sessions()
  const streams = await Promise.all([open(sessions, want(t, one.port)), open(sessions, want(t, other.port))])
  t.equal(sessions.size, 2)
  for (const stream of streams) await close(stream)
  t.equal(sessions.size, 0)
})

t.test('a session takes no more streams than the server allows; then another is opened', async t => {
  const { port } = await serve(t, { maxConcurrentStreams: 2 })
  const sessions = new Http2Sessions()
  const wanted = want(t, port)
  const streams = await Promise.all(Array.from({ length: 5 }, () => open(sessions, wanted)))
  t.equal(wanted.dialled.length, 3)
  t.equal(sessions.size, 3)
  streams.push(await open(sessions, wanted))
  t.equal(wanted.dialled.length, 3)
  for (const stream of streams) await close(stream)
  t.equal(sessions.size, 0)
})

t.test('calls that find each new session full try again until they get a stream', async t => {
  const { port } = await serve(t, { maxConcurrentStreams: 1 })
  const sessions = new Http2Sessions()
  const wanted = want(t, port)
  // all wait for the same session each time, and one of them gets its stream
  const streams = await Promise.all(Array.from({ length: 8 }, () => open(sessions, wanted)))
  t.equal(sessions.size, 8)
  for (const stream of streams) await close(stream)
  t.equal(sessions.size, 0)
})

t.test('a session with a GOAWAY takes no more streams, and the existing ones continue', async t => {
  const { port, sessions: theirs } = await serve(t)
  const sessions = new Http2Sessions()
  const wanted = want(t, port)
  const first = await open(sessions, wanted)
  const heard = once(first.session!, 'goaway')
  theirs[0]!.goaway(0)
  await heard
  const second = await open(sessions, wanted)
  t.equal(wanted.dialled.length, 2)
  t.equal(first.destroyed, false)
  await Promise.all([close(first), close(second)])
})

t.test('a session that breaks ends its streams, and another is dialled', async t => {
  const { port } = await serve(t)
  const sessions = new Http2Sessions()
  const wanted = want(t, port)
  const stream = await open(sessions, wanted)
  const closed = new Promise(resolve => stream.once('close', resolve))
  wanted.dialled[0]!.destroy(new Error('broken'))
  await closed
  t.equal(sessions.size, 0)
  const second = await open(sessions, wanted)
  const { session } = second
  session!.destroy()
  // no caller has been notified yet
  await close(await open(sessions, wanted))
  t.equal(wanted.dialled.length, 3)
})

t.test('without TLS it is HTTP/2 at once', async t => {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } })
  server.on('stream', stream => stream.respond({ ':status': 200 }, { endStream: true }))
  const port = await listen(t, server)
  const stream = await open(new Http2Sessions(), want(t, port, { dial: async () => net.connect(port, '127.0.0.1') }))
  t.match(stream.sentHeaders, { ':method': 'CONNECT' })
  await close(stream)
})

t.test('a wire whose TLS handshake is done can be used as well', async t => {
  const { port } = await serve(t)
  const socket = dialTls(t, port)
  await once(socket, 'secureConnect')
  await close(await open(new Http2Sessions(), want(t, port, { dial: () => socket })))
})

t.test('if the server chooses HTTP/1.1, one caller gets its wire', async t => {
  const { port } = await serve(t, {}, true)
  const sessions = new Http2Sessions()
  for (const protocols of [['http/1.1'], []]) {
    const wanted = want(t, port, { dial: () => dialTls(t, port, protocols) })
    const [first, second] = (await Promise.all([sessions.open(wanted), sessions.open(wanted)])) as {
      http1: tls.TLSSocket | null
    }[]
    t.equal(first!.http1!.encrypted, true)
    t.equal(first!.http1!.destroyed, false)
    t.equal(second!.http1, null)
    t.equal(sessions.size, 0)
    first!.http1!.destroy()
  }
})

t.test('if the server does not support it there is none, and its session ends', async t => {
  const { port, sessions: theirs } = await serve(t, { enableConnectProtocol: false })
  const sessions = new Http2Sessions()
  const wanted = want(t, port, { request: () => t.fail('it was asked') as never })
  t.same(await sessions.open(wanted), { http1: null })
  t.equal(sessions.size, 0)
  if (!theirs[0]!.closed) await once(theirs[0]!, 'close')
})

t.test('all waiting callers get the error', async t => {
  const sessions = new Http2Sessions()
  const plain = http.createServer()
  const port = await listen(t, plain)
  const failing: [string, Http2Want['dial']][] = [
    ['', () => net.connect(port, '127.0.0.1').destroy(new Error('refused'))],
    ['dial', () => Promise.reject(new Error('dial'))],
    [
      'thrown',
      () => {
        throw new Error('thrown')
      }
    ],
    // neither TLS nor HTTP/2
    ['wrong version number', () => dialTls(t, port)],
    ['was closed', () => dialTls(t, port).destroy()],
    ['', () => net.connect(port, '127.0.0.1')]
  ]
  for (const [message, dial] of failing) {
    const wanted = want(t, port, { dial })
    const results = await Promise.allSettled([sessions.open(wanted), sessions.open(wanted)])
    for (const result of results) {
      t.equal(result.status, 'rejected')
      if (message !== '') t.match(result, { reason: { message } })
    }
    t.equal(sessions.size, 0)
  }
})

t.test('a request that throws fails its own caller only', async t => {
  const { port } = await serve(t)
  const sessions = new Http2Sessions()
  const stream = await open(sessions, want(t, port))
  const wrong = want(t, port, { request: session => session.request({ connection: 'close' }) })
  await t.rejects(sessions.open(wrong), { code: 'ERR_HTTP2_INVALID_CONNECTION_HEADERS' })
  t.equal(stream.destroyed, false)
  await close(stream)
  t.equal(sessions.size, 0)
})

t.test('a signal', async t => {
  t.test('aborts one call, and not the others that wait for the same session', async t => {
    const { port } = await serve(t)
    const sessions = new Http2Sessions()
    const control = new AbortController()
    const wanted = want(t, port)
    const given = sessions.open({ ...wanted, signal: control.signal })
    const other = open(sessions, { ...wanted, signal: new AbortController().signal })
    control.abort(new Error('enough'))
    await t.rejects(given, { message: 'enough' })
    await close(await other)
    t.equal(wanted.dialled.length, 1)
    await t.rejects(sessions.open({ ...wanted, signal: control.signal }), { message: 'enough' })
  })

  t.test('ends a session that no other call waits for, in any phase', async t => {
    const { port } = await serve(t)
    const sessions = new Http2Sessions()
    const abortAt = async (changes: Partial<Http2Want>, when: (abort: () => void) => Promise<unknown>) => {
      const control = new AbortController()
      const given = sessions.open({ ...want(t, port, changes), signal: control.signal })
      const abort = () => control.abort(new Error('enough'))
      await Promise.all([when(abort), t.rejects(given, { message: 'enough' })])
      t.equal(sessions.size, 0)
    }
    // before the wire is connected
    const late = dialTls(t, port)
    let give: (socket: Socket) => void = () => {}
    await abortAt({ dial: () => new Promise(resolve => (give = resolve)) }, async abort => abort())
    give(late)
    if (!late.destroyed) await once(late, 'close')
    t.equal(late.destroyed, true)
    // before the TLS handshake is done
    const early = dialTls(t, port)
    await abortAt({ dial: () => early }, async abort => abort())
    t.equal(early.destroyed, true)
    // before the server has sent its SETTINGS
    const silent = net.createServer(socket => socket.resume().on('error', () => {}))
    const silentPort = await listen(t, silent as never)
    const wire = net.connect(silentPort, '127.0.0.1')
    await abortAt({ dial: () => wire }, async abort => {
      await once(silent, 'connection')
      setImmediate(abort)
    })
    if (!wire.destroyed) await once(wire, 'close')
  })
})

t.test('a WebSocket on a session', async t => {
  const server = http2.createSecureServer({ ...LOCALHOST, allowHTTP1: true })
  const acceptor = acceptWebSockets(
    server,
    { protocols: ['echo'], path: '/echo', extensions: [] },
    ws => void ws.on('message', message => ws.text(`${ws.version}: ${message}`))
  )
  const port = await listen(t, server)
  const sessions = new Http2Sessions()
  const dial = async (path: string, protocols = ['h2', 'http/1.1']) => {
    const { ws, driver } = makeDialled(`wss://localhost:${port}${path}`, { protocols: ['echo'] })
    const outcome = await sessions.open(
      want(t, port, {
        dial: () => dialTls(t, port, protocols),
        request: session => driver.requestOn(session as never) as never
      })
    )
    ws.attach('stream' in outcome ? outcome.stream : outcome.http1!)
    return ws
  }

  t.test('is opened, carries messages, and is closed', async t => {
    const all = await Promise.all(Array.from({ length: 10 }, () => dial('/echo')))
    for (const ws of all) {
      t.match(await ws.opened, { version: 'rfc8441', protocol: 'echo', status: 200 })
      ws.text('hello')
      t.same(await once(ws, 'message'), ['rfc8441: hello'])
    }
    t.equal(sessions.size, 1)
    for (const ws of all) ws.close(1000, 'done')
    for (const ws of all)
      t.same(await ws.whenClosed(), { code: 1000, reason: 'done', wasClean: true, initiator: 'local' })
    await Promise.all([...acceptor.connections].map(there => there.whenClosed()))
    t.equal(acceptor.size, 0)
    t.equal(sessions.size, 0)
  })

  t.test('is refused with status and body', async t => {
    const ws = await dial('/other')
    const error = await ws.opened.catch(error => error)
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 404 })
    t.equal(String(error.body), 'Not Found')
    t.match(await ws.whenClosed(), { code: 1006 })
  })

  t.test('uses HTTP/1.1 on the wire if that was chosen', async t => {
    const ws = await dial('/echo', ['http/1.1'])
    t.match(await ws.opened, { version: 'hybi-13', status: 101 })
    ws.close()
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  t.test('ends with 1006 if the session breaks', async t => {
    const ws = await dial('/echo')
    await ws.opened
    for (const there of acceptor.connections) there.destroy()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })
})
