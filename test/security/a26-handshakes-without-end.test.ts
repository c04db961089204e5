// A26: a handshake that never completes, with a byte now and then. `handshakeTimeout` ends it, and a server responds with 408.

import type { Server } from 'node:http'
import t, { type Test } from 'tap'
import { acceptWebSockets, connect, ProxyTunnel, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { listen, makeServer, upgrade } from '../net/web-servers.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestHead } from '../support/raw-peer.js'
import { rejection, within } from '../websocket-stream/sides.js'
import { http2Server } from './support.js'

const handshakeTimeout = 80

interface Slow {
  peer: RawPeer
  /** The bytes that are sent, one now and then. */
  text: string
  opened: Promise<unknown>
}

const REQUEST = requestHead().toString()
const ANSWER = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'

const WAITING: Record<string, (t: Test, options: { handshakeTimeout: number }) => Slow> = {
  server: (t, options) => slow(t, WebSocketStream.server(options), 'client', REQUEST),
  'server of hixie-76': (t, options) =>
    slow(t, WebSocketStream.server({ ...options, allowDrafts: true }), 'client', REQUEST.replace(/Sec-.*/gs, '')),
  client: (t, options) => slow(t, WebSocketStream.client('ws://a/', options), 'server', ANSWER),
  connect(t, options) {
    const [ours, theirs] = pair()
    const ws = connect('ws://a/', { ...options, createConnection: async () => ours })
    t.teardown(() => ws.destroy())
    return { peer: new RawPeer(theirs, 'server'), text: ANSWER, opened: ws.opened }
  },
  tunnel: (t, options) => slow(t, new ProxyTunnel('a:80', options), 'server', 'HTTP/1.1 200 Connection Established')
}

function slow(
  t: Test,
  ours: { attach(wire: ReturnType<typeof pair>[0]): unknown; opened: Promise<unknown>; destroy(): unknown },
  role: 'server' | 'client',
  text: string
): Slow {
  const [near, far] = pair()
  ours.attach(near)
  t.teardown(() => ours.destroy())
  return { peer: new RawPeer(far, role), text, opened: ours.opened }
}

/** Sends a byte every few milliseconds, and never the last one. */
function drip(t: Test, peer: RawPeer, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    if (at < text.length - 1 && peer.stream.writable) peer.stream.write(text[at++])
  }, 5)
  t.teardown(() => clearInterval(timer))
}

for (const [who, wait] of Object.entries(WAITING)) {
  t.test(`${who}: it ends on time, whatever arrives meanwhile`, async t => {
    const { peer, text, opened } = wait(t, { handshakeTimeout })
    drip(t, peer, text)
    t.match(await within(handshakeTimeout * 50, rejection(opened)), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
    if (who.startsWith('server')) t.equal((await peer.head()).status, 408)
  })

  t.test(`${who}: without a limit it waits for ever`, async t => {
    const { opened } = wait(t, { handshakeTimeout: Number.POSITIVE_INFINITY })
    t.equal(
      await within(
        handshakeTimeout * 2,
        opened.catch(error => error)
      ),
      undefined
    )
  })
}

t.test('if the application never answers, the client gets 408, on each kind of server', async t => {
  const options: WebSocketOptions = { handshakeTimeout }
  const waits = (ws: WebSocketStream): WebSocketStream => ws.on('request', () => {})

  const http = makeServer('http') as Server
  http.on('upgrade', (request, socket, head) => waits(WebSocketStream.http(request, head, options)).attach(socket))
  t.equal((await upgrade(t, await listen(t, http))).head.status, 408)

  const accepting = makeServer('http')
  acceptWebSockets(accepting, { ...options, verify: () => new Promise<never>(() => {}) }, () => {})
  t.equal((await upgrade(t, await listen(t, accepting))).head.status, 408)

  const { ask } = await http2Server(t, options, waits)
  t.equal((await ask()).status, 408)
})

t.test('a connection that never gets a wire ends as well', async t => {
  const ws = connect('ws://a/', { handshakeTimeout, createConnection: () => new Promise<never>(() => {}) })
  t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  t.match(await ws.whenClosed(), { code: 1006 })
})
