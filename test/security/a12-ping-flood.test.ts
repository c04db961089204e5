// A12: endless pings from a peer that does not read.

import t from 'tap'
import { PING, PONG, type RawPeer } from '../support/raw-peer.js'
import { MIB, meet, pour, turn, WAYS } from './support.js'

const PINGS = 16 * MIB

/** RFC 6455 §5.5.3: of several pings only the newest need be answered. */
async function untilPong(peer: RawPeer, payload: string): Promise<void> {
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame?.opcode !== PONG) throw new Error(`not a Pong: ${frame?.opcode}`)
    if (String(frame.payload) === payload) return
  }
}

for (const way of WAYS) {
  t.test(`${way}: no more are read while their answers cannot be sent`, async t => {
    const { ws, peer } = await meet(t, way)
    peer.stream.pause()
    const some = Buffer.concat(Array.from({ length: 500 }, () => peer.frame(PING, 'p'.repeat(125))))
    const poured = await pour(peer, some, PINGS)
    t.ok(poured < PINGS / 4, `${poured} bytes left the peer`)
    // what is under way may still arrive
    let taken: number
    do {
      taken = ws.stats.bytesReceived
      for (let i = 0; i < 50; i++) await turn()
    } while (ws.stats.bytesReceived > taken)
    t.ok(taken < PINGS / 8, `${taken} bytes were taken`)
    // at most one Pong waits, after what the wire holds
    t.ok(ws.bufferedAmount < 2 * some.length, `${ws.bufferedAmount} bytes wait`)
    t.ok(ws.stats.inputBlocked > 0)

    peer.stream.resume()
    peer.send(PING, 'last')
    await untilPong(peer, 'last')
    t.equal(ws.readyState, 'open')
  })

  t.test(`${way}: a peer that reads may ping as often as it likes`, async t => {
    const { ws, peer } = await meet(t, way)
    const some = Buffer.concat(Array.from({ length: 500 }, () => peer.frame(PING, 'p'.repeat(125))))
    const last = untilPong(peer, 'last')
    t.ok((await pour(peer, some, 2 * MIB)) >= 2 * MIB)
    peer.send(PING, 'last')
    await last
    t.ok(ws.stats.bytesReceived >= 2 * MIB)
  })
}

t.test('an application that answers without backpressure buffers every answer', async t => {
  const { ws, peer } = await meet(t, 'server')
  peer.stream.pause()
  ws.on('ping', payload => {
    for (let i = 0; i < 1000; i++) ws.binary(payload)
  })
  peer.send(PING, 'p'.repeat(125))
  await pour(peer, peer.frame(PING, 'p'.repeat(125)), 64 * 1024)
  t.ok(ws.bufferedAmount > 128 * 1024, `${ws.bufferedAmount} bytes wait`)
})
