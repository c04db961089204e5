// `closing` tells how the connection ends while its wire still exists.

import { once } from 'node:events'
import t from 'tap'
import { type ClosingInfo, permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { BINARY, CLOSE, closeBody, RawPeer, TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, parsedRequest, SETUPS, settle } from './sides.js'

function record(ws: WebSocketStream): (string | ClosingInfo)[] {
  const seen: (string | ClosingInfo)[] = []
  ws.on('message', message => seen.push(String(message)))
  ws.on('closing', info => seen.push(info))
  ws.on('error', () => seen.push('error'))
  ws.on('close', () => seen.push('close'))
  return seen
}

for (const setup of SETUPS) {
  t.test(`${nameOf(setup)}: on the peer's Close, with ours as the answer, before the wire has ended`, async t => {
    const { ws, peer } = await open(t, setup)
    const seen = record(ws)
    const closing = once(ws, 'closing')
    peer.write(peer.frame(TEXT, 'last'), peer.frame(CLOSE, closeBody(3000, 'bye')))
    await closing
    const expected = { code: 3000, reason: 'bye', initiator: 'peer', error: null }
    t.strictSame(seen, ['last', expected])
    t.equal(ws.readyState, 'closing')
    t.match(await peer.nextFrame(), { opcode: CLOSE, payload: closeBody(3000, 'bye') })
    peer.end()
    await ws.whenClosed()
    await settle()
    t.strictSame(seen, ['last', expected, 'close'], 'once')
  })

  t.test(`${nameOf(setup)}: on our Close, when the peer has answered it`, async t => {
    const { ws, peer } = await open(t, setup)
    const seen = record(ws)
    ws.close(3001, 'enough')
    t.match(await peer.nextFrame(), { opcode: CLOSE })
    t.same(seen, [])
    const closing = once(ws, 'closing')
    peer.write(peer.frame(TEXT, 'late'), peer.frame(CLOSE, closeBody(3001)))
    await closing
    t.strictSame(seen, ['late', { code: 3001, reason: '', initiator: 'local', error: null }])
    peer.end()
    await ws.whenClosed()
  })

  t.test(`${nameOf(setup)}: on an error of the peer, before 'error'`, async t => {
    const { ws, peer } = await open(t, setup)
    const seen = record(ws)
    const closing = once(ws, 'closing')
    peer.send(TEXT, 'x', { rsv: 4 })
    await closing
    t.match(seen, [{ code: 1002, initiator: 'local', error: { code: 'WS_ERR_UNEXPECTED_RSV' } }])
    t.match(await peer.nextFrame(), { opcode: CLOSE })
    peer.end()
    await ws.whenClosed()
    await settle()
    t.match(seen.slice(1), ['error', 'close'])
  })

  t.test(`${nameOf(setup)}: on a lost wire`, async t => {
    const { ws, peer } = await open(t, setup)
    const seen = record(ws)
    const closing = once(ws, 'closing')
    peer.reset()
    await closing
    t.match(seen[0], { code: 1006, initiator: 'peer', error: { code: 'WS_ERR_CONNECTION_LOST' } })
    await ws.whenClosed()
    await settle()
    t.match(seen.slice(1), ['error', 'close'])
  })

  t.test(`${nameOf(setup)}: when destroyed by the application`, async t => {
    const { ws } = await open(t, setup)
    const seen = record(ws)
    ws.destroy()
    t.strictSame(seen, [{ code: 1006, reason: '', initiator: 'local', error: null }])
    await ws.whenClosed()
  })

  t.test(`${nameOf(setup)}: on a failed handshake`, async t => {
    const { ws, peer } = await fresh(t, setup)
    const seen = record(ws)
    const closing = once(ws, 'closing')
    peer.write(Buffer.from('nonsense\r\n\r\n'))
    await closing
    t.match(seen, [{ code: 1006, error: { code: 'WS_ERR_MALFORMED_HEAD' } }])
    peer.end()
    await ws.whenClosed()
  })
}

t.test('a Close waits for messages that are being inflated', async t => {
  const { server, client } = await ours(t, { extensions: [permessageDeflate({ threshold: 0 })] })
  const seen: unknown[] = []
  server.on('message', message => seen.push(message.length))
  server.on('closing', ({ code }) => seen.push(code))
  const closing = once(server, 'closing')
  const size = 2 ** 20
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * i) >> 3
  client.binary(bytes)
  client.close(3000)
  await closing
  t.same(seen, [size, 3000])
})

t.test('data that a listener sends is dropped, and flush writes the answer', async t => {
  const [left, right] = pair()
  const ws = WebSocketStream.http(parsedRequest()).attach(left)
  ws.accept()
  const peer = new RawPeer(right, 'client')
  await peer.head()
  ws.on('closing', () => {
    t.equal(ws.text('late'), false)
    const { sent } = left
    ws.flush()
    t.ok(left.sent > sent, 'the Close is out')
    throw new Error('a listener threw')
  })
  const thrown = new Promise(resolve => process.once('uncaughtException', resolve))
  t.capture(process, 'emitWarning')
  peer.send(BINARY, 'x')
  peer.close(1000)
  t.match(await thrown, { message: 'a listener threw' })
  peer.end()
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
})

for (const setup of IN_MEMORY) {
  t.test(`${nameOf(setup)}: destroyed while a Close waits for a full wire, it leaves no timer`, async t => {
    const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const before = timers()
    const { ws, socket } = await open(t, setup)
    for (let count = 0; count < 3; count++) ws.text('x'.repeat(2 ** 20))
    void ws.close()
    ws.destroy()
    socket.destroy()
    await ws.whenClosed()
    await settle(20)
    t.equal(timers(), before)
  })
}
