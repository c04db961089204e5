// npm's `websocket` (WebSocket-Node), in both roles.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { choose, echo, OFFERED } from './echo.js'
import { require, run, tell, versionOf } from './program.js'

const { client: Client, server: Server } = require('websocket')
const limits = { maxReceivedFrameSize: 2 ** 24, maxReceivedMessageSize: 2 ** 24, fragmentOutgoingMessages: false }

function talk(connection, path) {
  const send = (message, isText = typeof message === 'string') => {
    if (isText) connection.sendUTF(message)
    else connection.sendBytes(Buffer.from(message))
  }
  const peer = echo({
    send,
    sendPieces(pieces, isText) {
      // it splits messages itself, at a size that it reads for each message
      Object.assign(connection.config, { fragmentOutgoingMessages: true, fragmentationThreshold: pieces[0].length })
      const whole = Buffer.concat(pieces)
      send(isText ? whole.toString() : whole, isText)
      connection.config.fragmentOutgoingMessages = false
    },
    ping: payload => connection.ping(payload),
    close: (code, reason) => connection.close(code, reason)
  })
  connection.on('message', ({ type, utf8Data, binaryData }) => peer.message(type === 'utf8' ? utf8Data : binaryData))
  connection.on('pong', payload => peer.pong(payload))
  connection.on('error', () => {})
  return new Promise(resolve => {
    connection.on('close', (code, reason) => {
      tell({ path, protocol: connection.protocol, code, reason })
      resolve()
    })
  })
}

await run(versionOf('websocket'), {
  async serve() {
    const httpServer = createServer()
    const server = new Server({ httpServer, ...limits })
    server.on('request', request => {
      talk(request.accept(choose(request.requestedProtocols), request.origin), request.resource)
    })
    httpServer.listen(0, '127.0.0.1')
    await once(httpServer, 'listening')
    return httpServer.address().port
  },
  connect(url) {
    const client = new Client(limits)
    client.connect(url, OFFERED)
    // at once: the first frame may follow directly after the handshake
    return new Promise(resolve => client.on('connect', connection => resolve(talk(connection, new URL(url).pathname))))
  }
})
