// Responses that refuse a client and do not end: which error it gets, and when. On every wire a client can have.

import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type ConnectOptions, connect, type HandshakeError, type WebSocketStream } from '../../lib/index.js'
import { ProxyTunnel } from '../../lib/net/proxy-tunnel.js'
import { REFUSAL_GRACE } from '../../lib/refusal-grace.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { pair } from '../support/pair.js'
import { answerHead, RawPeer } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, rejection } from '../websocket-stream/sides.js'
import { echo, serve } from './servers.js'
import { listen, makeServer } from './web-servers.js'

/** The maximum time of a handshake: an earlier error is not caused by it. */
const PATIENT = { handshakeTimeout: 60_000 }

interface Refusal {
  text: string
  status: number
  body: string
  headers?: object
}

const REFUSALS: Record<string, Refusal> = {
  'no length, some of a body': { text: '503 Busy\r\nRetry-After: 9\r\n\r\n<h1>sorry', status: 503, body: '<h1>sorry' },
  'no length, no body': { text: '407 No\r\nRetry-After: 9\r\n\r\n', status: 407, body: '' },
  'less than its length': {
    text: '401 No\r\nRetry-After: 9\r\nContent-Length: 100\r\n\r\nno',
    status: 401,
    body: 'no'
  },
  'chunks without a last one': {
    text: '502 No\r\nRetry-After: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n',
    status: 502,
    body: 'no'
  }
}

async function told(t: Test, ws: WebSocketStream, code: string, { status, body }: Refusal): Promise<void> {
  const errors: Error[] = []
  ws.on('error', error => errors.push(error))
  const error = (await rejection(ws.opened)) as unknown as HandshakeError
  t.match(error, { name: 'HandshakeError', code, status, headers: { 'retry-after': '9' }, fault: 'peer' })
  t.equal(String(error.body), body)
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  t.same(errors, [error])
  t.match(ws, { status, headers: { 'retry-after': '9' } }, 'and in the properties of the connection')
}

for (const [name, refusal] of Object.entries(REFUSALS)) {
  for (const setup of IN_MEMORY.filter(({ role }) => role === 'client')) {
    t.test(`a server refuses with ${name}: ${nameOf(setup)}`, async t => {
      const { ws, peer } = await fresh(t, setup, PATIENT)
      await peer.head()
      peer.write(Buffer.from(`HTTP/1.1 ${refusal.text}`))
      await told(t, ws, 'WS_ERR_UNEXPECTED_STATUS', refusal)
    })
  }

  for (const scheme of ['ws', 'wss']) {
    t.test(`a server refuses with ${name}: ${scheme}`, async t => {
      const port = await serve(
        t,
        async (peer, socket) => {
          await peer.head()
          socket.write(`HTTP/1.1 ${refusal.text}`)
        },
        scheme === 'wss' ? LOCALHOST : undefined
      )
      const ws = connect(`${scheme}://localhost:${port}/`, { ...PATIENT, tls: { ca: AUTHORITY } })
      await told(t, ws, 'WS_ERR_UNEXPECTED_STATUS', refusal)
    })

    t.test(`a proxy refuses with ${name}: ${scheme}`, async t => {
      const port = await serve(t, async (peer, socket) => {
        await peer.head()
        socket.write(`HTTP/1.1 ${refusal.text}`)
      })
      const options: ConnectOptions = { ...PATIENT, proxy: `http://127.0.0.1:${port}`, tls: { ca: AUTHORITY } }
      await told(t, connect(`${scheme}://a.example/`, options), 'WS_ERR_PROXY', refusal)
      if (scheme === 'wss') return
      await told(t, connect('ws://a.example/', { ...options, http2: true }), 'WS_ERR_PROXY', refusal)
    })
  }
}

t.test('a tunnel reports a refusal once, even if the proxy then continues, ends or resets', async t => {
  for (const after of ['more', 'end', 'reset', 'nothing'] as const) {
    const [near, far] = pair()
    const tunnel = new ProxyTunnel('a.example:443', PATIENT).attach(near)
    const proxy = new RawPeer(far, 'server')
    const errors: Error[] = []
    tunnel.on('error', error => errors.push(error))
    await proxy.head()
    proxy.write(Buffer.from('HTTP/1.1 407 No\r\n\r\ngo'))
    if (after === 'more') proxy.write(Buffer.from(' away'))
    else if (after === 'end') proxy.end()
    else if (after === 'reset') proxy.reset()
    const error = (await rejection(tunnel.opened)) as unknown as HandshakeError
    t.match(error, { code: 'WS_ERR_PROXY', status: 407, message: 'unexpected proxy response: 407' }, after)
    if (after !== 'reset') t.equal(String(error.body), after === 'more' ? 'go away' : 'go')
    await new Promise(setImmediate)
    t.same(errors, [error])
  }
})

t.test('a tunnel whose proxy is lost after its refusal reports the refusal', async t => {
  const [near, far] = pair()
  const tunnel = new ProxyTunnel('a.example:443', PATIENT)
  near.pipe(tunnel).pipe(near)
  const proxy = new RawPeer(far, 'server')
  await proxy.head()
  proxy.write(Buffer.from('HTTP/1.1 403 No\r\n\r\ngo'))
  near.once('data', () => setImmediate(() => near.destroy()))
  t.match(await rejection(tunnel.opened), { code: 'WS_ERR_PROXY', status: 403 })
})

for (const kind of ['h2', 'h2c'] as const) {
  t.test(`a server refuses without END_STREAM: ${kind}`, async t => {
    const server = makeServer(kind)
    if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
    let body = ''
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 401, 'retry-after': '9' })
      if (body !== '') stream.write(body)
    })
    const port = await listen(t, server)
    const options = { ...PATIENT, http2: true, ...(kind === 'h2' && { tls: { ca: AUTHORITY } }) }
    for (body of ['', 'no']) {
      const ws = connect(`${kind === 'h2' ? 'wss' : 'ws'}://localhost:${port}/`, options)
      await told(t, ws, 'WS_ERR_UNEXPECTED_STATUS', { text: '', status: 401, body })
    }
  })
}

t.test('a reset after the head of a refusal does not hide it', async t => {
  const { ws, peer } = await fresh(t, { role: 'client', join: 'attach', wire: 'tcp' }, PATIENT)
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nso'))
  setTimeout(() => peer.reset(), 20)
  t.match(await rejection(ws.opened), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503 })
})

t.test('the body of a refusal is waited for, at most handshakeTimeout', async t => {
  const { ws, peer } = await fresh(t, { role: 'client', join: 'attach', wire: 'memory' }, { handshakeTimeout: 50 })
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nso'))
  t.match(await rejection(ws.opened), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503 })
})

t.test('an abort while the body of a refusal is awaited reports the abort', async t => {
  const { ws, peer } = await fresh(t, { role: 'client', join: 'attach', wire: 'memory' }, PATIENT)
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nso'))
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  await new Promise(resolve => setTimeout(resolve, 10))
  const before = timers()
  ws.destroy()
  t.match(await rejection(ws.opened), { code: 'WS_ERR_ABORTED' })
  await ws.whenClosed()
  t.equal(timers(), before - 2, 'neither the timer for the body nor that of the handshake is left')
})

/** Counts from now on how often a client waits for the rest of a refusal. */
function graces(t: Test): { count: number } {
  const seen = { count: 0 }
  const { setTimeout } = globalThis
  globalThis.setTimeout = ((run: () => void, delay?: number) => {
    if (delay === REFUSAL_GRACE) seen.count++
    return setTimeout(run, delay)
  }) as typeof setTimeout
  t.teardown(() => {
    globalThis.setTimeout = setTimeout
  })
  return seen
}

t.test('a redirect does not wait for a body', async t => {
  const waits = graces(t)
  const target = await echo(t)
  const port = await serve(t, async (peer, socket: Socket) => {
    await peer.head()
    socket.write(`HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${target.port}/\r\nContent-Length: 100\r\n\r\nover`)
  })
  const ws = connect(`ws://127.0.0.1:${port}/`, { ...PATIENT, maxRedirects: 1 })
  ws.text('hello')
  t.same(await once(ws, 'message'), ['hello'])
  t.match(ws, { status: 101 })
  t.equal(waits.count, 0)
  ws.close()
  await ws.whenClosed()
})

t.test('a redirect on an HTTP/2 stream does not wait for its body', async t => {
  const waits = graces(t)
  const target = await echo(t)
  const server = makeServer('h2c')
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 307, location: `ws://127.0.0.1:${target.port}/` })
  })
  const port = await listen(t, server)
  const ws = connect(`ws://127.0.0.1:${port}/`, { ...PATIENT, maxRedirects: 1, http2: true })
  ws.text('hello')
  t.same(await once(ws, 'message'), ['hello'])
  t.equal(waits.count, 0)
  ws.close()
  await ws.whenClosed()
})

t.test('a redirect status without a Location is a refusal', async t => {
  for (const text of ['300 No\r\n\r\nhm', '404 No\r\nLocation: /b\r\n\r\nhm']) {
    const port = await serve(t, async (peer, socket) => {
      await peer.head()
      socket.write(`HTTP/1.1 ${text}`)
    })
    const ws = connect(`ws://127.0.0.1:${port}/`, { ...PATIENT, maxRedirects: 1 })
    const error = (await rejection(ws.opened)) as unknown as HandshakeError
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: Number(text.slice(0, 3)) })
    t.equal(String(error.body), 'hm')
  }
})

t.test('the status of an invalid 101 is available too, and that of a valid one', async t => {
  const wrong = await fresh(t, { role: 'client', join: 'attach', wire: 'memory' })
  t.match(wrong.ws, { status: 0, headers: {} })
  wrong.peer.write(answerHead(await wrong.peer.head(), { 'Sec-WebSocket-Accept': 'x', 'X-A': '1' }))
  await rejection(wrong.ws.opened)
  t.match(wrong.ws, { status: 101, headers: { 'x-a': '1' } })
})
