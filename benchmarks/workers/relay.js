// A relay in a process of its own. Arguments: who makes it, and whether its sides compress. `frames` passes them on as they are; `streams`
// inflates and deflates each message, since either side has an extension of its own; `ws` does the same with whole messages.

import http from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { control } from '../control.js'
import subject from '../subject.js'

const [maker, compressed] = process.argv.slice(2)
const { WebSocketStream, permessageDeflate, relay } = subject
const deflate = compressed === 'yes'

const makers = {
  frames(server, target) {
    server.on('upgrade', (request, socket, head) => {
      relay(WebSocketStream.http(request, head).attach(socket), target)
    })
  },
  streams(server, target) {
    // what both sides agree on is not the same, so that nothing can pass as it is
    const near = deflate ? [permessageDeflate({ threshold: 0 })] : []
    const far = deflate ? [permessageDeflate({ threshold: 0, windowBits: 11 })] : []
    server.on('upgrade', (request, socket, head) => {
      const ws = WebSocketStream.http(request, head, { extensions: near })
      relay(ws.attach(socket), target, { connect: { extensions: far }, transform: {} })
    })
  },
  ws(server, target) {
    const perMessageDeflate = deflate && { threshold: 0 }
    new WebSocketServer({ server, perMessageDeflate }).on('connection', near => {
      const far = new WebSocket(target, { perMessageDeflate })
      const early = []
      near.on('message', (data, binary) => {
        if (far.readyState === WebSocket.OPEN) far.send(data, { binary })
        else early.push([data, { binary }])
      })
      far.on('open', () => {
        for (const args of early.splice(0)) far.send(...args)
      })
      far.on('message', (data, binary) => near.send(data, { binary }))
    })
  }
}

control({
  listen({ target }) {
    const server = http.createServer()
    makers[maker](server, target)
    return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  }
})
