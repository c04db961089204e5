// Pings and pongs that keep their place among messages, Pings that the application answers, and a Close without a code.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { BINARY, CLOSE, PING, PONG, readClose, TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, SETUPS, settle, shake } from './sides.js'

for (const setup of SETUPS) {
  t.test(`a Close without a code: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const closed = ws.close(null)
    const frame = await peer.nextFrame()
    t.match(frame, { opcode: CLOSE })
    t.equal(frame?.payload.length, 0)
    peer.send(CLOSE)
    peer.end()
    t.same(await closed, { code: 1005, reason: '', wasClean: true, initiator: 'local' })
    t.throws(() => ws.close(null, 'why'), { name: 'TypeError', message: 'a Close without a code cannot have a reason' })
  })
}

t.test('the other side reports it as 1005', async t => {
  const { server, client } = await ours(t)
  client.close(null)
  t.match(await server.whenClosed(), { code: 1005, wasClean: true, initiator: 'peer' })
})

for (const setup of IN_MEMORY) {
  t.test(`in order, pings and pongs follow messages sent before: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { fragmentSize: 4 })
    ws.text('abcd')
    ws.ping('in order', { inOrder: true })
    ws.text('efgh')
    t.equal(ws.pong('in order too', { inOrder: true }), true)
    ws.ping('ahead', {})
    const seen = []
    for (let i = 0; i < 5; i++) seen.push((await peer.nextFrame())?.payload.toString())
    t.same(seen, ['ahead', 'abcd', 'in order', 'efgh', 'in order too'])
    t.throws(() => ws.ping('', { inOrder: 1 as never }), { message: 'inOrder must be a boolean' })
    t.throws(() => ws.pong('', { inOrder: 'yes' as never }), TypeError)
  })

  t.test(`on a full wire, and before the handshake: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    ws.text('first')
    ws.ping('early', { inOrder: true })
    await shake(peer, setup.role)
    t.equal((await peer.nextFrame())?.opcode, TEXT)
    t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.from('early') })
    await ws.opened
    peer.stream.pause()
    for (let i = 0; i < 4; i++) ws.messages.write(Buffer.alloc(65536, i))
    ws.ping('late', { inOrder: true })
    ws.messages.write('behind')
    const drained = ws.drained()
    peer.stream.resume()
    for (let i = 0; i < 4; i++) t.match(await peer.nextFrame(), { opcode: BINARY })
    t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.from('late') })
    t.match(await peer.nextFrame(), { opcode: TEXT })
    await drained
  })

  t.test(`without autoPong, the application must answer: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { autoPong: false })
    peer.send(PING, 'one')
    const [payload] = (await once(ws, 'ping')) as [Buffer]
    t.equal(payload.toString(), 'one')
    ws.text('nothing before this')
    t.match(await peer.nextFrame(), { opcode: TEXT })
    ws.pong(payload)
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('one') })
  })

  t.test(`the ping event is emitted when its Pong is being sent: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('ping', () => ws.pong('mine'))
    peer.send(PING, 'theirs')
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('theirs') })
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('mine') })
  })
}

t.test('after messages that are being compressed', async t => {
  const { server, client } = await ours(t, { extensions: [permessageDeflate()] })
  const seen: string[] = []
  server.on('message', message => seen.push(`${message.length}`))
  server.on('ping', payload => seen.push(payload.toString()))
  client.text('long '.repeat(30_000))
  client.ping('in order', { inOrder: true })
  client.text('short')
  while (seen.length < 3) await settle(1)
  t.same(seen, ['150000', 'in order', '5'])
})

t.test('the drafts have no pings, in order or not', async t => {
  const { pair } = await import('../support/pair.js')
  const { request75 } = await import('../support/draft-requests.js')
  const [left, right] = pair()
  const ws = WebSocketStream.server({ allowDrafts: true }).attach(left)
  ws.ping('early', { inOrder: true }).catch(() => {})
  right.write(request75())
  await ws.opened
  ws.text('hello')
  let bytes = Buffer.alloc(0)
  while (!bytes.includes(Buffer.from('\0hello\xff', 'latin1'))) {
    const [chunk] = (await once(right, 'data')) as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
  }
  t.notOk(bytes.includes('early'))
  ws.destroy()
})

t.test('a Close with a code is read as usual', async t => {
  const { ws, peer } = await open(t, IN_MEMORY[0]!)
  ws.close(4000, 'done')
  t.same(readClose(await peer.nextFrame()), { code: 4000, reason: 'done' })
})
