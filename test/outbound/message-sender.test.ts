// What becomes of data and of a Close that are sent when the view has been destroyed, or while other data waits.

import { once } from 'node:events'
import t from 'tap'
import { prepareMessage, type WebSocketStream } from '../../lib/index.js'
import { CLOSE, type RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, rejection, settle } from '../websocket-stream/sides.js'

const BIG = Buffer.alloc(100_000)

/** Stops the peer, and writes to the view until writes wait there. */
async function fill(ws: WebSocketStream, peer: RawPeer): Promise<void> {
  peer.stream.pause()
  while (ws.messages.writableLength < 2) {
    ws.messages.write(BIG)
    await settle(1)
  }
}

/** The code of the Close, after any other frames. */
async function closeCode(peer: RawPeer): Promise<number> {
  peer.stream.resume()
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame === undefined) throw new Error('the wire ended')
    if (frame.opcode === CLOSE) return readClose(frame).code
  }
}

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  for (const kind of ['messages', 'streams'] as const) {
    for (const how of ['destroy()', 'break'] as const) {
      t.test(`after ${how} of ws.${kind}, messages are refused: ${name}`, async t => {
        const { ws, peer } = await open(t, setup)
        peer.send(TEXT, 'one')
        if (how === 'break') for await (const _ of ws[kind]) break
        else ws[kind].destroy()
        for (const data of ['text', Buffer.from('x'), new Blob(['x']), prepareMessage('x')]) {
          const failed = new Promise(resolve => t.equal(ws.send(data, resolve), false))
          t.match(await Promise.race([failed, once(ws, 'close')]), { code: 'WS_ERR_NOT_OPEN' })
        }
        t.match(await rejection(ws.drained()), { code: 'WS_ERR_NOT_OPEN' })
        t.equal(ws.createMessage('text').destroyed, true)
        t.equal((await peer.answerClose()).code, 1000, 'the first frame')
        peer.end()
        t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      })
    }
  }

  t.test(`a close after the view was destroyed keeps its code, whatever waits in the view: ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
    await fill(ws, peer)
    ws.messages.destroy()
    void ws.close(3001, 'mine')
    t.equal(await closeCode(peer), 3001)
  })

  t.test(`a close after the view was destroyed keeps its code behind a message in pieces: ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
    peer.stream.pause()
    while (!ws.needsDrain) {
      ws.send(BIG)
      await settle(1)
    }
    const writer = ws.createMessage('binary')
    writer.write(BIG)
    writer.write('waits')
    writer.end()
    ws.messages.destroy()
    void ws.close(3001, 'mine')
    t.equal(await closeCode(peer), 3001)
  })

  for (const what of ['end()', 'destroy()', 'a second close()'] as const) {
    t.test(`a close that waits keeps its code after ${what}: ${name}`, async t => {
      const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
      await fill(ws, peer)
      ws.createMessage('text').write('part')
      void ws.close(3001, 'mine')
      if (what === 'end()') ws.messages.end()
      else if (what === 'destroy()') ws.messages.destroy()
      else void ws.close(3002, 'other')
      t.equal(await closeCode(peer), 3001)
    })
  }

  for (const what of ['end()', 'close()'] as const) {
    t.test(`${what} after an empty write to ws.bytes closes behind an open message: ${name}`, async t => {
      const { ws, peer } = await open(t, setup)
      ws.createMessage('text').write('part')
      ws.bytes.write('')
      if (what === 'end()') ws.bytes.end()
      else void ws.close()
      t.equal((await peer.nextFrame())?.payload.toString(), 'part')
      t.equal(await closeCode(peer), 1000)
    })
  }

  t.test(`empty writes to ws.bytes that wait are sent before a close, and before drained(): ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
    peer.stream.pause()
    while (!ws.needsDrain) {
      ws.send(BIG)
      await settle(1)
    }
    let written = 0
    for (let i = 0; i < 3; i++) ws.bytes.write('', () => written++)
    const drained = ws.drained().then(() => written)
    void ws.close(3001)
    peer.stream.resume()
    let empty = 0
    for (;;) {
      const frame = (await peer.nextFrame())!
      if (frame.opcode === CLOSE) break
      if (frame.payload.length === 0) empty++
    }
    t.equal(empty, 3)
    t.equal(await drained, 3)
  })
}
