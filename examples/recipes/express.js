// WebSockets and an Express application on the same server.
//
//   node examples/recipes/express.js

import { createServer } from 'node:http'
import express from 'express'
import { acceptWebSockets } from 'websocket-duplex'

const USERS = new Map([['secret-of-ada', 'Ada']])

const app = express()
app.get('/', (_request, response) => response.send('hello from Express'))

// Express does not see upgrades, so the acceptor uses the server and not a route.
export const server = createServer(app)

export const acceptor = acceptWebSockets(
  server,
  {
    path: '/chat',
    // Any page can open a WebSocket to any server: list the allowed origins.
    origins: origin => origin === undefined || origin === `http://127.0.0.1:${server.address().port}`,
    // Called before the handshake is answered; may be asynchronous.
    async verify(request) {
      const user = USERS.get(request.headers.authorization?.replace(/^Bearer /, ''))
      if (user) return { context: { user } }
      return { status: 401, headers: { 'WWW-Authenticate': 'Bearer' }, body: 'who are you?' }
    }
  },
  async (ws, _request, { user }) => {
    ws.text(`hello ${user}`)
    for await (const message of ws.messages) {
      // to all connections; a slow one misses messages, and at most 1 MiB is buffered for it
      acceptor.broadcast(`${user}: ${message}`, { whenBehind: 'drop' })
    }
  }
)
acceptor.on('error', (error, request) => console.error(request.url, error))

server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ timeout: 5000 })
})
