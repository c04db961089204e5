// A13: window bits that are not numbers, have leading zeros, are repeated, or missing (RFC 7692 §7.1).

import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { greet, meet } from './support.js'

const BITS = [
  '1000',
  '08',
  '7',
  '16',
  '0',
  '-8',
  '8.5',
  '1e1',
  '0x9',
  '""',
  '"1000"',
  'a',
  '99999999999999999999',
  '+9'
]
const WRONG = [
  ...BITS.flatMap(bits => [`server_max_window_bits=${bits}`, `client_max_window_bits=${bits}`]),
  'server_max_window_bits',
  'server_max_window_bits=9; server_max_window_bits=10',
  'client_max_window_bits; client_max_window_bits',
  'server_no_context_takeover=1',
  'client_no_context_takeover; client_no_context_takeover',
  'unknown'
]
const extensions = [permessageDeflate()]

/** Some of these break the syntax of the header field (RFC 6455 §9.1), and so the handshake. */
const isSyntax = (value: string): boolean => !value.includes('""')

for (const way of ['server', 'http2'] as const) {
  t.test(`${way}: an offer with one of them is declined, and the next one taken`, async t => {
    for (const params of WRONG.filter(isSyntax)) {
      const offer = `permessage-deflate; ${params}`
      const declined = await meet(t, way, { extensions }, { fields: { 'Sec-WebSocket-Extensions': offer } })
      t.equal(declined.ws.extensions, '', params)
      const fields = { 'Sec-WebSocket-Extensions': `${offer}, permessage-deflate; client_max_window_bits=10` }
      const next = await meet(t, way, { extensions }, { fields })
      t.equal(next.ws.extensions, 'permessage-deflate; client_max_window_bits=10', params)
    }
  })
}

t.test('client: a response with one of them fails the handshake', async t => {
  for (const params of [...WRONG, 'client_max_window_bits']) {
    const { ws, peer } = await greet(t, 'client', { extensions })
    const fields = { 'Sec-WebSocket-Extensions': `permessage-deflate; ${params}` }
    peer.write(answerHead(await peer.head(), fields))
    t.match(await rejection(ws.opened), { name: 'HandshakeError', code: 'WS_ERR_BAD_RESPONSE' }, params)
  }
})

t.test('the same parameters with valid values are accepted', async t => {
  for (const bits of [9, 12, 15]) {
    const fields = { 'Sec-WebSocket-Extensions': `permessage-deflate; server_max_window_bits=${bits}` }
    t.match((await meet(t, 'server', { extensions }, { fields })).ws.extensions, /server_max_window_bits=/)
    t.match((await meet(t, 'client', { extensions }, { fields })).ws.extensions, /server_max_window_bits=/)
  }
})
