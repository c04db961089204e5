// Real clients of an acceptor: npm's `ws` and undici, over http and https; and a server of `ws` beside ours on the same port.

import { once } from 'node:events'
import http from 'node:http'
import t, { type Test } from 'tap'
import { Agent, WebSocket as UndiciSocket } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import type { AcceptorOptions } from '../../lib/net/acceptor-options.js'
import { isSecure, listen, makeServer, type ServerKind } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'

/** The part of both clients that these tests use. */
interface Client {
  protocol: string
  send(text: string): void
  next(): Promise<string | undefined>
  close(code: number, reason: string): void
  closed: Promise<{ code: number; reason: string }>
}

type Dial = (url: string, protocols: string[]) => Promise<Client>

const CLIENTS: Record<string, Dial> = {
  async ws(url, protocols) {
    const socket = new WebSocket(url, protocols, { ca: AUTHORITY })
    const inbox = new Inbox<string>()
    socket.on('message', data => inbox.put(String(data)))
    const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))
    await once(socket, 'open')
    return {
      protocol: socket.protocol,
      send: text => socket.send(text),
      next: () => inbox.take(),
      close: (code, reason) => socket.close(code, reason),
      closed
    }
  },
  async undici(url, protocols) {
    const dispatcher = new Agent({ connect: { ca: AUTHORITY } })
    const socket = new UndiciSocket(url, { protocols, dispatcher })
    const inbox = new Inbox<string>()
    socket.addEventListener('message', ({ data }) => inbox.put(data))
    const closed = new Promise<{ code: number; reason: string }>(resolve => {
      socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
    })
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', event => reject(event.error))
    })
    void closed.then(() => dispatcher.close())
    return {
      protocol: socket.protocol,
      send: text => socket.send(text),
      next: () => inbox.take(),
      close: (code, reason) => socket.close(code, reason),
      closed
    }
  }
}

async function serve(t: Test, kind: ServerKind, options: AcceptorOptions = {}) {
  const server = makeServer(kind)
  const acceptor = acceptWebSockets(server, { protocols: ['echo'], path: '/echo', ...options }, ws => {
    ws.messages.pipe(ws.messages)
  })
  const port = await listen(t, server)
  return { acceptor, server, url: `${isSecure(kind) ? 'wss' : 'ws'}://localhost:${port}/echo` }
}

for (const [name, dial] of Object.entries(CLIENTS)) {
  for (const kind of ['http', 'https', 'h2+h1'] as const) {
    t.test(`${name} at an acceptor on ${kind}`, async t => {
      const { acceptor, url } = await serve(t, kind)
      const clients = await Promise.all(Array.from({ length: 10 }, () => dial(url, ['x', 'echo'])))
      t.equal(acceptor.size, 10)
      for (const [i, client] of clients.entries()) {
        t.equal(client.protocol, 'echo')
        client.send(`message ${i}`)
        t.equal(await client.next(), `message ${i}`)
      }
      const first = clients.shift()!
      // they may have been accepted in any order
      const closed = Promise.race([...acceptor.connections].map(ws => ws.whenClosed()))
      first.close(3000, 'bye')
      t.match(await closed, { code: 3000, reason: 'bye', wasClean: true, initiator: 'peer' })
      t.equal((await first.closed).code, 3000)
      const ended = acceptor.close({ reason: 'good night' })
      for (const { closed } of clients) t.same(await closed, { code: 1001, reason: 'good night' })
      await ended
    })
  }
}

t.test('a server of ws beside ours, on the same port', async t => {
  const server = http.createServer()
  acceptWebSockets(server, { path: '/ours' }, ws => ws.text('from us'))
  const theirs = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/theirs') return
    theirs.handleUpgrade(request, socket, head, client => client.send('from ws'))
  })
  const port = await listen(t, server)
  for (const [path, message] of [
    ['/ours', 'from us'],
    ['/theirs', 'from ws'],
    ['/ours', 'from us']
  ]) {
    const client = await CLIENTS['ws']!(`ws://127.0.0.1:${port}${path}`, [])
    t.equal(await client.next(), message)
    client.close(1000, '')
    await client.closed
  }
})
