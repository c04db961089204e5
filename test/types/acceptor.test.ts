// The types of an acceptor: the handler gets the context that `verify` returns.

import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import t from 'tap'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'

t.test('the context has the type that verify returns', async t => {
  const server = http.createServer()
  const acceptor = acceptWebSockets(
    server,
    {
      async verify(request) {
        if (request.socket?.remoteAddress === undefined) return { status: 400 }
        return request.url === '/' && { context: { user: 'Ada', age: 36 } }
      }
    },
    (ws, request, { user, age }) => {
      const said: boolean = ws.text(`${user.toUpperCase()} ${age.toFixed()} ${request.url}`)
      return said
    }
  )
  acceptor.on('refused', (error, request) => error.status + (request.url ?? '').length)
  acceptor.on('error', (error, request) => error.message + request.url)
  // @ts-expect-error there is no such event
  acceptor.on('nothing', () => {})
  for (const ws of acceptor.connections) ws.ping()
  // @ts-expect-error the set is read-only
  acceptor.connections.clear?.()
  t.equal(acceptor.size, 0)
})

t.test('every server of Node is accepted', async t => {
  const servers = [http.createServer(), https.createServer(), http2.createServer(), http2.createSecureServer()]
  for (const server of servers) {
    const acceptor = acceptWebSockets(server, { path: /^\//, maxMessageSize: 1000 }, async ws => {
      for await (const message of ws.messages) ws.messages.write(message)
    })
    t.equal(acceptor.handshakes, 0)
  }
  // @ts-expect-error a port is not a server
  t.throws(() => acceptWebSockets(8080, {}, () => {}), TypeError)
})
