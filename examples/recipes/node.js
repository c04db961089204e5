// WebSockets beside an ordinary server of node:http, without any framework.
//
//   node examples/recipes/node.js

import { createServer } from 'node:http'
import { acceptWebSockets } from 'websocket-duplex'

export const server = createServer((_request, response) => response.end('hello from node:http\n'))

export const acceptor = acceptWebSockets(server, { path: '/echo', maxConnections: 10_000 }, ws => {
  ws.messages.pipe(ws.messages)
})

// An exception of the handler or of `verify`. Without this listener it would end the process.
acceptor.on('error', (error, request) => console.error(request.url, error))

server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ reason: 'the server is shutting down', timeout: 5000 })
})
