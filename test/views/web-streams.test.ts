// All three views through `Duplex.toWeb`: WHATWG streams that read and write with backpressure.

import { Duplex } from 'node:stream'
import t from 'tap'
import { Frame, type MessageStream, type WebSocketStream } from '../../lib/index.js'
import type { PairEnd } from '../support/pair.js'
import { BINARY, TEXT } from '../support/raw-peer.js'
import { collect, IN_MEMORY, nameOf, open, ours, settle } from '../websocket-stream/sides.js'

const KINDS = ['messages', 'streams', 'frames'] as const
const SIZE = 10_000

interface WebPair {
  readable: ReadableStream<unknown>
  writable: WritableStream<unknown>
}

/** Reads and drops everything: `toWeb` ends its writable only when both sides of the Duplex have ended. */
function drain(readable: ReadableStream<unknown>): void {
  readable.pipeTo(new WritableStream()).catch(() => {})
}

const toWeb = (ws: WebSocketStream, kind: (typeof KINDS)[number]): WebPair =>
  Duplex.toWeb(ws[kind] as unknown as Duplex) as unknown as WebPair

/** The content of an item of any view. */
async function bytesOf(item: unknown): Promise<Buffer> {
  if (item instanceof Frame) return item.payload
  if (typeof item === 'string' || item instanceof Uint8Array) return Buffer.from(item as string)
  const { got } = await collect(item as MessageStream)
  return Buffer.concat(got.map(piece => Buffer.from(piece as string)))
}

/** An item for any view with these bytes as its message. */
const item = (kind: (typeof KINDS)[number], bytes: Buffer): unknown =>
  kind === 'frames' ? new Frame(BINARY, bytes) : bytes

for (const setup of IN_MEMORY) {
  for (const kind of KINDS) {
    const name = `${kind}, ${nameOf(setup)}`

    t.test(`data written to a WHATWG stream is sent, and close() closes: ${name}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const { readable, writable } = toWeb(ws, kind)
      drain(readable)
      const writer = writable.getWriter()
      for (let i = 0; i < 20; i++) {
        await writer.ready
        await writer.write(item(kind, Buffer.alloc(SIZE, i)))
      }
      const closing = writer.close()
      for (let i = 0; i < 20; i++) t.ok((await peer.nextFrame())!.payload.equals(Buffer.alloc(SIZE, i)))
      t.equal((await peer.answerClose()).code, 1000)
      await closing
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    })

    t.test(`a blocked wire applies backpressure to the writer: ${name}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      peer.stream.pause()
      const { readable, writable } = toWeb(ws, kind)
      drain(readable)
      const writer = writable.getWriter()
      let written = 0
      let stopped = false
      const writing = (async () => {
        while (!stopped) {
          await writer.ready
          if (stopped) return
          await writer.write(item(kind, Buffer.alloc(SIZE)))
          written++
        }
      })()
      await settle(100)
      const before = written
      t.ok(before > 0)
      t.ok(before * SIZE < 400_000, `${before} messages`)
      await settle(100)
      t.equal(written, before)
      stopped = true
      peer.stream.resume()
      await writing
      const closing = writer.close()
      await peer.answerClose()
      await closing
    })

    t.test(`messages are read no faster than they are requested: ${name}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const { readable, writable } = toWeb(ws, kind)
      const wire = peer.stream as PairEnd
      let sent = 0
      for (; sent < 300; sent++) {
        if (peer.send(BINARY, Buffer.alloc(SIZE, sent))) continue
        await settle(30)
        if (wire.writableNeedDrain) break
      }
      t.ok(sent * SIZE < 600_000, `${sent} messages were taken`)
      peer.text('last')
      // `toWeb` ends its readable when both sides of the Duplex have ended
      const closing = writable.close()
      void peer.answerClose()
      const got: Buffer[] = []
      let total = 0
      // a frame may arrive in parts
      for await (const each of readable as unknown as AsyncIterable<unknown>) {
        const bytes = await bytesOf(each)
        got.push(bytes)
        total += bytes.length
      }
      const close = kind === 'frames' ? 2 : 0
      t.equal(total, (sent + 1) * SIZE + 4 + close)
      if (kind !== 'frames') t.equal(got.length, sent + 2)
      await closing
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    })

    t.test(`a broken connection is an error of both streams: ${name}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const { readable, writable } = toWeb(ws, kind)
      const [reader, writer] = [readable.getReader(), writable.getWriter()]
      writer.closed.catch(() => {})
      reader.closed.catch(() => {})
      const reading = t.rejects(reader.read(), { code: 'WS_ERR_CONNECTION_LOST' })
      peer.reset()
      await reading
      await ws.whenClosed()
      await settle()
      await t.rejects(writer.write(item(kind, Buffer.alloc(1))))
    })

    t.test(`a reader that cancels closes: ${name}`, { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const { readable, writable } = toWeb(ws, kind)
      const writer = writable.getWriter()
      writer.closed.catch(() => {})
      const reader = readable.getReader()
      peer.send(TEXT, 'one')
      t.equal(String(await bytesOf((await reader.read()).value)), 'one')
      void reader.cancel().catch(() => {})
      t.ok([1000, 1011].includes((await peer.answerClose()).code))
      await ws.whenClosed()
    })
  }
}

t.test('WHATWG streams of a connection may be piped into each other', { timeout: 8000 }, async t => {
  for (const kind of KINDS) {
    const { server, client } = await ours(t)
    const { readable, writable } = toWeb(server, kind)
    const echo = readable.pipeTo(writable).catch(() => {})
    for (let i = 0; i < 50; i++) client.messages.write(Buffer.alloc(i * 100, i))
    let count = 0
    for await (const message of client.messages) {
      t.ok((message as Buffer).equals(Buffer.alloc(count * 100, count)))
      if (++count === 50) client.close()
    }
    await Promise.all([client.whenClosed(), server.whenClosed()])
    await echo
  }
})
