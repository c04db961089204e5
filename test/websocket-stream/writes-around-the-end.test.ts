// Cases in which two things coincide: an end and a waiting write, a destroyed wire and a handshake, a reference to something that is gone.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestFields } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, parsedRequest, settle } from './sides.js'

const TEXT = 1
const CLOSE = 8

t.test('a request must be an object', async t => {
  for (const wrong of [null, undefined, 'GET /']) t.throws(() => WebSocketStream.http(wrong as never), TypeError)
})

t.test('a wire that has closed before the handshake starts', async t => {
  const wire = new PassThrough()
  wire.destroy()
  const ws = WebSocketStream.http(parsedRequest()).attach(wire)
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  await t.rejects(ws.opened, { name: 'HandshakeError' })
})

t.test(
  'the request stays the given object, and the response what was sent, as long as the connection lives',
  async t => {
    const fields = { '1': 'one', 'set-cookie': ['a=1', 'b=2'], 'x-who': 'me', ...JSON.parse('{"__proto__":"p"}') }
    for (const rawHeaders of [undefined, [], Object.entries(requestFields()).flat()]) {
      const [left, right] = pair()
      const request = { ...parsedRequest({ '2': 'two' }), ...(rawHeaders && { rawHeaders }), socket: left }
      const ws = WebSocketStream.http(request, undefined, { headers: fields }).attach(left)
      const peer = new RawPeer(right, 'client')
      const { text } = await peer.head()
      await settle()
      t.equal(ws.request, request)
      t.equal(ws.status, 101)
      t.match(ws.url, /^ws:\/\/.*\/chat$/)
      const sent = text
        .trim()
        .split('\r\n')
        .slice(1)
        .map(line => line.toLowerCase())
      const kept = Object.entries(ws.headers).flatMap(([name, value]) =>
        [value].flat().map(v => `${name}: ${v}`.toLowerCase())
      )
      t.same(kept.sort(), sent.sort())
      t.ok(sent.includes('1: one') && sent.includes('__proto__: p'))
      peer.text('hello')
      t.same(await once(ws, 'message'), ['hello'])
      ws.destroy()
      await ws.whenClosed()
    }
  }
)

t.test('closed before the handshake, after messages that wait, a connection still sends them', async t => {
  const [left, right] = pair()
  const ws = WebSocketStream.http(parsedRequest(), undefined, { highWaterMark: 10 })
  for (let i = 0; i < 5; i++) ws.messages.write(`message ${i}`)
  ws.close(3000, 'done')
  ws.attach(left)
  const peer = new RawPeer(right, 'client')
  await peer.head()
  const got: string[] = []
  for (let i = 0; i < 5; i++) got.push((await peer.nextFrame())!.payload.toString())
  t.same(
    got,
    [0, 1, 2, 3, 4].map(i => `message ${i}`)
  )
  t.equal((await peer.nextFrame())!.opcode, CLOSE)
  ws.destroy()
  await ws.whenClosed()
})

for (const setup of IN_MEMORY) {
  t.test(
    `a Close after messages that are read slowly waits for them, at most closeTimeout: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await open(t, setup, { closeTimeout: 50 })
      const got: unknown[] = []
      const first = once(ws, 'message')
      peer.write(...['a', 'b', 'c'].map(text => peer.frame(TEXT, text)), peer.frame(CLOSE))
      const reader = (async () => {
        for await (const message of ws.messages) {
          got.push(message)
          await new Promise(resolve => setTimeout(resolve, 60))
        }
      })()
      await first
      t.equal(ws.readyState, 'open')
      t.equal((await peer.nextFrame())!.opcode, CLOSE)
      t.ok(got.length < 3, 'the reader was not done')
      peer.end()
      await reader
      t.same(got, ['a', 'b', 'c'])
      t.match(await ws.whenClosed(), { code: 1005, wasClean: true, initiator: 'peer' })
    }
  )

  t.test(`a writer on a lost connection gets an error, unread messages or not: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 30 })
    const view = ws.messages
    peer.write(peer.frame(TEXT, 'a'), peer.frame(TEXT, 'b'), peer.frame(TEXT, 'c'))
    await settle()
    peer.reset()
    await ws.whenClosed()
    t.equal(view.destroyed, false, 'there is something to read')
    const failed = new Promise(resolve => view.write('too late', resolve))
    t.equal(view.write('and later'), false)
    t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
    t.equal(view.destroyed, true)
  })

  t.test(`with an infinite closeTimeout, a writer waits for the reader: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: Number.POSITIVE_INFINITY })
    const view = ws.messages
    peer.write(peer.frame(TEXT, 'a'), peer.frame(TEXT, 'b'), peer.frame(TEXT, 'c'))
    await settle()
    peer.reset()
    await ws.whenClosed()
    let failure: unknown = null
    view.write('too late', (error: unknown) => {
      failure = error
    })
    await settle()
    t.equal(failure, null)
    const got: unknown[] = []
    await t.rejects(
      (async () => {
        for await (const message of view) got.push(message)
      })(),
      { code: 'WS_ERR_CONNECTION_LOST' }
    )
    t.same(got, ['a', 'b', 'c'])
    t.match(failure, { code: 'WS_ERR_CONNECTION_LOST' })
  })
}

for (const setup of IN_MEMORY) {
  t.test(`a write after a clean end, with everything read, fails at once: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const view = ws.messages
    const ended = once(view.resume(), 'end')
    peer.write(peer.frame(CLOSE))
    await ended
    t.match(await new Promise(resolve => view.write('too late', resolve)), { code: 'WS_ERR_NOT_OPEN' })
    peer.end()
    t.match(await ws.whenClosed(), { code: 1005, wasClean: true })
  })

  t.test(`a write that has failed leaves no timer: ${nameOf(setup)}`, async t => {
    const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const before = timers()
    const { ws, peer } = await open(t, setup, { closeTimeout: 60_000 })
    const view = ws.messages
    peer.write(peer.frame(TEXT, 'unread'))
    await settle()
    peer.reset()
    await ws.whenClosed()
    const failed = new Promise(resolve => view.write('too late', resolve))
    await settle()
    t.equal(timers(), before + 1, 'it waits for a reader')
    view.resume()
    t.match(await failed, { code: 'WS_ERR_CONNECTION_LOST' })
    await settle()
    t.equal(timers(), before)
  })

  t.test(`writes that wait in a view that is destroyed fail: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
    peer.stream.pause()
    while (ws.messages.write(Buffer.alloc(100_000))) await settle(1)
    const failed = new Promise(resolve => ws.messages.write('waits', resolve))
    ws.messages.destroy()
    t.ok(await failed)
    ws.destroy()
    await ws.whenClosed()
  })
}

t.test('bufferedAmount counts what the wire has not taken, wherever it waits', async t => {
  const [left] = pair()
  const ws = WebSocketStream.http(parsedRequest(), undefined, { highWaterMark: 5 })
  t.equal(ws.bufferedAmount, 0)
  ws.text('12345')
  t.equal(ws.bufferedAmount, 7, 'with its header')
  ws.messages.write('6')
  ws.messages.write('\u20ac')
  ws.messages.write(Buffer.alloc(20))
  t.equal(ws.bufferedAmount, 7 + 3 + 3 + 20)
  ws.attach(left)
  await ws.opened
  await settle()
  ws.destroy()
  await ws.whenClosed()
})
