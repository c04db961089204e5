// A relay whose sides have different extensions, or whose application reads the messages: they pass one by one, as streams or whole.

import { Transform } from 'node:stream'
import { constants, deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { WebSocketStream } from '../../lib/index.js'
import type { RelayDirection, RelayOptions } from '../../lib/net/relay.js'
import { relay } from '../../lib/net/relay.js'
import { ended } from '../support/draft-frames.js'
import { request75 } from '../support/draft-requests.js'
import { pair } from '../support/pair.js'
import { answerHead, BINARY, PING, PONG, RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { settle } from '../websocket-stream/sides.js'
import { open, type Relayed } from './relay-sides.js'

/** The next message of a peer, its fragments joined, and the number of fragments. */
async function message(peer: RawPeer): Promise<{ opcode: number; text: string; fragments: number }> {
  const parts: Buffer[] = []
  let opcode = 0
  for (;;) {
    const frame = (await peer.nextFrame())!
    if (frame.opcode >= 8) continue
    opcode ||= frame.opcode
    parts.push(frame.payload)
    if (frame.fin) return { opcode, text: Buffer.concat(parts).toString(), fragments: parts.length }
  }
}

const deflated = (text: string): Buffer => deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)

const openStreams = (t: Test, options: RelayOptions = {}): ReturnType<typeof open> =>
  open(t, {
    request: { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' },
    server: { extensions: [permessageDeflate({ threshold: 0 })] },
    options: { ...options, connect: { extensions: [] } }
  })

function fail(message: string): never {
  throw new Error(message)
}

t.test('each side can have its own compression', async t => {
  const { client, target, asked, answered, relay } = await openStreams(t)
  t.equal(asked.headers['sec-websocket-extensions'], undefined)
  t.match(answered.headers['sec-websocket-extensions'], /^permessage-deflate/)
  t.equal((await relay.opened).form, 'streams')

  client.send(TEXT, deflated('grüß dich'), { rsv: 4 })
  t.match(await message(target), { opcode: TEXT, text: 'grüß dich' })
  target.send(BINARY, Buffer.alloc(1000, 'a'))
  const frame = (await client.nextFrame())!
  t.match(frame, { opcode: BINARY, rsv: 4 })
  t.ok(frame.payload.length < 100)
  t.strictSame(relay.stats, {
    fromClient: { bytes: Buffer.byteLength('grüß dich'), frames: 0, messages: 1 },
    fromTarget: { bytes: 1000, frames: 0, messages: 1 }
  })
})

t.test('if both sides agree on the same, frames are passed', async t => {
  for (const extensions of ['', 'permessage-deflate']) {
    const own = extensions === '' ? [] : [permessageDeflate({ windowBits: 15, peerWindowBits: 15 })]
    const fields = extensions === '' ? {} : { 'Sec-WebSocket-Extensions': extensions }
    const { relay } = await open(t, {
      request: fields,
      response: fields,
      server: { extensions: own },
      options: { connect: { extensions: own } }
    })
    t.match(await relay.opened, { extensions, form: 'frames' })
  }
})

t.test('messages keep their kinds and their order, whole or in pieces', async t => {
  const { client, target } = await openStreams(t)
  for (const [from, to] of [
    [client, target],
    [target, client]
  ] as const) {
    from.write(from.frame(TEXT, ''), from.frame(BINARY, ''), from.frame(TEXT, 'a'), from.frame(BINARY, 'b'))
    from.write(from.frame(TEXT, 'c', { fin: false }), from.frame(0, 'd', { fin: false }))
    await settle()
    from.write(from.frame(0, 'e'), from.frame(TEXT, 'f'))
    const got: unknown[] = []
    if (to === client) {
      // compressed; its fragments do not matter here
      for (let i = 0; i < 6; ) if ((await to.nextFrame())!.fin) i++
      continue
    }
    for (let i = 0; i < 6; i++) got.push(await message(to))
    t.match(got, [
      { opcode: TEXT, text: '', fragments: 1 },
      { opcode: BINARY, text: '', fragments: 1 },
      { opcode: TEXT, text: 'a', fragments: 1 },
      { opcode: BINARY, text: 'b', fragments: 1 },
      { opcode: TEXT, text: 'cde' },
      { opcode: TEXT, text: 'f', fragments: 1 }
    ])
  }
})

t.test('a message passes as it arrives', async t => {
  const { client, target } = await openStreams(t)
  target.send(BINARY, 'first', { fin: false })
  t.match(await client.nextFrame(), { opcode: BINARY, fin: false })
  target.send(0, 'second')
  for (;;) if ((await client.nextFrame())!.fin) break
  t.pass('and its end, too')
})

const FORMS: [string, RelayOptions][] = [
  ['streams', { transform: {} }],
  ['messages', { onMessage() {} }]
]

for (const [form, options] of FORMS) {
  t.test(`a Close is answered by the other side: ${form}`, async t => {
    const both = await open(t, { options })
    t.equal((await both.relay.opened).form, form)
    both.client.write(both.client.frame(TEXT, 'last'))
    both.client.close(4001, 'enough')
    t.match(await message(both.target), { text: 'last' })
    t.strictSame(readClose(await both.target.nextFrame()), { code: 4001, reason: 'enough' })
    await settle()
    t.equal(both.client.input.length, 0)
    both.target.text('in flight')
    both.target.send(8)
    t.match(await message(both.client), { text: 'in flight' })
    t.strictSame(readClose(await both.client.nextFrame()), { code: 1005, reason: '' })
    both.target.end()
    both.client.end()
    t.match(await both.relay.closed, { client: { code: 4001, wasClean: true }, target: { code: 1005, wasClean: true } })
  })

  t.test(`pings go to the other side: ${form}`, async t => {
    const { client, target } = await open(t, { options })
    client.send(PING, 'are you there')
    t.match(await target.nextFrame(), { opcode: PING, payload: Buffer.from('are you there') })
    target.send(PONG, 'are you there')
    t.match(await client.nextFrame(), { opcode: PONG, payload: Buffer.from('are you there') })
  })

  t.test(`pings are answered here: ${form}`, async t => {
    const { client, target } = await open(t, { options: { ...options, pings: 'answer' } })
    client.write(client.frame(PING, 'are you there'), client.frame(TEXT, 'behind'))
    t.match(await client.nextFrame(), { opcode: PONG })
    t.match(await message(target), { text: 'behind' })
  })

  t.test(`a relay is closed: ${form}`, async t => {
    const { client, target, relay } = await open(t, { options })
    client.text('before')
    t.match(await message(target), { text: 'before' })
    target.send(BINARY, 'begun', { fin: false })
    await settle()
    relay.close(1012)
    client.text('too late')
    t.equal((await target.answerClose()).code, 1012)
    t.equal((await client.answerClose()).code, 1012)
    t.match(await relay.closed, { client: { wasClean: true } })
  })
}

t.test('a Close in the middle of a message', async t => {
  const { client, target } = await open(t, { options: { transform: {} } })
  client.send(TEXT, 'begun', { fin: false })
  t.match(await target.nextFrame(), { opcode: TEXT, fin: false })
  client.close(4000)
  t.equal(readClose(await target.nextFrame()).code, 4000)
})

t.test('whole messages can be inspected, changed and dropped', async t => {
  const seen: [unknown, RelayDirection][] = []
  const both = await open(t, {
    options: {
      onMessage(message, direction) {
        seen.push([message, direction])
        if (message === 'secret') return null
        if (message === 'later') return settle().then(() => Buffer.from('now'))
        if (message === 'empty') return ''
        return direction === 'fromTarget' ? `${message} back` : undefined
      }
    }
  })
  const { client, target } = both
  for (const text of ['as it is', 'secret', 'later', 'empty']) client.text(text)
  client.send(BINARY, 'bytes')
  target.text('and')
  t.match(await message(target), { opcode: TEXT, text: 'as it is' })
  t.match(await message(target), { opcode: BINARY, text: 'now' })
  t.match(await message(target), { opcode: TEXT, text: '' })
  t.match(await message(target), { opcode: BINARY, text: 'bytes' })
  t.match(await message(client), { text: 'and back' })
  t.strictSame(
    seen.filter(([, direction]) => direction === 'fromClient').map(([message]) => message),
    ['as it is', 'secret', 'later', 'empty', Buffer.from('bytes')]
  )
  t.match(both.relay.stats.fromClient, { messages: 5, bytes: 29 })
})

t.test('content can be transformed as it passes', async t => {
  const kinds: string[] = []
  const shout = (): Transform =>
    new Transform({
      decodeStrings: false,
      encoding: 'utf8',
      transform: (chunk, _encoding, callback) => callback(null, String(chunk).toUpperCase())
    })
  const { client, target } = await open(t, {
    options: {
      transform: {
        fromClient(kind) {
          kinds.push(kind)
          return kind === 'text' ? shout() : null
        }
      }
    }
  })
  client.write(client.frame(TEXT, 'quiet', { fin: false }), client.frame(0, ', please'), client.frame(BINARY, 'bytes'))
  t.match(await message(target), { opcode: TEXT, text: 'QUIET, PLEASE' })
  t.match(await message(target), { opcode: BINARY, text: 'bytes' })
  target.text('quiet')
  t.match(await message(client), { opcode: TEXT, text: 'quiet' })
  t.strictSame(kinds, ['text', 'binary'])
})

for (const [what, options, error] of [
  ['onMessage throws', { onMessage: () => fail('no JSON') }, { message: 'no JSON' }],
  [
    'onMessage rejects',
    { onMessage: () => Promise.reject('no') },
    { message: 'a value that is not an Error was thrown', cause: 'no' }
  ],
  ['transform throws', { transform: { fromClient: () => fail('no stream') } }, { message: 'no stream' }],
  [
    'a transform fails',
    { transform: { fromClient: () => new Transform({ transform: (_chunk, _, done) => done(new Error('no data')) }) } },
    { message: 'no data' }
  ]
] as [string, RelayOptions, object][]) {
  t.test(`${what}: both sides are closed with 1011, and the relay tells why`, async t => {
    const { client, target, relay } = await open(t, { options })
    client.text('one')
    for (const peer of [client, target]) {
      t.equal((await peer.answerClose()).code, 1011)
      peer.end()
    }
    t.match((await relay.closed).error, error)
  })
}

t.test('a relay that is closed in order has no error', async t => {
  const { client, target, relay } = await open(t)
  client.close()
  await target.answerClose()
  await client.ended()
  client.end()
  target.end()
  t.equal((await relay.closed).error, null)
})

t.test('many pings for a side that does not read become one', async t => {
  for (const [form, options] of [['frames', {}] as const, ...FORMS]) {
    t.test(form, async t => {
      const both: Relayed = await open(t, { options })
      const { client, target } = both
      target.stream.pause()
      for (let i = 0; i < 30; i++) client.send(BINARY, Buffer.alloc(10_000))
      await settle(20)
      const before = both.relay.target!.bufferedAmount
      for (let i = 0; i < 3000; i++) client.send(PING, `ping number ${i}`)
      await settle(20)
      t.ok(both.relay.target!.bufferedAmount - before < 66_000, 'what is held does not grow with their number')
      target.stream.resume()
      let last = ''
      while (last !== 'ping number 2999') {
        const frame = await target.nextFrame()
        if (frame!.opcode === PING) last = frame!.payload.toString()
      }
      client.text('and on')
      t.match(await message(target).then(async m => (m.opcode === TEXT ? m : message(target))), {})
    })
  }
})

t.test('a message for a side that does not read waits, and continues', async t => {
  for (const [form, options] of FORMS) {
    t.test(form, async t => {
      const { client, target, relay } = await open(t, { options })
      target.stream.pause()
      const size = 2_000_000
      const whole = client.frame(BINARY, Buffer.alloc(size, 'slow'))
      client.write(whole)
      await settle(30)
      t.ok(relay.target!.bufferedAmount < size + 1000)
      target.stream.resume()
      t.equal((await message(target)).text.length, size)
      client.text('behind')
      t.match(await message(target), { text: 'behind' })
    })
  }
})

t.test('a side leaves while a message waits for it', async t => {
  for (const go of ['reset', 'destroy'] as const) {
    t.test(go, async t => {
      const both = await open(t, { server: { closeTimeout: 100 }, options: { transform: {} } })
      const { client, target, relay } = both
      target.stream.pause()
      client.write(client.frame(BINARY, Buffer.alloc(2_000_000)).subarray(0, 1_500_000))
      await settle(30)
      if (go === 'reset') target.reset()
      else relay.target!.destroy()
      t.equal((await client.answerClose()).code, 1014)
      t.ok(await relay.closed)
    })
  }
})

t.test('a client of a draft is relayed message by message', async t => {
  const [near, far] = pair()
  const [ours, theirs] = pair()
  const ws = WebSocketStream.server({ allowDrafts: true }).attach(near)
  const joined = relay(ws, 'ws://target.test/', { connect: { createConnection: () => ours } })
  t.teardown(() => joined.destroy())
  const target = new RawPeer(theirs, 'server')
  const client = new RawPeer(far, 'client')
  client.write(request75())
  target.write(answerHead(await target.head()))
  t.equal((await client.head()).status, 101)
  t.equal((await joined.opened).form, 'streams')
  client.write(ended('from a draft'))
  t.match(await message(target), { opcode: TEXT, text: 'from a draft' })
  // there is no side to pass it to
  target.send(PING, 'anyone')
  t.match(await target.nextFrame(), { opcode: PONG })
  target.text('to a draft')
  while (client.input.length < 12) await settle(1)
  t.ok(client.input.equals(ended('to a draft')))
})

t.test('of several pings after a message that waits, the newest is passed', async t => {
  const { client, target } = await open(t, { options: { transform: {} } })
  target.stream.pause()
  client.send(BINARY, Buffer.alloc(60_000))
  await settle()
  for (const ping of ['a', 'b', 'c']) {
    client.send(PING, ping)
    await settle()
  }
  target.stream.resume()
  const frames = [(await target.nextFrame())!, (await target.nextFrame())!]
  t.strictSame(
    frames.filter(({ opcode }) => opcode === PING).map(({ payload }) => payload.toString()),
    ['c']
  )
})
