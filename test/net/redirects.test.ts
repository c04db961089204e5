// Redirects as they are followed: which servers are asked, what is sent to them, and when following stops.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { HandshakeError } from '../../lib/index.js'
import { begin, connect } from '../../lib/net/connect.js'
import { type ConnectOptions, readConnectOptions } from '../../lib/net/connect-options.js'
import { readDialTarget } from '../../lib/net/dial-target.js'
import type { DialClient } from '../../lib/net/dialled-client.js'
import { AUTHORITY, CLIENT, LOCALHOST } from '../support/certificates.js'
import { pair } from '../support/pair.js'
import { answerHead, type Head } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { echo, proxy, serve } from './servers.js'

/** Replaces a client; the test answers its handshakes. */
class FakeCaller implements DialClient {
  closeInfo: object | undefined
  readonly wires: Duplex[] = []
  readonly calls: [url: string, dropped: readonly string[]][] = []
  refuse: (refusal: HandshakeError) => boolean = () => false

  attach(wire: Duplex): void {
    wire.on('error', () => {})
    this.wires.push(wire)
  }

  whenRefused(ask: (refusal: HandshakeError) => boolean): void {
    this.refuse = ask
  }

  redial(url: URL, dropped: readonly string[]): void {
    this.calls.push([url.href, dropped])
  }
}

const to = (location: string): HandshakeError =>
  new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 302, headers: { location } })

/** A call over wires in memory, and the URLs that were dialled. */
function call(options: ConnectOptions, url = 'ws://u:p@a/b') {
  const dialled: string[] = []
  const createConnection = (given: URL): Duplex => {
    dialled.push(given.href)
    return pair()[0]
  }
  const caller = new FakeCaller()
  begin(caller, readDialTarget(url), readConnectOptions({ createConnection, ...options }).dial)
  return { caller, dialled }
}

t.test('each redirect gets its own wire, up to the limit', async t => {
  const { caller, dialled } = call({ maxRedirects: 2 })
  t.equal(caller.refuse(to('c')), true)
  t.equal(caller.refuse(to('//d/e')), true)
  t.equal(caller.refuse(to('f')), false)
  t.same(dialled, ['ws://u:p@a/b', 'ws://u:p@a/c', 'ws://d/e'])
  t.match(caller.calls, [
    ['ws://u:p@a/c', []],
    ['ws://d/e', ['authorization', 'cookie']]
  ])
  t.equal(caller.wires.length, 3)
})

t.test('a response that cannot be followed ends the attempt', async t => {
  const { caller, dialled } = call({ maxRedirects: 2 })
  t.equal(caller.refuse(to('ftp://a/')), false)
  t.equal(caller.refuse(new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 404 })), false)
  t.equal(dialled.length, 1)
})

t.test('an exception while dialling again is an error of the wire', async t => {
  let count = 0
  const { caller } = call({
    maxRedirects: 1,
    createConnection() {
      if (count++ > 0) throw new Error('enough')
      return pair()[0]
    }
  })
  t.equal(caller.refuse(to('c')), true)
  await new Promise(resolve => setImmediate(resolve))
  t.match(caller.wires[1]!.errored, { message: 'enough' })
})

t.test('without maxRedirects none is followed', async t => {
  const { caller } = call({})
  t.equal(caller.refuse(to('c')), false)
})

// The same with a real client

const SECRETS = { Authorization: 'Bearer x', Cookie: 'y', 'X-A': '1' }

/** A server that redirects every request, and records them. */
async function redirecting(t: Parameters<typeof serve>[0], location: (head: Head) => string, tls?: typeof LOCALHOST) {
  const heads: Head[] = []
  const port = await serve(
    t,
    async (peer, socket) => {
      const head = await peer.head()
      heads.push(head)
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location(head)}\r\nContent-Length: 0\r\n\r\n`)
    },
    tls
  )
  return { port, heads }
}

t.test('a redirect within an origin keeps credentials', async t => {
  const heads: Head[] = []
  const port = await serve(t, async (peer, socket) => {
    const head = await peer.head()
    heads.push(head)
    if (heads.length < 3) socket.write('HTTP/1.1 307 No\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nno')
    else peer.write(answerHead(head), peer.frame(1, 'here'))
  })
  const ws = connect(`ws://u:p@127.0.0.1:${port}/a`, { maxRedirects: 2, headers: { Cookie: 'y' }, origin: 'http://o' })
  ws.setHeader('X-A', '1')
  ws.text('hello')
  const messages = ws.messages[Symbol.asyncIterator]()
  t.match(await ws.opened, { url: `ws://127.0.0.1:${port}/b` })
  t.equal((await messages.next()).value, 'here')
  t.same(
    heads.map(head => head.first),
    ['GET /a HTTP/1.1', 'GET /b HTTP/1.1', 'GET /b HTTP/1.1']
  )
  for (const { headers } of heads) {
    t.match(headers, { cookie: 'y', 'x-a': '1', origin: 'http://o', authorization: /^Basic / })
  }
  t.equal(new Set(heads.map(({ headers }) => headers['sec-websocket-key'])).size, 3)
  ws.destroy()
  await ws.whenClosed()
})

t.test('a redirect may have a body that ends with its wire', async t => {
  const { port } = await echo(t)
  const first = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${port}/\r\n\r\nover there`)
  })
  const ws = connect(`ws://127.0.0.1:${first}/`, { maxRedirects: 1 })
  ws.text('hello')
  t.same(await once(ws, 'message'), ['hello'])
  ws.close()
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
})

t.test('A21: to another origin, credentials are dropped', async t => {
  const { port, requests } = await echo(t)
  const { port: first, heads } = await redirecting(t, () => `http://x:y@localhost:${port}/c`)
  const ws = connect(`ws://u:p@127.0.0.1:${first}/`, { maxRedirects: 1, headers: { Cookie: 'y', 'X-A': '1' } })
  ws.setHeader('Proxy-Authorization', 'z')
  await ws.opened
  t.match(heads[0]!.headers, { authorization: /./, cookie: 'y' })
  t.match(requests[0], { url: '/c', headers: { 'x-a': '1', host: `localhost:${port}` } })
  for (const name of ['authorization', 'cookie', 'proxy-authorization']) t.notOk(name in requests[0]!.headers, name)
  ws.close()
  await ws.whenClosed()
})

t.test('A21: from wss to ws, and to another port of wss, credentials are dropped', async t => {
  const plain = await echo(t)
  const secure = await echo(t, 'ours', { tls: { ...LOCALHOST, requestCert: true, rejectUnauthorized: false } })
  for (const [scheme, { port, requests }] of [
    ['ws', plain],
    ['wss', secure]
  ] as const) {
    const { port: first } = await redirecting(t, () => `${scheme}://localhost:${port}/`, LOCALHOST)
    const ws = connect(`wss://localhost:${first}/`, {
      maxRedirects: 1,
      headers: SECRETS,
      tls: { ca: AUTHORITY, ...CLIENT }
    })
    await ws.opened
    t.match(requests[0]!.headers, { 'x-a': '1' })
    for (const name of ['authorization', 'cookie']) t.notOk(name in requests[0]!.headers, name)
    if (scheme === 'wss') t.equal((requests[0]!.socket as TLSSocket).authorized, false)
    ws.close()
    await ws.whenClosed()
  }
})

t.test('one redirect too many is an error, and so is a cycle on timeout', async t => {
  const { port, heads } = await redirecting(t, () => '/again')
  const ws = connect(`ws://127.0.0.1:${port}/`, { maxRedirects: 3 })
  t.match(await rejection(ws.opened), {
    code: 'WS_ERR_UNEXPECTED_STATUS',
    status: 302,
    headers: { location: '/again' }
  })
  await ws.whenClosed()
  t.equal(heads.length, 4)
  const endless = connect(`ws://127.0.0.1:${port}/`, { maxRedirects: Number.POSITIVE_INFINITY, handshakeTimeout: 50 })
  t.match(await rejection(endless.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  await endless.whenClosed()
})

t.test('if the target of a redirect fails, that is the error', async t => {
  const { port } = await redirecting(t, () => 'http://127.0.0.1:1/')
  const ws = connect(`ws://127.0.0.1:${port}/`, { maxRedirects: 1 })
  t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST', cause: { code: 'ECONNREFUSED' } })
  t.match(await ws.whenClosed(), { code: 1006 })
})

t.test('A21: a redirect by a proxy is not followed', async t => {
  const trap = await echo(t)
  for (const scheme of ['ws', 'wss']) {
    const { port } = await redirecting(t, () => `http://localhost:${trap.port}/`)
    const ws = connect(`${scheme}://a.example/`, { maxRedirects: 1, proxy: `http://127.0.0.1:${port}` })
    await rejection(ws.opened)
    await ws.whenClosed()
  }
  t.equal(trap.requests.length, 0)
})

t.test('each redirect goes through the proxy', async t => {
  const { port } = await echo(t)
  const { port: first } = await redirecting(t, () => `ws://localhost:${port}/`)
  const { port: proxyPort, requests } = await proxy(t)
  const ws = connect(`ws://127.0.0.1:${first}/`, { maxRedirects: 1, proxy: `http://127.0.0.1:${proxyPort}` })
  await ws.opened
  t.match(requests, [`CONNECT 127.0.0.1:${first} `, `CONNECT localhost:${port} `])
  ws.close()
  await ws.whenClosed()
})
