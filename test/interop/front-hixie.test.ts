// hixie-76 behind proxies that hold back the eight bytes after the request until they have seen the head of the response, since they
// do not know that it has a body: a proxy written here, and nginx. haproxy refuses a request without Sec-WebSocket-Key.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import { listen as listenRaw } from '../net/servers.js'
import { listen, makeServer } from '../net/web-servers.js'
import { CLOSE_76, ended } from '../support/draft-frames.js'
import { ANSWER, BODY, request76 } from '../support/draft-requests.js'
import { findCommand, needPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { HAPROXY, NGINX, startFront } from './fronts.js'

const DRAFTS: WebSocketOptions = { allowDrafts: true }

/** Our servers, each an echo; resolves with their ports. */
const SERVERS: Record<string, (t: Test) => Promise<number>> = {
  'an acceptor on node:http': async t => {
    const server = makeServer('http')
    acceptWebSockets(server, DRAFTS, echo)
    return listen(t, server)
  },
  'a server on raw bytes': t =>
    listenRaw(
      t,
      createServer(socket => echo(WebSocketStream.server(DRAFTS).attach(socket)))
    )
}

function echo(ws: WebSocketStream): void {
  ws.messages.pipe(ws.messages)
}

for (const [name, serve] of Object.entries(SERVERS)) {
  // the draft sends no Content-Length, but some clients did
  for (const length of [null, '8']) {
    const how = length === null ? '' : ', which the request counts'

    t.test(`${name}, and a proxy that holds back the eight bytes${how}`, async t => {
      const held: Buffer[] = []
      const port = await holdingProxy(t, await serve(t), held)
      const peer = dial(t, port)
      peer.write(request76({ 'Content-Length': length }), BODY)
      await converse(t, peer)
      t.same(Buffer.concat(held), BODY, 'they were held until the head of the answer had come')
    })

    t.test(`${name}, and nginx${how}`, async t => {
      const command = needPeer(t, findCommand(NGINX.name), NGINX.debianPackage)
      if (command === undefined) return
      const { port } = await startFront(t, command, NGINX, { from: 'http', to: 'http', backend: await serve(t) })
      const peer = dial(t, port)
      peer.write(request76({ 'Content-Length': length }), BODY)
      await converse(t, peer)
    })
  }
}

t.test('haproxy passes none of them', async t => {
  const command = needPeer(t, findCommand(HAPROXY.name), HAPROXY.debianPackage)
  if (command === undefined) return
  const backend = await SERVERS['an acceptor on node:http']!(t)
  const { port } = await startFront(t, command, HAPROXY, { from: 'http', to: 'http', backend })
  const peer = dial(t, port)
  peer.write(request76(), BODY)
  t.equal((await peer.head()).status, 400)
})

/** The response, messages in both directions, and the closing handshake. */
async function converse(t: Test, peer: RawPeer): Promise<void> {
  const head = await peer.head()
  t.equal(head.first, 'HTTP/1.1 101 WebSocket Protocol Handshake')
  t.match(head.headers, {
    'sec-websocket-origin': 'http://a.example',
    'sec-websocket-location': 'ws://example.com:8080/chat?a=b'
  })
  await expect(t, peer, ANSWER)
  for (const text of ['hello', 'Grüße, 世界 😀', 'x'.repeat(100_000)]) {
    peer.write(ended(text))
    await expect(t, peer, ended(text))
  }
  peer.write(CLOSE_76)
  await expect(t, peer, CLOSE_76)
  await peer.ended()
  peer.end()
}

async function expect(t: Test, peer: RawPeer, bytes: Buffer): Promise<void> {
  while (peer.input.length < bytes.length && !peer.hasEnded) await once(peer.stream, 'data')
  t.ok(bytes.equals(peer.input.subarray(0, bytes.length)), `${bytes.length} bytes`)
  peer.input = peer.input.subarray(bytes.length)
}

/** A client, written by hand. */
function dial(t: Test, port: number): RawPeer {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  return new RawPeer(socket, 'client')
}

/** A proxy that passes the head of a request on, and the bytes after it only when it has seen the head of the response. */
function holdingProxy(t: Test, port: number, held: Buffer[]): Promise<number> {
  const meet = async (near: Socket): Promise<void> => {
    const far = connect(port, '127.0.0.1')
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.on('close', () => far.destroy())
    const client = new RawPeer(near, 'server')
    const server = new RawPeer(far, 'client')
    far.write((await client.head()).text)
    const { text } = await server.head()
    held.push(client.input)
    near.removeAllListeners('data')
    far.removeAllListeners('data')
    // the same order on both wires
    far.write(client.input)
    near.write(Buffer.concat([Buffer.from(text, 'latin1'), server.input]))
    near.pipe(far).pipe(near)
  }
  const start = (socket: Socket): void => {
    meet(socket).catch(() => socket.destroy())
  }
  return listenRaw(t, createServer(start))
}
