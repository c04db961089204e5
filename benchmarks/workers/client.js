// A client under test. Each message that comes back is answered by one more, so that what is in flight stays the same.

import net from 'node:net'
import { control, cpuTime } from '../control.js'
import { payload } from '../wire.js'

const [contestant] = process.argv.slice(2)

let going = false
let messages = 0
let value
let length
let window
let connections = []

/** One connection's side of the application: `send` is the library's, `got` is called with each message. */
class Talk {
  flying = 0
  checks = 0

  start() {
    for (let i = 0; i < window; i++) this.send(value)
    this.flying += window
  }
  got(data) {
    messages++
    if (data.length !== length) throw new Error(`${contestant}: ${data.length} of ${length}`)
    if (this.checks++ % 4096 === 0 && !(typeof data === 'string' ? data === value : value.equals(data))) {
      throw new Error(`${contestant}: a message is not what was sent`)
    }
    if (going) this.send(value)
    else if (--this.flying === 0) this.onDrained?.()
  }
}

const contestants = {
  async ws(url, talk) {
    const { WebSocket } = await import('ws')
    const ws = new WebSocket(url, { perMessageDeflate: false })
    ws.on('message', (data, isBinary) => talk.got(isBinary ? data : data.toString()))
    await new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject))
    talk.send = data => ws.send(data)
    talk.close = () => new Promise(resolve => ws.on('close', resolve).close())
  },

  async undici(url, talk) {
    const { WebSocket } = await import('undici')
    const ws = new WebSocket(url)
    ws.binaryType = 'arraybuffer'
    ws.onmessage = ({ data }) => talk.got(typeof data === 'string' ? data : Buffer.from(data))
    await new Promise((resolve, reject) => {
      ws.onopen = resolve
      ws.onerror = reject
    })
    talk.send = data => ws.send(data)
    talk.close = () =>
      new Promise(resolve => {
        ws.onclose = resolve
        ws.close()
      })
  },

  async 'ours: event, attach'(url, talk) {
    const { default: library } = await import('../subject.js')
    const ws = library.WebSocketStream.client(url)
    ws.on('message', data => talk.got(data))
    const { hostname, port } = new URL(url)
    ws.attach(net.connect({ host: hostname, port, noDelay: true }))
    await ws.opened
    talk.send = data => (typeof data === 'string' ? ws.text(data) : ws.binary(data))
    talk.close = () => {
      ws.close()
      return ws.whenClosed()
    }
  },

  async 'ours: messages, pipes'(url, talk) {
    const { default: library } = await import('../subject.js')
    const ws = library.WebSocketStream.client(url)
    ws.messages.on('data', data => talk.got(data))
    const { hostname, port } = new URL(url)
    const socket = net.connect({ host: hostname, port, noDelay: true })
    socket.pipe(ws).pipe(socket)
    await ws.opened
    talk.send = data => ws.messages.write(data)
    talk.close = () => {
      ws.messages.end()
      return ws.whenClosed()
    }
  }
}
contestants['ws again'] = contestants.ws

control({
  async open(request) {
    const bytes = payload(request.kind, request.size)
    value = request.kind === 'binary' ? bytes : bytes.toString()
    length = value.length
    window = request.window
    connections = Array.from({ length: request.count }, () => new Talk())
    const url = `ws://127.0.0.1:${request.port}/${request.kind}/${request.size}`
    await Promise.all(connections.map(talk => contestants[contestant](url, talk)))
    going = true
    for (const talk of connections) talk.start()
  },
  mark: () => ({ messages, at: performance.now(), cpu: cpuTime() }),
  async finish() {
    going = false
    await Promise.all(
      connections.map(
        talk =>
          new Promise(resolve => {
            if (talk.flying === 0) resolve()
            else talk.onDrained = resolve
          })
      )
    )
    await Promise.all(connections.map(talk => talk.close()))
    return {}
  }
})
