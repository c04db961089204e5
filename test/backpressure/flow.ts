// Run as a process: one side of a connection that sends as much as it may, or reads nothing until it is told to. Reports events
// and the size of this process to the parent.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { WebSocketStream } from '../../lib/index.js'

const [role, join, duty, total, port] = process.argv.slice(2)
const PIECE = 65536

const duties: Record<string, (ws: WebSocketStream) => Promise<void>> = { send, take, overrun, hoard }

const say = (...line: unknown[]): void => void process.send!(line)

if (role === 'server') {
  const server = createServer(socket => {
    server.close()
    void run(WebSocketStream.server(), socket)
  })
  server.listen(0, '127.0.0.1', () => say('port', (server.address() as AddressInfo).port))
} else {
  void run(WebSocketStream.client(`ws://127.0.0.1:${port}/`), connect(Number(port), '127.0.0.1'))
}

async function run(ws: WebSocketStream, socket: Socket): Promise<void> {
  if (join === 'attach') ws.attach(socket)
  else socket.pipe(ws).pipe(socket)
  await ws.opened
  await duties[duty!]!(ws)
  const { code, wasClean } = await ws.whenClosed()
  say('closed', code, wasClean)
  process.disconnect()
}

/** Misbehaves on purpose: goes on writing although write() returned false. */
async function overrun(ws: WebSocketStream): Promise<void> {
  const before = process.memoryUsage.rss()
  for (let sent = 0; sent < Number(total); sent += PIECE) ws.messages.write(Buffer.alloc(PIECE, 'piece'))
  say('overrun', process.memoryUsage.rss() - before)
}

/** Keeps everything it receives. */
async function hoard(ws: WebSocketStream): Promise<void> {
  const before = process.memoryUsage.rss()
  const kept: unknown[] = []
  say('ready')
  for await (const piece of ws.messages) kept.push(piece)
  say('hoarded', process.memoryUsage.rss() - before, kept.length)
}

async function send(ws: WebSocketStream): Promise<void> {
  const before = process.memoryUsage.rss()
  const hash = createHash('sha1')
  const pieces = Array.from({ length: 16 }, (_, i) => Buffer.alloc(PIECE, `piece ${i} `))
  let told = 0
  let stalled = false
  let mostHeld = 0
  for (let sent = 0; sent < Number(total); sent += PIECE) {
    const piece = pieces[(sent / PIECE) % pieces.length]!
    hash.update(piece)
    // each message has its own memory; otherwise a sender that kept them all would not grow
    const more = ws.messages.write(Buffer.from(piece))
    mostHeld = Math.max(mostHeld, ws.bufferedAmount)
    if (more) continue
    told++
    // the only fixed pause: no event says that nothing happens
    const timer = setTimeout(() => {
      if (!stalled) say('stalled', sent, ws.bufferedAmount, process.memoryUsage.rss() - before)
      stalled = true
    }, 250)
    await once(ws.messages, 'drain')
    clearTimeout(timer)
  }
  ws.messages.end()
  say('sent', hash.digest('hex'), told, mostHeld)
}

async function take(ws: WebSocketStream): Promise<void> {
  const before = process.memoryUsage.rss()
  process.on('message', question => {
    if (question === 'size') say('size', process.memoryUsage.rss() - before)
  })
  say('ready')
  for (;;) {
    const [order] = await once(process, 'message')
    if (order === 'read') break
  }
  const hash = createHash('sha1')
  let received = 0
  for await (const piece of ws.messages) {
    hash.update(piece as Buffer)
    received += (piece as Buffer).length
  }
  say('received', hash.digest('hex'), received)
}
