// Requests that offer an upgrade which the server does not want, as `curl --http2` and Java's client send: the application serves them like all others.

import { EventEmitter, once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { acceptWebSockets } from '../../lib/index.js'
import { serveWithoutUpgrade } from '../../lib/net/ordinary-request.js'
import { type RawPeer, requestHead } from '../support/raw-peer.js'
import {
  connectStream,
  dialHttp1,
  isSecure,
  listen,
  makeServer,
  type ServerKind,
  session,
  type TestServer
} from './web-servers.js'

const OFFER = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'
const head = (first: string, fields = OFFER): string => `${first} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`

/** Responds with the method, the path and the body of the request. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(chunks)}`))
}

/** Reads a response with a Content-Length. */
async function readResponse(peer: RawPeer): Promise<{ status: number; text: string }> {
  const { status, headers } = await peer.head()
  const size = Number(headers['content-length'])
  return { status, text: (await peer.take(size)).toString() }
}

const KINDS: ServerKind[] = ['http', 'https', 'h2+h1']

async function dial(t: Test, server: TestServer, kind: ServerKind): Promise<RawPeer> {
  return dialHttp1(t, await listen(t, server), isSecure(kind))
}

for (const kind of KINDS) {
  t.test(`an acceptor on ${kind} leaves upgrades to other protocols to the application`, async t => {
    const server = makeServer(kind)
    server.on('request', echo as never)
    const acceptor = acceptWebSockets(server, { path: '/chat' }, ws => ws.text('open'))
    const peer = await dial(t, server, kind)
    for (const path of ['/page', '/chat', '/again']) {
      peer.write(Buffer.from(head(`GET ${path}`)))
      t.strictSame(await readResponse(peer), { status: 200, text: `GET ${path} ` })
      peer.write(Buffer.from(head(`GET ${path}?plain`, '')))
      t.strictSame(await readResponse(peer), { status: 200, text: `GET ${path}?plain ` })
    }
    peer.write(Buffer.from(`${head('POST /form', `${OFFER}Content-Length: 9\r\n`)}some`))
    await new Promise(setImmediate)
    peer.write(Buffer.from('thing'))
    t.strictSame(await readResponse(peer), { status: 200, text: 'POST /form something' })
    const chunked = `${head('PUT /form', `${OFFER}Transfer-Encoding: chunked\r\n`)}4\r\nsome\r\n0\r\n\r\n`
    peer.write(Buffer.from(chunked))
    t.strictSame(await readResponse(peer), { status: 200, text: 'PUT /form some' })
    // and the same connection can still become a WebSocket
    peer.write(requestHead({}, 'GET /chat HTTP/1.1'))
    t.equal((await peer.head()).status, 101)
    t.equal((await peer.nextFrame())!.payload.toString(), 'open')
    t.equal(acceptor.size, 1)
  })

  t.test(`a listener for one request on ${kind}, added before the acceptor, answers it alone`, async t => {
    const server = makeServer(kind)
    server.once('request', echo as never)
    acceptWebSockets(server, { path: '/chat' }, () => {})
    const peer = await dial(t, server, kind)
    peer.write(Buffer.from(head('GET /page', '')))
    t.strictSame(await readResponse(peer), { status: 200, text: 'GET /page ' })
  })

  t.test(`an earlier request on ${kind} is answered first`, async t => {
    const server = makeServer(kind)
    const waiting: (() => void)[] = []
    server.on('request', ((request: IncomingMessage, response: ServerResponse) => {
      const { url } = request
      if (url === '/slow') waiting.push(() => response.end(url))
      else response.end(url)
      if (url === '/slow') setImmediate(() => waiting.shift()!())
    }) as never)
    acceptWebSockets(server, { path: '/chat' }, () => {})
    const peer = await dial(t, server, kind)
    peer.write(Buffer.from(`${head('GET /slow', '')}${head('GET /page')}`))
    for (const text of ['/slow', '/page']) t.strictSame(await readResponse(peer), { status: 200, text })
    peer.write(Buffer.from(head('GET /last', '')))
    t.strictSame(await readResponse(peer), { status: 200, text: '/last' })
  })
}

t.test('requests for us, or for others, do not reach the application', async t => {
  const server = http.createServer(echo)
  acceptWebSockets(server, { path: '/chat' }, () => {})
  const peer = await dial(t, server, 'http')
  peer.write(requestHead({ Upgrade: 'h2c, websocket' }, 'POST /chat HTTP/1.1'))
  t.equal((await peer.head()).status, 405)
  const other = http.createServer(echo)
  acceptWebSockets(other, undefined, () => {})
  other.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 299 Theirs\r\nContent-Length: 0\r\n\r\n'))
  const second = await dial(t, other, 'http')
  second.write(Buffer.from(head('GET /')))
  t.equal((await second.head()).status, 299)
})

t.test('a server with shouldUpgradeCallback is asked first', async t => {
  const server = Object.assign(new EventEmitter(), { shouldUpgradeCallback: () => server.listenerCount('upgrade') > 0 })
  const asked = (Upgrade: string): boolean =>
    (server.shouldUpgradeCallback as (request: object) => boolean)({ headers: { upgrade: Upgrade } })
  const acceptor = acceptWebSockets(server, undefined, () => {})
  t.equal(asked('h2c'), true, 'nobody else would answer')
  server.on('request', () => {})
  t.equal(asked('h2c'), false)
  t.equal(asked('WebSocket'), true)
  server.on('upgrade', () => {})
  t.equal(asked('h2c'), true)
  server.removeAllListeners('upgrade')
  acceptor.detach()
  t.equal(asked('WebSocket'), false)
})

t.test('without an acceptor, shouldUpgradeCallback decides as before', async t => {
  const before = (): boolean => true
  const server = Object.assign(new EventEmitter(), {
    shouldUpgradeCallback: before as (request: IncomingMessage) => boolean
  })
  const h2c = { headers: { upgrade: 'h2c' } } as IncomingMessage
  server.on('request', () => {})
  for (let i = 0; i < 2; i++) {
    const [first, second] = [0, 1].map(() => acceptWebSockets(server, undefined, () => {}))
    t.equal(server.shouldUpgradeCallback(h2c), false)
    first!.detach()
    t.equal(server.shouldUpgradeCallback(h2c), false, 'there is another acceptor')
    second!.detach()
    t.equal(server.shouldUpgradeCallback, before)
  }
  const acceptor = acceptWebSockets(server, undefined, () => {})
  const ours = server.shouldUpgradeCallback
  server.shouldUpgradeCallback = request => ours(request)
  acceptor.detach()
  // the only listener, and not ours
  server.on('upgrade', () => {})
  t.equal(server.shouldUpgradeCallback(h2c), true, 'a callback that was set later calls ours')
})

t.test('a connection that breaks while it waits for the earlier response', async t => {
  const server = http.createServer()
  const gone = new Promise<void>(resolve => {
    server.on('request', (request, response) => {
      if (request.url !== '/slow') t.fail('it is not served any more')
      response.on('close', () => setImmediate(resolve))
    })
  })
  const came = new Promise<void>(resolve => {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
      serveWithoutUpgrade(server, request, socket as Socket, rest)
      resolve()
    })
  })
  const peer = await dial(t, server, 'http')
  peer.write(Buffer.from(`${head('GET /slow', '')}${head('GET /page')}`))
  await came
  ;(peer.stream as Socket).resetAndDestroy()
  await gone
})

t.test('a request is served again on a server without shouldUpgradeCallback', async t => {
  const server = http.createServer(echo)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
    t.equal(request.headers.upgrade, 'h2c')
    serveWithoutUpgrade(server, request, socket as Socket, rest)
  })
  const peer = await dial(t, server, 'http')
  for (let i = 0; i < 3; i++) {
    peer.write(Buffer.from(`${head(`GET /${i}`)}${head('GET /behind', '')}`))
    t.strictSame(await readResponse(peer), { status: 200, text: `GET /${i} ` })
    t.strictSame(await readResponse(peer), { status: 200, text: 'GET /behind ' })
  }
})

for (const kind of KINDS) {
  t.test(`while nothing on ${kind} listens for requests, they are told that this is a WebSocket server`, async t => {
    const server = makeServer(kind)
    const acceptor = acceptWebSockets(server, {}, () => {})
    const peer = await dial(t, server, kind)
    peer.write(Buffer.from(head('GET /', '')))
    const { status, headers } = await peer.head()
    t.equal(status, 426)
    t.match(headers, { upgrade: 'websocket', connection: /upgrade|keep-alive/i })
    t.match((await peer.take(Number(headers['content-length']))).toString(), 'only accepts WebSockets')
    // a listener that is added later takes over, also one added with once
    server.once('request', echo as never)
    peer.write(Buffer.from(head('GET /once', '')))
    t.match(await readResponse(peer), { status: 200, text: 'GET /once ' })
    peer.write(Buffer.from(head('GET /', '')))
    t.equal((await readResponse(peer)).status, 426)
    server.on('request', echo as never)
    peer.write(Buffer.from(head('GET /', '')))
    t.equal((await readResponse(peer)).status, 200)
    server.off('request', echo as never)
    await acceptor.close()
    t.equal(server.listenerCount('request'), 0, 'and nothing of it stays')
  })
}

t.test('a listener that removed itself when it answered is not answered over', async t => {
  const server = makeServer('http')
  acceptWebSockets(server, {}, () => {})
  server.prependOnceListener('request', (_request: unknown, response: ServerResponse) => response.end('once'))
  const peer = await dial(t, server, 'http')
  peer.write(Buffer.from(head('GET /', '')))
  t.strictSame(await readResponse(peer), { status: 200, text: 'once' })
})

for (const kind of ['h2c', 'h2', 'h2+h1'] as const) {
  t.test(`while nothing on ${kind} listens, streams are answered as well`, async t => {
    const server = makeServer(kind)
    const acceptor = acceptWebSockets(server, {}, () => {})
    const client = await session(t, await listen(t, server), isSecure(kind))
    const ask = async (headers: OutgoingHttpHeaders): Promise<number> => {
      const [response] = await once(client.request(headers, { endStream: true }).resume(), 'response')
      return response[':status']
    }
    t.equal(await ask({ ':path': '/' }), 404)
    t.equal(await ask({ ':method': 'CONNECT', ':authority': 'localhost:1' }), 405)
    t.equal((await connectStream(client)).status, 200, 'and WebSockets are accepted')
    server.on('request', (_request: unknown, response: ServerResponse) => response.end())
    t.equal(await ask({ ':path': '/' }), 200)
    acceptor.detach()
    t.equal(await ask({ ':path': '/' }), 200)
  })
}
