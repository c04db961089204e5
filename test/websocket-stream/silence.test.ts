// Errors that nothing in the program would notice: a client that does not open, and a view that is destroyed with an error. Each is a
// process warning.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import { connect, WebSocketStream } from '../../lib/index.js'
import { listen, serve } from '../net/servers.js'
import { pair } from '../support/pair.js'
import { RawPeer } from '../support/raw-peer.js'
import { fresh, open } from './sides.js'

type Warning = Error & { code?: string }

/** The warnings of this library from now on. */
function warningsOf(t: Test): Warning[] {
  const warnings: Warning[] = []
  const warned = (warning: Warning): void => {
    if (warning.name === 'WebSocketWarning') warnings.push(warning)
  }
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  return warnings
}

const closed = (ws: WebSocketStream): Promise<unknown> => new Promise(resolve => ws.once('close', resolve))
const told = (): Promise<unknown> => new Promise(resolve => setImmediate(resolve))

async function unused(t: Test): Promise<number> {
  const server = createServer()
  const port = await listen(t, server)
  await new Promise(resolve => server.close(resolve))
  return port
}

t.test('a client that fails unnoticed warns once, without the query of its URL', async t => {
  const warnings = warningsOf(t)
  const port = await unused(t)
  const ws = connect(`ws://user:secret@127.0.0.1:${port}/chat?token=secret`)
  ws.on('message', () => {})
  ws.text('hello')
  await closed(ws)
  await told()
  t.same(
    warnings.map(({ code, message }) => [code, message]),
    [
      [
        'WS_NOT_OPENED',
        `no connection to ws://127.0.0.1:${port}/chat: connect ECONNREFUSED 127.0.0.1:${port}. Listen for 'error', or await opened, to handle it`
      ]
    ]
  )
})

t.test('a client that is refused warns too, and so does one whose wire the application attached', async t => {
  const warnings = warningsOf(t)
  const port = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.end('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n')
  })
  const ws = connect(`ws://127.0.0.1:${port}/`, { http2: true })
  ws.messages.write('hello')
  await closed(ws)
  const [near, far] = pair()
  const other = WebSocketStream.client('ws://a/')
  near.pipe(other).pipe(near)
  new RawPeer(far, 'server').end()
  await closed(other)
  await told()
  t.match(warnings, [
    { code: 'WS_NOT_OPENED', message: /unexpected server response: 401/ },
    { code: 'WS_NOT_OPENED', message: /no connection to ws:\/\/a\/: invalid handshake response/ }
  ])
})

t.test('there is no warning if the application listens for errors, reads, or uses `opened`', async t => {
  const warnings = warningsOf(t)
  const port = await unused(t)
  const notOpened = () => warnings.splice(0).filter(({ code }) => code === 'WS_NOT_OPENED')
  const watched: ((ws: WebSocketStream) => unknown)[] = [
    ws => ws.on('error', () => {}),
    ws => ws.opened,
    ws => ws.messages.on('error', () => {}),
    ws => ws.messages.on('error', () => {}).resume(),
    ws =>
      (async () => {
        for await (const _ of ws.messages);
      })().catch(() => {}),
    ws => ws.streams.on('data', () => {}).on('error', () => {}),
    ws =>
      ws
        .pipe(new PassThrough())
        .pipe(ws)
        .on('error', () => {}),
    ws => once(ws, 'open').catch(() => {}),
    ws => once(ws.messages, 'data').catch(() => {}),
    ws => once(ws.messages, 'close').catch(() => {}),
    ws => once(ws, 'message').catch(() => {}),
    ws => ws.once('error', () => {}),
    ws => ws.messages.once('error', () => {}),
    ws =>
      ws.on('error', function remove() {
        ws.off('error', remove)
      }),
    ws => ws.on('error', function onerror() {}),
    ws => ws.prependListener('error', function onerror() {}),
    ws => finished(ws).catch(() => {}),
    ws => ws.destroy()
  ]
  const refusing = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.end('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n')
  })
  for (const watch of watched) {
    for (const where of [port, refusing]) {
      const ws = connect(`ws://127.0.0.1:${where}/`)
      watch(ws)
      await closed(ws)
      await told()
      t.same(notOpened(), [], String(watch))
    }
  }
  for (const watch of [...watched, (ws: WebSocketStream) => pipeline(ws, new PassThrough()).catch(() => {})]) {
    const [near, far] = pair()
    const ws = WebSocketStream.client('ws://a/')
    watch(ws)
    if (!ws.destroyed) near.pipe(ws).pipe(near)
    new RawPeer(far, 'server').end()
    await closed(ws)
    await told()
    t.same(notOpened(), [], `piped: ${watch}`)
  }
  const control = new AbortController()
  const aborted = connect(`ws://127.0.0.1:${port}/`, { signal: control.signal })
  control.abort()
  await closed(aborted)
  await told()
  t.same(notOpened(), [])
})

t.test('a server does not warn, nor does a connection that was open', async t => {
  const warnings = warningsOf(t)
  const { ws, peer } = await fresh(t, { role: 'server', join: 'attach', wire: 'memory' })
  peer.write(Buffer.from('nonsense\r\n'))
  peer.end()
  await closed(ws)
  const [near, far] = pair()
  const client = WebSocketStream.client('ws://a/').attach(near)
  const server = WebSocketStream.server().attach(far)
  await new Promise(resolve => client.once('open', resolve))
  server.destroy()
  await closed(client)
  await told()
  t.same(warnings, [])
})

t.test('a view that is destroyed with an error warns, unless the application listens for errors', async t => {
  const warnings = warningsOf(t)
  const listening: Record<string, (ws: WebSocketStream) => unknown> = {
    nothing: () => {},
    'the connection': ws => ws.on('error', () => {}),
    'the view': ws => ws.messages.on('error', () => {})
  }
  for (const [name, listen] of Object.entries(listening)) {
    const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
    listen(ws)
    ws.messages.destroy(new Error('broken'))
    t.equal((await peer.answerClose()).code, 1011, name)
    await closed(ws)
    await told()
    t.same(
      warnings.splice(0).map(({ code, message }) => [code, message]),
      name === 'nothing'
        ? [['WS_DESTROYED', 'ws.messages was destroyed, and the connection closed with 1011: broken']]
        : [],
      name
    )
  }
})
