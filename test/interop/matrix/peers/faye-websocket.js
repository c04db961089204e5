// npm's `faye-websocket`, in both roles.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { echo, OFFERED, PROTOCOL } from './echo.js'
import { require, run, tell, versionOf } from './program.js'

const WebSocket = require('faye-websocket')
const options = { extensions: [require('permessage-deflate')] }

function talk(socket, path) {
  const peer = echo({
    send: message => socket.send(message),
    ping: payload => socket.ping(payload, () => peer.pong(payload)),
    close: (code, reason) => socket.close(code, reason)
  })
  socket.on('message', ({ data }) => peer.message(data))
  socket.on('error', () => {})
  return new Promise(resolve => {
    socket.on('close', ({ code, reason }) => {
      tell({ path, protocol: socket.protocol, code, reason })
      resolve()
    })
  })
}

await run(versionOf('faye-websocket'), {
  async serve() {
    const server = createServer()
    server.on('upgrade', (request, socket, head) => {
      talk(new WebSocket(request, socket, head, [PROTOCOL], options), request.url)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
  },
  connect: url => talk(new WebSocket.Client(url, OFFERED, options), new URL(url).pathname)
})
