// A06: fields, extensions, parameters, subprotocols and options with the names `__proto__`, `constructor` and `hasOwnProperty`.

import t from 'tap'
import { permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { toy } from '../extensions/toys.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { greet, http2Server, meet, requestWith } from './support.js'

const NAMES = ['__proto__', 'constructor', 'hasOwnProperty', 'toString']
const FIELDS = { __proto__: null, ...Object.fromEntries(NAMES.map(name => [name, 'polluted'])) }
const OFFER = [
  ...NAMES,
  ...NAMES.map(name => `permessage-deflate; ${name}`),
  ...NAMES.map(name => `permessage-deflate; ${name}=15`),
  'permessage-deflate; server_no_context_takeover'
].join(', ')

for (const way of ['server', 'http2'] as const) {
  t.test(`${way}: they are unknown fields, offers and names`, async t => {
    const extensions = [permessageDeflate()]
    const fields = { ...FIELDS, 'Sec-WebSocket-Extensions': OFFER }
    // node:http2 cannot send __proto__
    const sent = Object.fromEntries(Object.entries(fields).filter(([name]) => way === 'server' || name !== '__proto__'))
    const { ws } = await meet(t, way, { extensions }, { fields: sent })
    t.equal(ws.extensions, 'permessage-deflate; server_no_context_takeover')
    const { headers } = ws.request!
    for (const name of Object.keys(sent).filter(name => NAMES.includes(name))) {
      t.equal(Object.getOwnPropertyDescriptor(headers, name.toLowerCase())?.value, 'polluted')
    }
  })
}

t.test('server: a subprotocol may have such a name, and is chosen only if it is supported', async t => {
  for (const [protocols, chosen] of [
    [['constructor'], 'constructor'],
    [['chat'], '']
  ] as const) {
    const { ws } = await meet(t, 'server', { protocols }, { fields: { 'Sec-WebSocket-Protocol': NAMES.join(', ') } })
    t.equal(ws.protocol, chosen)
  }
})

t.test('client: a response with such fields opens, one with such an extension or parameter fails', async t => {
  const { ws, peer } = await greet(t, 'client')
  peer.write(answerHead(await peer.head(), FIELDS as never))
  t.equal(Object.getOwnPropertyDescriptor((await ws.opened).headers, '__proto__')?.value, 'polluted')
  for (const value of [...NAMES, ...NAMES.map(name => `permessage-deflate; ${name}`)]) {
    const side = await greet(t, 'client', { extensions: [permessageDeflate()] })
    side.peer.write(answerHead(await side.peer.head(), { 'Sec-WebSocket-Extensions': value }))
    t.match(await rejection(side.ws.opened), { name: 'HandshakeError' }, value)
  }
})

t.test('an extension may have such a name', async t => {
  for (const name of NAMES.slice(1)) {
    const { ws } = await meet(
      t,
      'server',
      { extensions: [toy(name)] },
      { fields: { 'Sec-WebSocket-Extensions': NAMES.join(', ') } }
    )
    t.equal(ws.extensions, name)
  }
})

t.test('options with such names are unknown', async t => {
  for (const name of NAMES) {
    const options = JSON.parse(`{ "${name}": 1 }`)
    t.throws(() => WebSocketStream.server(options), { name: 'TypeError', message: `unknown option '${name}'` })
    t.throws(() => permessageDeflate(options), { name: 'TypeError', message: `unknown option '${name}'` })
  }
})

t.test('http2: requests without such names pass as usual', async t => {
  const { ask } = await http2Server(t, { extensions: [permessageDeflate()] })
  t.equal((await ask({ 'sec-websocket-extensions': '__proto__' })).headers['sec-websocket-extensions'], undefined)
})

// the target of these names is a map that is an ordinary object
t.test('a plain object would contain them all', async t => {
  const known: Record<string, unknown> = {}
  for (const name of NAMES) t.ok(known[name])
  t.match(String(requestWith({ constructor: 'a' })), /constructor: a/)
})

t.test('the prototype of all objects is unchanged', async t => {
  t.same(Object.keys(Object.prototype), [])
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})
