// `socket.pipe(ws).pipe(socket)` with the features of Node's streams: several destinations, pauses, unpipe, other listeners, streams in between.

import { once } from 'node:events'
import { PassThrough, Transform, Writable } from 'node:stream'
import t from 'tap'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { BINARY, CLOSE, PING, PONG, RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { make, open, settle, shake, type TestLike, tcpPair } from '../websocket-stream/sides.js'

const ROLES = ['server', 'client'] as const
type Role = (typeof ROLES)[number]
const other = (role: Role): Role => (role === 'client' ? 'server' : 'client')
const piped = (role: Role) => ({ role, join: 'pipe', wire: 'memory' }) as const

/** A destination that records its input, and takes more only when it is told to. */
class Sink extends Writable {
  readonly chunks: Buffer[] = []
  holds = false
  private callback: (() => void) | null = null

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.chunks.push(Buffer.from(chunk))
    if (this.holds) this.callback = callback
    else callback()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  goOn(): void {
    this.holds = false
    const { callback } = this
    this.callback = null
    callback?.()
  }
}

/** A connection whose output is not piped yet. */
async function sourceOnly(t: TestLike, role: Role, options?: WebSocketOptions) {
  const [left, right] = pair()
  const ws = make(role, options)
  t.teardown(() => {
    ws.destroy()
    left.destroy()
  })
  left.pipe(ws)
  return { ws, left, peer: new RawPeer(right, other(role)) }
}

for (const role of ROLES) {
  t.test(`a pipe to two destinations gives both everything: ${role}`, async t => {
    const { ws, left, peer } = await sourceOnly(t, role)
    const tap = new Sink()
    ws.pipe(left)
    ws.pipe(tap)
    await shake(peer, role)
    await ws.opened
    const head = tap.bytes.length
    t.ok(head > 0)
    ws.text('hello')
    await new Promise(resolve => ws.messages.write(Buffer.alloc(100_000, 1), resolve))
    const frames = [await peer.nextFrame(), await peer.nextFrame()]
    t.match(frames, [{ opcode: TEXT }, { opcode: BINARY, payload: Buffer.alloc(100_000, 1) }])
    t.equal(tap.bytes.length - head, 5 + 2 + 100_000 + 10 + (role === 'client' ? 8 : 0))

    // the slower one sets the pace, and a callback waits for both
    tap.holds = true
    let isCalled = false
    const called = new Promise<void>(resolve => {
      ws.messages.write(Buffer.alloc(100_000, 2), () => {
        isCalled = true
        resolve()
      })
    })
    t.equal((await peer.nextFrame())?.payload.length, 100_000)
    await settle()
    t.equal(isCalled, false)
    ws.text('behind')
    await settle()
    t.equal(ws.needsDrain || ws.bufferedAmount > 0, true)
    tap.goOn()
    t.equal((await peer.nextFrame())?.payload.toString(), 'behind')
    await called

    // one of them is removed
    tap.holds = true
    ws.messages.write(Buffer.alloc(100_000, 3))
    t.equal((await peer.nextFrame())?.payload.length, 100_000)
    ws.unpipe(tap)
    const size = tap.bytes.length
    ws.text('without it')
    t.equal((await peer.nextFrame())?.payload.toString(), 'without it')
    t.equal(tap.bytes.length, size)
  })

  t.test(`a destination that was unpiped may end, close or fail: ${role}`, async t => {
    const { ws, peer } = await open(t, piped(role))
    for (const how of ['destroy', 'end', 'error'] as const) {
      const tap = new Sink()
      ws.pipe(tap)
      ws.text('to both')
      t.equal((await peer.nextFrame())?.payload.toString(), 'to both')
      const unpiped = once(tap, 'unpipe')
      ws.unpipe(tap)
      t.equal((await unpiped)[0], ws)
      tap.on('error', () => {})
      if (how === 'end') tap.end()
      else tap.destroy(how === 'error' ? new Error('its own') : undefined)
      await settle()
      t.same([tap.listenerCount('close'), tap.listenerCount('error'), tap.listenerCount('drain')], [0, 1, 0])
      ws.text('goes on')
      t.equal((await peer.nextFrame())?.payload.toString(), 'goes on', how)
      t.equal(ws.readyState, 'open')
    }
  })

  t.test(`a source that was unpiped may end, close or fail: ${role}`, async t => {
    const { ws, peer, socket } = await open(t, piped(role))
    const errors: unknown[] = []
    ws.on('error', error => errors.push(error))
    for (const how of ['destroy', 'end', 'error'] as const) {
      const source = new PassThrough()
      const before = source.eventNames().map(event => source.listenerCount(event))
      source.pipe(ws)
      source.unpipe(ws)
      t.same(
        source.eventNames().map(event => source.listenerCount(event)),
        before,
        'no listener stays'
      )
      source.on('error', () => {})
      source.resume()
      if (how === 'end') source.end()
      else source.destroy(how === 'error' ? new Error('its own') : undefined)
      await new Promise(resolve => source.on('close', resolve))
      await settle()
      t.equal(ws.readyState, 'open', how)
    }
    socket.unpipe(ws)
    socket.pipe(ws)
    peer.text('hello')
    t.same(await once(ws, 'message'), ['hello'])
    t.same(errors, [])
    socket.destroy()
    t.match(await ws.whenClosed(), { code: 1006 })
  })

  t.test(`a socket that was unpiped, but is still written to, ends the connection when it closes: ${role}`, async t => {
    const { ws, socket } = await open(t, piped(role))
    socket.unpipe(ws)
    socket.destroy()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })

  t.test(`a socket keeps none of our listeners when both pipes have ended: ${role}`, async t => {
    const [near, far] = await tcpPair(t, role === 'client')
    const before = ['data', 'newListener', 'close', 'drain', 'finish'].map(event => near.listenerCount(event))
    const ws = make(role)
    near.pipe(ws).pipe(near)
    const peer = new RawPeer(far, other(role))
    await shake(peer, role)
    await ws.opened
    const closed = once(near, 'close')
    ws.close()
    await peer.answerClose()
    peer.end()
    await closed
    await ws.whenClosed()
    await settle()
    t.same(
      ['data', 'newListener', 'close', 'drain', 'finish'].map(event => near.listenerCount(event)),
      before
    )
  })

  t.test(`a destination that closes, ends or fails while it is piped ends the connection: ${role}`, async t => {
    for (const how of ['destroy', 'end', 'error'] as const) {
      const { ws, socket } = await open(t, piped(role))
      const errors: Error[] = []
      ws.on('error', error => errors.push(error))
      const tap = new Sink()
      ws.pipe(tap)
      const unpiped = once(tap, 'unpipe')
      if (how === 'end') tap.end()
      else tap.destroy(how === 'error' ? new Error('its own') : undefined)
      t.same((await unpiped)[0], ws, how)
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
      await settle()
      t.match(errors, [{ code: 'WS_ERR_CONNECTION_LOST', cause: how === 'error' ? { message: 'its own' } : undefined }])
      void socket
    }
  })

  t.test(`if one of two destinations fails, callbacks of what it has not written get an error: ${role}`, async t => {
    const { ws, peer } = await open(t, piped(role))
    ws.on('error', () => {})
    const tap = new Sink()
    ws.pipe(tap)
    tap.holds = true
    const failed = new Promise(resolve => ws.messages.write('to both', resolve))
    t.equal((await peer.nextFrame())?.payload.toString(), 'to both')
    tap.destroy(new Error('its own'))
    t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })

  t.test(`without a pipe, a callback runs when the reader has taken the data: ${role}`, async t => {
    const { ws, left, peer } = await sourceOnly(t, role)
    ws.pipe(left)
    await shake(peer, role)
    await ws.opened
    ws.unpipe(left)
    let isCalled = false
    ws.messages.write(Buffer.alloc(100_000), () => {
      isCalled = true
    })
    await settle()
    t.equal(isCalled, false)
    t.ok(ws.readableLength >= 100_000)
    ws.on('data', () => {})
    await settle()
    t.equal(isCalled, true)
  })

  t.test(`a socket that is no longer piped in has no listeners of the connection: ${role}`, async t => {
    const { ws, socket } = await open(t, { role, join: 'pipe', wire: 'tcp' })
    const before = socket.listenerCount('newListener')
    t.ok(socket.listenerCount('data') > 0)
    socket.unpipe(ws)
    await settle()
    t.same([socket.listenerCount('data'), before - socket.listenerCount('newListener')], [0, 1])
  })

  t.test(`paused, a piped connection writes nothing; resumed, everything in order: ${role}`, async t => {
    const { ws, peer, socket } = await open(t, piped(role))
    await settle()
    ws.pause()
    t.equal(ws.isPaused(), true)
    ws.text('one')
    const sent = new Promise(resolve => ws.messages.write('two', resolve))
    await settle()
    t.same([peer.input.length, socket.writableLength], [0, 0])
    t.ok(ws.bufferedAmount >= 6)
    peer.send(PING, 'while paused')
    await settle()
    ws.resume()
    ws.resume()
    const got = []
    for (let i = 0; i < 3; i++) got.push((await peer.nextFrame())!)
    t.same(
      got.filter(frame => frame.opcode === TEXT).map(frame => frame.payload.toString()),
      ['one', 'two']
    )
    t.match(got.find(frame => frame.opcode === PONG)?.payload.toString(), 'while paused')
    await sent
    ws.text('three')
    t.equal((await peer.nextFrame())?.payload.toString(), 'three')
    await settle()
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`a paused piped connection ends its destination when it is resumed: ${role}`, async t => {
    const { ws, peer, socket } = await open(t, piped(role))
    ws.messages.on('error', () => {}).resume()
    await settle()
    ws.pause()
    peer.end()
    await settle()
    t.equal(socket.writableEnded, false)
    ws.resume()
    t.match(await ws.whenClosed(), { code: 1006 })
    t.equal(socket.writableEnded, true)
  })

  t.test(`resumed on a full wire, it waits for the wire: ${role}`, async t => {
    const { ws, peer } = await open(t, piped(role))
    await settle()
    ws.pause()
    ws.binary(Buffer.alloc(50_000))
    ws.binary(Buffer.alloc(50_000))
    await settle()
    peer.stream.pause()
    ws.resume()
    await settle()
    t.ok(ws.bufferedAmount > 0)
    ws.pause()
    ws.resume()
    peer.stream.resume()
    for (let i = 0; i < 2; i++) t.equal((await peer.nextFrame())?.payload.length, 50_000)
    ws.text('behind')
    t.equal((await peer.nextFrame())?.payload.toString(), 'behind')
  })

  t.test(`unpiped, it buffers its output, and piped again, it sends it: ${role}`, async t => {
    const { ws, peer, socket } = await open(t, piped(role))
    await settle()
    const events: unknown[] = []
    socket.on('unpipe', source => events.push(['unpipe', source === ws]))
    socket.on('pipe', source => events.push(['pipe', source === ws]))
    ws.unpipe(new PassThrough())
    t.same(events, [], 'what is not piped cannot leave')
    ws.unpipe(socket)
    t.same(events, [['unpipe', true]])
    ws.unpipe(socket)
    ws.text('one')
    ws.text('two')
    await settle()
    t.equal(peer.input.length, 0)
    t.ok(ws.bufferedAmount >= 6)
    ws.pipe(socket)
    t.same(events, [
      ['unpipe', true],
      ['pipe', true]
    ])
    t.equal((await peer.nextFrame())?.payload.toString(), 'one')
    t.equal((await peer.nextFrame())?.payload.toString(), 'two')
    ws.close(4000)
    t.equal((await peer.answerClose()).code, 4000)
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
  })

  t.test(`unpiped from all, and piped to another stream, it continues there: ${role}`, async t => {
    const { ws, socket } = await open(t, piped(role))
    await settle()
    ws.unpipe()
    const elsewhere = new Sink()
    ws.pipe(elsewhere)
    ws.text('hello')
    await ws.drained()
    t.equal(elsewhere.bytes.length, role === 'client' ? 11 : 7)
    t.equal(socket.writableLength, 0)
  })

  t.test(`a 'data' listener besides a pipe gets the same chunks: ${role}`, async t => {
    const { ws, peer } = await open(t, piped(role))
    await settle()
    const seen: Buffer[] = []
    ws.text('before')
    t.equal((await peer.nextFrame())?.payload.toString(), 'before')
    ws.on('data', chunk => seen.push(chunk))
    await new Promise(resolve => ws.messages.write('beside', resolve))
    t.equal((await peer.nextFrame())?.payload.toString(), 'beside')
    t.equal(Buffer.concat(seen).length, role === 'client' ? 12 : 8)
    ws.messages.write(Buffer.alloc(300_000, 1))
    t.ok((await peer.nextFrame())?.payload.equals(Buffer.alloc(300_000, 1)))
    ws.close(4000)
    t.equal((await peer.answerClose()).code, 4000)
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
  })

  t.test(`a 'data' listener added while the connection is paused loses nothing: ${role}`, async t => {
    const { ws, peer } = await open(t, piped(role))
    await settle()
    ws.pause()
    const sent = new Promise(resolve => ws.messages.write('held', resolve))
    await settle()
    const seen: Buffer[] = []
    ws.on('data', chunk => seen.push(chunk))
    ws.resume()
    t.equal((await peer.nextFrame())?.payload.toString(), 'held')
    await sent
    t.equal(Buffer.concat(seen).length, role === 'client' ? 10 : 6)
  })

  t.test(`a 'readable' listener before the pipe makes it an ordinary one: ${role}`, async t => {
    const { ws, left, peer } = await sourceOnly(t, role)
    const seen: Buffer[] = []
    ws.on('data', chunk => seen.push(chunk))
    ws.pipe(left)
    await shake(peer, role)
    await ws.opened
    ws.text('hello')
    t.equal((await peer.nextFrame())?.payload.toString(), 'hello')
    t.ok(
      Buffer.concat(seen)
        .toString('latin1')
        .startsWith(role === 'client' ? 'GET ' : 'HTTP/1.1 101')
    )
    ws.unpipe(left)
    ws.text('nowhere')
    await settle()
    t.equal(peer.input.length, 0)
  })

  t.test(`pipe(destination, { end: false }) does not end it: ${role}`, async t => {
    const { ws, left, peer } = await sourceOnly(t, role, { closeTimeout: 200 })
    ws.pipe(left, { end: false })
    await shake(peer, role)
    await ws.opened
    ws.messages.resume()
    peer.close(4000)
    t.match(readClose(await peer.nextFrame()), { code: 4000 })
    await settle()
    t.equal(left.writableEnded, false)
    left.end()
    peer.end()
    t.match(await ws.whenClosed(), { code: 4000 })
  })

  t.test(`an ordinary Transform may be piped on either side of the connection: ${role}`, async t => {
    const [left, right] = pair()
    const flip = () =>
      new Transform({
        transform(chunk: Buffer, _encoding, callback) {
          callback(null, Buffer.from(chunk.map(byte => byte ^ 0xff)))
        }
      })
    const ws = make(role)
    t.teardown(() => ws.destroy())
    left.pipe(flip()).pipe(ws).pipe(flip()).pipe(left)
    const toPeer = flip()
    const fromPeer = flip()
    right.pipe(toPeer)
    fromPeer.pipe(right)
    // the peer, with transforms of its own
    const [near, far] = pair()
    toPeer.pipe(near).pipe(fromPeer)
    const peer = new RawPeer(far, other(role))
    await shake(peer, role)
    await ws.opened
    const got = once(ws, 'message')
    peer.send(BINARY, Buffer.alloc(100_000, 5))
    t.ok((await got)[0].equals(Buffer.alloc(100_000, 5)))
    ws.binary(Buffer.alloc(100_000, 6))
    t.ok((await peer.nextFrame())?.payload.equals(Buffer.alloc(100_000, 6)))
    ws.close(4000)
    t.equal((await peer.answerClose()).code, 4000)
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
  })

  t.test(`a source may be replaced by another: ${role}`, async t => {
    const { ws, peer, socket } = await open(t, piped(role))
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    peer.text('one')
    await settle()
    socket.unpipe(ws)
    const between = new PassThrough()
    socket.pipe(between)
    between.pipe(ws)
    peer.text('two')
    await settle()
    t.same(got, ['one', 'two'])
  })
}

for (const role of ROLES) {
  t.test(`a piped socket sends small writes at once: ${role}`, async t => {
    for (const join of ['attach', 'pipe'] as const) {
      const [near] = await tcpPair(t, false)
      const calls: unknown[] = []
      const { setNoDelay } = near
      near.setNoDelay = on => {
        calls.push(on)
        return setNoDelay.call(near, on)
      }
      const ws = make(role)
      ws.on('error', () => {})
      t.teardown(() => ws.destroy())
      if (join === 'attach') ws.attach(near)
      else near.pipe(ws).pipe(near)
      t.same(calls, [true], join)
    }
  })

  t.test(`piping to a socket after reading is an ordinary pipe, and works: ${role}`, async t => {
    const [near, far] = await tcpPair(t, role === 'client')
    const ws = make(role)
    t.teardown(() => ws.destroy())
    ws.on('data', () => {})
    near.pipe(ws).pipe(near)
    const peer = new RawPeer(far, other(role))
    await shake(peer, role)
    await ws.opened
    ws.text('hello')
    t.equal((await peer.nextFrame())?.payload.toString(), 'hello')
    ws.close()
    await peer.answerClose()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })

  t.test(
    `a socket piped after it was read, or unpiped and piped again: its chunks are not modified: ${role}`,
    async t => {
      const [near, far] = await tcpPair(t, role === 'client')
      const ws = make(role)
      t.teardown(() => ws.destroy())
      near.pipe(ws).pipe(near)
      const peer = new RawPeer(far, other(role))
      await shake(peer, role)
      await ws.opened
      const got: unknown[] = []
      ws.on('message', message => got.push(message))
      near.unpipe(ws)
      peer.text('came while unpiped')
      await once(near, 'readable')
      near.pipe(ws)
      while (got.length === 0) await settle(1)
      peer.text('and later')
      while (got.length === 1) await settle(1)
      t.same(got, ['came while unpiped', 'and later'])
      const seen: Buffer[] = []
      near.on('data', chunk => seen.push(chunk))
      const frame = peer.frame(TEXT, 'seen by others')
      peer.write(frame)
      while (got.length === 2) await settle(1)
      t.same(seen, [frame])
    }
  )
}

t.test('output held by pause() waits for the next destination', async t => {
  const client = WebSocketStream.client('ws://example.com/')
  const server = WebSocketStream.server()
  t.teardown(() => {
    client.destroy()
    server.destroy()
  })
  const [first, second] = [new PassThrough(), new PassThrough()]
  client.pipe(new PassThrough()).pipe(server)
  server.pipe(first).pipe(client)
  await client.opened
  const got: unknown[] = []
  client.on('message', message => got.push(message))
  server.text('1')
  while (got.length < 1) await settle()
  server.pause()
  const held = new Promise(resolve => server.text('2', resolve))
  await settle()
  server.unpipe(first)
  second.pipe(client)
  server.pipe(second)
  server.resume()
  const after = new Promise(resolve => server.text('3', resolve))
  t.same(await Promise.all([held, after]), [null, null])
  while (got.length < 3) await settle()
  t.same(got, ['1', '2', '3'])
  t.match(await server.close(), { wasClean: true })
})

t.test('a pipe never ends the standard output of the process', async t => {
  const { stdout } = process
  let ended = 0
  const sink = new Sink()
  const end = sink.end.bind(sink)
  sink.end = ((...args: []) => {
    ended++
    return end(...args)
  }) as typeof sink.end
  Object.defineProperty(process, 'stdout', { value: sink, configurable: true })
  t.teardown(() => Object.defineProperty(process, 'stdout', { value: stdout, configurable: true }))
  const { ws, peer } = await sourceOnly(t, 'server')
  ws.pipe(sink)
  peer.write(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  peer.end()
  await ws.whenClosed()
  await settle()
  t.match(sink.bytes.toString(), /^HTTP\/1\.1 4/)
  t.equal(ended, 0)
})

t.test('bytes written without a pipe get backpressure', async t => {
  const ws = WebSocketStream.server({ highWaterMark: 1000 })
  t.teardown(() => ws.destroy())
  ws.messages.pause()
  const peer = { frame: new RawPeer(new PassThrough(), 'client').frame.bind({ role: 'client' } as never) }
  ws.write(
    Buffer.from(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
    )
  )
  ws.resume()
  await ws.opened
  let more = true
  for (let i = 0; i < 100 && more; i++) more = ws.write(peer.frame(TEXT, 'x'.repeat(500)))
  t.equal(more, false)
  const drained = once(ws, 'drain')
  ws.messages.resume()
  await drained
  t.equal(ws.write(peer.frame(CLOSE, Buffer.from([3, 232]))), true)
  ws.end()
  t.match(await ws.whenClosed(), { code: 1000 })
})
