// The package permessage-deflate as an extension of this library, against ws with its own compression: both roles, within our limits.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { type Extension, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import type { TestLike } from '../websocket-stream/sides.js'

// it has no types
const extension: Extension & { configure(options: object): Extension } = createRequire(import.meta.url)(
  'permessage-deflate'
)

const OFFERS: [what: string, ours: Extension, theirs: object][] = [
  ['as they are', extension, {}],
  ['without context', extension, { serverNoContextTakeover: true, clientNoContextTakeover: true }],
  [
    'with small windows',
    extension.configure({ maxWindowBits: 10, requestMaxWindowBits: 10 }),
    { serverMaxWindowBits: 10 }
  ]
]

/** Our side in this role, with ws on the other. */
async function withWs(
  t: TestLike,
  role: 'server' | 'client',
  theirs: object,
  options: WebSocketOptions
): Promise<{ ours: WebSocketStream; theirs: WebSocket }> {
  const perMessageDeflate = { threshold: 0, ...theirs }
  if (role === 'client') {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const ours = WebSocketStream.client(`ws://127.0.0.1:${port}/`, options)
    t.teardown(() => {
      ours.destroy()
      server.close()
      for (const client of server.clients) client.terminate()
    })
    const connected = once(server, 'connection')
    ours.attach(connect(port, '127.0.0.1'))
    const [accepted] = await connected
    await ours.opened
    return { ours, theirs: accepted }
  }
  const server = createServer()
  const upgraded = new Promise<WebSocketStream>(resolve => {
    server.on('upgrade', (request, socket, head) =>
      resolve(WebSocketStream.http(request, head, options).attach(socket))
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, { perMessageDeflate })
  client.on('error', () => {})
  const [ours] = await Promise.all([upgraded, once(client, 'open')])
  t.teardown(() => {
    ours.destroy()
    client.terminate()
    server.close()
  })
  return { ours, theirs: client }
}

for (const role of ['server', 'client'] as const) {
  for (const [what, ourExtension, theirOptions] of OFFERS) {
    t.test(`messages of all sizes in both directions, ${what}: ${role}`, { timeout: 60_000 }, async t => {
      const { ours, theirs } = await withWs(t, role, theirOptions, { extensions: [ourExtension] })
      t.match(ours.extensions, /^permessage-deflate/)
      t.match(theirs.extensions, 'permessage-deflate')
      theirs.on('message', (data, isBinary) => theirs.send(isBinary ? data : data.toString()))
      const sent = ['', 'a', 'text \u20ac'.repeat(1000), Buffer.alloc(0), Buffer.alloc(200_000, 'abc'), 'last']
      const got: unknown[] = []
      for (const message of sent) if (!ours.messages.write(message)) await once(ours.messages, 'drain')
      for await (const message of ours.messages) {
        got.push(message)
        if (got.length === sent.length) ours.close(1000, 'done')
      }
      t.same(got, sent)
      t.match(await ours.whenClosed(), { code: 1000, reason: 'done', wasClean: true })
    })
  }

  t.test(`fragments and streams: ${role}`, { timeout: 60_000 }, async t => {
    const { ours, theirs } = await withWs(t, role, {}, { extensions: [extension], fragmentSize: 1000 })
    const received = once(theirs, 'message')
    const writer = ours.createMessage('text')
    for (let i = 0; i < 100; i++) writer.write(`piece ${i} `.repeat(50))
    writer.end()
    t.equal(String((await received)[0]), Array.from({ length: 100 }, (_, i) => `piece ${i} `.repeat(50)).join(''))
    theirs.send('a'.repeat(1000), { fin: false })
    theirs.send('b'.repeat(1000), { fin: true })
    const [stream] = await once(ours.streams, 'data')
    let text = ''
    for await (const piece of stream) text += piece
    t.equal(text, 'a'.repeat(1000) + 'b'.repeat(1000))
    ours.close()
    t.match(await ours.whenClosed(), { wasClean: true })
  })

  t.test(
    `a message that is small on the wire and large after inflation is refused: ${role}`,
    { timeout: 60_000 },
    async t => {
      const { ours, theirs } = await withWs(t, role, {}, { extensions: [extension], maxMessageSize: 100_000 })
      const failed = once(ours, 'error')
      ours.messages.resume()
      const closed = once(theirs, 'close')
      theirs.send(Buffer.alloc(100_001))
      t.match(await failed, [{ code: 'WS_ERR_MESSAGE_TOO_LARGE' }])
      t.equal((await closed)[0], 1009)
    }
  )
}
