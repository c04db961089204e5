// A relay between two raw peers: what passes, and in which form; which Close answers which; what each side is told of the other's end.

import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { relay } from '../../lib/net/relay.js'
import { pair } from '../support/pair.js'
import {
  BINARY,
  CLOSE,
  closeBody,
  PING,
  PONG,
  RawPeer,
  readClose,
  requestHead,
  TEXT,
  type WireFrame
} from '../support/raw-peer.js'
import { settle, within } from '../websocket-stream/sides.js'
import { open, type Relayed } from './relay-sides.js'

type Way = 'from client to target' | 'from target to client'
const WAYS: Way[] = ['from client to target', 'from target to client']

function along({ client, target }: Relayed, way: Way): [from: RawPeer, to: RawPeer] {
  return way === 'from client to target' ? [client, target] : [target, client]
}

const seen = ({ opcode, fin, rsv, payload }: WireFrame): unknown[] => [opcode, fin, rsv, payload.toString('latin1')]

for (const way of WAYS) {
  t.test(`frames ${way} pass as they are`, async t => {
    const both = await open(t, {
      request: { 'Sec-WebSocket-Extensions': 'x-shout; loud=9, permessage-deflate' },
      response: { 'Sec-WebSocket-Extensions': 'x-shout; loud=9' }
    })
    const [from, to] = along(both, way)
    from.write(
      from.frame(TEXT, 'one', { fin: false, rsv: 7 }),
      from.frame(PING, 'between'),
      from.frame(0, '', { fin: false }),
      from.frame(0, 'two'),
      from.frame(BINARY, Buffer.alloc(300, 1), { rsv: 1 }),
      from.frame(PONG, 'unasked')
    )
    const frames: WireFrame[] = []
    for (let i = 0; i < 6; i++) frames.push((await to.nextFrame())!)
    const isControl = ({ opcode }: WireFrame): boolean => opcode >= CLOSE
    t.strictSame(frames.filter(frame => !isControl(frame)).map(seen), [
      [TEXT, false, 7, 'one'],
      [0, false, 0, ''],
      [0, true, 0, 'two'],
      [BINARY, true, 1, '\x01'.repeat(300)]
    ])
    // these overtake data
    t.strictSame(frames.filter(isControl).map(seen), [
      [PING, true, 0, 'between'],
      [PONG, true, 0, 'unasked']
    ])
    const counts = both.relay.stats[way === WAYS[0] ? 'fromClient' : 'fromTarget']
    t.strictSame(counts, { bytes: 306, frames: 4, messages: 2 })
    t.strictSame(await both.relay.opened, { protocol: '', extensions: 'x-shout; loud=9', form: 'frames' })
  })

  t.test(`a large frame ${way} is passed in parts, and none is buffered whole`, async t => {
    const both = await open(t)
    const [from, to] = along(both, way)
    const whole = from.frame(BINARY, Buffer.alloc(300_000, 'part'))
    from.write(whole.subarray(0, 150_000))
    while (to.input.length < 149_000) await settle(1)
    t.ok(to.input.length < 151_000)
    from.write(whole.subarray(150_000))
    t.ok((await to.nextFrame())!.payload.equals(Buffer.alloc(300_000, 'part')))
  })

  t.test(`a Close ${way} is answered by the other side`, async t => {
    const both = await open(t)
    const [from, to] = along(both, way)
    from.write(from.frame(TEXT, 'last'), from.frame(CLOSE, closeBody(4001, 'enough')))
    t.equal((await to.nextFrame())!.payload.toString(), 'last')
    t.strictSame(readClose(await to.nextFrame()), { code: 4001, reason: 'enough' })
    await settle()
    t.equal(from.input.length, 0, 'nothing is answered before')
    // data in flight still arrives
    to.write(to.frame(TEXT, 'in flight'), to.frame(CLOSE, closeBody(4002, 'so be it')))
    t.equal((await from.nextFrame())!.payload.toString(), 'in flight')
    t.strictSame(readClose(await from.nextFrame()), { code: 4002, reason: 'so be it' })
    both.target.end()
    both.client.end()
    const { client, target } = await both.relay.closed
    t.match([client, target], [{ wasClean: true }, { wasClean: true }])
  })

  t.test(`a Close without a code ${way} is passed without one`, async t => {
    const both = await open(t)
    const [from, to] = along(both, way)
    from.send(CLOSE)
    t.equal((await to.nextFrame())!.payload.length, 0)
    to.send(CLOSE)
    t.equal((await from.nextFrame())!.payload.length, 0)
  })
}

for (const way of WAYS) {
  for (const form of ['frames', 'streams'] as const) {
    t.test(`${form} ${way} continue after pings that waited for a slow wire`, async t => {
      const options = form === 'frames' ? {} : { transform: { fromClient: () => null } }
      const both = await open(t, { options })
      const [from, to] = along(both, way)
      t.equal((await both.relay.opened).form, form)
      to.stream.pause()
      // the first Ping fills the wire, and the second one finds it full
      from.write(
        from.frame(BINARY, Buffer.alloc(65_500)),
        from.frame(PING, Buffer.alloc(120)),
        from.frame(PING, 'second'),
        from.frame(PING, 'third')
      )
      await settle(12)
      to.stream.resume()
      from.write(from.frame(TEXT, 'behind'))
      const data: unknown[] = []
      let ping = ''
      // RFC 6455 §5.5.3: only the newest is needed
      while (data.length < 2 || ping !== 'third') {
        const frame = (await to.nextFrame())!
        if (frame.opcode === PING) ping = frame.payload.toString()
        else data.push(frame.opcode === TEXT ? frame.payload.toString() : frame.payload.length)
      }
      t.strictSame(data, [65_500, 'behind'])
    })
  }
}

t.test('both sides close at once', async t => {
  const { client, target, relay } = await open(t)
  client.close(3001)
  target.close(3002)
  t.strictSame(readClose(await target.nextFrame()), { code: 3001, reason: '' })
  t.strictSame(readClose(await client.nextFrame()), { code: 3002, reason: '' })
  target.end()
  client.end()
  t.match(await relay.closed, { client: { code: 3001, wasClean: true }, target: { code: 3002, wasClean: true } })
})

t.test('pings can be answered by the relay', async t => {
  const both = await open(t, { options: { pings: 'answer' } })
  for (const way of WAYS) {
    const [from, to] = along(both, way)
    from.write(from.frame(PING, 'here?'), from.frame(PONG, 'unasked'), from.frame(TEXT, 'behind'))
    t.equal((await from.nextFrame())!.payload.toString(), 'here?')
    t.equal((await to.nextFrame())!.payload.toString(), 'behind')
  }
})

t.test('the side that breaks a rule for messages is failed, not the other', async t => {
  for (const way of WAYS) {
    t.test(way, async t => {
      const both = await open(t)
      const [from, to] = along(both, way)
      from.write(from.frame(0, 'of nothing'))
      t.equal(readClose(await from.nextFrame()).code, 1002)
      t.equal(readClose(await to.nextFrame()).code, way === WAYS[0] ? 1001 : 1014)
    })
  }
})

t.test('a closed relay closes both sides, after the data received so far', async t => {
  const { relay, client, target } = await open(t)
  client.text('before')
  await target.nextFrame()
  relay.close()
  relay.close(1000)
  client.text('too late')
  t.strictSame(readClose(await target.nextFrame()), { code: 1001, reason: '' })
  t.strictSame(await client.answerClose(), { code: 1001, reason: '' })
  target.close(1001)
  target.end()
  const { client: near, target: far } = await relay.closed
  t.match(
    [near, far],
    [
      { wasClean: true, initiator: 'local' },
      { wasClean: true, initiator: 'local' }
    ]
  )
})

t.test('a closed relay completes the current frame', async t => {
  for (const way of WAYS) {
    t.test(way, async t => {
      const both = await open(t)
      const [from, to] = along(both, way)
      const whole = from.frame(BINARY, Buffer.alloc(1000, 'half'))
      from.write(whole.subarray(0, 600))
      while (to.input.length === 0) await settle(1)
      both.relay.close(1012, 'back soon')
      t.strictSame(readClose(await from.nextFrame()), { code: 1012, reason: 'back soon' })
      from.write(whole.subarray(600), from.frame(TEXT, 'too late'))
      t.equal((await to.nextFrame())!.payload.length, 1000)
      t.strictSame(readClose(await to.nextFrame()), { code: 1012, reason: 'back soon' })
    })
  }
})

t.test('a relay that cannot close cleanly is destroyed after closeTimeout', async t => {
  const both = await open(t, { server: { closeTimeout: 50 } })
  both.client.write(both.client.frame(BINARY, Buffer.alloc(1000)).subarray(0, 600))
  while (both.target.input.length === 0) await settle(1)
  await both.relay[Symbol.asyncDispose]()
  t.match(await both.relay.closed, { client: { wasClean: false }, target: { code: 1006 } })
})

t.test('a side that got an incomplete frame is destroyed as soon as the other side is lost', async t => {
  const both = await open(t)
  both.client.write(both.client.frame(BINARY, Buffer.alloc(1000)).subarray(0, 600))
  while (both.target.input.length === 0) await settle(1)
  both.client.reset()
  t.match(await within(2000, both.relay.closed), { client: { code: 1006 }, target: { code: 1006, wasClean: false } })
})

t.test('invalid arguments throw at once', async t => {
  const [near] = pair()
  const ws = (): WebSocketStream => WebSocketStream.server().attach(near)
  const client = WebSocketStream.client('ws://a.test/')
  t.throws(() => relay(client, 'ws://a.test/'), TypeError)
  client.destroy()
  t.throws(() => relay(undefined as never, 'ws://a.test/'), TypeError)
  const server = ws()
  t.teardown(() => server.destroy())
  t.throws(() => relay(server, undefined as never), TypeError)
  t.throws(() => relay(server, 'ws://a.test/', 1 as never), TypeError)
  t.throws(() => relay(server, 'ws://a.test/', null as never), TypeError)
  const wrong: Record<string, unknown>[] = [
    { unknown: 1 },
    { pings: 'maybe' },
    { connect: 1 },
    { forwardHeaders: 'cookie' },
    { forwardHeaders: ['no token'] },
    { forwardHeaders: ['upgrade'] },
    { returnHeaders: [1] },
    { returnRefusals: 1 },
    { forwardPath: 'yes' },
    { forwarded: true },
    { onMessage: 'function' },
    { transform: { fromNobody: () => null } },
    { transform: { fromClient: 1 } },
    { onMessage() {}, transform: {} }
  ]
  for (const options of wrong) t.throws(() => relay(server, 'ws://a.test/', options as never), TypeError)
  const both = await open(t)
  t.throws(() => relay(both.ws, 'ws://a.test/'), TypeError)
  t.throws(() => both.relay.close(1005), RangeError)
})

t.test('a request that the application answers later is relayed then', async t => {
  const [near, far] = pair()
  const ws = WebSocketStream.server().attach(near)
  const peer = new RawPeer(far, 'client')
  t.teardown(() => ws.destroy())
  const shown = new Promise<void>(resolve => ws.on('request', () => resolve()))
  peer.write(requestHead())
  await shown
  await settle()
  const refused = relay(ws, 'ws://target.test/', {
    connect: { createConnection: () => Promise.reject(new Error('no')) }
  })
  t.equal((await peer.head()).status, 502)
  peer.end()
  t.match(await refused.closed, { client: { wasClean: false } })
})

t.test('a connection that ended before it is relayed', async t => {
  const ws = WebSocketStream.server()
  ws.destroy()
  const over = relay(ws, 'ws://target.test/')
  await t.rejects(over.opened)
  t.match(await over.closed, { target: null })
})

t.test('closeTimeout may be infinite', async t => {
  const { relay, client, target } = await open(t, { server: { closeTimeout: Infinity } })
  relay.close()
  await Promise.all([client.answerClose(), target.answerClose()])
  t.match(await relay.closed, { client: { wasClean: true } })
})

t.test('the application closes one side itself, with much data under way', async t => {
  const { relay, client, target } = await open(t, { server: { closeTimeout: 200 } })
  target.stream.pause()
  for (let i = 0; i < 40; i++) client.send(BINARY, Buffer.alloc(20_000))
  await settle(12)
  relay.target!.close(1000, 'of its own')
  for (let i = 0; i < 40; i++) client.send(BINARY, Buffer.alloc(20_000))
  await settle(12)
  target.stream.resume()
  t.strictSame(await target.answerClose(), { code: 1000, reason: 'of its own' })
  await client.answerClose()
  t.ok(await relay.closed)
})

t.test('a relay is closed with much data under way', async t => {
  const { relay, client, target } = await open(t, { server: { closeTimeout: 500 } })
  target.stream.pause()
  for (let i = 0; i < 40; i++) client.send(BINARY, Buffer.alloc(20_000))
  await settle(12)
  relay.close()
  client.text('too late')
  await settle(12)
  target.stream.resume()
  t.equal((await target.answerClose()).code, 1001)
  await client.answerClose()
  t.ok(await relay.closed)
})

t.test('data that a client sent before it left is not kept for ever', async t => {
  const { relay, client, target } = await open(t, { server: { closeTimeout: 60 } })
  target.stream.pause()
  for (let i = 0; i < 60; i++) client.send(BINARY, Buffer.alloc(20_000))
  await settle(12)
  client.reset()
  t.match(await relay.closed, { client: { code: 1006 }, target: { wasClean: false } })
})
