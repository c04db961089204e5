// `start` sends this side's part of the handshake in the turn of the call, and `flush` everything sent since.

import { once } from 'node:events'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { toy } from '../extensions/toys.js'
import { pair } from '../support/pair.js'
import { answerHead, RawPeer, requestHead, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, make, nameOf, open, parsedRequest, rejection, SETUPS, type TestLike } from './sides.js'

function wire(t: TestLike) {
  const [left, right] = pair()
  const written: string[] = []
  const write = left.write.bind(left) as (...args: unknown[]) => boolean
  left.write = ((chunk: Buffer, ...rest: unknown[]) => {
    written.push(chunk.toString('latin1'))
    return write(chunk, ...rest)
  }) as typeof left.write
  t.teardown(() => left.destroy())
  return { left, right, written }
}

for (const join of ['attach', 'pipe'] as const) {
  t.test(`${join}: the request has been sent when start returns`, async t => {
    const { left, right, written } = wire(t)
    const ws = make('client')
    t.equal(ws.start(), false, 'there is no wire')
    if (join === 'attach') ws.attach(left)
    else left.pipe(ws).pipe(left)
    ws.setHeader('X-A', 'b')
    t.same(written, [])
    t.equal(ws.start(), true)
    t.match(written, [/^GET \/chat HTTP\/1\.1\r\n.*X-A: b/s])
    t.equal(ws.start(), false, 'only once')
    const peer = new RawPeer(right, 'server')
    peer.write(answerHead(await peer.head()))
    await ws.opened
    t.equal(ws.start(), false)
    t.equal(written.length, 1)
    ws.destroy()
  })
}

t.test('if an extension fails, a client sends nothing, and start returns false', async t => {
  const { left, written } = wire(t)
  const oops = (): never => {
    throw new Error('oops')
  }
  const ws = make('client', { extensions: [toy('bad', { offer: oops as never })] }).attach(left)
  t.equal(ws.start(), false)
  t.same(written, [])
  t.match(await rejection(ws.opened), { code: 'WS_ERR_EXTENSION' })
})

t.test('on a server start accepts', async t => {
  const { left, written } = wire(t)
  const ws = WebSocketStream.http(parsedRequest()).attach(left)
  t.equal(ws.start(), true)
  t.match(written, [/^HTTP\/1\.1 101 /])
  t.equal(ws.start(), false)
  ws.destroy()
  const [ours, theirs] = pair()
  const early = WebSocketStream.server().attach(ours)
  early.on('request', () => t.fail('it is accepted already'))
  t.equal(early.start(), true, 'a request is still to come')
  new RawPeer(theirs, 'client').write(requestHead())
  await early.opened
  early.destroy()
})

for (const setup of IN_MEMORY) {
  t.test(`${nameOf(setup)}: frames of one turn are written together, and at once with flush`, async t => {
    const { ws, socket, peer } = await open(t, setup)
    const sizes: number[] = []
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    socket.write = ((chunk: Buffer, ...rest: unknown[]) => {
      sizes.push(chunk.length)
      return write(chunk, ...rest)
    }) as typeof socket.write
    ws.flush()
    t.same(sizes, [], 'nothing waits')
    ws.text('one')
    ws.pong('two')
    t.same(sizes, [])
    t.equal(ws.flush(), true, 'the wire takes more')
    t.equal(sizes.length, 1)
    ws.text('three')
    ws.flush()
    t.equal(sizes.length, 2)
    ws.text('four')
    await new Promise(setImmediate)
    t.equal(sizes.length, 3)
    for (let count = 0; count < 4; count++) await peer.nextFrame()
    ws.on('message', message => {
      ws.text(String(message))
      t.equal(sizes.length, 3, 'what answers a chunk waits for its end')
      ws.flush()
      t.equal(sizes.length, 4, 'but not with flush')
    })
    const message = once(ws, 'message')
    peer.send(TEXT, 'five')
    await message
    t.match(await peer.nextFrame(), { payload: Buffer.from('five') })
  })
}

for (const setup of SETUPS) {
  t.test(`${nameOf(setup)}: flush returns false while the wire is full`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    while (ws.flush()) ws.binary(Buffer.alloc(65536))
    t.equal(ws.flush(), false)
    peer.stream.resume()
    await ws.drained()
    t.equal(ws.flush(), true)
  })
}

t.test('before the handshake, flush sends nothing', async t => {
  const { left, written } = wire(t)
  const ws = make('client').attach(left)
  ws.text('early')
  t.equal(ws.flush(), false)
  t.same(written, [])
  ws.destroy()
  ws.flush()
})
