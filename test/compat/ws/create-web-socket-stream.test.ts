// createWebSocketStream: messages as a Duplex, with backpressure both ways.

import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { createWebSocketStream } from '../../../lib/compat/ws/index.js'
import { settle } from '../../websocket-stream/sides.js'
import { open, serve, WebSocket } from './support.js'

t.test('writes are messages, messages are chunks, and the end closes', async t => {
  const { client, server } = await open(t)
  const got: [string, boolean][] = []
  server.on('message', (data, isBinary) => got.push([String(data), isBinary]))
  const duplex = createWebSocketStream(client, { readableObjectMode: true })
  server.send('text')
  server.send(Buffer.from('bytes'))
  const chunks: unknown[] = []
  duplex.on('data', chunk => chunks.push(chunk))
  duplex.write('one')
  duplex.end('two')
  await once(duplex, 'close')
  t.same(chunks, ['text', Buffer.from('bytes')])
  t.same(got, [
    ['one', true],
    ['two', true]
  ])
  t.equal(client.readyState, 3)
})

t.test('writes and the end wait until it is open', async t => {
  const { url, wss } = await serve(t)
  const got: string[] = []
  wss.on('connection', socket => socket.on('message', data => got.push(String(data))))
  const duplex = createWebSocketStream(new WebSocket(url, { perMessageDeflate: false }))
  duplex.end('early')
  duplex.resume()
  await once(duplex, 'close')
  t.same(got, ['early'])
  const empty = createWebSocketStream(new WebSocket(url))
  empty.resume()
  empty.end()
  await once(empty, 'close')
})

t.test('a slow reader pauses the connection', async t => {
  const { client, server } = await open(t)
  const duplex = createWebSocketStream(client, { readableHighWaterMark: 10 })
  const payload = Buffer.alloc(65536)
  for (let i = 0; i < 20; i++) server.send(payload)
  while (!client.isPaused) await settle(1)
  let size = 0
  duplex.on('data', chunk => (size += chunk.length))
  while (size < 20 * 65536) await settle(1)
  duplex.destroy()
  await once(duplex, 'close')
})

t.test('destroying the stream terminates the connection, paused or not', async t => {
  for (const isPaused of [false, true]) {
    const { client, server } = await open(t)
    const duplex = createWebSocketStream(client)
    const closed = new Promise(resolve => server.on('close', resolve))
    if (isPaused) client.pause()
    const failed = once(duplex, 'error')
    duplex.destroy(new Error('of the application'))
    t.match(await failed, [{ message: 'of the application' }])
    t.equal(await closed, 1006)
  }
})

t.test('an error of the connection is an error of the stream; its end is an end', async t => {
  const { client, server } = await open(t)
  const duplex = createWebSocketStream(server)
  const failed = once(duplex, 'error')
  ;(client as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
    Buffer.from([0x85, 0x80, 0, 0, 0, 0])
  )
  t.match(await failed, [{ code: 'WS_ERR_INVALID_OPCODE' }])

  const other = await open(t)
  const ended = createWebSocketStream(other.client)
  other.server.close()
  ended.resume()
  await once(ended, 'end')
  ended.end()
  if (!ended.destroyed) await once(ended, 'close')
  const late = createWebSocketStream(other.client)
  late.destroy()
  await once(late, 'close')
})

t.test('an abort before it is open is an error of the stream', async t => {
  const { url } = await serve(t)
  const duplex = createWebSocketStream(new WebSocket(url))
  const failed = once(duplex, 'error')
  duplex.destroy()
  t.match(await failed, [{ message: 'WebSocket was closed before the connection was established' }])
})

t.test("Node's pipeline through both sides", async t => {
  const { client, server } = await open(t)
  const echo = createWebSocketStream(server)
  const duplex = createWebSocketStream(client)
  const done = pipeline(echo, echo).catch(error => error)
  const chunks: Buffer[] = []
  duplex.on('data', chunk => chunks.push(chunk))
  for (let i = 0; i < 50; i++) duplex.write(Buffer.alloc(10_000, i))
  while (chunks.reduce((size, { length }) => size + length, 0) < 500_000) await settle(1)
  duplex.end()
  await once(duplex, 'close')
  await done
})

t.test(
  'messages after the end of a destroyed stream are dropped, and a half that has ended waits for the other',
  async t => {
    const { client, server } = await open(t)
    const duplex = createWebSocketStream(client)
    const gone = once(duplex, 'close')
    duplex.destroy()
    server.send('late')
    server.send('later')
    await gone
    await settle()
    t.equal(duplex.readableLength, 0)
    const other = await open(t)
    const half = createWebSocketStream(other.client, { allowHalfOpen: true })
    half.resume()
    const ended = once(half, 'end')
    other.server.close()
    await ended
    t.equal(half.writableFinished, false)
    half.end()
    await once(half, 'close')
  }
)

t.test('a stream that ended its own side first closes when everything has been read', async t => {
  const { client, server } = await open(t)
  const duplex = createWebSocketStream(client, { allowHalfOpen: true })
  server.send('waits')
  duplex.end()
  await once(duplex, 'finish')
  const closed = once(duplex, 'close')
  duplex.resume()
  await closed
  t.equal(duplex.readableEnded, true)
})
