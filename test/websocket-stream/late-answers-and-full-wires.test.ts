// Rarely tested cases: wrong arguments, full wires, extensions that are slow or fail when the application responds late.

import { once } from 'node:events'
import t from 'tap'
import { Opcode, WebSocketStream } from '../../lib/index.js'
import { reverse, toy, turnsLater } from '../extensions/toys.js'
import { type PairEnd, pair } from '../support/pair.js'
import { IN_MEMORY, nameOf, open, ours, settle } from './sides.js'

const CONNECT = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':path': '/',
  ':authority': 'example.com',
  'sec-websocket-version': '13'
}

/** One end of a wire that looks like a stream of HTTP/2. */
function streamOf(end: PairEnd): { stream: never; heads: Record<string, unknown>[] } {
  const heads: Record<string, unknown>[] = []
  const respond = (head: Record<string, unknown>): void => void heads.push(head)
  return { stream: Object.assign(end, { respond, headersSent: false }) as never, heads }
}

t.test('a server cannot make an offer of extensions', async t => {
  const options = { extensions: 'foo' }
  t.throws(() => WebSocketStream.server(options), TypeError)
  t.throws(() => WebSocketStream.http({ method: 'GET', url: '/', headers: {} }, undefined, options), TypeError)
  t.throws(() => WebSocketStream.http2(streamOf(pair()[0]).stream, CONNECT, options), TypeError)
  t.throws(() => WebSocketStream.http2(streamOf(pair()[0]).stream, null as never), TypeError)
})

t.test('over HTTP/2 too, a late answer may be invalid, or fail', async t => {
  const oops = (): never => {
    throw new Error('oops')
  }
  const extensions = [toy('bad', { response: oops })]
  const { stream, heads } = streamOf(pair()[0])
  const ws = WebSocketStream.http2(stream, { ...CONNECT, 'sec-websocket-extensions': 'bad' }, { extensions })
  ws.on('request', () => {})
  await once(ws, 'request')
  await settle()
  t.throws(() => ws.accept({ extensions: '', protocol: 'chat' }), TypeError, 'a subprotocol that was not offered')
  t.equal(ws.accept(), false, 'an extension failed')
  await t.rejects(ws.opened, { code: 'WS_ERR_REJECTED' })
  t.equal(heads[0]?.[':status'], 500)
  ws.destroy()
})

t.test('data buffered by a slow extension is counted', async t => {
  const slow = { extensions: [reverse(turnsLater(5))] }
  const { server, client } = await ours(t, slow, slow)
  server.on('message', () => {})
  for (let i = 0; i < 10; i++) client.text('x'.repeat(100))
  t.ok(client.bufferedAmount >= 800, `${client.bufferedAmount} bytes`)
  for (let i = 0; i < 10; i++) await once(server, 'message')
  t.equal(client.bufferedAmount, 0)
})

for (const setup of IN_MEMORY) {
  t.test(`control frames that an application writes wait for a full wire: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.ok(ws.frames)
    peer.stream.pause()
    for (let i = 0; i < 20; i++) ws.frames.write({ opcode: Opcode.Binary, payload: Buffer.alloc(50_000) })
    await settle(20)
    const ping = new Promise(resolve => ws.frames.write({ opcode: Opcode.Ping, payload: 'p' }, resolve))
    await settle(5)
    peer.stream.resume()
    await ping
    ws.destroy()
  })

  t.test(`a message in pieces can be destroyed while the wire is full: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 50 })
    peer.stream.pause()
    const message = ws.createMessage('binary')
    const outcomes: unknown[] = []
    for (let i = 0; i < 20; i++) message.write(Buffer.alloc(50_000), (error: unknown) => outcomes.push(error))
    await settle(20)
    message.destroy()
    await ws.whenClosed()
    t.match(outcomes.at(-1), { code: /^(WS_ERR_NOT_OPEN|ERR_STREAM_DESTROYED)$/ })
    t.equal(outcomes.length, 20)
  })
}
