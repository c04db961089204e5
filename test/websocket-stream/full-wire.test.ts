// A wire that takes nothing for a while: what waits is counted once, and nothing of it is reported as sent if it is lost.

import { randomBytes } from 'node:crypto'
import { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { permessageDeflate, Room, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { CLOSE, closeBody, PING, requestHead, TEXT, wireFrame } from '../support/raw-peer.js'
import { rejection, settle, type TestLike } from './sides.js'

const MASKED = { masked: true }

/** A wire whose writes wait while `isStuck`. */
class StuckWire extends Duplex {
  isStuck = false
  readonly written: Buffer[] = []
  private waiting: (() => void) | null = null

  constructor() {
    super({ highWaterMark: 16_384 })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    if (this.isStuck) this.waiting = done
    else done()
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  /** Finishes one write, and those after it if the wire is not stuck. */
  release(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  get text(): string {
    return Buffer.concat(this.written).toString('latin1')
  }
}

/** An open server on a wire that is stuck from now on. */
async function stuck(t: TestLike, options?: WebSocketOptions): Promise<{ ws: WebSocketStream; wire: StuckWire }> {
  const wire = new StuckWire()
  const ws = WebSocketStream.server(options).attach(wire)
  t.teardown(() => ws.destroy())
  wire.push(requestHead({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
  await ws.opened
  await settle()
  wire.isStuck = true
  return { ws, wire }
}

const SIZE = 1_000_000

for (const [what, send] of [
  ['a Buffer', ws => ws.send(Buffer.alloc(SIZE))],
  ['a Blob', ws => ws.send(new Blob([Buffer.alloc(SIZE)]))],
  ['a piece', ws => ws.createMessage('binary').write(Buffer.alloc(SIZE))],
  ['the last piece', ws => ws.createMessage('binary').end(Buffer.alloc(SIZE))],
  ['a Readable', ws => ws.streams.write(Readable.from([Buffer.alloc(SIZE)]))]
] as const satisfies [string, (ws: WebSocketStream) => unknown][]) {
  t.test(`bufferedAmount counts ${what} once, whether it waits for the wire or for what is before it`, async t => {
    const { ws } = await stuck(t)
    if (what !== 'a Readable') ws.messages.on('data', () => {})
    send(ws)
    await settle()
    while (ws.bufferedAmount < SIZE) await settle()
    t.ok(ws.bufferedAmount < SIZE + 1000, `${ws.bufferedAmount} bytes`)
    if (what === 'a Readable') return
    send(ws)
    await settle()
    t.ok(ws.bufferedAmount >= 2 * SIZE, `${ws.bufferedAmount} bytes of two`)
    t.ok(ws.bufferedAmount < 2 * SIZE + 1000, `${ws.bufferedAmount} bytes of two`)
  })
}

t.test('bufferedAmount counts bytes that pass an extension once', async t => {
  for (const compress of [false, true]) {
    const { ws } = await stuck(t, { extensions: [permessageDeflate()] })
    t.match(ws.extensions, /deflate/)
    for (let i = 0; i < 3; i++) ws.send(randomBytes(SIZE), { compress })
    while (ws.stats.bytesSent < 40_000) await settle()
    await settle()
    // random bytes become more when they are compressed
    t.ok(ws.bufferedAmount < SIZE * 3.1, `${ws.bufferedAmount} bytes, compress: ${compress}`)
    t.ok(ws.bufferedAmount > SIZE * 2.9, `${ws.bufferedAmount} bytes, compress: ${compress}`)
  }
})

t.test('a Blob does not make broadcast close a connection before its limit', async t => {
  const { ws } = await stuck(t)
  ws.send(new Blob([Buffer.alloc(600_000)]))
  while (ws.bufferedAmount === 0) await settle()
  await settle()
  t.match(new Room().add(ws).broadcast('text', { limit: 1_000_000 }), { sent: 1, behind: 0 })
})

t.test('a message in pieces that is destroyed while it waits behind others does not hold up what follows', async t => {
  const { ws, wire } = await stuck(t)
  while (ws.messages.write(Buffer.alloc(20_000))) {}
  ws.messages.write('before')
  const writer = ws.createMessage('text')
  writer.write('never')
  await settle()
  writer.destroy()
  ws.send('after')
  wire.isStuck = false
  wire.release()
  await ws.drained()
  t.match(wire.text, /before.*after$/s)
  t.notMatch(wire.text, /never/)
})

t.test('drained() settles when the view has finished, although messages are unread', async t => {
  const { ws, wire } = await stuck(t)
  while (ws.messages.write(Buffer.alloc(20_000))) {}
  ws.messages.end('last')
  const drained = ws.drained()
  wire.push(wireFrame(TEXT, 'unread', MASKED))
  wire.isStuck = false
  wire.release()
  await drained
  t.equal(ws.messages.writableFinished, true)
})

t.test('what ends a view is not reported as sent if the connection is lost while it waits', async t => {
  for (const source of ['generator', 'Readable']) {
    const { ws, wire } = await stuck(t)
    const messages = ['a'.repeat(40_000), 'b'.repeat(40_000), 'last']
    const piped = pipeline(source === 'Readable' ? Readable.from(messages) : messages, ws.messages)
    await settle()
    wire.push(wireFrame(CLOSE, closeBody(1000), MASKED))
    await settle()
    wire.destroy()
    t.ok(await rejection(piped), source)
    t.match(await ws.whenClosed(), { wasClean: false })
  }
})

t.test('close() sends what waits in a view, and a pipeline into it fails with the connection', async t => {
  for (const waits of [true, false]) {
    const { ws, wire } = await stuck(t)
    let wake = (): void => {}
    const isClosed = new Promise<void>(resolve => {
      wake = resolve
    })
    async function* source(): AsyncGenerator<string> {
      if (waits) yield 'a'.repeat(40_000)
      if (waits) yield 'last'
      await isClosed
      for (;;) yield 'late'
    }
    const piped = pipeline(source, ws.messages)
    await settle()
    if (waits) ws.messages.write('by hand')
    void ws.close(4000)
    while (wire.text.endsWith('a') || (waits && !wire.text.includes('by hand'))) {
      wire.release()
      await settle()
    }
    wire.isStuck = false
    wire.release()
    wire.push(wireFrame(CLOSE, closeBody(4000), MASKED))
    wire.push(null)
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
    await settle()
    wake()
    t.ok(await rejection(piped))
    t.match(wire.text, waits ? /aaa.*by hand.*\x88\x02\x0f\xa0$/s : /\x88\x02\x0f\xa0$/)
    t.notMatch(wire.text, /late/)
  }
})

t.test('close() sends what waits in ws.bytes', async t => {
  const { ws, wire } = await stuck(t)
  ws.bytes.resume()
  ws.bytes.write(Buffer.alloc(40_000, 'a'))
  ws.bytes.write('last')
  await settle()
  void ws.close(4000)
  wire.isStuck = false
  wire.release()
  while (!wire.text.endsWith('\x0f\xa0')) await settle()
  wire.push(wireFrame(CLOSE, closeBody(4000), MASKED))
  wire.push(null)
  t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
  t.match(wire.text, /last\x88\x02\x0f\xa0$/)
})

t.test('a Ping in order, and an answer in order, after the view was ended', async t => {
  for (const autoPong of [true, 'in order'] as const) {
    const { ws, wire } = await stuck(t, { autoPong })
    const errors: unknown[] = []
    ws.on('error', error => errors.push(error))
    ws.streams.write(Readable.from(['one', 'two']))
    ws.streams.write(Readable.from(['three']))
    ws.streams.end()
    await settle()
    wire.push(wireFrame(PING, 'pung', MASKED))
    if (autoPong === true) void ws.ping('ping', { inOrder: true })
    await settle()
    while (ws.readyState === 'open' || ws.bufferedAmount > 0) {
      wire.release()
      await settle()
    }
    t.match(wire.text, autoPong === true ? /ping/ : /pung/)
    t.match(wire.text, /one.*two.*three.*\x88\x02\x03\xe8$/s)
    t.same(errors, [])
  }
})

t.test('a Blob is refused as soon as nothing more is taken', async t => {
  const { ws } = await stuck(t)
  ws.send(new Blob(['taken']))
  void ws.close()
  const failed = new Promise(resolve => t.equal(ws.send(new Blob(['refused']), resolve), false))
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
  t.match(await rejection(ws.drained()), { code: 'WS_ERR_NOT_OPEN' })
})
