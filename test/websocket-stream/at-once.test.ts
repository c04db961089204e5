// A response that nothing delays is sent at once: in the turn in which the application decides and the wire is attached.

import { once } from 'node:events'
import t from 'tap'
import { type HandshakeError, WebSocketStream } from '../../lib/index.js'
import { toy } from '../extensions/toys.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestHead, TEXT, wireFrame } from '../support/raw-peer.js'
import { rawServer } from './raw-server.js'
import { parsedRequest, rejection, settle, type TestLike } from './sides.js'

/** A wire that records what is written to it in this turn. */
function wire(t: TestLike) {
  const [left, right] = pair()
  const written: string[] = []
  const write = left.write.bind(left) as (chunk: Buffer) => boolean
  left.write = (chunk: Buffer) => {
    written.push(String(chunk))
    return write(chunk)
  }
  t.teardown(() => left.destroy())
  return { left, written, peer: new RawPeer(right, 'client') }
}

for (const order of ['attach, accept', 'accept, attach'] as const) {
  t.test(`${order}: the 101 is written, and open is emitted, in this turn`, async t => {
    const { left, written, peer } = wire(t)
    const ws = WebSocketStream.http(parsedRequest(), wireFrame(TEXT, 'early', { masked: true }))
    const seen: string[] = []
    ws.on('open', () => seen.push('open'))
    ws.on('message', message => seen.push(String(message)))
    if (order === 'attach, accept') ws.attach(left)
    t.equal(ws.accept({ headers: { 'X-A': 'b' } }), true)
    t.equal(ws.accept(), false, 'only once')
    t.equal(ws.reject(404), false)
    t.throws(() => ws.setHeader('X-B', 'c'), TypeError)
    if (order === 'accept, attach') {
      t.equal(ws.readyState, 'connecting')
      ws.attach(left)
    }
    t.match(written, [/^HTTP\/1\.1 101 .*X-A: b/s])
    t.equal(ws.readyState, 'open')
    t.same(seen, ['open', 'early'])
    t.equal((await peer.head()).status, 101)
    const late = once(ws, 'message')
    peer.text('late')
    await late
    t.same(seen, ['open', 'early', 'late'])
    ws.destroy()
  })
}

t.test('a listener added later in the turn does not miss open, nor a message', async t => {
  const { left, written } = wire(t)
  const ws = WebSocketStream.http(parsedRequest(), wireFrame(TEXT, 'early', { masked: true })).attach(left)
  t.equal(ws.accept(), true)
  t.equal(written.length, 1)
  t.equal(ws.readyState, 'open')
  t.equal(ws.text('at once'), true)
  const open = once(ws, 'open')
  const message = once(ws, 'message')
  await open
  t.same(await message, ['early'])
  t.match(written[1], /at once/)
  ws.destroy()
})

t.test('destroyed in that turn, it does not open', async t => {
  const { left } = wire(t)
  const ws = WebSocketStream.http(parsedRequest()).attach(left)
  t.equal(ws.accept(), true)
  ws.on('open', () => t.fail('open'))
  ws.destroy()
  await ws.whenClosed()
})

t.test('if the application does nothing, the rest of the turn is waited for, so that it can listen', async t => {
  const { left, written } = wire(t)
  const ws = WebSocketStream.http(parsedRequest()).attach(left)
  t.same(written, [])
  ws.on('request', () => ws.accept())
  await once(ws, 'open')
  t.equal(written.length, 1)
  ws.destroy()
})

t.test('a piped wire gets the 101 as soon as it reads', async t => {
  const { left, peer } = wire(t)
  const ws = WebSocketStream.http(parsedRequest())
  left.pipe(ws).pipe(left)
  let isOpen = false
  ws.on('open', () => (isOpen = true))
  t.equal(ws.accept(), true)
  t.equal(isOpen, true)
  t.equal((await peer.head()).status, 101)
  ws.destroy()
})

t.test('a refusal is written at once as well', async t => {
  for (const order of ['attach, reject', 'reject, attach'] as const) {
    const { left, written } = wire(t)
    const ws = WebSocketStream.http(parsedRequest())
    if (order === 'attach, reject') ws.attach(left)
    t.equal(ws.reject(401), true)
    t.equal(ws.accept(), false)
    if (order === 'reject, attach') ws.attach(left)
    t.match(written, [/^HTTP\/1\.1 401 /])
    t.equal(ws.status, 401)
    t.match(ws.headers, { connection: 'close' })
    ws.destroy()
  }
})

t.test('accept is true if and only if a 101 is sent', async t => {
  const oops = () => {
    throw new Error('oops')
  }
  const extension = { extensions: [toy('bad', { response: oops as never })] }
  for (const [request, options, status] of [
    [parsedRequest({ 'Sec-WebSocket-Key': 'short' }), {}, 400],
    [parsedRequest({ 'Sec-WebSocket-Version': '99' }), {}, 426],
    [parsedRequest({ Upgrade: 'h2c' }), {}, 400],
    [parsedRequest({ Origin: 'http://a' }), { origins: 'http://b' }, 403],
    [parsedRequest({ 'Sec-WebSocket-Protocol': 'a' }), { protocols: oops as never }, 500],
    [parsedRequest({ 'Sec-WebSocket-Extensions': 'bad' }), extension, 500]
  ] as const) {
    for (const order of ['attach, accept', 'accept, attach'] as const) {
      const { left, written } = wire(t)
      const ws = WebSocketStream.http(request, undefined, options)
      if (order === 'attach, accept') ws.attach(left)
      t.equal(ws.accept(), false)
      if (order === 'accept, attach') {
        ws.attach(left)
        await settle(1)
      }
      t.match(written[0], new RegExp(`^HTTP/1.1 ${status} `), `${status}, ${order}`)
      t.match(await rejection(ws.opened), { status })
      ws.destroy()
    }
  }
})

t.test('a request that cannot be read gets 500', async t => {
  const { left, written } = wire(t)
  const request = {
    ...parsedRequest(),
    get url(): string {
      throw new Error('oops')
    }
  }
  const ws = WebSocketStream.http(request).attach(left)
  t.equal(ws.accept(), false)
  t.match(written, [/^HTTP\/1\.1 500 /])
  t.match(await rejection(ws.opened), { cause: { message: 'oops' } })
  ws.destroy()
})

t.test('accept throws for invalid options, and the request can still be answered', async t => {
  const { left, written } = wire(t)
  const ws = WebSocketStream.http(parsedRequest()).attach(left)
  t.throws(() => ws.accept({ protocol: 'a' }), TypeError)
  t.throws(() => ws.accept({ headers: new Set(['ab']) as never }), TypeError)
  t.same(written, [])
  t.equal(ws.accept(), true)
  t.equal(written.length, 1)
  ws.destroy()
})

t.test('on raw bytes too, the response is sent in the turn of the request', async t => {
  const { ws, peer } = await rawServer(t, { wire: 'memory', join: 'attach' })
  ws.on('request', () => {
    t.equal(ws.accept(), true)
    t.equal(ws.readyState, 'open')
  })
  peer.write(requestHead())
  t.equal((await peer.head()).status, 101)
})

t.test('status and headers are those of the response that refused, on either side', async t => {
  const [left, right] = pair()
  const server = WebSocketStream.server().attach(left)
  const client = WebSocketStream.client('ws://example.com/').attach(right)
  server.on('request', () => server.reject(402, { headers: { 'X-Price': '1' } }))
  for (const ws of [server, client]) {
    const error = (await rejection(ws.opened)) as unknown as HandshakeError
    t.match([ws.status, ws.headers], [402, { 'x-price': '1', connection: 'close' }])
    t.same([ws.status, ws.headers], [error.status, error.headers])
    ws.destroy()
  }
})
