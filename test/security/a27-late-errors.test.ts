// A27: errors of zlib and of the socket after the connection was destroyed.

import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { BINARY } from '../support/raw-peer.js'
import { meet, turn, WAYS } from './support.js'

const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const extensions = [permessageDeflate()]
// long enough for the thread pool, and malformed in the middle: a block begins after a flush, and 11 is no block type (RFC 1951
// §3.2.3), whereas random bits might by chance be another message
const HALF = deflateRawSync(randomBytes(150_000).toString('hex'), { finishFlush: constants.Z_SYNC_FLUSH })
const BROKEN = Buffer.concat([HALF, Buffer.alloc(10_000, 0xff), HALF])

async function afterwards(): Promise<void> {
  for (let i = 0; i < 30; i++) await turn()
  await new Promise(resolve => setTimeout(resolve, 20))
}

for (const way of WAYS) {
  for (const turns of [0, 1, 2, 5]) {
    t.test(`${way}: zlib at work, destroyed ${turns} turns later`, async t => {
      const { ws, peer, wire, closes } = await meet(t, way, { extensions }, { fields })
      peer.send(BINARY, BROKEN, { rsv: 4 })
      for (let i = 0; i < 4; i++) ws.binary(randomBytes(200_000))
      for (let i = 0; i < turns; i++) await turn()
      ws.destroy()
      const { wasClean } = await ws.whenClosed()
      t.equal(wasClean, false)
      wire.emit('error', new Error('late'))
      await afterwards()
      t.equal(closes.length, 1)
    })
  }

  t.test(`${way}: without a listener, errors of the wire before, at and after the end`, async t => {
    const { ws, wire, closes } = await meet(t, way)
    ws.removeAllListeners('error')
    if (way !== 'http2 client') wire.destroy(new Error('broken'))
    ws.destroy(new Error('enough'))
    await ws.whenClosed()
    for (let i = 0; i < 3; i++) wire.emit('error', new Error('late'))
    ws.destroy(new Error('again'))
    await afterwards()
    t.equal(closes.length, 1)
  })

  t.test(`${way}: malformed data on an open connection ends it with 1007`, async t => {
    const { ws, peer } = await meet(t, way, { extensions, closeTimeout: 500 }, { fields })
    peer.send(BINARY, BROKEN, { rsv: 4 })
    await peer.ended()
    peer.end()
    t.match(await ws.whenClosed(), { code: 1007 })
  })
}

t.test('an error without a listener is thrown, and malformed data is an error', async t => {
  t.throws(() => inflateRawSync(BROKEN, { finishFlush: constants.Z_SYNC_FLUSH }))
  t.throws(() => new EventEmitter().emit('error', new Error('late')), { message: 'late' })
})
