// Deno's own server and client.
/* global Deno */

import { choose, echo } from './echo.js'
import { run, tell } from './program.js'
import { connect } from './standard.js'

await run(Deno.version.deno, {
  serve() {
    const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen() {} }, request => {
      const protocol = choose((request.headers.get('Sec-WebSocket-Protocol') ?? '').split(/, */))
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0, protocol })
      socket.binaryType = 'arraybuffer'
      const peer = echo({
        send: message => socket.send(message),
        close: (code, reason) => socket.close(code, reason)
      })
      socket.onmessage = ({ data }) => peer.message(typeof data === 'string' ? data : new Uint8Array(data))
      socket.onerror = () => {}
      socket.onclose = ({ code, reason }) => {
        tell({ path: new URL(request.url).pathname, protocol: socket.protocol, code, reason })
      }
      return response
    })
    return server.addr.port
  },
  connect: url => connect(WebSocket, url, tell)
})
