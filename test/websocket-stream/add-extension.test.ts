// Extensions added to a connection before its handshake is sent.

import http2 from 'node:http2'
import t from 'tap'
import { acceptWebSockets, connect, type Extension, permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { toy } from '../extensions/toys.js'
import { echo, serve } from '../net/servers.js'
import { listen } from '../net/web-servers.js'
import { pair } from '../support/pair.js'
import { answerHead, requestHead } from '../support/raw-peer.js'
import { fresh } from './sides.js'

const CLIENT = { role: 'client', join: 'attach', wire: 'memory' } as const
const SERVER = { role: 'server', join: 'attach', wire: 'memory' } as const
const late = { name: 'TypeError', message: 'the handshake has been sent' }

t.test('both sides add an extension, after those of their options, and it works', async t => {
  const [near, far] = pair()
  const client = WebSocketStream.client('ws://a/', { extensions: [toy('x')] })
  const server = WebSocketStream.server()
  client.addExtension(permessageDeflate())
  server.on('request', request => {
    t.equal(request.headers['sec-websocket-extensions'], 'x, permessage-deflate; client_max_window_bits=12')
    server.addExtension(permessageDeflate())
    server.accept()
  })
  client.attach(near)
  server.attach(far)
  await client.opened
  t.match(server.extensions, /^permessage-deflate/)
  t.equal(client.extensions, server.extensions)
  client.text('hello '.repeat(100))
  t.equal(await new Promise(resolve => server.once('message', resolve)), 'hello '.repeat(100))
  t.throws(() => client.addExtension(toy('y')), late)
  t.throws(() => server.addExtension(toy('y')), late)
  client.destroy()
  await server.whenClosed()
})

t.test('after the handshake was sent it is a TypeError', async t => {
  const { ws, peer } = await fresh(t, CLIENT)
  const head = await peer.head()
  t.throws(() => ws.addExtension(toy('x')), late)
  t.throws(() => ws.setHeader('X-A', 'a'), late)
  peer.write(answerHead(head))
  await ws.opened
  const there = await fresh(t, SERVER)
  there.peer.write(requestHead())
  await there.ws.opened
  t.throws(() => there.ws.addExtension(toy('x')), late)
  t.throws(() => there.ws.setHeader('X-A', 'a'), late)
})

t.test('so it is in a request listener that has answered', async t => {
  for (const answer of ['accept', 'reject', 'both'] as const) {
    const { ws, peer } = await fresh(t, SERVER)
    const answered = new Promise<void>(resolve => {
      ws.on('request', () => {
        if (answer !== 'accept') ws.reject(403)
        if (answer !== 'reject') ws.accept()
        t.throws(() => ws.setHeader('X-A', 'a'), late, answer)
        t.throws(() => ws.addExtension(toy('x')), late, answer)
        resolve()
      })
    })
    peer.write(requestHead())
    await answered
    t.equal((await peer.head()).headers['x-a'], undefined)
  }
})

t.test('an invalid or duplicate extension is a TypeError, and changes nothing', async t => {
  for (const role of ['client', 'server'] as const) {
    const ws =
      role === 'client'
        ? WebSocketStream.client('ws://a/', { extensions: [toy('x')] })
        : WebSocketStream.server({ extensions: [toy('x')] })
    for (const wrong of [null, 5, {}, toy('a b'), toy('x')]) {
      t.throws(() => ws.addExtension(wrong as Extension), TypeError)
    }
    ws.addExtension(toy('y'))
    t.throws(() => ws.addExtension(toy('y')), { message: 'extensions must not repeat a name' })
    ws.destroy()
  }
  const opaque = WebSocketStream.client('ws://a/', { extensions: 'x' })
  t.throws(() => opaque.addExtension(toy('y')), { message: /none can be added/ })
  opaque.destroy()
})

t.test('only one connection gets it, not others with the same options', async t => {
  const options = { extensions: [toy('x')] }
  const one = WebSocketStream.client('ws://a/', options)
  one.addExtension(toy('y'))
  t.equal(options.extensions.length, 1)
  const { ws, peer } = await fresh(t, CLIENT, options)
  t.equal((await peer.head()).headers['sec-websocket-extensions'], 'x')
  one.destroy()
  ws.destroy()
})

t.test('on HTTP/2, and across a redirect', async t => {
  const server = http2.createServer()
  acceptWebSockets(server, { extensions: [toy('x')] }, ws => void ws.messages.resume())
  const ws = connect(`ws://127.0.0.1:${await listen(t, server)}/`, { http2: true })
  ws.addExtension(toy('x'))
  ws.setHeader('X-A', 'a')
  t.match(await ws.opened, { version: 'rfc8441', extensions: 'x' })
  t.throws(() => ws.addExtension(toy('y')), late)
  ws.destroy()

  const { port } = await echo(t, 'ours', { stream: { extensions: [toy('x')] } })
  const first = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.write(`HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${port}/\r\n\r\n`)
  })
  const other = connect(`ws://127.0.0.1:${first}/`, { maxRedirects: 1 })
  other.addExtension(toy('x'))
  t.match(await other.opened, { extensions: 'x' })
  other.destroy()
  await other.whenClosed()
})
