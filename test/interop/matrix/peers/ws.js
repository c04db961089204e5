// npm's `ws`, in both roles.

import { once } from 'node:events'
import { choose, echo, OFFERED } from './echo.js'
import { require, run, tell, versionOf } from './program.js'

const { WebSocket, WebSocketServer } = require('ws')
const perMessageDeflate = { threshold: 0 }

function talk(socket, path) {
  const peer = echo({
    send: message => socket.send(message),
    sendPieces(pieces, isText) {
      pieces.forEach((piece, i) => {
        socket.send(piece, { binary: !isText, fin: i === pieces.length - 1 })
      })
    },
    ping: payload => socket.ping(payload),
    close: (code, reason) => socket.close(code, reason)
  })
  socket.on('message', (data, isBinary) => peer.message(isBinary ? data : String(data)))
  socket.on('pong', payload => peer.pong(payload))
  socket.on('error', () => {})
  return new Promise(resolve => {
    socket.on('close', (code, reason) => {
      tell({ path, protocol: socket.protocol, code, reason: String(reason) })
      resolve()
    })
  })
}

await run(versionOf('ws'), {
  async serve() {
    const handleProtocols = offered => choose(offered) ?? false
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols, perMessageDeflate })
    server.on('connection', (socket, { url }) => talk(socket, url))
    await once(server, 'listening')
    return server.address().port
  },
  connect: url => talk(new WebSocket(url, OFFERED, { perMessageDeflate }), new URL(url).pathname)
})
