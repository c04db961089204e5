// WebSockets beside a Fastify application. Fastify makes the server; the acceptor shares it, and ends with it.
//
//   node examples/recipes/fastify.js

import Fastify from 'fastify'
import { acceptWebSockets } from 'websocket-duplex'

export const app = Fastify()
app.get('/', async () => 'hello from Fastify')

export const acceptor = acceptWebSockets(app.server, { path: /^\/rooms\/\w+$/ }, (ws, request) => {
  const room = request.url.slice('/rooms/'.length)
  ws.text(`this is ${room}`)
  ws.messages.pipe(ws.messages)
})
acceptor.on('error', (error, request) => app.log.error({ error, url: request.url }))

// `close` of the application waits for this, and only then closes the server
app.addHook('preClose', () => acceptor.close({ timeout: 5000 }))

console.log(`${await app.listen({ port: process.env.PORT ?? 8080, host: '127.0.0.1' })}/`)

process.once('SIGTERM', () => app.close())
