// A02: a small compressed message that inflates to gigabytes.

import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { BINARY } from '../support/raw-peer.js'
import { bomb } from './children/bomb.js'
import { fate, inProcess, MIB, meet, WAYS } from './support.js'

const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const extensions = [permessageDeflate()]

for (const way of WAYS) {
  t.test(`${way}: it fails with 1009 while it is inflated, in one frame or in many`, async t => {
    const payload = bomb(8)
    for (const cuts of [1, 7]) {
      const met = await meet(t, way, { maxMessageSize: MIB, extensions }, { fields: OFFER })
      const size = Math.ceil(payload.length / cuts)
      for (let at = 0; at < payload.length; at += size) {
        const isFirst = at === 0
        const fin = at + size >= payload.length
        met.peer.send(isFirst ? BINARY : 0, payload.subarray(at, at + size), { fin, rsv: isFirst ? 4 : 0 })
      }
      t.match(await fate(met), { said: 1009, code: 1009, error: 'WS_ERR_MESSAGE_TOO_LARGE' })
      t.same(met.got, [])
    }
  })

  t.test(`${way}: the same message within the limit arrives`, async t => {
    const { ws, peer, got } = await meet(t, way, { maxMessageSize: 8 * MIB, extensions }, { fields: OFFER })
    peer.send(BINARY, bomb(8), { rsv: 4 })
    peer.close()
    await peer.nextFrame()
    peer.end()
    await ws.whenClosed()
    t.equal((got[0] as Buffer).length, 8 * MIB)
  })
}

for (const way of WAYS) {
  t.test(`${way}: the rest of the message does not delay the end`, async t => {
    const closeTimeout = 8000
    const options = { maxMessageSize: MIB, extensions, closeTimeout }
    const met = await meet(t, way, options, { fields: OFFER, wire: 'tcp' })
    // more than one chunk on the wire, so that some of it still waits when the limit is exceeded
    met.peer.send(BINARY, bomb(512), { rsv: 4 })
    const started = Date.now()
    t.match(await fate(met), { said: 1009, code: 1009 })
    t.ok(Date.now() - started < closeTimeout - 500, 'it ends with the wire, and not by closeTimeout')
  })
}

t.test('a process grows by the limit, not by the message', { timeout: 120_000 }, async t => {
  const { size, limited, unlimited } = await inProcess<Record<string, number>>('a02')
  t.ok(size! < 200_000, `${size} bytes on the wire`)
  t.ok(unlimited! > 100 * MIB, `without a limit: ${unlimited} bytes`)
  t.ok(limited! < unlimited! / 6, `with a limit of 1 MiB: ${limited} bytes`)
})
