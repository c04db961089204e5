// One port: pages of node:http, WebSockets and the drafts, from the same listener.

import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import { BODY, request76 } from '../support/draft-requests.js'
import { RawPeer } from '../support/raw-peer.js'
import { start } from './program.js'

const example = await start(t, 'one-port/server.js')
const { port } = new URL(example.url)

t.test('pages are served by the application, several on the same connection', async t => {
  for (const path of ['a', 'b?c=d']) t.equal(await (await fetch(`${example.url}${path}`)).text(), `the page /${path}\n`)
  const posted = await fetch(`${example.url}form`, { method: 'POST', body: 'x'.repeat(100_000) })
  t.equal(await posted.text(), 'the page /form\n')
})

t.test('a WebSocket is served over the raw socket', async t => {
  const ws = new WebSocket(example.url.replace('http', 'ws'))
  await once(ws, 'open')
  ws.send('hello')
  t.same((await once(ws, 'message')).map(String), ['hello', 'false'])
  ws.close(1000)
  t.equal((await once(ws, 'close'))[0], 1000)
})

t.test('a client of hixie-76 is served on the same port', async t => {
  const socket = net.connect(Number(port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  const peer = new RawPeer(socket, 'client')
  peer.write(request76(), BODY, Buffer.from('\0hello\xff', 'latin1'))
  t.equal((await peer.head()).status, 101)
  while (peer.input.length < 16 + 7) await once(socket, 'data')
  t.equal(peer.input.toString('latin1', 16), '\0hello\xff')
})

t.test('it ends on request', async t => {
  t.equal(await example.stop(), 0)
})
