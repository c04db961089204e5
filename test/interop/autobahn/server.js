// An echo server for the Autobahn suite's fuzzing client: `node server.js [PORT]`, by default 9001; 0 takes a free one. Needs a built dist.

import { createServer } from 'node:net'
import { WebSocketStream } from '../../../dist/index.js'
import { OPTIONS } from './options.js'

const [port = '9001'] = process.argv.slice(2)

const server = createServer(socket => {
  const ws = WebSocketStream.server(OPTIONS).attach(socket)
  ws.messages.on('error', () => {})
  ws.messages.pipe(ws.messages)
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`ws://127.0.0.1:${server.address().port}`)
})
