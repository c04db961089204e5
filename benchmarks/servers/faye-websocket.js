// Echo by faye-websocket; with 'ours', on what stands in the place of websocket-driver.

import http from 'node:http'
import { createRequire } from 'node:module'
import { control } from '../control.js'
import { putIn } from '../driver-subject.js'

if (process.argv.includes('ours')) putIn()
const WebSocket = createRequire(import.meta.url)('faye-websocket')

const server = http.createServer().on('upgrade', (request, socket, head) => {
  const ws = new WebSocket(request, socket, head, [], { maxLength: 2 ** 27 })
  ws.on('message', ({ data }) => ws.send(data))
  ws.on('error', () => {})
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
