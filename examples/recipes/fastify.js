// Rooms in a Fastify application: a message in /rooms/kitchen goes to all other connections there. Fastify makes the server; the acceptor
// uses it too, and closes with it.
//
//   node examples/recipes/fastify.js

import Fastify from 'fastify'
import { acceptWebSockets, Room } from 'websocket-duplex'

export const app = Fastify()
app.get('/', async () => 'hello from Fastify')

/** The rooms that are not empty. */
export const rooms = new Map()

export const acceptor = acceptWebSockets(app.server, { path: /^\/rooms\/\w+$/ }, ws => {
  // without the query: ?name=Ada does not make another room
  const { pathname, searchParams } = new URL(ws.url)
  const room = rooms.get(pathname) ?? new Room()
  rooms.set(pathname, room.add(ws))
  // by then a new room may have this path
  ws.on('close', () => room.size === 0 && rooms.get(pathname) === room && rooms.delete(pathname))

  const name = searchParams.get('name') ?? 'somebody'
  // a slow client misses messages, and at most 1 MiB is held for it
  ws.on('message', message => room.broadcast(`${name}: ${message}`, { whenBehind: 'drop' }))
  ws.text(`this is ${pathname}`)
})
acceptor.on('error', (error, request) => app.log.error({ error, url: request.url }))

// `close` of the application waits for this, and only then closes the server
app.addHook('preClose', () => acceptor.close({ timeout: 5000 }))

console.log(`${await app.listen({ port: process.env.PORT ?? 8080, host: '127.0.0.1' })}/`)

process.once('SIGTERM', () => app.close())
