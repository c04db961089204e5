// One TCP port for WebSockets on the raw socket, also of the drafts, and for a node:http application, which gets all other requests.
//
//   node examples/one-port/server.js

import http from 'node:http'
import net from 'node:net'
import { isWebSocket, WebSocketStream } from 'websocket-duplex'

const app = http.createServer((request, response) => response.end(`the page ${request.url}\n`))

const server = net.createServer({ allowHalfOpen: true }, socket => {
  const ws = WebSocketStream.server({ allowDrafts: true })
  ws.on('request', request => {
    if (!isWebSocket(request)) return ws.handOver(app)
    ws.accept()
    ws.messages.pipe(ws.messages)
  })
  ws.attach(socket)
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`pages and an echo: http://127.0.0.1:${server.address().port}/`)
})

process.once('SIGTERM', () => process.exit())
