// A23: RSV1 where it is not allowed, and frames masked or unmasked against the rules.

import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { BINARY, CLOSE, closeBody, PING, PONG, TEXT } from '../support/raw-peer.js'
import { fate, type Met, meet, WAYS } from './support.js'

const COMPRESSED = deflateRawSync('Hello', { finishFlush: 2 }).subarray(0, -4)
const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const extensions = [permessageDeflate()]

const WITH_DEFLATE: [name: string, send: (met: Met) => void][] = [
  ['on a ping', ({ peer }) => peer.send(PING, 'a', { rsv: 4 })],
  ['on a pong', ({ peer }) => peer.send(PONG, 'a', { rsv: 4 })],
  ['on a Close', ({ peer }) => peer.send(CLOSE, closeBody(1000), { rsv: 4 })],
  [
    'on the continuation of a compressed message',
    ({ peer }) => {
      peer.send(TEXT, COMPRESSED.subarray(0, 2), { fin: false, rsv: 4 })
      peer.send(0, COMPRESSED.subarray(2), { rsv: 4 })
    }
  ],
  [
    'on the continuation of a plain message',
    ({ peer }) => {
      peer.send(TEXT, 'a', { fin: false })
      peer.send(0, COMPRESSED, { rsv: 4 })
    }
  ]
]

for (const way of WAYS) {
  for (const [name, send] of WITH_DEFLATE) {
    t.test(`${way}: RSV1 ${name} fails with 1002, with compression and without`, async t => {
      for (const options of [{ extensions }, {}]) {
        const met = await meet(t, way, options, 'extensions' in options ? { fields } : {})
        send(met)
        t.match(await fate(met), { said: 1002, code: 1002, wasClean: false })
        t.same(met.got, [])
      }
    })
  }

  t.test(`${way}: without an extension, any reserved bit on data fails with 1002`, async t => {
    for (const rsv of [1, 2, 3, 4, 7]) {
      const met = await meet(t, way)
      met.peer.send(TEXT, 'a', { rsv })
      t.match(await fate(met), { said: 1002, error: 'WS_ERR_UNEXPECTED_RSV' })
    }
  })

  t.test(`${way}: so does a masked frame to a client, and an unmasked one to a server`, async t => {
    const isClient = way.endsWith('client')
    for (const opcode of [TEXT, BINARY, PING, CLOSE]) {
      const met = await meet(t, way)
      met.peer.send(opcode, opcode === CLOSE ? closeBody(1000) : 'a', { masked: isClient })
      const error = isClient ? 'WS_ERR_UNEXPECTED_MASK' : 'WS_ERR_EXPECTED_MASK'
      t.match(await fate(met), { said: 1002, code: 1002, error })
      t.same(met.got, [])
    }
  })

  t.test(`${way}: RSV1 on the first frame of a message is valid`, async t => {
    const met = await meet(t, way, { extensions }, { fields })
    met.peer.send(TEXT, COMPRESSED, { rsv: 4 })
    met.peer.send(PING)
    met.peer.close()
    t.match(await fate(met), { said: 1000, code: 1000 })
    t.same(met.got, ['Hello'])
  })
}
