// A stream that cannot be the wire of a connection: it is no Duplex, or it is the wire of another one.

import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { RawPeer } from '../support/raw-peer.js'
import { joinTo, make, open, SETUPS, settle, shake, wireOf } from '../websocket-stream/sides.js'

const ROLES = ['server', 'client'] as const
const JOINS = ['attach', 'pipe'] as const
const TAKEN = { name: 'TypeError', message: 'this stream already belongs to a connection' }
const NO_DUPLEX = { name: 'TypeError', message: 'attach needs a Duplex, such as a net.Socket' }

for (const setup of SETUPS) {
  const { role, join, wire } = setup
  t.test(`a second connection cannot have the same stream: ${role}, ${join}, ${wire}`, async t => {
    const { ws, socket, peer } = await open(t, setup)
    let count = 0
    for (const again of JOINS) {
      const second = make(role === 'server' ? 'http' : role)
      second.on('message', () => count++)
      t.teardown(() => second.destroy())
      t.throws(() => joinTo(second, socket, again), TAKEN, again)
    }
    const backwards = make(role)
    t.teardown(() => backwards.destroy())
    t.throws(() => backwards.pipe(socket), TAKEN)
    await settle()
    ws.text('only the first')
    t.equal(String((await peer.nextFrame())?.payload), 'only the first')
    const got = once(ws, 'message')
    peer.text('for the first')
    t.same(await got, ['for the first'])
    await settle()
    t.equal(count, 0, 'the second one reads nothing')
    ws.close()
    await peer.nextFrame()
    peer.close()
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })

  t.test(`a connection that gets no stream can have another: ${role}, ${join}, ${wire}`, async t => {
    const { socket } = await open(t, setup)
    const second = make(role)
    t.teardown(() => second.destroy())
    t.throws(() => second.attach(socket), TAKEN)
    const [near, far] = await wireOf(t, setup)
    joinTo(second, near, join)
    await shake(new RawPeer(far, role === 'server' ? 'client' : 'server'), role)
    await second.opened
  })
}

for (const role of ROLES) {
  t.test(`whoever is piped into last is refused, and the pipe is removed: ${role}`, async t => {
    const [near, far] = pair()
    const [first, second] = [make(role), make(role)]
    const opened: string[] = []
    first.on('open', () => opened.push('first'))
    second.on('open', () => opened.push('second'))
    t.teardown(() => {
      first.destroy()
      second.destroy()
    })
    first.pipe(near)
    second.pipe(new PassThrough())
    second.pipe(near)
    near.pipe(first)
    t.throws(() => near.pipe(second), TAKEN)
    second.unpipe(near)
    await shake(new RawPeer(far, role === 'server' ? 'client' : 'server'), role)
    await first.opened
    await settle()
    t.same(opened, ['first'])
  })

  t.test(`a stream of strings is not piped in after the TypeError: ${role}`, async t => {
    const [near] = pair()
    near.setEncoding('utf8')
    const ws = make(role)
    t.teardown(() => ws.destroy())
    t.throws(() => near.pipe(ws), TypeError)
    t.equal(near.listenerCount('data'), 0)
    near.destroy()
  })

  t.test(`a stream that was released by unpipe, or whose connection is over, can be used again: ${role}`, async t => {
    const [near, far] = pair()
    t.teardown(() => near.destroy())
    const peer = new RawPeer(far, role === 'server' ? 'client' : 'server')
    const first = make(role)
    near.pipe(first)
    first.pipe(near, { end: false })
    await shake(peer, role)
    await first.opened
    const ended = once(first, 'end')
    first.close()
    await peer.nextFrame()
    peer.close()
    await settle()
    // a client waits for the end of its server's stream
    if (role === 'server') await ended
    else first.unpipe(near)
    near.unpipe(first)
    const second = make(role)
    near.pipe(second).pipe(near)
    await shake(peer, role)
    await second.opened
    near.unpipe(second)
    second.unpipe(near)
    const third = make(role).attach(near)
    await shake(peer, role)
    await third.opened
    for (const ws of [first, second, third]) ws.destroy()
  })

  t.test(`another connection may read along: ${role}`, async t => {
    const { ws, socket, peer } = await open(t, { role, join: 'pipe', wire: 'memory' })
    const observer = make('http')
    t.teardown(() => observer.destroy())
    socket.pipe(observer)
    const got = once(ws, 'message')
    peer.text('hello')
    t.same(await got, ['hello'])
  })

  t.test(`what is no Duplex cannot be attached, and the connection can have another wire: ${role}`, async t => {
    const [near, far] = pair()
    const ws = make(role)
    t.teardown(() => ws.destroy())
    const { port1 } = new MessageChannel()
    for (const wrong of [undefined, null, {}, 'socket', () => {}, new Readable(), new Writable(), port1])
      t.throws(() => ws.attach(wrong as never), NO_DUPLEX)
    const own = { name: 'TypeError', message: /cannot be its own wire/ }
    t.throws(() => ws.attach(ws), own)
    t.throws(() => ws.attach(ws.messages as never), own)
    ws.attach(near)
    await shake(new RawPeer(far, role === 'server' ? 'client' : 'server'), role)
    await ws.opened
  })

  t.test(`the bytes of another connection, and streams of other makers, are wires: ${role}`, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
    t.throws(() => ws.attach(ws.bytes), TypeError)
    const inner = make('client').attach(ws.bytes as unknown as Duplex)
    t.teardown(() => inner.destroy())
    t.match(String((await peer.nextFrame())?.payload), 'GET /chat HTTP/1.1')
  })
}

t.test('of two connections on one HTTP/2 stream, the second fails, and nothing is thrown', async t => {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } })
  const errors: Error[] = []
  server.on('stream', (stream, headers) => {
    const first = WebSocketStream.http2(stream, headers)
    first.on('message', message => first.send(message))
    WebSocketStream.http2(stream, headers).on('error', error => errors.push(error))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => {
    session.destroy()
    server.close()
  })
  await once(session, 'remoteSettings')
  const fields = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' }
  const stream = session.request(fields)
  const [headers] = await once(stream, 'response')
  t.equal(headers[':status'], 200)
  const peer = new RawPeer(stream, 'client')
  peer.text('hello')
  t.equal(String((await peer.nextFrame())?.payload), 'hello')
  t.match(errors, [TAKEN])
  t.equal(errors.length, 1)
})
