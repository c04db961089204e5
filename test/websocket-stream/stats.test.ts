// The counters of a connection, compared with what a raw peer has sent and received.

import { once } from 'node:events'
import t from 'tap'
import { BlockedTime } from '../../lib/stats.js'
import { BINARY, PING, TEXT } from '../support/raw-peer.js'
import { nameOf, open, SETUPS } from './sides.js'

for (const setup of SETUPS) {
  t.test(`messages, frames and bytes are counted in both directions: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const before = ws.stats
    t.match(before, { messagesReceived: 0, messagesSent: 0, framesReceived: 0, framesSent: 0 })
    t.match(before, { compressionReceived: 1, compressionSent: 1, inputBlocked: 0, outputBlocked: 0 })
    t.ok(before.bytesReceived > 100 && before.bytesSent > 100, 'the handshake')
    const received: unknown[] = []
    ws.on('message', message => received.push(message))
    peer.send(TEXT, 'abc', { fin: false })
    peer.send(PING, 'p')
    peer.send(0, 'def')
    peer.send(BINARY, Buffer.alloc(300))
    while (received.length < 2) await once(ws, 'message')
    ws.text('hello')
    ws.binary(Buffer.alloc(70000))
    for (let i = 0; i < 3; i++) await peer.nextFrame()
    const { stats } = ws
    t.match(stats, { messagesReceived: 2, messagesSent: 2, framesReceived: 4, framesSent: 3 })
    const mask = setup.role === 'server' ? 4 : 0
    t.equal(stats.bytesReceived - before.bytesReceived, 2 + 3 + 2 + 1 + 2 + 3 + 4 + 300 + 4 * mask)
    t.equal(stats.bytesSent - before.bytesSent, 2 + 1 + 2 + 5 + 10 + 70000 + 3 * (4 - mask))
  })
}

t.test('blocked time is added up', async t => {
  const time = new BlockedTime()
  t.equal(time.milliseconds, 0)
  time.stop()
  t.equal(time.milliseconds, 0)
  time.start()
  const start = performance.now()
  while (performance.now() - start < 2);
  const { milliseconds } = time
  t.ok(milliseconds >= 2)
  time.start()
  t.ok(time.milliseconds >= milliseconds, 'the first start counts')
  time.stop()
  const total = time.milliseconds
  t.equal(time.milliseconds, total)
})
