// Rooms and a Fastify application on the same server: a message in /rooms/kitchen goes to all members of that room. Fastify makes the
// server, and closes the acceptor when it closes.
//
//   node examples/recipes/fastify.js

import Fastify from 'fastify'
import { acceptWebSockets, Room } from 'websocket-duplex'

export const app = Fastify()
app.get('/', async () => 'hello from Fastify')

/** The rooms with members, by path. */
export const rooms = new Map()

export const acceptor = acceptWebSockets(app.server, { path: /^\/rooms\/\w+$/ }, ws => {
  // the name of a room is the path without the query, such as ?name=Ada
  const { pathname, searchParams } = new URL(ws.url)
  const room = rooms.get(pathname) ?? new Room()
  rooms.set(pathname, room.add(ws))
  // a new room may have replaced it by then
  ws.on('close', () => room.size === 0 && rooms.get(pathname) === room && rooms.delete(pathname))

  const name = searchParams.get('name') ?? 'somebody'
  // a slow client misses messages, and at most 1 MiB is buffered for it
  ws.on('message', message => room.broadcast(`${name}: ${message}`, { whenBehind: 'drop' }))
  ws.text(`this is ${pathname}`)
})
acceptor.on('error', (error, request) => app.log.error({ error, url: request.url }))

// `app.close()` waits for this before it closes the server
app.addHook('preClose', () => acceptor.close({ timeout: 5000 }))

console.log(`${await app.listen({ port: process.env.PORT ?? 8080, host: '127.0.0.1' })}/`)

process.once('SIGTERM', () => app.close())
