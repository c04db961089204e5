// Rooms beside a Fastify application: what one says in /rooms/kitchen goes to all others there. Fastify makes the server; the acceptor
// shares it, and ends with it.
//
//   node examples/recipes/fastify.js

import Fastify from 'fastify'
import { acceptWebSockets, Room } from 'websocket-duplex'

export const app = Fastify()
app.get('/', async () => 'hello from Fastify')

/** Those in which somebody is. */
export const rooms = new Map()

export const acceptor = acceptWebSockets(app.server, { path: /^\/rooms\/\w+$/ }, ws => {
  // the URL has the query, too: ?name=Ada makes no other room
  const { pathname, searchParams } = new URL(ws.url)
  const room = rooms.get(pathname) ?? new Room()
  rooms.set(pathname, room.add(ws))
  // a later room may have its place by then
  ws.on('close', () => room.size === 0 && rooms.get(pathname) === room && rooms.delete(pathname))

  const name = searchParams.get('name') ?? 'somebody'
  // no more than 1 MiB is held for a client that does not keep up: it misses messages
  ws.on('message', message => room.broadcast(`${name}: ${message}`, { whenBehind: 'drop' }))
  ws.text(`this is ${pathname}`)
})
acceptor.on('error', (error, request) => app.log.error({ error, url: request.url }))

// `close` of the application waits for this, and only then closes the server
app.addHook('preClose', () => acceptor.close({ timeout: 5000 }))

console.log(`${await app.listen({ port: process.env.PORT ?? 8080, host: '127.0.0.1' })}/`)

process.once('SIGTERM', () => app.close())
