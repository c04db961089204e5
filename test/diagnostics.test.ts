// What subscribers of the diagnostics channels get, and the trace of NODE_DEBUG.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import type { Frame as FrameType, WebSocketStream as WebSocketStreamType } from '../lib/index.js'

process.env['NODE_DEBUG'] = 'net, WEBSOCKET-DUPLEX'
const { Frame, FrameDecoder, MessageAssembler, Opcode, WebSocketStream } = await import('../lib/index.js')
const { pair } = await import('./support/pair.js')
const { text, wire } = await import('./support/frames.js')

type Event = Record<string, unknown>

const NAMES = ['handshake', 'open', 'frame', 'error', 'close']

function listen(t: { teardown(fn: () => void): void }): [string, Event][] {
  const told: [string, Event][] = []
  for (const name of NAMES) {
    const listener = (event: unknown): void => void told.push([name, event as Event])
    subscribe(`websocket-duplex:${name}`, listener)
    t.teardown(() => unsubscribe(`websocket-duplex:${name}`, listener))
  }
  return told
}

// another test checks the trace
const lines: string[] = []
console.error = (line: string): void => void lines.push(line)

t.test('the channels report a connection from its handshake to its end', async t => {
  const told = listen(t)
  const [a, b] = pair()
  const server = WebSocketStream.server().attach(a)
  const client = WebSocketStream.client('ws://example.com/chat').attach(b)
  await client.opened
  client.text('hello')
  server.ping('p')
  await once(server, 'message')
  client.close(3000, 'bye')
  await Promise.all([client.whenClosed(), server.whenClosed()])
  const of = (stream: unknown): [string, Event][] => told.filter(([, event]) => event['stream'] === stream)
  const names = of(server).map(([name]) => name)
  t.same([...new Set(names)], ['handshake', 'open', 'frame', 'close'])
  t.match(of(client)[0], ['handshake', { role: 'client', url: 'ws://example.com/chat', request: null }])
  t.match(of(server)[0], ['handshake', { role: 'server', url: '', request: null }])
  t.match(of(server)[1], ['open', { info: { version: 'hybi-13', status: 101 } }])
  const frames = of(server)
    .filter(([name]) => name === 'frame')
    .map(([, { direction, frame }]) => [direction, (frame as FrameType).opcode])
  t.same(frames, [
    ['sent', Opcode.Ping],
    ['received', Opcode.Text],
    ['received', Opcode.Pong],
    ['received', Opcode.Close],
    ['sent', Opcode.Close]
  ])
  t.match(of(client).at(-1), ['close', { info: { code: 3000, wasClean: true }, stats: { messagesSent: 1 } }])
})

t.test('an error is reported whether or not the application listens', async t => {
  const told = listen(t)
  const [a, b] = pair()
  const server = WebSocketStream.server().attach(a)
  b.end('rubbish\r\n\r\n')
  b.resume()
  await server.whenClosed()
  t.match(
    told.filter(([name]) => name === 'error').map(([, { error }]) => error),
    [{ code: 'WS_ERR_MALFORMED_HEAD' }]
  )
})

t.test('a decoder used on its own reports nothing', async t => {
  const told = listen(t)
  const decoder = new FrameDecoder()
  decoder.resume()
  decoder.end(wire(true, text('x')))
  await once(decoder, 'end')
  t.same(told, [])
})

t.test('with NODE_DEBUG each stage prints what it passes on', async t => {
  lines.length = 0
  const decoder = new FrameDecoder()
  const messages = decoder.pipe(new MessageAssembler())
  decoder.write(wire(true, text('abc')))
  const [batch] = await once(messages, 'data')
  t.same(batch, ['abc'])
  t.match(lines, [
    /^WEBSOCKET-DUPLEX \d+: FrameDecoder → frame 1 fin 3 bytes$/,
    /^WEBSOCKET-DUPLEX \d+: MessageAssembler → text of 3 characters$/
  ])
  const { trace } = await import('../lib/diagnostics.js')
  lines.length = 0
  const part = new Frame(Opcode.Binary, Buffer.alloc(5), false, 4).asPart(2, 10)
  trace('X', [part, Buffer.alloc(7)])
  t.match(lines, [/X → frame 2 rsv 4 5 bytes of 10 from 2, 7 bytes$/])
})

t.test('a subscriber may keep frames and read them later', async t => {
  const told = listen(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  server.close()
  const sides = [WebSocketStream.server().attach(far), WebSocketStream.client('ws://example.com/chat').attach(near)]
  await Promise.all(sides.map(ws => ws.opened))
  for (const [ws, peer] of [sides, sides.toReversed()] as [WebSocketStreamType, WebSocketStreamType][]) {
    peer.text('x'.repeat(200_000))
    await once(ws, 'message')
    peer.binary(Buffer.alloc(20_000, 'x'))
    await once(ws, 'message')
    const frames = told
      .filter(([name, event]) => name === 'frame' && event['stream'] === ws && event['direction'] === 'received')
      .map(([, { frame }]) => (frame as FrameType).payload)
    t.ok(Buffer.concat(frames).equals(Buffer.alloc(220_000, 'x')))
  }
  near.destroy()
})
