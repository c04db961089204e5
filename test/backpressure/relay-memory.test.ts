// A relay in its own process with a small heap: neither traffic nor a side that does not read makes it grow. FULL=1
// uses the full sizes, 2 GiB and 512 MiB.

import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { type MessageStream, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { Inbox } from '../support/inbox.js'

const SCRIPT = fileURLToPath(new URL('relay-flow.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
const MIB = 2 ** 20
const FULL = process.env['FULL'] === '1'
const PIECE = 65536
const UNLIMITED = { maxFrameSize: Infinity, maxMessageSize: Infinity, maxFragments: Infinity }

// nothing but Node and the build: the TypeScript compiler and coverage would add to the memory
const EXEC_ARGV = ['--max-old-space-size=24', '--max-semi-space-size=1', '--expose-gc']
const { NODE_OPTIONS: _, ...ENV } = process.env

/** Growth of the relay since 'start', median and maximum, and the CPU time it has used, in µs. */
interface Size {
  grown: number
  most: number
  cpu: number
}

interface Through {
  client: WebSocketStream
  target: WebSocketStream
  /** The test's ends of both wires. */
  sockets: { client: Socket; target: Socket }
  /** Asks the relay how large it is. */
  ask(question: string): Promise<Size>
}

/** A client and a target in this process, and a relay between them in another. */
async function through(t: Test, kind: string, options: WebSocketOptions = {}): Promise<Through> {
  const targets = new Inbox<[WebSocketStream, Socket]>()
  const server = createServer(socket => targets.put([WebSocketStream.server(UNLIMITED).attach(socket), socket]))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  if (!existsSync(BUILT)) throw new Error('needs dist: npm run build')
  const child: ChildProcess = fork(SCRIPT, [kind, String((server.address() as AddressInfo).port)], {
    execArgv: EXEC_ARGV,
    env: ENV
  })
  const lines = new Inbox<unknown[]>()
  child.on('message', line => lines.put(line as unknown[]))
  child.on('exit', () => lines.end())
  const [, port] = (await lines.take()) as [string, number]
  const socket = connect(port, '127.0.0.1')
  const client = WebSocketStream.client(`ws://127.0.0.1:${port}/`, { ...UNLIMITED, ...options }).attach(socket)
  const [target, far] = (await targets.take())!
  await Promise.all([client.opened, target.opened])
  t.teardown(() => {
    server.close()
    socket.destroy()
    far.destroy()
    child.kill('SIGKILL')
  })
  const ask = async (question: string): Promise<Size> => {
    child.send(question)
    const [, grown, most, cpu] = (await lines.take()) as [string, number, number, number]
    return { grown, most, cpu }
  }
  return { client, target, sockets: { client: socket, target: far }, ask }
}

const PIECES = Array.from({ length: 16 }, (_, i) => Buffer.alloc(PIECE, `piece ${i} of a message `))

/** One message of that many bytes. */
async function sendOne(ws: WebSocketStream, size: number): Promise<string> {
  const hash = createHash('sha1')
  const writer = ws.createMessage('binary')
  for (let sent = 0; sent < size; sent += PIECE) {
    const piece = PIECES[(sent / PIECE) % PIECES.length]!
    hash.update(piece)
    if (!writer.write(piece)) await once(writer, 'drain')
  }
  writer.end()
  return hash.digest('hex')
}

async function receiveOne(message: MessageStream): Promise<[hash: string, size: number]> {
  const hash = createHash('sha1')
  let size = 0
  for await (const piece of message) {
    hash.update(piece)
    size += piece.length
  }
  return [hash.digest('hex'), size]
}

// one frame; createMessage would split it
async function sendFrame(socket: Socket, size: number): Promise<string> {
  const hash = createHash('sha1')
  const header = Buffer.alloc(10)
  header[0] = 0x82
  header[1] = 127
  header.writeBigUInt64BE(BigInt(size), 2)
  socket.write(header)
  for (let sent = 0; sent < size; sent += PIECE) {
    const piece = PIECES[(sent / PIECE) % PIECES.length]!
    hash.update(piece)
    if (!socket.write(piece)) await once(socket, 'drain')
  }
  return hash.digest('hex')
}

const SIZES: [kind: string, mib: number, options: () => WebSocketOptions][] = [
  ['frames', 64, () => ({})],
  ['streams', 32, () => ({})],
  ['inflating', 24, () => ({ extensions: [permessageDeflate({ level: 1 })] })]
]

for (const [kind, small, options] of SIZES) {
  const mib = FULL ? 2048 : small
  t.test(`a message of ${mib} MiB through a relay, ${kind}`, { timeout: 600_000 }, async t => {
    const { client, target, sockets, ask } = await through(t, kind, options())
    const incoming = { client: client.streams, target: target.streams }
    // run once before, so that what is created on first use exists
    for (const [size, isMeasured] of [
      [24 * MIB, false],
      [mib * MIB, true]
    ] as const) {
      if (isMeasured) await ask('start')
      for (const [from, to] of [
        ['client', 'target'],
        ['target', 'client']
      ] as const) {
        if (FULL && isMeasured && kind === 'inflating' && from === 'target') continue
        const ws = from === 'client' ? client : target
        const begun = Date.now()
        const sent = from === 'target' && kind === 'frames' ? sendFrame(sockets.target, size) : sendOne(ws, size)
        const [message] = (await once(incoming[to], 'data')) as [MessageStream]
        t.strictSame(await receiveOne(message), [await sent, size], `all bytes arrive at the ${to}`)
        if (FULL) t.comment(`${from} to ${to}: ${Date.now() - begun} ms`)
      }
    }
    const { grown, most, cpu } = await ask('size')
    const shown = `${(grown / MIB).toFixed(1)} MiB, ${(most / MIB).toFixed(1)} at most, in ${Math.round(cpu / 1000)} ms of CPU`
    t.ok(grown < 24 * MIB && most < 48 * MIB, `the relay has grown by ${shown}`)
  })
}

interface Flood {
  sent: number
  grown: number
}

/** Sends messages of both kinds to a side that does not read; measures when no more can be sent, or all is sent; then lets it read. */
async function flood(t: Test, kind: string, taker: 'client' | 'target', total: number): Promise<Flood> {
  const { client, target, sockets, ask } = await through(t, kind)
  const [from, to] = taker === 'client' ? [target, client] : [client, target]
  sockets[taker].pause()
  await ask('start')
  const sending = createHash('sha1')
  const measured = { sent: 0, grown: 0 }
  let isMeasured = false
  const measure = async (sent: number): Promise<void> => {
    if (isMeasured) return
    isMeasured = true
    measured.sent = sent
    measured.grown = (await ask('size')).most
    to.messages.resume()
    sockets[taker].resume()
  }
  const receiving = createHash('sha1')
  to.messages.pause()
  to.messages.on('data', message => receiving.update(typeof message === 'string' ? `text ${message}` : message))
  for (let sent = 0; sent < total; sent += PIECE) {
    const piece = PIECES[(sent / PIECE) % PIECES.length]!
    const message = (sent / PIECE) % 2 === 0 ? piece : piece.toString('latin1')
    sending.update(typeof message === 'string' ? `text ${message}` : message)
    if (from.messages.write(message)) continue
    // no event says that nothing happens
    const timer = setTimeout(() => void measure(sent), 300)
    await once(from.messages, 'drain')
    clearTimeout(timer)
  }
  // a relay that held everything would have it by now
  if (!isMeasured) await new Promise(resolve => setTimeout(resolve, 500))
  await measure(total)
  from.messages.end()
  await once(to.messages, 'end')
  t.equal(receiving.digest('hex'), sending.digest('hex'), 'all arrive, text as text and bytes as bytes')
  return measured
}

const TOTAL = (FULL ? 512 : 48) * MIB

for (const taker of ['client', 'target'] as const) {
  for (const kind of ['frames', 'streams']) {
    t.test(`${TOTAL / MIB} MiB for a ${taker} that does not read, ${kind}`, { timeout: 120_000 }, async t => {
      const { sent, grown } = await flood(t, kind, taker, TOTAL)
      t.ok(sent < 24 * MIB, `the other side is told to wait after ${(sent / MIB).toFixed(1)} MiB`)
      t.ok(grown < 16 * MIB, `the relay has grown by ${(grown / MIB).toFixed(1)} MiB`)
    })
  }
}

t.test('the same measurement shows growth for a relay without backpressure', { timeout: 120_000 }, async t => {
  const { sent, grown } = await flood(t, 'ws', 'client', TOTAL)
  t.ok(sent === TOTAL, 'it takes everything')
  t.ok(grown > TOTAL / 2, `and has grown by ${(grown / MIB).toFixed(1)} MiB`)
})
