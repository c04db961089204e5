// Run as a process, with the built package: a relay between its clients and a target on the loopback, made with this library or with `ws`. Reports its port, and
// its memory on request.

import { createServer } from 'node:http'
import { permessageDeflate, relay, WebSocketStream } from 'websocket-duplex'
import { WebSocket, WebSocketServer } from 'ws'

const [kind, port] = process.argv.slice(2)
const target = `ws://127.0.0.1:${port}/`
const UNLIMITED = { maxFrameSize: Infinity, maxMessageSize: Infinity, maxFragments: Infinity }

const server = createServer()

const kinds = {
  /** Passes frames through unchanged. */
  frames() {
    server.on('upgrade', (request, socket, head) => {
      relay(WebSocketStream.http(request, head, UNLIMITED).attach(socket), target)
    })
  },
  /** Messages as streams. */
  streams() {
    server.on('upgrade', (request, socket, head) => {
      relay(WebSocketStream.http(request, head, UNLIMITED).attach(socket), target, { transform: {} })
    })
  },
  /** Compressed on the client's side only. */
  inflating() {
    const extensions = [permessageDeflate({ level: 1, peerWindowBits: 15 })]
    server.on('upgrade', (request, socket, head) => {
      const ws = WebSocketStream.http(request, head, { ...UNLIMITED, extensions }).attach(socket)
      relay(ws, target, { connect: { extensions: [] } })
    })
  },
  /** The same with `ws`: each message is received whole, and sent on. */
  ws() {
    new WebSocketServer({ server, maxPayload: 0 }).on('connection', near => {
      const far = new WebSocket(target, { maxPayload: 0 })
      near.on('message', (data, binary) => far.send(data, { binary }))
      far.on('message', (data, binary) => near.send(data, { binary }))
      far.on('close', () => near.close())
      near.on('close', () => far.close())
    })
  }
}

kinds[kind]()
server.listen(0, '127.0.0.1', () => process.send(['port', server.address().port]))

let start = 0
let sizes = []
const watch = () => sizes.push(process.memoryUsage.rss() - start)

process.on('message', question => {
  if (question === 'start') {
    globalThis.gc()
    start = process.memoryUsage.rss()
    sizes = []
    setInterval(watch, 10).unref()
  }
  watch()
  // the median and the maximum: garbage counts until it is collected
  sizes.sort((a, b) => a - b)
  const { user, system } = process.cpuUsage()
  process.send([question, sizes[sizes.length >> 1], sizes.at(-1), user + system])
})
process.on('disconnect', () => process.exit())
