// Run as a process: one side of a connection that sends, or receives, one message far larger than its memory limit, and reports
// its checksum and its memory growth to the parent.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { type MessageStream, WebSocketStream } from '../../lib/index.js'

const [role, duty, total, port] = process.argv.slice(2)
const PIECE = 65536
const { POSITIVE_INFINITY } = Number
const OPTIONS = { maxMessageSize: POSITIVE_INFINITY, maxFrameSize: POSITIVE_INFINITY, maxFragments: POSITIVE_INFINITY }

const duties: Record<string, (ws: WebSocketStream) => Promise<void>> = { create, stream, take, keep }

const say = (...line: unknown[]): void => void process.send!(line)

// The growth of 30 to 40 MiB that a bare socket shows before the collector has found its pace is over by then
const WARM = 64 * 1024 * 1024
let warm = 0
let most = 0

/** Measures the memory of this process, after this many bytes. */
function look(bytes: number): void {
  const size = process.memoryUsage.rss()
  if (bytes < WARM) warm = Math.max(warm, size)
  else most = Math.max(most, size)
}

const growth = (): number => most - warm

if (role === 'server') {
  const server = createServer(socket => {
    server.close()
    void run(WebSocketStream.server(OPTIONS), socket)
  })
  server.listen(0, '127.0.0.1', () => say('port', (server.address() as AddressInfo).port))
} else {
  void run(WebSocketStream.client(`ws://127.0.0.1:${port}/`, OPTIONS), connect(Number(port), '127.0.0.1'))
}

async function run(ws: WebSocketStream, socket: Socket): Promise<void> {
  ws.attach(socket)
  await ws.opened
  await duties[duty!]!(ws)
  const { code, wasClean } = await ws.whenClosed()
  say('closed', code, wasClean)
  process.disconnect()
}

/** Pieces with different content, each in its own memory, and their checksum once all have been given. */
function* pieces(): Generator<Buffer> {
  const hash = createHash('sha1')
  for (let sent = 0; sent < Number(total); sent += PIECE) {
    const piece = Buffer.alloc(PIECE, `piece ${(sent / PIECE) % 16} `)
    hash.update(piece)
    if (sent % (64 * PIECE) === 0) look(sent)
    yield piece
  }
  say('sent', hash.digest('hex'), growth())
}

async function create(ws: WebSocketStream): Promise<void> {
  const writer = ws.createMessage('binary')
  for (const piece of pieces()) if (!writer.write(piece)) await once(writer, 'drain')
  writer.end()
  await once(writer, 'finish')
  ws.close()
}

async function stream(ws: WebSocketStream): Promise<void> {
  ws.streams.resume()
  ws.streams.write(Readable.from(pieces()), () => ws.streams.end())
}

async function take(ws: WebSocketStream): Promise<void> {
  const hash = createHash('sha1')
  let received = 0
  let looked = 0
  for await (const message of ws.streams) {
    for await (const piece of message as MessageStream) {
      hash.update(piece as Buffer)
      received += (piece as Buffer).length
      if (looked++ % 64 === 0) look(received)
    }
  }
  say('received', hash.digest('hex'), received, growth())
}

/** Like `take`, but keeps what it reads: the measured memory must grow. */
async function keep(ws: WebSocketStream): Promise<void> {
  const kept: unknown[] = []
  let received = 0
  for await (const message of ws.streams) {
    for await (const piece of message as MessageStream) {
      kept.push(piece)
      received += (piece as Buffer).length
      if (kept.length % 64 === 0) look(received)
    }
  }
  say('received', '', kept.length, growth())
}
