// A11: fragments that are each within the limit, but together exceed it.

import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { BINARY, TEXT } from '../support/raw-peer.js'
import { collect } from '../websocket-stream/sides.js'
import { fate, meet, WAYS } from './support.js'

const PART = 'a'.repeat(600)

for (const way of WAYS) {
  for (const opcode of [TEXT, BINARY]) {
    t.test(`${way}: the sum counts, and is known from the header (opcode ${opcode})`, async t => {
      const met = await meet(t, way, { maxMessageSize: 1000 })
      met.peer.send(opcode, PART, { fin: false })
      met.peer.send(0, '', { declared: 600 })
      t.match(await fate(met), { said: 1009, code: 1009, error: 'WS_ERR_MESSAGE_TOO_LARGE' })
    })

    t.test(`${way}: a sum at the limit arrives (opcode ${opcode})`, async t => {
      const met = await meet(t, way, { maxMessageSize: 1200 })
      met.peer.send(opcode, PART, { fin: false })
      met.peer.send(0, PART)
      met.peer.close()
      t.match(await fate(met), { code: 1000 })
      t.same(String(met.got), PART + PART)
    })
  }

  t.test(`${way}: the sum does not overflow`, async t => {
    const met = await meet(t, way, { maxMessageSize: 2 ** 53 - 1, maxFrameSize: Number.POSITIVE_INFINITY })
    met.peer.send(BINARY, PART, { fin: false })
    met.peer.send(0, '', { declared: 2 ** 53 - 1 })
    t.match(await fate(met), { said: 1009, code: 1009 })
  })

  t.test(`${way}: it is counted after inflation`, async t => {
    const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const met = await meet(t, way, { maxMessageSize: 1000, extensions: [permessageDeflate()] }, { fields })
    const payload = deflateRawSync(Buffer.from(PART + PART), { finishFlush: 2 }).subarray(0, -4)
    t.ok(payload.length < 100)
    met.peer.send(TEXT, payload.subarray(0, 5), { fin: false, rsv: 4 })
    met.peer.send(0, payload.subarray(5))
    t.match(await fate(met), { said: 1009, code: 1009 })
  })

  t.test(`${way}: it applies to messages that are read in pieces`, async t => {
    const met = await meet(t, way, { maxMessageSize: 1000 }, { reads: false })
    const reading = (async () => {
      for await (const message of met.ws.streams) return await collect(message)
      return null
    })()
    met.peer.send(BINARY, PART, { fin: false })
    met.peer.send(0, PART)
    t.match(await fate(met), { said: 1009, code: 1009 })
    t.match((await reading)?.error, { code: 'WS_ERR_MESSAGE_TOO_LARGE' })
  })
}
