// WebSockets on streams of HTTP/2 (RFC 8441), from a real session to messages: frames by hand on one side, WebSocketStream on the
// other, and our two sides with each other.

import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import t, { type Test } from 'tap'
import { type CloseInfo, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { Inbox } from '../support/inbox.js'
import { BINARY, PING, PONG, readClose, TEXT } from '../support/raw-peer.js'
import { connectStream, listen, makeServer, type Opened, session } from './web-servers.js'

interface Served {
  ws: WebSocketStream
  stream: ServerHttp2Stream
  closes: CloseInfo[]
}

type Join = 'attach' | 'pipe'

/** A server that makes a WebSocketStream for every extended CONNECT, and a session to it. */
async function serve(
  t: Test,
  join: Join = 'attach',
  options: WebSocketOptions = {},
  setUp = (_: WebSocketStream) => {}
) {
  const server = makeServer('h2')
  const served = new Inbox<Served>()
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    // half-closed streams end soon
    const ws = WebSocketStream.http2(stream, headers, { closeTimeout: 200, ...options })
    const closes: CloseInfo[] = []
    ws.on('close', info => closes.push(info))
    setUp(ws)
    served.put({ ws, stream, closes })
    if (join === 'attach') ws.attach(stream)
    else stream.pipe(ws).pipe(stream)
  })
  const client = await session(t, await listen(t, server))
  return {
    client,
    next: async () => (await served.take())!,
    open: async (fields = {}): Promise<Served & Opened> => {
      const opened = await connectStream(client, fields)
      return { ...opened, ...(await served.take())!, stream: opened.stream } as unknown as Served & Opened
    }
  }
}

for (const join of ['attach', 'pipe'] as const) {
  t.test(`a stream joined by ${join}`, async t => {
    t.test('is opened with 200 and what was negotiated', async t => {
      const { open } = await serve(t, join, { protocols: ['chat'], headers: { 'X-A': 'a' } })
      const { ws, status, headers } = await open({ ':path': '/chat', 'sec-websocket-protocol': 'x, chat' })
      t.equal(status, 200)
      t.match(headers, { 'sec-websocket-protocol': 'chat', 'x-a': 'a' })
      t.match(await ws.opened, { version: 'rfc8441', protocol: 'chat', status: 200, url: 'wss://localhost/chat' })
      t.match(ws.request, { method: 'CONNECT', url: '/chat', httpVersion: '2.0', headers: { host: 'localhost' } })
    })

    t.test('carries masked frames in one direction and unmasked ones in the other', async t => {
      const { open } = await serve(t, join, {}, ws => ws.messages.pipe(ws.messages))
      const { peer } = await open()
      peer.write(peer.frame(TEXT, 'one'), peer.frame(PING, 'p'), peer.frame(BINARY, Buffer.alloc(100_000, 7)))
      t.match(await peer.nextFrame(), { opcode: PONG, masked: false })
      t.match(await peer.nextFrame(), { opcode: TEXT, masked: false, payload: Buffer.from('one') })
      t.equal((await peer.nextFrame())!.payload.length, 100_000)
      peer.close(3000, 'done')
      t.same(readClose(await peer.nextFrame()), { code: 3000, reason: 'done' })
    })

    t.test('is closed by the server, which ends the stream first', async t => {
      const { open } = await serve(t, join)
      const { ws, peer, stream, closes } = await open()
      ws.close(1000, 'bye')
      t.same(await peer.answerClose(), { code: 1000, reason: 'bye' })
      t.same(await ws.whenClosed(), { code: 1000, reason: 'bye', wasClean: true, initiator: 'local' })
      await peer.closed
      t.equal(stream.rstCode, 0)
      t.equal(closes.length, 1)
    })

    t.test('is closed by the client', async t => {
      const { open } = await serve(t, join)
      const { ws, peer } = await open()
      peer.close(1001)
      t.same(readClose(await peer.nextFrame()), { code: 1001, reason: '' })
      await peer.ended()
      peer.end()
      t.match(await ws.whenClosed(), { code: 1001, wasClean: true, initiator: 'peer' })
    })

    t.test('an unmasked frame fails it with 1002', async t => {
      const { open } = await serve(t, join)
      const { ws, peer } = await open()
      peer.send(TEXT, 'a', { masked: false })
      t.match(readClose(await peer.nextFrame()), { code: 1002 })
      peer.end()
      t.match(await ws.whenClosed(), { code: 1002, wasClean: false })
    })

    t.test('A29: ends with 1006 if it is reset, or ended without a Close', async t => {
      const { open } = await serve(t, join)
      const first = await open()
      first.peer.text('last words')
      const [message] = await once(first.ws, 'message')
      t.equal(message, 'last words')
      // RFC 8441 §5: CANCEL corresponds to a reset on TCP
      first.stream.close(8)
      t.match(await first.ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
      const second = await open()
      second.peer.end()
      t.match(await second.ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
      t.same([first.closes.length, second.closes.length], [1, 1])
    })

    t.test('is reset with CANCEL if the application destroys it', async t => {
      const { open } = await serve(t, join)
      const { ws, stream, peer } = await open()
      ws.destroy()
      await peer.closed
      t.equal(stream.rstCode, 8)
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
    })

    t.test('ends with the session at once, and not after closeTimeout', async t => {
      const { open, client } = await serve(t, join, { closeTimeout: Number.POSITIVE_INFINITY })
      const { ws } = await open()
      client.destroy()
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'peer' })
    })

    t.test('is refused with a status and a body', async t => {
      const refusal = { headers: { 'X-Why': 'because' }, body: 'no room' }
      const { open } = await serve(t, join, {}, ws => ws.on('request', () => ws.reject(404, refusal)))
      const { ws, peer, status, headers } = await open()
      t.equal(status, 404)
      t.match(headers, { 'x-why': 'because', 'content-length': '7' })
      t.equal(String(await peer.rest()), 'no room')
      peer.end()
      await t.rejects(ws.opened, { code: 'WS_ERR_REJECTED', status: 404 })
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
    })

    t.test('applies backpressure by the flow control of the stream, and loses nothing', async t => {
      const { open } = await serve(t, join)
      const { ws, peer, stream } = await open()
      stream.pause()
      const chunk = Buffer.alloc(16384, 1)
      let sent = 0
      for (; !ws.needsDrain; sent++) ws.binary(chunk)
      while (sent < 100 && ws.bufferedAmount < 2 ** 21) {
        ws.binary(chunk)
        sent++
      }
      t.ok(ws.bufferedAmount > 100_000, `${ws.bufferedAmount} bytes wait`)
      ws.close()
      stream.resume()
      let got = 0
      for (let frame = await peer.nextFrame(); frame?.opcode === BINARY; frame = await peer.nextFrame()) got++
      t.ok(got >= sent, `${got} of ${sent}`)
    })
  })
}

t.test('A26: a handshake that is not answered in time gets 408', async t => {
  const { open } = await serve(t, 'attach', { handshakeTimeout: 20 }, ws => ws.on('request', () => {}))
  const { ws, status, peer } = await open()
  t.equal(status, 408)
  peer.end()
  await t.rejects(ws.opened, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
})

t.test('100 connections on one session, one of which is not read: the others continue', async t => {
  const { open } = await serve(t, 'attach', {}, ws => ws.messages.pipe(ws.messages))
  const [stuck, ...others] = await Promise.all(Array.from({ length: 100 }, () => open()))
  // more than its window: the server can neither echo it nor read on
  stuck!.stream.pause()
  for (let i = 0; i < 32; i++) stuck!.peer.send(BINARY, Buffer.alloc(65536, i))
  for (let round = 0; round < 3; round++) {
    for (const [i, { peer }] of others.entries()) peer.text(`${round} ${i}`)
    const echoes = await Promise.all(others.map(({ peer }) => peer.nextFrame()))
    t.same(
      echoes.map(frame => String(frame!.payload)),
      others.map((_, i) => `${round} ${i}`)
    )
  }
  t.equal(stuck!.peer.input.length, 0)
  stuck!.stream.resume()
  for (let i = 0; i < 32; i++) t.equal((await stuck!.peer.nextFrame())!.payload[0], i)
})
