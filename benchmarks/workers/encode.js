// Encoding in process, one contestant for each process: messages are handed over, the stub at the far end counts the
// bytes. `perTurn` messages in each turn of the event loop, for what a turn's messages cost together is the question.

import { control, cpuTime } from '../control.js'
import { FakeSocket, FakeStream } from '../fake-socket.js'
import { frameSize, opcodeOf, payloads, unframe, upgradeRequest, upgradeResponse } from '../wire.js'

const [contestant] = process.argv.slice(2)

/** Each gives `{ socket, text(string), binary(bytes), busy() }` around `socket`, a stub. */
const contestants = {
  async ws(role, socket) {
    const { Sender } = await import('ws')
    const sender = new Sender(socket, {})
    const mask = role === 'client'
    // The option objects are what WebSocket#send makes for each message.
    return {
      socket,
      text: text => sender.send(text, { binary: false, mask, compress: false, fin: true }),
      binary: bytes => sender.send(bytes, { binary: true, mask, compress: false, fin: true }),
      busy: () => sender._bufferedBytes > 0
    }
  },

  async 'ours by attach'(role, socket) {
    const { default: library } = await import('../subject.js')
    const { WebSocketStream } = library
    socket.kept = []
    const ws = role === 'server' ? WebSocketStream.server() : WebSocketStream.client('ws://127.0.0.1/')
    ws.on('message', () => {})
    ws.attach(socket)
    if (role === 'server') socket.arrive(upgradeRequest())
    else {
      for (let i = 0; !socket.kept.length && i < 100; i++) await new Promise(setImmediate)
      socket.arrive(upgradeResponse(Buffer.concat(socket.kept).toString('latin1')))
    }
    await ws.opened
    return { socket, text: text => ws.text(text), binary: bytes => ws.binary(bytes), busy: () => ws.bufferedAmount > 0 }
  },

  async 'websocket-driver'(role, socket) {
    const { default: driver } = await import('websocket-driver')
    if (role === 'client') return null
    const server = driver.server()
    server.on('connect', () => server.start())
    server.io.on('data', chunk => socket.write(chunk))
    server.io.write(upgradeRequest())
    return { socket, text: text => server.text(text), binary: bytes => server.binary(bytes), busy: () => false }
  },

  /** What the loop around costs by itself. */
  async 'empty loop'(role, socket) {
    const count = bytes => {
      socket.bytes += frameSize(typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length, role === 'client')
    }
    return { socket, text: count, binary: count, busy: () => false }
  }
}
contestants['ws again'] = contestants.ws

let target
let values
let size
let role
let send
let perTurn

async function prepare(request) {
  ;({ role, size, perTurn } = request)
  const { sink } = request
  target = await contestants[contestant](role, sink === 'bare' ? new FakeSocket() : new FakeStream())
  if (!target) return { skip: true }
  const bytes = payloads(request.kind, size, Math.max(3, Math.min(1000, 2 ** 20 / size)))
  values = request.kind === 'binary' ? bytes : bytes.map(each => each.toString())
  send = request.kind === 'binary' ? target.binary : target.text
  if (contestant !== 'empty loop') {
    target.socket.kept = []
    await pass(100)
    const frames = unframe(Buffer.concat(target.socket.kept))
    target.socket.kept = null
    if (frames.length !== 100) throw new Error(`${contestant}: ${frames.length} frames of 100 messages`)
    frames.forEach(({ opcode, final, payload }, i) => {
      if (opcode !== opcodeOf(request.kind) || !final || !payload.equals(bytes[i % bytes.length])) {
        throw new Error(`${contestant}: frame ${i} is not the message sent`)
      }
    })
  }
  return {}
}

async function pass(count) {
  const { socket } = target
  if (socket.kept) socket.kept.length = 0
  socket.bytes = 0
  socket.writes = 0
  const expected = count * frameSize(size, role === 'client')
  const taken = await new Promise((resolve, reject) => {
    let sent = 0
    let idle = 0
    const start = cpuTime()
    const turn = () => {
      if (sent === count) {
        if (socket.bytes === expected) return resolve(cpuTime() - start)
        if (idle++ < 1000 && socket.bytes < expected) return setImmediate(turn)
        return reject(new Error(`${contestant}: ${socket.bytes} bytes written, expected ${expected}`))
      }
      for (let i = 0; i < perTurn && sent < count; i++) send(values[sent++ % values.length])
      setImmediate(turn)
    }
    turn()
  })
  return taken
}

control({
  prepare,
  async sample({ ms }) {
    const most = role === 'client' ? 2 ** 26 / size : 2 ** 32 / size
    const count = Math.max(1, Math.floor(Math.min(200_000, most, 20_000 * perTurn) / perTurn)) * perTurn
    let taken = 0
    let messages = 0
    while (taken < ms * 1e3) {
      taken += await pass(count)
      messages += count
    }
    return { rate: messages / (taken / 1e6), writes: target.socket.writes / count }
  }
})
