// What the README of websocket-driver promises of the opening handshake, a row for each promise: with this library's interface, and with
// websocket-duplex/driver under the names of websocket-driver.

import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import driver from '../../lib/compat/driver/index.js'
import {
  type HandshakeError,
  isWebSocket,
  ProxyTunnel,
  permessageDeflate,
  type UpgradeRequest,
  WebSocketStream
} from '../../lib/index.js'
import * as drivers from '../compat/driver/seen.js'
import { answerTo } from '../compat/driver/seen.js'
import { toy } from '../extensions/toys.js'
import { ANSWER, BODY, request75, request76 } from '../support/draft-requests.js'
import { pair } from '../support/pair.js'
import { answerHead, RawPeer, requestHead, TEXT, wireFrame } from '../support/raw-peer.js'
import { fresh, open, parsedRequest, rejection, settle } from '../websocket-stream/sides.js'

const MEMORY = { wire: 'memory', join: 'attach' } as const
const SERVER = { ...MEMORY, role: 'server' } as const
const CLIENT = { ...MEMORY, role: 'client' } as const

t.test('row 1: any I/O object carries the bytes', async t => {
  t.test('ours: a Duplex, by pipe, by attach, or by write and data', async t => {
    for (const join of ['pipe', 'attach'] as const) {
      const { ws, peer } = await open(t, { ...SERVER, join })
      ws.on('message', message => ws.send(message))
      peer.text('hello')
      t.match(await peer.nextFrame(), { payload: Buffer.from('hello') }, join)
    }
    const ws = WebSocketStream.server()
    const chunks: Buffer[] = []
    ws.on('data', chunk => chunks.push(chunk))
    ws.on('message', message => ws.send(message))
    ws.write(Buffer.concat([requestHead(), wireFrame(TEXT, 'by hand', { masked: true })]))
    await settle()
    t.match(String(Buffer.concat(chunks)), /^HTTP\/1\.1 101 .*by hand$/s)
    ws.destroy()
  })
  t.test('driver: io is piped, or parse is called and data is emitted', async t => {
    const [left, right] = pair()
    const piped = driver.server()
    piped.on('connect', () => piped.start())
    piped.messages.pipe(piped.messages)
    left.pipe(piped.io).pipe(left)
    const peer = new RawPeer(right, 'client')
    peer.write(requestHead())
    t.equal((await peer.head()).status, 101)
    peer.text('hello')
    t.match(await peer.nextFrame(), { payload: Buffer.from('hello') })
    left.destroy()

    const { driver: byHand, sent } = drivers.server()
    byHand.on('connect', () => byHand.start())
    byHand.on('message', ({ data }) => byHand.text(String(data)))
    byHand.parse(requestHead())
    byHand.parse([...wireFrame(TEXT, 'by hand', { masked: true })])
    t.match(String(Buffer.concat(sent)), /^HTTP\/1\.1 101 .*by hand$/s, 'in the same turn')
  })
})

t.test('row 2: the version is chosen by the request', async t => {
  const versions = [
    [requestHead(), Buffer.alloc(0), 'hybi-13'],
    [requestHead({ 'Sec-WebSocket-Version': '8' }), Buffer.alloc(0), 'hybi-8'],
    [request75(), Buffer.alloc(0), 'hixie-75'],
    [request76(), BODY, 'hixie-76']
  ] as const
  for (const [head, body, version] of versions) {
    const { ws, peer } = await fresh(t, SERVER, { allowDrafts: true })
    peer.write(head, body)
    await ws.opened
    t.equal(ws.version, version, 'ours')

    const { driver, take } = drivers.server({ allowDrafts: true })
    driver.io.write(head)
    t.equal(driver.version, version, 'driver')
    t.equal(driver.start(), true)
    driver.io.write(body)
    t.equal(driver.getState(), 'open')
    t.match(take(), /^HTTP\/1\.1 101 /)
  }
})

t.test('row 3: both sides make, send and check their handshakes', async t => {
  const { server, client } = { server: drivers.server(), client: drivers.client() }
  client.driver.start()
  server.driver.on('connect', () => server.driver.start())
  server.driver.io.write(Buffer.from(client.take(), 'latin1'))
  client.driver.io.write(Buffer.from(server.take(), 'latin1'))
  t.same([server.events, client.events], [[['connect'], ['open']], [['open']]])
  const wrong = drivers.client()
  wrong.driver.start()
  wrong.driver.io.write(answerTo('Sec-WebSocket-Key: another'))
  t.match(wrong.events, [
    ['error', 'WS_ERR_BAD_RESPONSE'],
    ['close', 1002]
  ])
  const { ws, peer } = await fresh(t, CLIENT)
  const request = await peer.head()
  peer.write(answerHead({ ...request, headers: { 'sec-websocket-key': 'another' } }))
  t.match(await rejection(ws.opened), { code: 'WS_ERR_BAD_RESPONSE' })
})

t.test('row 4: frames after the head are separated from it, in one chunk and byte by byte', async t => {
  const bytes = Buffer.concat([requestHead(), wireFrame(TEXT, 'behind it', { masked: true })])
  for (const size of [bytes.length, 1]) {
    const { ws, peer } = await fresh(t, SERVER)
    const message = once(ws, 'message')
    for (let at = 0; at < bytes.length; at += size) peer.write(bytes.subarray(at, at + size))
    t.same(await message, ['behind it'], 'ours')

    const { driver, events } = drivers.server()
    driver.on('connect', () => driver.start())
    for (let at = 0; at < bytes.length; at += size) driver.io.write(bytes.subarray(at, at + size))
    t.same(events, [['connect'], ['open'], ['message', 'behind it']], 'driver')
  }
  const { driver, events, take } = drivers.client()
  driver.start()
  driver.io.write(Buffer.concat([Buffer.from(answerTo(take())), wireFrame(TEXT, 'behind it')]))
  t.same(events, [['open'], ['message', 'behind it']], 'driver of a client')
})

t.test('row 5: a subprotocol is negotiated', async t => {
  const { ws, peer } = await fresh(t, SERVER, { protocols: ['b', 'c'] })
  peer.write(requestHead({ 'Sec-WebSocket-Protocol': 'a, b, c' }))
  await ws.opened
  t.equal(ws.protocol, 'b', 'ours')

  const { driver } = drivers.http({ protocols: ['b', 'c'] }, { 'Sec-WebSocket-Protocol': 'a, b, c' })
  let atOpen: unknown
  driver.on('open', () => (atOpen = driver.protocol))
  driver.start()
  t.same([driver.protocol, atOpen], ['b', 'b'], 'driver')
  const client = drivers.client({ protocols: 'a, b' })
  client.driver.start()
  const request = client.take()
  t.match(request, /\r\nSec-WebSocket-Protocol: a, b\r\n/)
  client.driver.io.write(answerTo(request, 'Sec-WebSocket-Protocol: a\r\n'))
  t.equal(client.driver.protocol, 'a')
})

t.test('row 6: extensions are added before the start', async t => {
  const { ws, peer } = await fresh(t, SERVER)
  ws.addExtension(permessageDeflate())
  peer.write(requestHead({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
  await ws.opened
  t.equal(ws.extensions, 'permessage-deflate', 'ours')

  const { driver, take } = drivers.http({}, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  t.equal(driver.addExtension(permessageDeflate()), true)
  t.throws(() => driver.addExtension(permessageDeflate()), TypeError)
  driver.start()
  t.match(take(), /\r\nSec-WebSocket-Extensions: permessage-deflate\r\n/, 'driver')
  t.equal(driver.addExtension(toy('late')), false)
  const client = drivers.client()
  client.driver.addExtension(toy('one'))
  client.driver.start()
  t.match(client.take(), /\r\nSec-WebSocket-Extensions: one\r\n/)
  const draft = drivers.server({ allowDrafts: true })
  draft.driver.io.write(request75())
  t.equal(draft.driver.addExtension(toy('one')), false)
})

t.test(
  'row 8: a proxy may hold back the body of a request of hixie-76 until it has the head of the response',
  async t => {
    const { ws, peer } = await fresh(t, SERVER, { allowDrafts: true })
    peer.write(request76())
    t.equal((await peer.head()).status, 101)
    t.equal(ws.readyState, 'connecting')
    peer.write(BODY)
    t.same(await peer.take(16), ANSWER, 'ours')
    await ws.opened

    const { driver, take } = drivers.server({ allowDrafts: true })
    driver.io.write(request76())
    t.equal(driver.start(), true)
    t.match(take(), /^HTTP\/1\.1 101 .*\r\n\r\n$/s)
    t.equal(driver.getState(), 'connecting')
    driver.io.write(BODY)
    t.equal(take(), ANSWER.toString('latin1'), 'driver')
    t.equal(driver.getState(), 'open')
  }
)

t.test('row 11: a request that another parser has read', async t => {
  const server = http.createServer()
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/ours') {
      const ws = WebSocketStream.http(request, head).attach(socket)
      ws.on('message', message => ws.send(message))
      return
    }
    const there = driver.http(request)
    there.on('message', ({ data }) => there.text(String(data)))
    there.io.write(head)
    socket.pipe(there.io).pipe(socket)
    t.equal(there.env, request)
    there.start()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  for (const path of ['/ours', '/driver']) {
    const socket = (await import('node:net')).connect(port, '127.0.0.1')
    const peer = new RawPeer(socket, 'client')
    peer.write(requestHead({}, `GET ${path} HTTP/1.1`), peer.frame(TEXT, path))
    t.equal((await peer.head()).status, 101)
    t.match(await peer.nextFrame(), { payload: Buffer.from(path) })
    socket.destroy()
  }
})

t.test('row 12: whether a request asks for a WebSocket', async t => {
  for (const is of [isWebSocket, driver.isWebSocket]) {
    t.equal(is(parsedRequest()), true)
    t.equal(is({ method: 'GET', headers: { host: 'a' } }), false)
    t.equal(is({ ...parsedRequest(), method: 'POST' }), false)
  }
})

t.test('row 13: a bare server reads any request, and leaves ordinary ones to the application', async t => {
  const { ws, peer, socket } = await fresh(t, SERVER)
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(Buffer.from('GET /page HTTP/1.1\r\nHost: a\r\n\r\n'))
  const [request] = await asked
  t.equal(isWebSocket(request), false)
  t.equal(ws.handOver(http.createServer((_request, response) => response.end('a page'))), true)
  t.equal((await peer.head()).status, 200, 'ours')
  socket.destroy()

  const { driver: there, events, take } = drivers.server()
  there.on('connect', () => {
    t.equal(driver.isWebSocket(there as never), false)
    t.match(there, { method: 'GET', url: '/page', headers: { host: 'a' } })
  })
  there.io.write('GET /page HTTP/1.1\r\nHost: a\r\n\r\n')
  t.same([events, take()], [[['connect']], ''], 'driver')
  await settle()
  t.equal(take(), '')
  t.equal(there.start(), false, 'it is no WebSocket')
  t.match(take(), /^HTTP\/1\.1 426 /)
})

t.test('row 14: the body of a request, as far as it has arrived', async t => {
  const { ws, peer } = await fresh(t, SERVER)
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(Buffer.from('POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'))
  const [request] = await asked
  t.equal(await text(request.body!), 'hello', 'ours')

  for (const [head, body] of [
    ['POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n', 'hel'],
    ['\r\nPOST /form HTTP/1.1\r\nHost: a\r\n\r\n', 'hello']
  ] as const) {
    const { driver } = drivers.server()
    for (const byte of head.slice(0, -1)) driver.io.write(byte)
    t.equal(driver.body, undefined)
    driver.io.write(head.slice(-1) + body)
    t.equal(String(driver.body), body, 'driver')
  }
})

t.test('row 15: status and header fields of the response, also of a refusal', async t => {
  const { ws, peer } = await fresh(t, CLIENT)
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 2\r\n\r\nno'))
  const error = (await rejection(ws.opened)) as unknown as HandshakeError
  t.match([error.status, ws.status, ws.headers, String(error.body)], [403, 403, { 'x-why': 'because' }, 'no'], 'ours')

  const { driver, events, take } = drivers.client()
  driver.start()
  take()
  driver.io.write('HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 2\r\n\r\nno')
  t.match([driver.statusCode, driver.headers, driver.protocol], [403, { 'x-why': 'because' }, null], 'driver')
  t.match(events, [
    ['error', 'WS_ERR_UNEXPECTED_STATUS'],
    ['close', 1002]
  ])
  const opened = drivers.client()
  opened.driver.start()
  opened.driver.io.write(answerTo(opened.take(), 'X-A: b\r\n'))
  t.match([opened.driver.statusCode, opened.driver.headers], [101, { 'x-a': 'b' }])
})

t.test('row 16: through a proxy', async t => {
  t.test('ours: ProxyTunnel', async t => {
    const [left, right] = pair()
    const tunnel = new ProxyTunnel('example.com:80', { proxy: 'http://a:b@proxy.example', headers: { 'X-A': 'b' } })
    tunnel.attach(left)
    const ws = WebSocketStream.client('ws://example.com/').attach(tunnel.target)
    const proxy = new RawPeer(right, 'server')
    const request = await proxy.head()
    t.match(request.text, /^CONNECT example\.com:80 HTTP\/1\.1\r\n/)
    t.match(request.headers, { 'proxy-authorization': 'Basic YTpi', 'x-a': 'b' })
    proxy.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
    proxy.write(answerHead(await proxy.head()))
    await ws.opened
    ws.destroy()
  })
  t.test('driver: proxy(), whose connect event comes first', async t => {
    const { driver, take, events } = drivers.client()
    const proxy = driver.proxy('http://a:b@proxy.example')
    const said: unknown[] = []
    for (const event of ['connect', 'close', 'end']) proxy.on(event, () => said.push(event))
    proxy.on('data', data => said.push(String(data)))
    t.equal(proxy.setHeader('X-A', 'b'), true)
    t.equal(proxy.start(), true)
    t.match(said.splice(0), [/^CONNECT example\.com:80 HTTP\/1\.1\r\n.*Proxy-Authorization: Basic YTpi\r\n.*X-A: b/s])
    // a program's usual connect listener
    proxy.on('connect', () => driver.start())
    t.equal(proxy.write(Buffer.from('HTTP/1.1 200 OK\r\nVia: x\r\n\r\n')), true)
    t.same(said, ['connect', 'close', 'end'])
    t.match([proxy.statusCode, proxy.headers], [200, { via: 'x' }])
    driver.io.write(answerTo(take()))
    t.same(events, [['open']])
  })
  t.test('driver: a refusal is an error with status and header fields', async t => {
    const proxy = drivers.client().driver.proxy('http://proxy.example')
    const error = new Promise(resolve => proxy.on('error', resolve))
    const end = new Promise(resolve => proxy.on('end', resolve))
    proxy.start()
    proxy.write(Buffer.from('HTTP/1.1 407 Proxy Authentication Required\r\nX-A: b\r\n\r\n'))
    t.match(await error, Error, 'though its body has no end')
    t.match([proxy.statusCode, proxy.headers], [407, { 'x-a': 'b' }])
    await end
  })
})

t.test('row 19: own header fields, of requests and of responses', async t => {
  const { ws, peer } = await fresh(t, CLIENT)
  ws.setHeader('X-A', 'b')
  t.equal((await peer.head()).headers['x-a'], 'b', 'ours')
  for (const wrong of [new Set(['a']), new String('a')]) {
    t.throws(() => ws.setHeader('X-B', wrong as never), TypeError)
  }
  for (const seen of [drivers.client(), drivers.http()]) {
    const { driver, take } = seen
    t.equal(driver.setHeader('X-A', 'b'), true)
    t.equal(driver.setHeader('x-a', 'c'), true, 'the first one stays')
    driver.setHeader('Set-Cookie', 'a=1')
    driver.setHeader('Set-Cookie', 'b=2')
    driver.setHeader('X-Number', 7)
    driver.setHeader('X-None', undefined)
    driver.setHeader('Upgrade', 'else')
    t.throws(() => driver.setHeader('X-Bad', 'a\r\nb'), TypeError)
    driver.start()
    const head = take()
    t.match(head, /\r\nX-A: b\r\n.*Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Number: 7\r\n/s, 'driver')
    t.notMatch(head, /X-None|else/)
    t.equal(driver.setHeader('X-Late', 'd'), false)
  }
})

t.test('row 20: start sends the handshake at once, and is true if and only if it was sent', async t => {
  const [left] = pair()
  const ws = WebSocketStream.client('ws://example.com/').attach(left)
  t.equal(left.sent + left.writableLength, 0)
  t.equal(ws.start(), true)
  t.ok(left.sent > 0, 'ours')
  ws.destroy()

  const client = drivers.client()
  t.equal(client.driver.getState(), null)
  t.equal(client.driver.start(), true)
  t.match(client.take(), /^GET \/chat HTTP\/1\.1\r\n/, 'driver')
  t.equal(client.driver.getState(), 'connecting')
  t.equal(client.driver.start(), false)
  const server = drivers.http()
  t.equal(server.driver.start(), true)
  t.match(server.take(), /^HTTP\/1\.1 101 /)
  t.same([server.events, server.driver.getState()], [[['open']], 'open'])
  t.equal(server.driver.start(), false)
  const wrong = drivers.http({}, { 'Sec-WebSocket-Key': 'short' })
  t.equal(wrong.driver.start(), false)
  t.match(wrong.take(), /^HTTP\/1\.1 400 /)
  t.match(wrong.events, [
    ['error', 'WS_ERR_BAD_REQUEST'],
    ['close', 1002]
  ])
  t.equal(wrong.driver.getState(), 'closed')
  const early = drivers.server()
  t.equal(early.driver.start(), true, 'it will be sent')
  early.driver.io.write(requestHead())
  t.same(early.events, [['open'], ['connect']])
  t.equal(early.driver.method, 'GET')
})

t.test('row 25: the version by its name', async t => {
  const { ws } = await open(t, CLIENT)
  t.equal(ws.version, 'hybi-13', 'ours')
  t.equal(drivers.client().driver.version, 'hybi-13', 'driver')
  t.equal(drivers.http().driver.version, 'hybi-13')
  t.equal(drivers.http({ allowDrafts: true }, { 'Sec-WebSocket-Version': '8' }).driver.version, 'hybi-8')
  t.equal(drivers.server().driver.version, undefined)
})
