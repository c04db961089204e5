// A07: requests and responses without the fields that the code expects.

import { once } from 'node:events'
import t from 'tap'
import { type UpgradeRequest, WebSocketStream } from '../../lib/index.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { greet, http2Server, requestWith } from './support.js'

const EXPECTED = ['Host', 'Upgrade', 'Connection', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version']

t.test('server: a request without one of them, or with an empty one, is refused', async t => {
  for (const name of EXPECTED) {
    for (const value of [null, '']) {
      const { ws, peer } = await greet(t, 'server')
      peer.write(requestWith({ [name]: value }))
      t.match([400, 426].includes((await peer.head()).status), true, `${name}: ${value}`)
      t.match(await rejection(ws.opened), { name: 'HandshakeError', fault: 'peer' })
    }
  }
})

t.test('server: a request without any field is refused', async t => {
  const { peer } = await greet(t, 'server')
  peer.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  t.equal((await peer.head()).status, 400)
})

t.test('server: so is a request with missing fields from other code', async t => {
  const requests: unknown[] = [
    {},
    { headers: {} },
    { method: 'GET', url: '/', headers: {} },
    { method: 'GET', url: '/', headers: { upgrade: 'websocket', connection: 'upgrade' } },
    { method: 'GET', url: undefined, headers: { host: 'a', upgrade: undefined } },
    { method: 'GET', url: '/', headers: { host: 'a', upgrade: ['websocket'], connection: 5 } },
    { method: 'GET', url: '/', headers: null },
    { method: 5, url: {}, headers: 'a' }
  ]
  for (const request of requests) {
    const ws = WebSocketStream.http(request as UpgradeRequest)
    const [chunk] = await once(ws, 'data')
    t.match(String(chunk), /^HTTP\/1\.1 4\d\d /)
    ws.destroy()
    await ws.whenClosed()
  }
  for (const request of [null, undefined, 5]) t.throws(() => WebSocketStream.http(request as never), TypeError)
})

t.test('client: a response without one of them, or with an empty one, fails', async t => {
  for (const name of ['Upgrade', 'Connection', 'Sec-WebSocket-Accept']) {
    for (const value of [null, '']) {
      const { ws, peer } = await greet(t, 'client')
      peer.write(answerHead(await peer.head(), { [name]: value }))
      t.match(await rejection(ws.opened), { code: 'WS_ERR_BAD_RESPONSE' }, `${name}: ${value}`)
    }
  }
  const { ws, peer } = await greet(t, 'client')
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 101 \r\n\r\n'))
  t.match(await rejection(ws.opened), { code: 'WS_ERR_BAD_RESPONSE' })
})

t.test('http2: a request without a version, or with an unknown one, is refused', async t => {
  const { ask } = await http2Server(t)
  for (const version of [undefined, '', '12']) {
    t.equal((await ask({ 'sec-websocket-version': version } as never)).status, 400, String(version))
  }
  t.equal((await ask()).status, 200)
})
