// The library reads the chunks of a wire and does not change them, unless Node made them for this connection alone: chunks written into a wire in memory,
// seen also by a second listener of a socket, or received with the request, are unchanged afterwards.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { WebSocketStream } from '../../../lib/index.js'
import { BINARY, RawPeer, requestHead, wireFrame } from '../../support/raw-peer.js'
import { make, parsedRequest, shake, tcpPair } from '../../websocket-stream/sides.js'
import { close, whenClosed } from '../adapter.js'
import { MemoryEnd } from '../memory-wire.js'
import { isPayload, payloadOf, SIZES } from '../payloads.js'
import { joinTo, otherRole, ROLES, type Role, type Wire } from '../wires.js'
import { Keeper } from './keeper.js'
import { type Taker, type WayToReceive, waysToReceive } from './ways-to-receive.js'

t.setTimeout(120_000)

const WAYS = waysToReceive(member => member in WebSocketStream.prototype).filter(({ isBytes }) => isBytes !== true)
const JOINS = ['attach', 'pipe'] as const

/** Each size in its own chunk, and all small ones in one chunk. */
function chunksFor(role: Role): Buffer[] {
  const masked = role === 'server'
  const frames = SIZES.map((size, i) => wireFrame(BINARY, payloadOf(i, size), { masked }))
  return [...frames, Buffer.concat(frames.slice(0, 6))]
}
const NUMBERS = [...SIZES.keys(), ...SIZES.slice(0, 6).keys()]

/** Compares messages with the content of the chunks, each chunk twice, and passes their memory to a keeper. */
class Inspector implements Taker {
  readonly keeper = new Keeper()
  readonly wrong: string[] = []
  count = 0
  private pieces: Buffer[] = []
  private readonly numbers = [...NUMBERS, ...NUMBERS]

  piece(piece: Buffer | string): void {
    this.pieces.push(Buffer.from(piece as Buffer))
    this.keeper.take(piece as Buffer)
  }

  end(): void {
    const bytes = Buffer.concat(this.pieces)
    this.pieces = []
    const number = this.numbers[this.count++] ?? -1
    if (!isPayload(bytes, number, SIZES[number] ?? 0))
      this.wrong.push(`message ${this.count} of ${SIZES[number]} bytes`)
  }
}

async function twice(t: Test, role: Role, way: WayToReceive, join: Wire['join'], objectMode: boolean): Promise<void> {
  const [near, far] = MemoryEnd.pair(objectMode)
  const ws = make(role, { handshakeTimeout: 2000 })
  t.teardown(() => ws.destroy())
  const peer = new RawPeer(far, otherRole(role))
  joinTo(ws, near, join)
  await shake(peer, role)
  await ws.opened
  const inspector = new Inspector()
  const reading = way.read(ws, inspector)
  const chunks = chunksFor(role)
  const copies = chunks.map(chunk => Buffer.from(chunk))
  for (const chunk of [...chunks, ...chunks]) await new Promise(resolve => far.write(chunk, resolve))
  const over = close(ws)
  await peer.answerClose()
  await Promise.all([over, reading])
  t.equal(inspector.count, 2 * NUMBERS.length, 'all messages arrive')
  t.same(inspector.wrong.slice(0, 5), [], `messages as they were sent (${inspector.wrong.length} are not)`)
  t.equal(inspector.keeper.changed, 0, 'what was kept is as it was')
  const changed = chunks.flatMap((chunk, i) => (chunk.equals(copies[i]!) ? [] : [`${copies[i]!.length} bytes`]))
  t.same(changed, [], 'the chunks are as they were')
}

for (const objectMode of [false, true]) {
  for (const join of JOINS) {
    t.test(
      `in memory${objectMode ? ' with objects' : ''}, ${join}: a chunk that arrives twice is read twice`,
      async t => {
        for (const role of ROLES) {
          for (const way of WAYS) {
            await t.test(`${role}, ${way.name}`, { timeout: 60_000 }, t => twice(t, role, way, join, objectMode))
          }
        }
      }
    )
  }
}

/** Listens to a socket beside the connection; returns what it has seen. */
const BESIDE: Record<string, (socket: Duplex, see: (chunk: Buffer) => void, joinIt: () => void) => void> = {
  'a listener before the connection': (socket, see, joinIt) => {
    socket.on('data', see)
    joinIt()
  },
  'a listener after the connection': (socket, see, joinIt) => {
    joinIt()
    socket.on('data', see)
  },
  'a listener that comes when the connection is open': (_socket, _see, joinIt) => joinIt()
}

for (const join of JOINS) {
  for (const [name, listen] of Object.entries(BESIDE)) {
    t.test(`TCP, ${join}: ${name} sees the bytes of the wire unchanged`, { timeout: 60_000 }, async t => {
      const [near, far] = await tcpPair(t, false)
      const ws = WebSocketStream.server()
      const peer = new RawPeer(far, 'client')
      const seen: Buffer[] = []
      const got: Buffer[] = []
      ws.on('message', message => got.push(message as Buffer))
      listen(
        near,
        chunk => seen.push(chunk),
        () => joinTo(ws, near, join)
      )
      await shake(peer, 'server')
      await ws.opened
      if (!name.includes('before') && !name.includes('after')) near.on('data', chunk => seen.push(chunk))
      seen.length = 0
      const frames = SIZES.map((size, i) => peer.frame(BINARY, payloadOf(i, size)))
      for (const frame of frames) peer.write(frame)
      peer.close()
      await peer.allFrames()
      peer.end()
      await whenClosed(ws)
      const bytes = Buffer.concat(seen)
      t.ok(bytes.subarray(0, -8).equals(Buffer.concat(frames)), 'the listener has what was sent')
      t.ok(
        got.every((message, i) => isPayload(message, i, SIZES[i]!)),
        'so has the connection'
      )
      t.equal(got.length, SIZES.length)
    })
  }
}

for (const join of JOINS) {
  t.test(`bytes that arrive with a request are not modified, ${join}`, { timeout: 60_000 }, async t => {
    const [near, far] = MemoryEnd.pair()
    const peer = new RawPeer(far, 'client')
    const head = peer.frame(BINARY, payloadOf(1, 1024))
    const copy = Buffer.from(head)
    const ws = WebSocketStream.http(parsedRequest(), head)
    joinTo(ws, near, join)
    const [message] = (await once(ws, 'message')) as [Buffer]
    t.ok(isPayload(message, 1, 1024))
    message.fill(0)
    t.ok(head.equals(copy), 'the bytes behind the request are as they were')
    ws.destroy()
  })
}

for (const join of JOINS) {
  for (const isParsed of [true, false]) {
    const name = `what was read from a socket and put back stays the application's, ${join}${isParsed ? ', behind a request' : ''}`
    t.test(name, { timeout: 60_000 }, async t => {
      const [near, far] = await tcpPair(t, false)
      const peer = new RawPeer(far, 'client')
      const frame = peer.frame(BINARY, payloadOf(1, 20_000))
      const bytes = isParsed ? frame : Buffer.concat([requestHead(), frame])
      far.write(bytes)
      const chunks: Buffer[] = []
      while (Buffer.concat(chunks).length < bytes.length) chunks.push(...((await once(near, 'data')) as [Buffer]))
      near.pause()
      for (const chunk of chunks.toReversed()) near.unshift(chunk)
      const ws = isParsed ? WebSocketStream.http(parsedRequest()) : WebSocketStream.server()
      // data that arrives before the connection is open is copied, and held
      if (isParsed) ws.on('open', () => {}).accept()
      joinTo(ws, near, join)
      const [message] = (await once(ws, 'message')) as [Buffer]
      t.ok(isPayload(message, 1, 20_000))
      message.fill(0)
      t.ok(Buffer.concat(chunks).equals(bytes), 'the chunks are as they were')
      ws.destroy()
    })
  }
}
