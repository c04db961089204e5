// Full wires: what waits for them, what happens when they break with unread data, and several waiters at once.

import { once } from 'node:events'
import t from 'tap'
import { prepareMessage, type WebSocketStream } from '../../lib/index.js'
import { Uncaught } from '../matrix/exceptions/uncaught.js'
import { BINARY, CLOSE, PING, PONG, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, SETUPS, settle } from './sides.js'

const MIB = 2 ** 20

async function fill(ws: WebSocketStream): Promise<void> {
  while (!ws.needsDrain) {
    ws.binary(Buffer.alloc(65_536))
    await settle(1)
  }
}

for (const setup of IN_MEMORY) {
  t.test(`a view opened when the wire is already full emits 'drain': ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    await fill(ws)
    const { messages } = ws
    t.equal(messages.writableNeedDrain, true)
    const drained = once(messages, 'drain')
    peer.stream.resume()
    await drained
    t.equal(messages.write('goes on'), true)
    for (let text = ''; text !== 'goes on'; ) text = (await peer.nextFrame())!.payload.toString()
  })

  t.test(`control frames of the frames view wait for a full wire, and continue with it: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const { frames } = ws
    frames.resume()
    peer.stream.pause()
    while (frames.write({ opcode: 2, payload: Buffer.alloc(65_536) })) await settle(1)
    const drained = once(frames, 'drain')
    const called: string[] = []
    for (const payload of ['a', 'b', 'c']) {
      t.equal(
        frames.write({ opcode: PING, payload }, () => called.push(payload)),
        false
      )
    }
    await settle()
    t.same(called, [])
    peer.stream.resume()
    const pings: string[] = []
    while (pings.length < 3) {
      const frame = (await peer.nextFrame())!
      if (frame.opcode === PING) pings.push(frame.payload.toString())
    }
    t.same(pings, ['a', 'b', 'c'])
    await drained
    await settle()
    t.same(called, ['a', 'b', 'c'])
  })

  t.test(
    `several callers wait for a full wire, each until its own data is written: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      peer.stream.pause()
      const order: number[] = []
      const all = [1, 2, 3].map(async number => {
        ws.binary(Buffer.alloc(3 * MIB, number))
        await ws.drained()
        order.push(number)
      })
      await settle(10)
      t.same(order, [])
      peer.stream.resume()
      for (let i = 0; i < 3; i++) t.equal((await peer.nextFrame())?.payload[0], i + 1)
      await Promise.all(all)
      t.same(order, [1, 2, 3])
    }
  )

  t.test(`messages that wait for one in pieces fail when the connection ends: ${nameOf(setup)}`, async t => {
    const { ws } = await open(t, setup)
    const writer = ws.createMessage('text')
    writer.write('begun')
    ws.text('waits')
    const failed: unknown[] = []
    ws.createMessage('binary').end('waits too', () => {})
    ws.messages.write('and this', error => failed.push((error as { code?: string } | null)?.code))
    ws.destroy()
    await ws.whenClosed()
    await settle()
    t.same(failed, ['WS_ERR_NOT_OPEN'])
    t.equal(ws.bufferedAmount >= 0, true)
  })

  t.test(`a close waits for messages in pieces that have ended: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    for (const number of [1, 2, 3]) ws.createMessage('binary').end(Buffer.alloc(MIB, number))
    const closed = ws.close(4000)
    await settle(10)
    peer.stream.resume()
    const seen: number[] = []
    let frame = await peer.nextFrame()
    for (; frame?.opcode !== CLOSE; frame = await peer.nextFrame()) {
      if (frame!.payload.length > 0) seen.push(frame!.payload[0]!)
    }
    t.same(seen, [1, 2, 3])
    peer.send(CLOSE, frame.payload)
    peer.end()
    t.match(await closed, { code: 4000, wasClean: true })
  })

  t.test(
    `data read from the wire is delivered even if the stream of the wire is destroyed: ${nameOf(setup)}`,
    async t => {
      const { ws, peer, socket } = await open(t, setup)
      const got: unknown[] = []
      ws.on('error', () => {})
      const reader = ws.messages[Symbol.asyncIterator]()
      // the first ones fill the encoder's buffer, and the others wait in the stream
      const chunks = Array.from({ length: 12 }, (_, i) => peer.frame(BINARY, Buffer.alloc(9000, i)))
      for (const chunk of chunks) {
        socket.push(chunk)
        await settle(1)
      }
      t.ok(socket.readableLength > 0, `${socket.readableLength} bytes wait in it`)
      socket.destroy()
      await ws.whenClosed()
      try {
        for (let item = await reader.next(); !item.done; item = await reader.next()) got.push(item.value[0])
      } catch (error) {
        t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })
      }
      t.same(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    }
  )
}

for (const setup of SETUPS) {
  t.test(`a prepared message is written by itself, or with others: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const prepared = prepareMessage(Buffer.alloc(1000, 7))
    ws.send(prepared)
    t.ok((await peer.nextFrame())?.payload.equals(Buffer.alloc(1000, 7)))
    ws.send('a')
    ws.send(prepared)
    t.equal((await peer.nextFrame())?.payload.toString(), 'a')
    t.ok((await peer.nextFrame())?.payload.equals(Buffer.alloc(1000, 7)))
  })
}

for (const role of ['server', 'client'] as const) {
  t.test(`bytes written to an attached connection are reported as a mistake, and it continues: ${role}`, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
    t.equal(ws.write('not a message'), false)
    await settle()
    const errors: Error[] = []
    ws.on('error', error => errors.push(error))
    const called = new Promise(resolve => ws.write(Buffer.from('x'), resolve))
    t.match(await called, { name: 'TypeError' })
    await settle()
    t.match(errors, [{ name: 'TypeError' }])
    ws.text('goes on')
    t.equal((await peer.nextFrame())?.payload.toString(), 'goes on')
  })

  t.test(`a peer that pings without reading is read after a while: ${role}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
    let pings = 0
    ws.on('message', () => {})
    ws.on('ping', () => pings++)
    peer.stream.pause()
    await fill(ws)
    peer.send(PING, 'first')
    peer.send(PING, 'second')
    peer.text('behind')
    const [message] = (await once(ws, 'message')) as [string]
    t.equal(message, 'behind')
    t.equal(pings, 2)
    peer.stream.resume()
    let pong = await peer.nextFrame()
    while (pong?.opcode !== PONG) pong = await peer.nextFrame()
    t.equal(pong.payload.toString(), 'second')
  })

  t.test(`a 'readable' listener that throws is called again for the rest: ${role}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'tcp' })
    const uncaught = new Uncaught()
    uncaught.start()
    t.teardown(() => uncaught.stop())
    const got: unknown[] = []
    const { messages } = ws
    messages.on('readable', () => {
      for (let message = messages.read(); message !== null; message = messages.read()) {
        got.push(message)
        if (got.length === 1) throw new Error('the application')
      }
    })
    peer.write(...['a', 'b', 'c'].map(text => peer.frame(TEXT, text)))
    while (got.length < 3) await settle(1)
    uncaught.stop()
    t.same(got, ['a', 'b', 'c'])
    t.equal(uncaught.errors.length, 1)
  })
}

for (const setup of IN_MEMORY) {
  t.test(
    `for a control frame on a full wire write returns false, even if there is room for data: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await open(t, setup)
      const { frames } = ws
      frames.resume()
      await settle()
      peer.stream.pause()
      for (let i = 0; i < 3; i++) {
        t.equal(frames.write({ opcode: 2, payload: Buffer.alloc(20_000) }), true)
        await settle()
      }
      const drained = once(frames, 'drain')
      t.equal(frames.write({ opcode: PING, payload: 'x' }), false)
      peer.stream.resume()
      let frame = await peer.nextFrame()
      while (frame?.opcode === BINARY) frame = await peer.nextFrame()
      t.equal(frame?.opcode, PING)
      await drained
      t.equal(frames.write({ opcode: PING, payload: 'y' }), true)
    }
  )

  t.test(`drained() after the end of a view tells how that ended: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    for (const way of ['written', 'destroyed'] as const) {
      const { ws, peer } = await open(t, setup)
      ws.messages.resume()
      peer.stream.pause()
      await fill(ws)
      for (let i = 0; i < 5; i++) ws.messages.write(Buffer.alloc(30_000))
      ws.messages.end()
      const drained = ws.drained()
      if (way === 'destroyed') {
        ws.destroy()
        await t.rejects(drained, { code: 'WS_ERR_NOT_OPEN' })
      } else {
        peer.stream.resume()
        await peer.answerClose()
        peer.end()
        await drained
        t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      }
    }
  })

  t.test(`a connection may end while Pings wait for their answers to be sent: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('message', () => {})
    peer.stream.pause()
    await fill(ws)
    peer.write(peer.frame(PING, 'first'), peer.frame(PING, 'second'), peer.frame(TEXT, 'behind'))
    await settle()
    ws.destroy()
    t.match(await ws.whenClosed(), { code: 1006 })
  })
}
