// WebSockets beside a Hono application, on the Node server that @hono/node-server makes for it.
//
//   node examples/recipes/hono.js

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { acceptWebSockets } from 'websocket-duplex'

const app = new Hono()
app.get('/', context => context.text('hello from Hono'))

export const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 8080), hostname: '127.0.0.1' },
  info => {
    console.log(`http://127.0.0.1:${info.port}/`)
  }
)

// Messages in a pipe: each received message passes through a Transform and is sent back.
export const acceptor = acceptWebSockets(server, { path: '/upper', protocols: ['text'] }, async ws => {
  for await (const message of ws.messages) {
    if (typeof message !== 'string') return ws.close(1003, 'text only')
    // false where the wire is full: then wait, and the sender will
    if (!ws.messages.write(message.toUpperCase())) await new Promise(resolve => ws.messages.once('drain', resolve))
  }
})
acceptor.on('error', (error, request) => console.error(request.url, error))

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ timeout: 5000 })
})
