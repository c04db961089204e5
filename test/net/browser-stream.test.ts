// The WebSocketStream of browsers over connections of this library: cases beyond the program that also runs in Chromium.

import t from 'tap'
import { type HandshakeError, WebSocketStream } from '../../lib/index.js'
import { BrowserWebSocketError, BrowserWebSocketStream } from '../../lib/net/browser-stream.js'
import { pair } from '../support/pair.js'
import { BINARY, RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import { rejection, settle } from '../websocket-stream/sides.js'

async function server(t: { teardown(fn: () => unknown): unknown }) {
  const [near, far] = pair()
  const ws = WebSocketStream.server({ closeTimeout: 100 }).attach(near)
  const wss = new BrowserWebSocketStream(ws)
  const peer = new RawPeer(far, 'client')
  t.teardown(() => ws.destroy())
  peer.write(requestHead())
  const { readable, writable } = await wss.opened
  await peer.head()
  return { ws, wss, peer, reader: readable.getReader(), writer: writable.getWriter() }
}

t.test('it can wrap a server’s connection', async t => {
  const { wss, peer, reader, writer } = await server(t)
  peer.write(peer.frame(TEXT, 'text'), peer.frame(BINARY, 'bytes'))
  t.equal((await reader.read()).value, 'text')
  const { value } = await reader.read()
  t.ok(value instanceof Uint8Array && !Buffer.isBuffer(value))
  await writer.write(new Float32Array(2))
  t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.alloc(8) })
  await t.rejects(writer.write(Symbol('none')), TypeError)
  wss.close({ closeCode: 4000, reason: 'done' })
  t.strictSame(await peer.answerClose(), { code: 4000, reason: 'done' })
  peer.end()
  t.strictSame(await wss.closed, { closeCode: 4000, reason: 'done' })
})

t.test('a write that cannot be sent fails with the reason why the connection ended', async t => {
  const { wss, peer, writer } = await server(t)
  peer.stream.pause()
  const writes = Array.from({ length: 20 }, () => writer.write(new Uint8Array(50_000)))
  const outcomes = Promise.allSettled(writes)
  await settle(12)
  peer.reset()
  t.equal((await outcomes).at(-1)!.status, 'rejected')
  t.match(await rejection(wss.closed), {
    name: 'WebSocketError',
    closeCode: 1006,
    cause: { code: 'WS_ERR_CONNECTION_LOST' }
  })
})

t.test('a peer that breaks a rule fails the stream', async t => {
  const { wss, peer, reader } = await server(t)
  peer.send(TEXT, Buffer.from([0xff]))
  t.equal(readClose(await peer.nextFrame()).code, 1007)
  peer.end()
  const error = await rejection(wss.closed)
  t.match(error, { closeCode: 1007, reason: /UTF-8/ })
  t.equal(await rejection(reader.read()), error)
})

t.test('destroying ws.messages ends the stream', async t => {
  const { ws, wss, peer, reader } = await server(t)
  const reading = reader.read()
  ws.messages.destroy()
  t.equal((await peer.answerClose()).code, 1000)
  peer.end()
  t.match(await wss.closed, { closeCode: 1000 })
  t.equal((await reading).done, true)
})

t.test('invalid arguments throw at once', async t => {
  t.throws(() => new BrowserWebSocketStream('ws://a.test/', { noSuchOption: 1 } as never), TypeError)
  t.throws(() => new BrowserWebSocketStream('ws://a.test/', null as never), TypeError)
  t.throws(() => new BrowserWebSocketStream('nowhere'), { name: 'SyntaxError' })
  const { wss } = await server(t)
  t.throws(() => wss.close(null as never), TypeError)
  t.throws(() => wss.close({ closeCode: 3000.5 }), { name: 'InvalidAccessError' })
})

t.test('BrowserWebSocketError is a DOMException with a close code and a reason', async t => {
  t.match(new BrowserWebSocketError(), { name: 'WebSocketError', message: '', closeCode: null, reason: '' })
  t.match(new BrowserWebSocketError('m', { reason: 'why' }), { message: 'm', closeCode: 1000, reason: 'why' })
  t.ok(new BrowserWebSocketError() instanceof DOMException)
})

t.test('a failed connection gives the reason', async t => {
  const wss = new BrowserWebSocketStream('ws://a.test/', {
    createConnection: () => Promise.reject(new Error('no route'))
  })
  await t.rejects(wss.opened)
  const { cause } = await rejection(wss.closed)
  t.equal((cause as HandshakeError).code, 'WS_ERR_CONNECTION_LOST')
})
