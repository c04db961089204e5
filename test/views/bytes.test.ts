// ws.bytes: a Duplex of plain bytes over binary messages, on each kind of wire.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TLSSocket, connect as tlsConnect } from 'node:tls'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { openOn, WIRES } from '../matrix/wires.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { BINARY, CLOSE, closeBody, readClose, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, ours, rejection, settle } from '../websocket-stream/sides.js'

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

for (const wire of WIRES) {
  t.test(`an echo by pipe, and the end of both sides: ${wire.name}`, async t => {
    const { client, server } = await openOn(t, wire, { client: { fragmentSize: 10_000 } })
    server.bytes.pipe(server.bytes)
    const sent = randomBytes(300_000)
    const received = readAll(client.bytes)
    for (let at = 0; at < sent.length; at += 30_000) client.bytes.write(sent.subarray(at, at + 30_000))
    client.bytes.end()
    t.ok((await received).equals(sent))
    t.match(await client.whenClosed(), { code: 1000, wasClean: true })
  })
}

for (const setup of IN_MEMORY) {
  t.test(`corked writes are one message, and received bytes have no borders: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const { bytes } = ws
    t.equal(ws.bytes, bytes)
    bytes.cork()
    bytes.write('68656c', 'hex')
    bytes.write(Buffer.from('lo'))
    bytes.write(new Uint8Array([33]))
    bytes.uncork()
    t.match(await peer.nextFrame(), { opcode: BINARY, fin: true, payload: Buffer.from('hello!') })
    const written = new Promise(resolve => bytes.write('alone', resolve))
    t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from('alone') })
    await written
    t.throws(() => bytes.write(null as never), TypeError)
    bytes.write('next')
    bytes.cork()
    bytes.write('to')
    bytes.write('gether')
    bytes.uncork()
    for (const payload of ['next', 'together']) {
      t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from(payload) }, 'after an exception too')
    }
    const got = readAll(bytes)
    peer.send(BINARY, 'one', { fin: false })
    peer.send(0, '', { fin: false })
    peer.send(0, ' two')
    peer.send(BINARY, '')
    peer.send(BINARY, ' three')
    peer.close(1001)
    t.equal((await got).toString(), 'one two three')
  })

  t.test(`a text message fails the connection: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got = rejection(readAll(ws.bytes))
    peer.write(peer.frame(BINARY, 'bytes'), peer.frame(TEXT, 'text'))
    t.match(readClose(await peer.nextFrame()), { code: 1003 })
    const late = new Promise(resolve => ws.bytes.write('late', resolve))
    peer.close(1003)
    peer.end()
    t.match(await got, { code: 'WS_ERR_UNEXPECTED_TEXT', closeCode: 1003 })
    t.ok((await late) instanceof Error)
  })

  t.test(`a message that exceeds maxMessageSize fails the connection with 1009: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { maxMessageSize: 10 })
    const got = rejection(readAll(ws.bytes))
    peer.send(BINARY, '12345', { fin: false })
    peer.send(0, '678901')
    t.match(readClose(await peer.nextFrame()), { code: 1009 })
    peer.close(1009)
    peer.end()
    t.match(await got, { code: 'WS_ERR_MESSAGE_TOO_LARGE' })
  })

  t.test(
    `the reader gets an end after a Close with 1000, 1001 or no code, and an error after any other: ${nameOf(setup)}`,
    async t => {
      for (const [code, isEnd] of [
        [1000, true],
        [1011, false],
        [4000, false],
        [null, true]
      ] as const) {
        const { ws, peer } = await open(t, setup)
        const got = readAll(ws.bytes)
        peer.send(BINARY, 'bytes')
        if (code === null) peer.send(CLOSE)
        else peer.send(CLOSE, closeBody(code))
        peer.end()
        if (isEnd) t.equal((await got).toString(), 'bytes')
        else t.match(await rejection(got), { code: 'WS_ERR_BYTES_CUT', message: new RegExp(`${code}`) })
      }
    }
  )

  t.test(`a lost wire is an error of the reader and of waiting writes: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got = rejection(readAll(ws.bytes))
    const failed = new Promise(resolve => {
      peer.stream.pause()
      for (let i = 0; i < 9; i++) ws.bytes.write(Buffer.alloc(65536))
      ws.bytes.write('never', resolve)
    })
    peer.reset()
    t.match(await got, { code: 'WS_ERR_CONNECTION_LOST' })
    t.ok(await failed)
  })

  t.test(`a view that is destroyed with an error closes with 1011: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.bytes.destroy(new Error('the other side of the tunnel broke'))
    t.match(readClose(await peer.nextFrame()), { code: 1011 })
  })

  t.test(`what waits in a view that is destroyed counts no longer: ${nameOf(setup)}`, async t => {
    const { ws } = await open(t, setup)
    const { bytes } = ws
    bytes.on('error', () => {})
    bytes.cork()
    bytes.write(Buffer.alloc(10_000))
    t.ok(ws.bufferedAmount >= 10_000, `${ws.bufferedAmount} bytes`)
    bytes.destroy()
    // the handshake and the Close may wait
    t.ok(ws.bufferedAmount < 1000, `${ws.bufferedAmount} bytes`)
  })

  t.test(`writes wait for the wire, and fail when it ends: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 20_000 })
    const { bytes } = ws
    peer.stream.pause()
    let more = true
    let count = 0
    while (more) {
      more = bytes.write(Buffer.alloc(10_000))
      count++
      if (count % 2 === 0) await settle(2)
    }
    t.ok(count < 20, `${count} writes`)
    t.equal(ws.needsDrain, true)
    t.ok(ws.bufferedAmount >= 10_000 && ws.bufferedAmount <= count * 10_100, `${ws.bufferedAmount} bytes`)
    const drained = once(bytes, 'drain')
    const gone = ws.drained()
    peer.stream.resume()
    await drained
    await gone
    t.equal(bytes.writableLength, 0)
    await ws.drained()
    ws.close()
    await peer.answerClose()
    await ws.whenClosed()
    const failed = new Promise(resolve => bytes.write('late', resolve))
    t.ok((await failed) instanceof Error)
  })
}

for (const setup of IN_MEMORY) {
  t.test(
    `when the peer has ended, the view ends too, with allowHalfOpen only on request: ${nameOf(setup)}`,
    async t => {
      for (const allowHalfOpen of [false, true]) {
        const { ws, peer } = await open(t, setup)
        if (allowHalfOpen) ws.bytes.allowHalfOpen = true
        // not with a loop, which would destroy the view at its end
        const got: Buffer[] = []
        ws.bytes.on('data', chunk => got.push(chunk))
        const ended = once(ws.bytes, 'end')
        peer.send(BINARY, 'bytes')
        peer.close(1000)
        await ended
        t.equal(String(Buffer.concat(got)), 'bytes')
        await settle(5)
        t.equal(ws.bytes.writableEnded, !allowHalfOpen)
        if (allowHalfOpen) {
          ws.bytes.end('answer')
          t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from('answer') })
        }
        t.equal(readClose(await peer.nextFrame()).code, 1000)
        peer.end()
        t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      }
    }
  )
}

t.test('a reader that stops stops the writer on the other side', async t => {
  const { client, server } = await ours(t)
  client.bytes.pause()
  let written = 0
  while (server.bytes.write(Buffer.alloc(10_000)) && written < 10_000_000) {
    written += 10_000
    await settle(2)
  }
  t.ok(written < 1_000_000, `${written} bytes`)
  client.bytes.resume()
  await once(server.bytes, 'drain')
})

t.test('other messages are sent separately; only one view can read', async t => {
  const { ws, peer } = await open(t, IN_MEMORY[0]!)
  ws.bytes.write('bytes')
  t.equal(ws.text('text'), true)
  const message = ws.createMessage('binary')
  message.end('pieces')
  const seen = []
  for (let i = 0; i < 4; i++) {
    const frame = await peer.nextFrame()
    seen.push(frame?.payload.toString())
  }
  t.same(seen, ['bytes', 'text', 'pieces', ''])
  t.throws(() => ws.messages, {
    message: 'already read through ws.bytes; use only one of messages, streams, frames, bytes'
  })
  t.throws(() => ws.on('message', () => {}), TypeError)
})

t.test('bytes written before the handshake arrive, compressed', async t => {
  const { server, client } = await ours(t, { extensions: [permessageDeflate()] })
  const received = readAll(server.bytes)
  const text = 'over and over again '.repeat(50_000)
  client.bytes.end(text)
  t.equal((await received).toString(), text)
})

t.test('a TLS connection runs inside of ws.bytes', async t => {
  const { server, client } = await ours(t)
  const inner = new TLSSocket(server.bytes as unknown as never, { isServer: true, ...LOCALHOST })
  inner.pipe(inner)
  // the end of the client's side must not end what is still on its way to it
  server.bytes.allowHalfOpen = true
  const outer = tlsConnect({ socket: client.bytes as unknown as Duplex, servername: 'localhost', ca: AUTHORITY })
  await once(outer, 'secureConnect')
  const sent = randomBytes(200_000)
  outer.end(sent)
  t.ok((await readAll(outer)).equals(sent))
})

t.test("Node's pipeline from one connection to another", async t => {
  const near = await ours(t)
  const far = await ours(t)
  const relayed = pipeline(near.server.bytes, far.client.bytes)
  const received = readAll(far.server.bytes)
  const sent = randomBytes(500_000)
  near.client.bytes.end(sent)
  t.ok((await received).equals(sent))
  await relayed
})

t.test('write(null) throws, and the last chunk may be a string with its encoding', async t => {
  const { client, server } = await ours(t)
  const received = readAll(server.bytes)
  t.throws(() => client.bytes.write(null as never), TypeError)
  client.bytes.end('6279746573', 'hex')
  t.equal(String(await received), 'bytes')
  server.bytes.end()
  await server.whenClosed()
})
