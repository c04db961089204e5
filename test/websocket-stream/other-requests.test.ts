// Requests on raw bytes for something other than a WebSocket: the application gets them, with their bodies.

import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { isWebSocket, relay, type UpgradeRequest, type WebSocketStream } from '../../lib/index.js'
import { requestHead } from '../support/raw-peer.js'
import { ask, nameOfRaw, RAW_SETUPS, rawServer } from './raw-server.js'
import { rejection, settle, within } from './sides.js'

const MEMORY = { wire: 'memory', join: 'attach' } as const
const GET = ask('GET /health HTTP/1.1')

for (const setup of RAW_SETUPS) {
  t.test(`the application answers a request that is not for a WebSocket: ${nameOfRaw(setup)}`, async t => {
    const { ws, peer, closes, errors } = await rawServer(t, setup)
    const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
    peer.write(GET)
    const [request] = await asked
    t.equal(request, ws.request)
    t.match(request, { method: 'GET', url: '/health', httpVersion: '1.1', headers: { host: 'example.com' } })
    t.equal(isWebSocket(request), false)
    t.equal(await text(request.body!), '')
    t.equal(ws.reject(200, { headers: { 'X-A': 'b' }, body: 'alive' }), true)
    t.match(await peer.head(), { status: 200, headers: { connection: 'close', 'x-a': 'b', 'content-length': '5' } })
    t.equal(String(await peer.rest()), 'alive')
    peer.end()
    t.match(await rejection(ws.opened), { code: 'WS_ERR_REJECTED', status: 200 })
    t.match([ws.status, ws.headers], [200, { 'x-a': 'b' }])
    await ws.whenClosed()
    await settle()
    t.match(closes, [{ code: 1006, wasClean: false, initiator: 'local' }])
    t.match(errors, [{ code: 'WS_ERR_REJECTED' }])
  })

  for (const [how, fields, wire] of [
    ['with a length', ['Content-Length: 11'], 'hello world'],
    ['in chunks', ['Transfer-Encoding: chunked'], '6;a=b\r\nhello \r\n5\r\nworld\r\n0\r\nX-T: 1\r\n\r\n']
  ] as const) {
    t.test(`the body of a request is read, ${how}: ${nameOfRaw(setup)}`, async t => {
      const bytes = ask('POST /form HTTP/1.1', [...fields], wire)
      const head = bytes.length - wire.length
      for (const at of [0, head, head + 3, bytes.length]) {
        const { ws, peer } = await rawServer(t, setup)
        const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
        peer.write(bytes.subarray(0, at))
        await settle(2)
        if (at < bytes.length) peer.write(bytes.subarray(at))
        const [request] = await asked
        t.equal(await text(request.body!), 'hello world')
        t.ok(ws.reject(204, { body: 'none' }))
        t.match((await peer.head()).text, /^HTTP\/1\.1 204 No Content\r\nConnection: close\r\n\r\n$/)
        t.equal((await peer.rest()).length, 0)
        peer.end()
        await ws.whenClosed()
      }
    })
  }

  t.test(`an unread body waits on the wire: ${nameOfRaw(setup)}`, async t => {
    const { ws, peer, socket } = await rawServer(t, setup, { highWaterMark: 16384 })
    const size = 2 ** 24
    const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
    peer.write(ask('PUT /file HTTP/1.1', [`Content-Length: ${size}`]))
    const [{ body }] = await asked
    const sent = new Promise(resolve => {
      for (let i = 0; i < size; i += 65536)
        peer.stream.write(Buffer.alloc(65536, 'x'), i + 65536 < size ? () => {} : resolve)
    })
    t.equal(await within(50, sent), undefined, 'not all of it is taken')
    body!.read(0)
    t.equal(await within(50, sent), undefined, 'nor when some of it is wanted')
    const taken = 'bytesRead' in socket ? (socket.bytesRead as number) : 0
    t.ok(taken + body!.readableLength < size / 2, `${taken} bytes read, ${body!.readableLength} kept`)
    let got = 0
    for await (const piece of body!) got += piece.length
    t.equal(got, size)
    ws.reject(201)
    t.equal((await peer.head()).status, 201)
    peer.end()
    await ws.whenClosed()
  })

  t.test(
    `a client that leaves in the middle of its body fails it, and ends the connection: ${nameOfRaw(setup)}`,
    async t => {
      const { ws, peer } = await rawServer(t, setup)
      const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
      peer.write(ask('POST / HTTP/1.1', ['Content-Length: 10'], 'half'))
      const [{ body }] = await asked
      const read = rejection(text(body!))
      await settle()
      peer.end()
      t.match(await read, { code: 'WS_ERR_CONNECTION_LOST' })
      t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST' })
      await ws.whenClosed()
      t.equal(ws.reject(400), false)
    }
  )
}

t.test('every form of a well-formed HTTP/1 request reaches the application', async t => {
  for (const [line, fields, url] of [
    ['OPTIONS * HTTP/1.1', [], '*'],
    ['CONNECT example.com:443 HTTP/1.1', [], 'example.com:443'],
    ['GET http://example.com/a?b HTTP/1.1', [], 'http://example.com/a?b'],
    ['DELETE /a HTTP/1.1', [], '/a'],
    ['GET / HTTP/1.1', ['Connection: Upgrade', 'Upgrade: h2c'], '/'],
    ['GET / HTTP/1.1', ['Upgrade: websocket'], '/'],
    ['POST / HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 0'], '/'],
    ['GET / HTTP/1.0', [], '/']
  ] as const) {
    const { ws, peer } = await rawServer(t, MEMORY)
    const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
    peer.write(Buffer.from('\r\n'), ask(line, [...fields]))
    const [request] = await asked
    t.equal(request.url, url, line)
    ws.reject(404)
    t.equal((await peer.head()).status, 404)
  }
  const { ws, peer } = await rawServer(t, MEMORY)
  const asked = once(ws, 'request')
  peer.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'))
  await asked
  ws.reject(200)
  t.equal((await peer.head()).status, 200, 'HTTP/1.0 needs no Host')
})

t.test('a malformed request does not', async t => {
  for (const [line, fields, status, body = ''] of [
    ['OPTIONS /a\x7f HTTP/1.1', [], 400],
    ['GET * HTTP/1.1', [], 400],
    ['GET example.com HTTP/1.1', [], 400],
    ['GET http:///a HTTP/1.1', [], 400],
    ['CONNECT /a HTTP/1.1', [], 400],
    ['GET / HTTP/1.1', ['Host: other'], 400],
    ['GET / HTTP/2.0', [], 505],
    ['POST / HTTP/1.1', ['Content-Length: 1', 'Content-Length: 1'], 400],
    ['POST / HTTP/1.1', ['Content-Length: +1'], 400],
    ['POST / HTTP/1.1', ['Content-Length: 1', 'Transfer-Encoding: chunked'], 400],
    ['POST / HTTP/1.0', ['Transfer-Encoding: chunked'], 400],
    ['POST / HTTP/1.1', ['Transfer-Encoding: gzip, chunked'], 501]
  ] as const) {
    const { ws, peer } = await rawServer(t, MEMORY)
    ws.on('request', () => t.fail(line))
    peer.write(ask(line, [...fields], body))
    t.equal((await peer.head()).status, status, `${line} ${fields}`)
    await rejection(ws.opened)
  }
  const { ws, peer } = await rawServer(t, MEMORY)
  ws.on('request', () => t.fail('no Host'))
  peer.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  t.equal((await peer.head()).status, 400)
})

t.test('malformed chunks get 400, and fail the body', async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(ask('POST / HTTP/1.1', ['Transfer-Encoding: chunked'], '1\r\nab\r\n'))
  const [{ body }] = await asked
  t.match(await rejection(text(body!)), { code: 'WS_ERR_MALFORMED_BODY', status: 400 })
  t.equal((await peer.head()).status, 400)
})

t.test('without a listener it is refused as not a WebSocket request', async t => {
  for (const [line, fields, status] of [
    ['GET / HTTP/1.1', [], 426],
    ['GET / HTTP/1.1', ['Upgrade: websocket'], 400],
    ['GET / HTTP/1.0', [], 505],
    ['POST / HTTP/1.1', ['Content-Length: 1'], 405]
  ] as const) {
    const { ws, peer } = await rawServer(t, MEMORY)
    peer.write(ask(line, [...fields]))
    const head = await peer.head()
    t.equal(head.status, status)
    const error = await rejection(ws.opened)
    t.match([ws.status, error['status']], [status, status])
    t.same({ ...ws.headers, connection: '' }, { ...head.headers, connection: '' }, 'headers says what was sent')
  }
})

t.test('accepted, it is refused as not a WebSocket request, and accept says so', async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  ws.on('request', () => t.equal(ws.accept(), false))
  peer.write(GET)
  t.equal((await peer.head()).status, 426)
  t.match(await rejection(ws.opened), { code: 'WS_ERR_UPGRADE_REQUIRED' })
})

t.test('if not answered, it gets 408 in the end, and its body fails', async t => {
  const { ws, peer } = await rawServer(t, MEMORY, { handshakeTimeout: 20 })
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(ask('POST / HTTP/1.1', ['Content-Length: 10'], 'half'))
  const [{ body }] = await asked
  t.match(await rejection(text(body!)), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  t.equal((await peer.head()).status, 408)
})

t.test('an invalid WebSocket request is refused without asking, and a valid one has no body', async t => {
  const broken = await rawServer(t, MEMORY)
  broken.ws.on('request', () => t.fail('asked'))
  broken.peer.write(requestHead({ 'Sec-WebSocket-Key': 'short' }))
  t.equal((await broken.peer.head()).status, 400)
  const { ws, peer } = await rawServer(t, MEMORY)
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(requestHead())
  const [request] = await asked
  t.equal(isWebSocket(request), true)
  t.equal(request.body, request.body)
  t.equal(await text(request.body!), '')
  t.equal(ws.accept(), true)
  t.equal((await peer.head()).status, 101)
})

t.test('a HEAD gets no body, and a CONNECT no response that would open a tunnel', async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  ws.on('request', () => ws.reject(200, { body: 'alive' }))
  peer.write(ask('HEAD / HTTP/1.1'))
  t.match(await peer.head(), { status: 200, headers: { 'content-length': '5' } })
  t.equal((await peer.rest()).length, 0)
  const unheard = await rawServer(t, MEMORY)
  unheard.peer.write(ask('HEAD / HTTP/1.1'))
  t.equal((await unheard.peer.head()).status, 405)
  t.equal((await unheard.peer.rest()).length, 0)
  const tunnel = await rawServer(t, MEMORY)
  tunnel.ws.on('request', () => {
    t.throws(() => tunnel.ws.reject(200), RangeError)
    tunnel.ws.reject(403)
  })
  tunnel.peer.write(ask('CONNECT example.com:443 HTTP/1.1'))
  t.equal((await tunnel.peer.head()).status, 403)
})

t.test('a client that expects a 100 gets it when its body is read, and not before', async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(ask('POST / HTTP/1.1', ['Content-Length: 5', 'Expect: 100-continue']))
  const [{ body }] = await asked
  await settle()
  t.equal(peer.input.length, 0)
  const read = text(body!)
  t.equal((await peer.head()).first, 'HTTP/1.1 100 Continue')
  peer.write(Buffer.from('hello'))
  t.equal(await read, 'hello')
  ws.reject(200)
  t.equal((await peer.head()).status, 200)
})

t.test('a body ends when the request is answered, or the connection destroyed', async t => {
  for (const end of ['reject', 'destroy'] as const) {
    const { ws, peer } = await rawServer(t, MEMORY, { closeTimeout: 50 })
    const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
    peer.write(ask('POST / HTTP/1.1', ['Content-Length: 10'], 'half'))
    const [{ body }] = await asked
    const pieces: string[] = []
    body!.on('data', piece => pieces.push(String(piece)))
    await settle()
    t.same(pieces, ['half'])
    const closed = once(body!, 'close')
    if (end === 'reject') ws.reject(413)
    else ws.destroy()
    await closed
    t.equal(body!.readableEnded, false)
    await ws.whenClosed()
    t.equal(body!.read(), null)
  }
  // not read before, and requested afterwards
  const { ws, peer } = await rawServer(t, MEMORY, { closeTimeout: 50 })
  const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
  peer.write(ask('POST / HTTP/1.1', ['Content-Length: 10'], 'half'))
  const [request] = await asked
  ws.reject(413)
  t.match(await rejection(text(request.body!)), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
})

t.test('a relay refuses it, like the library', async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  const { opened } = relay(ws, 'ws://127.0.0.1:1/')
  peer.write(GET)
  t.equal((await peer.head()).status, 426)
  t.match(await rejection(opened), { code: 'WS_ERR_UPGRADE_REQUIRED' })
})

t.test('errors in a request take precedence over decisions made before it arrived', async t => {
  for (const decide of [(ws: WebSocketStream) => ws.reject(404), (ws: WebSocketStream) => ws.accept()]) {
    const { ws, peer } = await rawServer(t, MEMORY)
    t.equal(decide(ws), true)
    t.equal(decide(ws), false, 'once')
    peer.write(GET)
    t.equal((await peer.head()).status, 426)
  }
})
