// Echo by websocket (WebSocket-Node), one frame for each message as everybody else sends it.

import http from 'node:http'
import websocket from 'websocket'
import { control } from '../control.js'

const server = http.createServer()
const sockets = new websocket.server({
  httpServer: server,
  keepalive: false,
  maxReceivedFrameSize: 2 ** 27,
  maxReceivedMessageSize: 2 ** 27,
  fragmentOutgoingMessages: false
})
sockets.on('request', request => {
  const connection = request.accept(undefined, request.origin)
  connection.on('error', () => {})
  connection.on('message', message => {
    if (message.type === 'utf8') connection.sendUTF(message.utf8Data)
    else connection.sendBytes(message.binaryData)
  })
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
