// Bun's own server and client.
/* global Bun */

import { choose, echo } from './echo.js'
import { run, tell } from './program.js'
import { connect } from './standard.js'

await run(Bun.version, {
  serve() {
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch(request, server) {
        const protocol = choose((request.headers.get('Sec-WebSocket-Protocol') ?? '').split(/, */))
        const headers = protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol }
        const data = { path: new URL(request.url).pathname, protocol }
        return server.upgrade(request, { headers, data }) ? undefined : new Response('', { status: 426 })
      },
      websocket: {
        perMessageDeflate: true,
        open(ws) {
          ws.data.peer = echo({
            send: message => ws.send(message, true),
            ping: payload => ws.ping(payload),
            close: (code, reason) => ws.close(code, reason)
          })
        },
        message: (ws, message) => ws.data.peer.message(message),
        pong: (ws, payload) => ws.data.peer.pong(payload),
        close(ws, code, reason) {
          const { path, protocol } = ws.data
          tell({ path, protocol, code, reason })
        }
      }
    })
    return server.port
  },
  connect: url => connect(WebSocket, url, tell, (socket, payload) => socket.ping(payload))
})
