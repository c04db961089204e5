// Run as a process: a server that sends small messages to peers that do not read, and stops when it is told to. Reports to the parent how
// much memory each peer takes, and what `bufferedAmount` says.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { WebSocketStream } from '../../lib/index.js'
import { requestHead } from '../support/raw-peer.js'
import { joinTo } from '../websocket-stream/sides.js'

const [join, way, highWaterMark] = process.argv.slice(2)
const PEERS = 40
const MESSAGE = 'y'.repeat(1000)

const collect = (globalThis as { gc?: () => void }).gc!

/** Bytes of all ArrayBuffers that are still in use. */
async function memory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise(resolve => setTimeout(resolve, 20))
    collect()
  }
  return process.memoryUsage().arrayBuffers
}

const all: WebSocketStream[] = []
let ownOfSocket = 0
const server = createServer(socket => {
  ownOfSocket = socket.writableHighWaterMark
  const ws = WebSocketStream.server({ highWaterMark: Number(highWaterMark) })
  all.push(ws)
  joinTo(ws, socket, join as 'attach' | 'pipe')
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const clients: Socket[] = []
for (let i = 0; i < PEERS; i++) {
  const client = connect(port, '127.0.0.1').pause()
  client.write(requestHead())
  clients.push(client)
}
while (all.length < PEERS || all.some(ws => ws.readyState !== 'open')) await new Promise(setImmediate)

function wants(ws: WebSocketStream): boolean {
  if (way === 'messages') return ws.messages.write(MESSAGE)
  ws.send(MESSAGE)
  return !ws.needsDrain
}

const before = await memory()
let sending = all
while (sending.length > 0) {
  // two in each turn, so that one write to the socket is small
  sending = sending.filter(ws => wants(ws) && wants(ws))
  await new Promise(setImmediate)
}
const held = ((await memory()) - before) / PEERS
const counted = all.reduce((sum, ws) => sum + ws.bufferedAmount, 0) / PEERS
process.send!(['held', held, counted, ownOfSocket])
process.exit()
