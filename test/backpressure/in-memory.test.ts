// A side that does not read stops the other side from writing: counted in bytes, on wires in memory.

import { once } from 'node:events'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { PairEnd } from '../support/pair.js'
import {
  answerHead,
  BINARY,
  PING,
  PONG,
  RawPeer,
  readClose,
  requestHead,
  TEXT,
  wireFrame
} from '../support/raw-peer.js'
import { joinTo, open, settle, shake } from '../websocket-stream/sides.js'

const SIZE = 1000
const COUNT = 200
const HIGH_WATER = 16384

/** Whether a stream accepts no more, not even later. */
async function staysFull(stream: PairEnd): Promise<boolean> {
  if (stream.writableNeedDrain) await quiet(stream)
  return stream.writableNeedDrain
}

/** Waits until nothing more leaves an end of the wire. */
async function quiet(end: PairEnd): Promise<void> {
  for (let sent = -1; sent !== end.sent; ) {
    sent = end.sent
    await settle(20)
  }
}

/** A connection that the test reads and writes by hand. */
async function byHand(role: 'server' | 'client') {
  const masked = role === 'server'
  const ws = role === 'server' ? WebSocketStream.server() : WebSocketStream.client('ws://example.com/')
  if (role === 'server') {
    ws.write(requestHead())
  } else {
    const [right, left] = PairEnd.join()
    const peer = new RawPeer(right, 'server')
    ws.pipe(left, { end: false })
    ws.write(answerHead(await peer.head()))
    ws.unpipe(left)
  }
  await ws.opened
  await settle(2)
  ws.read()
  return { ws, frame: (i: number) => wireFrame(BINARY, Buffer.alloc(SIZE, i), { masked }) }
}

for (const role of ['server', 'client'] as const) {
  t.test(`an application that does not read stops its input inside a chunk: ${role}`, async t => {
    const { ws, frame } = await byHand(role)
    const chunk = Buffer.concat(Array.from({ length: COUNT }, (_, i) => frame(i)))
    let drained = false
    ws.on('drain', () => {
      drained = true
    })
    t.equal(ws.write(chunk), false, 'write() says so at once')
    await settle()
    t.equal(ws.writableLength, chunk.length, 'the chunk is not used up')
    const view = ws.messages
    for (let i = 0; i < COUNT; i++) {
      t.equal(drained, false)
      if (view.readableLength === 0) await once(view, 'readable')
      t.ok((view.read() as Buffer).equals(Buffer.alloc(SIZE, i)))
      t.ok(view.readableLength <= 1, 'one message at a time')
      await settle(1)
    }
    await settle()
    t.equal(drained, true)
    t.equal(ws.writableLength, 0)
    t.equal(ws.writableNeedDrain, false)
    view.on('data', () => {})
    await settle(1)
    t.equal(ws.write(frame(1)), true)
    ws.destroy()
    await ws.whenClosed()
  })
}

for (const role of ['server', 'client'] as const) {
  for (const join of ['attach', 'pipe'] as const) {
    const setup = { role, join, wire: 'memory' } as const

    t.test(`unread messages stay with the peer: ${role}, ${join}`, async t => {
      const { ws, peer } = await open(t, setup)
      const stream = peer.stream as PairEnd
      const message = Buffer.alloc(SIZE, 'x')
      const before = stream.sent
      const total = 2 * 1024 * 1024
      let offered = 0
      let told = 0
      const offer = async (): Promise<void> => {
        while (offered < total) {
          offered += SIZE
          if (peer.send(BINARY, message)) continue
          told++
          await once(stream, 'drain')
        }
      }
      const offering = offer()
      await quiet(stream)
      const taken = stream.sent - before
      t.ok(told > 0, 'the peer is told to wait')
      // the stream's buffer, ours, one chunk being processed, one on its way
      t.ok(taken <= 5 * HIGH_WATER, `${taken} bytes were taken`)
      await settle(100)
      t.equal(stream.sent - before, taken, 'and no more, whatever the time')
      let received = 0
      ws.messages.on('data', data => {
        received += data.length
      })
      await offering
      while (received < offered) await once(ws.messages, 'data')
      t.equal(received, offered, 'all arrives once somebody reads')
    })

    t.test(`messages written to a blocked wire wait: ${role}, ${join}`, async t => {
      const highWaterMark = 20_000
      const { ws, peer, socket } = await open(t, setup, { highWaterMark })
      peer.stream.pause()
      const view = ws.messages
      let written = 0
      let called = 0
      let most = 0
      const write = (): boolean => {
        const more = view.write(Buffer.alloc(SIZE, written++), () => called++)
        most = Math.max(most, ws.bufferedAmount)
        return more
      }
      for (let blocked = 0; blocked < 3; ) {
        if (write()) blocked = 0
        else blocked++
        await settle(2)
      }
      await settle(50)
      t.ok(called < written, 'a callback waits')
      const waiting = called
      await settle(50)
      t.equal(called, waiting)
      t.equal(view.writableNeedDrain, true)
      t.ok(ws.bufferedAmount >= highWaterMark - SIZE)
      t.ok(most <= highWaterMark + HIGH_WATER + 5 * SIZE, `${most} bytes were held at most`)
      t.equal(ws.text('one more'), true)
      t.ok(socket.writableLength + ws.readableLength <= HIGH_WATER + 2 * SIZE)
      const drained = once(view, 'drain')
      peer.stream.resume()
      await drained
      for (let i = 0; i < written; i++) t.ok((await peer.nextFrame())!.payload.equals(Buffer.alloc(SIZE, i)))
      t.equal(String((await peer.nextFrame())!.payload), 'one more')
      await settle()
      t.equal(called, written)
      t.equal(ws.bufferedAmount, 0)
      t.equal(ws.text('again'), true)
    })

    t.test(`A17: one large message to a blocked wire is buffered once: ${role}, ${join}`, async t => {
      const { ws, peer } = await open(t, setup)
      peer.stream.pause()
      const size = 1024 * 1024
      // a pipe passes one chunk on before it reports that it is full, and a stream keeps one
      const most = join === 'attach' ? 2 : 4
      let count = 0
      do {
        ws.binary(Buffer.alloc(size, count++))
        await settle()
      } while (!ws.needsDrain)
      t.ok(count <= most, `${count} messages`)
      t.ok(ws.bufferedAmount <= count * (size + 14))
      peer.stream.resume()
      for (let i = 0; i < count; i++) t.ok((await peer.nextFrame())!.payload.equals(Buffer.alloc(size, i)))
    })

    t.test(`A12: a flood of Pings by a peer that reads nothing: ${role}, ${join}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const stream = peer.stream as PairEnd
      stream.pause()
      const payload = (i: number): Buffer => Buffer.alloc(125, `ping ${i} `)
      let pings = 0
      let more = true
      let most = 0
      while (more && pings < 200_000) {
        more = peer.send(PING, payload(pings++))
        if (more) continue
        more = !(await staysFull(stream))
        most = Math.max(most, ws.bufferedAmount)
      }
      t.equal(more, false, 'its input stops')
      // on a busy machine its patience may end while this waits, and 1024 more are read
      t.ok(pings * 131 < 24 * HIGH_WATER, `after ${pings} Pings`)
      t.ok(most <= 2 * HIGH_WATER, `${most} bytes of Pongs were held at most`)
      // and goes on when the peer reads
      stream.resume()
      if (stream.writableNeedDrain) await once(stream, 'drain')
      peer.send(PING, 'last')
      for (;;) {
        const frame = await peer.nextFrame()
        t.equal(frame?.opcode, PONG)
        if (frame === undefined || String(frame.payload) === 'last') break
      }
      ws.close()
      t.equal((await peer.answerClose()).code, 1000)
      t.match(await ws.whenClosed(), { wasClean: true })
    })

    t.test(`input waits while its answers cannot be sent: ${role}, ${join}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      ws.messages.pipe(ws.messages)
      const stream = peer.stream as PairEnd
      stream.pause()
      let sent = 0
      while (sent < 100_000 && !(await staysFull(stream))) peer.text(`echo ${sent++}`)
      t.ok(sent * 10 < 40 * 65536)
      t.ok(ws.bufferedAmount <= 65536 + 2 * HIGH_WATER)
      stream.resume()
      for (let i = 0; i < sent; i++) {
        const frame = await peer.nextFrame()
        if (String(frame?.payload) !== `echo ${i}`) t.fail(`${i}: ${frame?.payload}`)
      }
      peer.close()
      readClose(await peer.nextFrame())
    })
  }
}

t.test('before the handshake, at most highWaterMark is buffered', async t => {
  for (const join of ['attach', 'pipe'] as const) {
    const [ours, theirs] = PairEnd.join()
    const ws = WebSocketStream.server({ highWaterMark: 5 * SIZE })
    joinTo(ws, ours, join)
    t.teardown(() => ws.destroy())
    let count = 0
    while (ws.messages.write(Buffer.alloc(SIZE, count++)));
    t.ok(count <= 6, `${count} messages`)
    t.equal(ws.binary(Buffer.alloc(SIZE, count++)), true)
    t.equal(ws.needsDrain, true)
    t.ok(ws.bufferedAmount <= 7 * (SIZE + 4))
    const peer = new RawPeer(theirs, 'client')
    await shake(peer, 'server')
    for (let i = 0; i < count; i++) t.ok((await peer.nextFrame())!.payload.equals(Buffer.alloc(SIZE, i)))
    await settle()
    t.equal(ws.bufferedAmount, 0)
  }
})

t.test('bytes that arrive before the response to the request stay with the peer', async t => {
  const [ours, theirs] = PairEnd.join()
  const ws = WebSocketStream.server().attach(ours)
  t.teardown(() => ws.destroy())
  const asked = once(ws, 'request')
  const peer = new RawPeer(theirs, 'client')
  peer.write(requestHead())
  await asked
  let sent = 0
  while (!(await staysFull(theirs))) {
    peer.send(TEXT, Buffer.alloc(SIZE, 'x'))
    sent++
  }
  t.ok(sent * SIZE < 6 * HIGH_WATER, `${sent} messages`)
  ws.accept()
  let received = 0
  ws.on('message', () => received++)
  await settle(200)
  t.equal(received, sent)
})
