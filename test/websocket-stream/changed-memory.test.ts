// The application transfers or shrinks the memory of a message between `send` and the write to the wire: an error of this connection only,
// and nothing but the message's own bytes leaves.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate, type WebSocketOptions, type WebSocketStream } from '../../lib/index.js'
import { nameOf, open, ours, SETUPS } from './sides.js'

interface Resizable extends ArrayBuffer {
  resize(size: number): void
}

/** The types of this project are older than resizable memory. */
function resizable(size: number): Resizable {
  return new (ArrayBuffer as any)(size, { maxByteLength: size })
}

/** Memory of this size, and a function that takes it away. */
const WAYS: Record<string, (size: number) => [Uint8Array, () => void]> = {
  'is made smaller': size => {
    const memory = resizable(size)
    return [new Uint8Array(memory), () => memory.resize(16)]
  },
  'is transferred': size => {
    const bytes = new Uint8Array(size)
    return [bytes, () => structuredClone(bytes, { transfer: [bytes.buffer] })]
  },
  'is that of WebAssembly, which grows': size => {
    const memory = new (globalThis as any).WebAssembly.Memory({ initial: Math.ceil(size / 65536), maximum: 100 })
    return [new Uint8Array(memory.buffer, 0, size), () => memory.grow(1)]
  }
}
const OPTIONS: Record<string, WebSocketOptions> = {
  plain: {},
  compressed: { extensions: [permessageDeflate({ threshold: 0 })] }
}

/** Sends with a callback; resolves to what it got. */
function sent(ws: WebSocketStream, data: string | Uint8Array): Promise<Error | null | undefined> {
  return new Promise(resolve => ws.send(data, error => resolve(error)))
}

for (const [way, take] of Object.entries(WAYS)) {
  t.test(`the memory of a message ${way} before it is written`, async t => {
    for (const size of [20, 300, 5000, 40_000]) {
      for (const role of ['client', 'server'] as const) {
        const pair = await ours(t)
        const [ws, peer] = role === 'client' ? [pair.client, pair.server] : [pair.server, pair.client]
        const got: unknown[] = []
        peer.on('message', message => got.push(message))
        const [bytes, takeAway] = take(size)
        const first = sent(ws, 'before')
        const second = sent(ws, bytes)
        const third = sent(ws, 'behind')
        takeAway()
        const what = `${role}, ${size} bytes`
        t.match(await once(ws, 'error'), [{ code: 'WS_ERR_MEMORY_TRANSFERRED', fault: 'local', closeCode: 1011 }], what)
        t.notOk(await first, what)
        t.ok(await second, what)
        t.ok(await third, what)
        await Promise.all([ws.whenClosed(), peer.whenClosed()])
        t.same(got, ['before'], what)
      }
    }
  })
}

t.test('a large message, or one to be compressed, is cut off, or has been written or compressed before', async t => {
  for (const [way, take] of Object.entries(WAYS)) {
    for (const size of [20, 1000, 20_000, 200_000, 2_000_000]) {
      for (const [form, options] of Object.entries(OPTIONS)) {
        if (form === 'plain' && size < 65_536) continue
        for (const role of ['client', 'server'] as const) {
          const pair = await ours(t, options)
          const [ws, peer] = role === 'client' ? [pair.client, pair.server] : [pair.server, pair.client]
          const got: number[] = []
          peer.on('message', message => got.push(message.length))
          const what = `${way}, ${form}: ${role}, ${size} bytes`
          const [bytes, takeAway] = take(size)
          const second = sent(ws, bytes)
          const third = sent(ws, 'behind')
          takeAway()
          const errors = [await second, await third]
          ws.destroy()
          await peer.whenClosed()
          if (errors[0]) t.ok(errors[1], what)
          else t.equal(got[0], size, what)
        }
      }
    }
  }
})

t.test('another connection gets none of it, and goes on', async t => {
  const [one, other] = [await ours(t), await ours(t)]
  const got: unknown[] = []
  one.client.on('message', message => got.push(message))
  other.server.send(Buffer.alloc(12_000, 'secret'))
  await once(other.client, 'message')
  const memory = resizable(12_000)
  one.server.send(new Uint8Array(memory))
  memory.resize(16)
  t.match(await once(one.server, 'error'), [{ code: 'WS_ERR_MEMORY_TRANSFERRED' }])
  await one.client.whenClosed()
  t.same(got, [])
  other.server.send('on')
  t.same(await once(other.client, 'message'), ['on'])
})

for (const setup of SETUPS) {
  t.test(`the peer gets 1011: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const memory = resizable(1000)
    ws.send(new Uint8Array(memory))
    memory.resize(0)
    await t.rejects(ws.drained(), { code: 'WS_ERR_NOT_OPEN' })
    const frame = await peer.nextFrame()
    t.equal(frame!.opcode, 8)
    t.equal(Buffer.from(frame!.payload as Uint8Array).readUInt16BE(0), 1011)
  })
}

t.test('a message whose memory was transferred before is a TypeError, and one that waits fails its view', async t => {
  const empty = new Uint8Array(0)
  for (const sends of [
    (ws: WebSocketStream, bytes: Uint8Array) => ws.send(bytes),
    (ws: WebSocketStream, bytes: Uint8Array) => ws.binary(bytes),
    (ws: WebSocketStream, bytes: Uint8Array) => ws.ping(bytes)
  ]) {
    const { client, server } = await ours(t)
    const gone = new Uint8Array(8)
    structuredClone(gone, { transfer: [gone.buffer] })
    t.throws(() => sends(client, gone), {
      name: 'TypeError',
      message: 'the memory of the message has been transferred'
    })
    sends(client, empty)
    client.send('goes on')
    let message: unknown
    do [message] = await once(server, 'message')
    while (typeof message !== 'string')
    t.equal(message, 'goes on')
  }
  const { client } = await ours(t)
  const bytes = new Uint8Array(8)
  client.messages.cork()
  const failed = new Promise(resolve => client.messages.write(bytes, resolve))
  structuredClone(bytes, { transfer: [bytes.buffer] })
  client.messages.uncork()
  t.match(await failed, { name: 'TypeError' })
  t.equal((await client.whenClosed()).code, 1011)
})

t.test('a message that waits behind one in pieces fails its connection', async t => {
  for (const take of Object.values(WAYS)) {
    const { client, server } = await ours(t)
    const got: unknown[] = []
    server.on('message', message => got.push(message))
    const writer = client.createMessage('text')
    writer.write('begun')
    const [bytes, takeAway] = take(1000)
    const second = sent(client, bytes)
    const third = sent(client, 'behind')
    const drained = t.rejects(client.drained())
    takeAway()
    writer.end(' and ended')
    t.match(await once(client, 'error'), [{ code: 'WS_ERR_MEMORY_TRANSFERRED' }])
    t.match(await second, { code: 'WS_ERR_MEMORY_TRANSFERRED' })
    t.ok(await third)
    await drained
    t.equal((await server.whenClosed()).code, 1011)
    await client.whenClosed()
    t.same(got, ['begun and ended'])
    t.equal(client.bufferedAmount, 0)
  }
})

t.test('a message that waits in the view and changes its size fails the view', async t => {
  for (const size of [16, 2000]) {
    const { client } = await ours(t)
    client.messages.cork()
    const memory = new (ArrayBuffer as any)(1000, { maxByteLength: 4000 }) as Resizable
    const written = new Promise(resolve => client.messages.write(new Uint8Array(memory), resolve))
    memory.resize(size)
    client.messages.uncork()
    t.match(await written, { name: 'TypeError', message: 'the memory of the message has changed its size' })
    t.equal((await client.whenClosed()).code, 1011)
    t.equal(client.bufferedAmount, 0)
  }
})
