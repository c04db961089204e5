// pauseMessages and resumeMessages: messages wait for the 'message' listeners and for the view, and so does the wire.

import { once } from 'node:events'
import t from 'tap'
import { CLOSE, PONG } from '../support/raw-peer.js'
import { nameOf, open, SETUPS, settle } from './sides.js'

for (const setup of SETUPS) {
  t.test(`listeners get nothing until it is resumed: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    t.equal(ws.messagesArePaused, false)
    ws.pauseMessages()
    t.equal(ws.messagesArePaused, true)
    peer.text('one')
    peer.text('two')
    await settle(20)
    t.same(got, [])
    ws.resumeMessages()
    while (got.length < 2) await settle(1)
    t.same(got, ['one', 'two'])
    ws.resumeMessages()
    t.equal(ws.messagesArePaused, false)
  })

  t.test(`a listener that pauses gets no further message of the same chunk: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    ws.on('message', message => {
      got.push(message)
      ws.pauseMessages()
      setImmediate(() => ws.resumeMessages())
    })
    peer.write(...['a', 'b', 'c'].map(text => peer.frame(1, text)), peer.frame(9, 'x'))
    await once(ws, 'message')
    t.same(got, ['a'])
    t.match(await peer.nextFrame(), { opcode: PONG }, 'a Ping is no message')
    while (got.length < 3) await settle(1)
    t.same(got, ['a', 'b', 'c'])
  })
}

for (const setup of SETUPS.filter(({ wire }) => wire === 'tcp')) {
  t.test(`backpressure slows down the peer: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    let count = 0
    ws.on('message', () => count++)
    ws.pauseMessages()
    const chunk = peer.frame(2, Buffer.alloc(65536))
    let sent = 0
    while (peer.stream.write(chunk) || sent < 100) sent++
    await settle(50)
    t.ok(peer.stream.writableLength > 0, 'the wire is full')
    t.equal(count, 0)
    ws.resumeMessages()
    await once(peer.stream, 'drain')
    while (count < sent) await settle(1)
  })
}

t.test('a Close after waiting messages is answered when they have been read', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  const got: unknown[] = []
  ws.on('message', message => got.push(message))
  ws.pauseMessages()
  peer.write(peer.frame(1, 'last'), peer.frame(CLOSE))
  await settle(20)
  t.equal(ws.readyState, 'open')
  ws.resumeMessages()
  t.equal((await peer.nextFrame())?.opcode, CLOSE)
  peer.end()
  t.match(await ws.whenClosed(), { code: 1005, wasClean: true })
  t.same(got, ['last'])
})

t.test('pauseMessages() stops the messages view too', async t => {
  const { ws, peer } = await open(t, { role: 'client', join: 'attach', wire: 'memory' })
  const got: unknown[] = []
  ws.messages.on('data', message => got.push(message))
  ws.pauseMessages()
  peer.text('hello')
  await settle(20)
  t.same(got, [])
  ws.resumeMessages()
  while (got.length === 0) await settle(1)
  t.same(got, ['hello'])
})

t.test('messages may be paused before there are listeners, and not with another view', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  ws.resumeMessages()
  ws.pauseMessages()
  t.throws(() => ws.streams, { message: /already read through ws.messages/ })
  peer.text('early')
  await settle(20)
  const message = once(ws, 'message')
  ws.resumeMessages()
  t.equal((await message)[0], 'early')
  const other = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  other.ws.frames.resume()
  t.throws(() => other.ws.pauseMessages(), TypeError)
})
