// Echo by faye-websocket.

import http from 'node:http'
import WebSocket from 'faye-websocket'
import { control } from '../control.js'

const server = http.createServer().on('upgrade', (request, socket, head) => {
  const ws = new WebSocket(request, socket, head, [], { maxLength: 2 ** 27 })
  ws.on('message', ({ data }) => ws.send(data))
  ws.on('error', () => {})
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
