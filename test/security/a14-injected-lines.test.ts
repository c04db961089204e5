// A14: CR, LF and NUL in any value of the application that becomes part of a head: a TypeError, before anything is sent.

import http from 'node:http'
import t, { type Test } from 'tap'
import { acceptWebSockets, connect, ProxyTunnel, relay, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { requestHead } from '../support/raw-peer.js'
import { settle } from '../websocket-stream/sides.js'
import { greet, http2Server } from './support.js'

const BAD = ['a\r\nX-Injected: 1', 'a\rb', 'a\nb', 'a\0b', '\n', 'a\x7fb']

// no timer keeps a connection without a wire alive
const WAITING = { handshakeTimeout: Number.POSITIVE_INFINITY }

/** Unlike `new URL`, which drops line breaks silently. */
const URLS = (bad: string): string[] => [`ws://a.example/${bad}`, `ws://a${bad}.example/`, `ws://u:${bad}@a.example/`]

const CALLS: [name: string, call: (bad: string) => unknown][] = [
  ['headers', bad => WebSocketStream.client('ws://a/', { headers: { 'X-A': bad } })],
  ['names of headers', bad => WebSocketStream.client('ws://a/', { headers: { [bad]: 'a' } })],
  ['headers as pairs', bad => WebSocketStream.client('ws://a/', { headers: [['X-A', bad]] })],
  ['several lines', bad => WebSocketStream.server({ headers: { 'X-A': ['a', bad] } })],
  ['origin', bad => WebSocketStream.client('ws://a/', { origin: bad })],
  ['protocols', bad => WebSocketStream.client('ws://a/', { protocols: [bad] })],
  ['protocols of a server', bad => WebSocketStream.server({ protocols: bad })],
  ['an offer of extensions', bad => WebSocketStream.client('ws://a/', { extensions: bad })],
  ['setHeader', bad => WebSocketStream.client('ws://a/', WAITING).setHeader('X-A', bad)],
  ['setHeader of a server', bad => WebSocketStream.server(WAITING).setHeader('X-A', [bad])],
  ['reject', bad => WebSocketStream.server(WAITING).reject(404, { headers: { 'X-A': bad } })],
  ['connect', bad => connect('ws://127.0.0.1:1/', { headers: { 'X-A': bad } })],
  ['the target of a tunnel', bad => new ProxyTunnel(`${bad}:80`)],
  ['the host of a tunnel', bad => new ProxyTunnel({ host: bad, port: 80 })],
  ['the fields of a tunnel', bad => new ProxyTunnel('a:80', { headers: { 'X-A': bad } })],
  ['authorization to a proxy', bad => new ProxyTunnel('a:80', { authorization: bad })],
  ['acceptWebSockets', bad => acceptWebSockets(http.createServer(), { headers: { 'X-A': bad } }, () => {})],
  ['names that a relay forwards', bad => relay(WebSocketStream.server(WAITING), 'ws://a/', { forwardHeaders: [bad] })]
]

for (const [name, call] of CALLS) {
  t.test(`${name}: a TypeError`, async t => {
    for (const bad of BAD) t.throws(() => call(bad), TypeError, JSON.stringify(bad))
  })
}

t.test('URLs: a TypeError', async t => {
  for (const url of BAD.flatMap(URLS)) {
    t.throws(() => WebSocketStream.client(url), TypeError)
    t.throws(() => connect(url), TypeError)
    const proxy = url.replace('ws:', 'http:')
    t.throws(() => connect('ws://127.0.0.1:1/', { proxy }), TypeError)
    t.throws(() => new ProxyTunnel('a:80', { proxy }), TypeError)
  }
})

/** A server whose application has got a request, and the number of bytes it has sent. */
async function asked(t: Test, way: 'server' | 'http2'): Promise<{ ws: WebSocketStream; sent: () => number }> {
  const waits = (ws: WebSocketStream) => ws.on('request', () => {})
  if (way === 'http2') {
    const { next, ask } = await http2Server(t, {}, waits)
    ask({ 'sec-websocket-protocol': 'chat' }).catch(() => {})
    const { ws, stream } = await next
    await settle()
    return { ws, sent: () => (stream.headersSent ? 1 : 0) }
  }
  const [ours, theirs] = pair()
  const ws = waits(WebSocketStream.server()).attach(ours)
  theirs.write(requestHead({ 'Sec-WebSocket-Protocol': 'chat' }))
  await settle()
  return { ws, sent: () => ours.sent }
}

for (const way of ['server', 'http2'] as const) {
  t.test(`${way}: the response is not sent, and a valid one still can be`, async t => {
    const { ws, sent } = await asked(t, way)
    for (const bad of BAD) {
      t.throws(() => ws.setHeader('X-A', bad), TypeError)
      t.throws(() => ws.setHeader(bad, 'a'), TypeError)
      t.throws(() => ws.accept({ headers: { 'X-A': bad } }), TypeError)
      t.throws(() => ws.accept({ protocol: bad }), TypeError)
      t.throws(() => ws.accept({ extensions: bad }), TypeError)
      t.throws(() => ws.reject(404, { headers: { 'X-A': bad } }), TypeError)
    }
    await settle()
    t.equal(sent(), 0)
    t.equal(ws.readyState, 'connecting')
    ws.accept({ protocol: 'chat' })
    t.match(await ws.opened, { protocol: 'chat' })
    ws.destroy()
  })
}

t.test('client: a refused field does not change the request', async t => {
  const { ws, peer } = await greet(t, 'client', { headers: { 'X-A': 'a' } })
  t.throws(() => ws.setHeader('X-A', 'b\r\nX-B: c'), TypeError)
  const { headers } = await peer.head()
  t.equal(headers['x-a'], 'a')
  t.equal(headers['x-b'], undefined)
})
