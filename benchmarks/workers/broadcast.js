// A server that says the same to everyone, in a process of its own. Argument: how. `prepared` frames it once, `each` and `ws` for each.

import http from 'node:http'
import { WebSocketServer } from 'ws'
import { control } from '../control.js'
import subject from '../subject.js'

const [how] = process.argv.slice(2)
const { WebSocketStream, prepareMessage } = subject
const server = http.createServer()
const receivers = new Set()

if (how === 'ws') {
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false })
  sockets.on('connection', ws => receivers.add(ws))
} else {
  server.on('upgrade', (request, socket, head) => receivers.add(WebSocketStream.http(request, head).attach(socket)))
}

const ways = {
  prepared(text) {
    const message = prepareMessage(text)
    for (const ws of receivers) ws.send(message)
  },
  each(text) {
    for (const ws of receivers) ws.text(text)
  },
  ws(text) {
    for (const ws of receivers) ws.send(text)
  }
}

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port))),

  async broadcast({ text, count }) {
    for (let i = 0; i < count; i++) {
      ways[how](text)
      // as timers and sockets do it: one to a turn of the event loop
      await new Promise(resolve => setImmediate(resolve))
    }
    return receivers.size
  }
})
