// An application that reads slowly, stops, or never reads: data that has arrived is delivered, and the end is noticed.

import { once } from 'node:events'
import t from 'tap'
import { BINARY, CLOSE, closeBody, PING, PONG, TEXT } from '../support/raw-peer.js'
import { collect, nameOf, open, ours, SETUPS, settle } from './sides.js'

for (const setup of SETUPS) {
  t.test(`messages that were read survive a write that fails: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer, socket } = await open(t, setup)
    const failures: unknown[] = []
    const got: number[] = []
    const reading = (async () => {
      for await (const message of ws.messages) {
        got.push(message.length)
        // replies, to a peer that has gone
        if (got.length > 5) ws.messages.write(`seen ${message.length}`, error => failures.push(error))
        if (got.length === 5) peer.stream.destroy()
        await settle(2)
      }
    })()
    const frames = Array.from({ length: 8 }, (_, i) => peer.frame(BINARY, Buffer.alloc(100 + i)))
    peer.write(...frames, peer.frame(CLOSE, closeBody(4000, 'gone')))
    await reading.catch(() => {})
    t.same(got, [100, 101, 102, 103, 104, 105, 106, 107])
    t.match(await ws.whenClosed(), { code: 4000, reason: 'gone', initiator: 'peer' })
    t.equal(socket.destroyed, true)
  })

  for (const error of [undefined, new Error('it broke')]) {
    const how = error === undefined ? 'is destroyed' : 'breaks'
    if (setup.wire !== 'memory') continue
    t.test(
      `data that waits in a wire that ${how} is read to its end: ${nameOf(setup)}`,
      { timeout: 60_000 },
      async t => {
        const { ws, peer, socket } = await open(t, setup)
        ws.on('error', () => {})
        socket.on('error', () => {})
        const reader = ws.messages[Symbol.asyncIterator]()
        socket.push(peer.frame(TEXT, 'first'))
        t.match(await reader.next(), { value: 'first' })
        for (let i = 0; i < 40; i++) socket.push(peer.frame(BINARY, Buffer.alloc(10_000, i)))
        socket.push(peer.frame(CLOSE, closeBody(4000, 'gone')))
        await settle()
        t.ok(socket.readableLength > 10_000, 'the application is behind')
        socket.destroy(error)
        await settle()
        const got: unknown[] = []
        for (let item = await reader.next(); item.done !== true; item = await reader.next()) got.push(item.value[0])
        t.same(got, [...Array(40).keys()])
        t.match(await ws.whenClosed(), { code: 4000, reason: 'gone', initiator: 'peer' })
      }
    )
  }

  t.test(`the answer to a close is noticed after unread messages: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 300 })
    const errors: unknown[] = []
    ws.on('error', error => errors.push(error))
    const got: unknown[] = []
    ws.messages.on('data', message => got.push(message))
    peer.text('read')
    while (got.length === 0) await settle(1)
    ws.messages.pause()
    let size = 0
    while (size < 400_000) {
      const frame = peer.frame(BINARY, Buffer.alloc(10_000))
      peer.write(frame)
      size += frame.length
      await settle(1)
    }
    ws.close(4000, 'enough')
    const answered = peer.answerClose()
    t.same(await ws.whenClosed(), { code: 4000, reason: 'enough', wasClean: true, initiator: 'local' })
    t.same(await answered, { code: 4000, reason: 'enough' })
    t.same(errors, [])
    t.same(got, ['read'])
  })

  t.test(
    `a peer that leaves is noticed although its messages are unread: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      for (const way of ['nothing is touched', 'the view is there for writing', 'discardMessages()'] as const) {
        const { ws, peer } = await open(t, setup)
        ws.on('error', () => {})
        if (way === 'the view is there for writing') ws.messages.write('tick')
        if (way === 'discardMessages()') ws.discardMessages()
        peer.text('hello')
        peer.send(BINARY, Buffer.alloc(1000))
        await settle()
        peer.stream.destroy()
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false }, way)
      }
    }
  )

  t.test(
    `a peer that closes is answered although its messages are unread: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      for (const way of ['nothing is touched', 'the view is there for writing', 'discardMessages()'] as const) {
        const { ws, peer } = await open(t, setup)
        if (way === 'the view is there for writing') ws.messages.write('tick')
        if (way === 'discardMessages()') ws.discardMessages()
        peer.write(peer.frame(TEXT, 'hello'), peer.frame(CLOSE, closeBody(4000)))
        if (way === 'the view is there for writing') await peer.nextFrame()
        t.equal((await peer.nextFrame())?.opcode, CLOSE, way)
        peer.end()
        t.match(await ws.whenClosed(), { code: 4000, wasClean: true }, way)
      }
    }
  )

  t.test(
    `discardMessages() drops waiting and further messages, and Pings are answered: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
      peer.text('waits')
      await settle()
      ws.discardMessages()
      for (let i = 0; i < 50; i++) {
        peer.write(peer.frame(BINARY, Buffer.alloc(2000)), peer.frame(PING, String(i)))
        t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from(String(i)) })
      }
      ws.discardMessages()
      const { stats } = ws
      t.equal(stats.messagesReceived, 51)
      t.equal(stats.inputBlocked >= 0, true)
      peer.close(4000)
      await peer.nextFrame()
      peer.end()
      t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
    }
  )

  t.test(`discardMessages() checks messages as usual: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup)
    ws.discardMessages()
    ws.on('error', () => {})
    peer.send(TEXT, Buffer.from([0xff]))
    const { code } = await peer.answerClose()
    t.ok(code === 1007 || code === 1002, `closed with ${code}`)
    t.equal(code, 1007)
  })
}

t.test('discardMessages() throws if another view reads', async t => {
  const { server, client } = await ours(t)
  server.streams.resume()
  client.frames.resume()
  t.throws(() => server.discardMessages(), TypeError)
  t.throws(() => client.discardMessages(), TypeError)
})

t.test('discarded messages do not come back with a listener', async t => {
  const { server, client } = await ours(t)
  server.discardMessages()
  client.text('dropped')
  await client.drained()
  const got: unknown[] = []
  server.on('message', message => got.push(message))
  client.text('dropped too')
  client.close()
  await server.whenClosed()
  t.same(got, [])
  t.same(await collect(server.messages), { got: [], error: null })
})

t.test('a view that writes and does not read buffers at most highWaterMark, and continues when it is read', async t => {
  const { server, client } = await ours(t, { highWaterMark: 10_000 })
  server.messages.write('for writing only')
  let sent = 0
  while (!client.needsDrain && sent < 10_000_000) {
    client.binary(Buffer.alloc(5000, sent))
    sent += 5000
    await settle(1)
  }
  t.ok(sent < 10_000_000, `the sender is told to wait after ${sent} bytes`)
  let got = 0
  server.messages.on('data', message => {
    got += message.length
  })
  client.messages.resume()
  client.close()
  await once(server.messages, 'end')
  t.equal(got, sent)
})
