// What is written to a view, or is the last item of `end`: it is counted, has its callback, and costs the same whatever waits before it.

import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { requestHead } from '../support/raw-peer.js'
import { collect, ours, settle, type TestLike } from '../websocket-stream/sides.js'

const SIZE = 500_000

/** An open server whose peer reads nothing until `resume`, and whose wire is full. */
async function stuck(t: TestLike): Promise<{ ws: WebSocketStream; resume(): void }> {
  const [near, far] = pair()
  const ws = WebSocketStream.server().attach(near)
  t.teardown(() => ws.destroy())
  far.write(requestHead())
  await ws.opened
  ws.send(Buffer.alloc(SIZE))
  await settle()
  return { ws, resume: () => far.resume() }
}

for (const [what, end] of [
  ['messages', ws => ws.messages.end(Buffer.alloc(SIZE))],
  ['streams', ws => ws.streams.end(Buffer.alloc(SIZE))],
  ['frames', ws => ws.frames.end({ opcode: 2, payload: Buffer.alloc(SIZE) })],
  ['bytes', ws => ws.bytes.end(Buffer.alloc(SIZE))],
  ['createMessage', ws => ws.createMessage('binary').end(Buffer.alloc(SIZE))]
] as const satisfies [string, (ws: WebSocketStream) => unknown][]) {
  t.test(`bufferedAmount counts what is given to end() of ${what} once`, async t => {
    const { ws } = await stuck(t)
    const before = ws.bufferedAmount
    end(ws)
    t.ok(ws.bufferedAmount >= before + SIZE, `${ws.bufferedAmount - before} more bytes`)
    await settle()
    t.ok(ws.bufferedAmount < before + SIZE + 1000, `${ws.bufferedAmount - before} more bytes`)
  })
}

t.test('what is written to a view that was ended or destroyed is not counted', async t => {
  for (const over of ['end', 'destroy'] as const) {
    const { client } = await ours(t)
    client.messages.on('error', () => {})
    client.messages[over]()
    const before = client.bufferedAmount
    for (let i = 0; i < 3; i++) client.messages.write('x'.repeat(1000))
    t.equal(client.bufferedAmount, before, over)
    await settle()
    t.equal(client.bufferedAmount, 0, over)
  }
})

t.test(
  '100,000 callbacks of waiting writes run in order, without work for each that waits',
  { timeout: 60_000 },
  async t => {
    const { ws, resume } = await stuck(t)
    const calls: number[] = []
    const count = 100_000
    for (let i = 0; i < count; i++) ws.messages.write('x', () => calls.push(i))
    resume()
    while (calls.length < count) await settle()
    t.ok(calls.every((call, i) => call === i))
  }
)

t.test('a Readable as the last item of streams.end() is sent, or destroyed with the connection', async t => {
  const { client, server } = await ours(t)
  const got = collectStreams(server)
  const first = new PassThrough()
  client.streams.write(first)
  client.streams.end(Readable.from([Buffer.from('second')]))
  first.end('first')
  t.same(await got, ['first', 'second'])

  const other = await ours(t)
  const [slow, waiting] = [new PassThrough(), new PassThrough()]
  other.client.streams.write(slow)
  other.client.streams.end(waiting)
  const closed = once(waiting, 'close')
  await settle()
  other.client.destroy()
  await closed
})

t.test('a Readable that fails while it waits as the last item fails only its message', async t => {
  const { client, server } = await ours(t)
  const got = collectStreams(server)
  const first = new PassThrough()
  const failing = new PassThrough()
  client.streams.write(first)
  client.streams.end(failing)
  failing.destroy(new Error('not found'))
  await settle()
  first.end('first')
  t.equal((await client.whenClosed()).code, 1011)
  t.same(await got, ['first'])
})

async function collectStreams(ws: WebSocketStream): Promise<string[]> {
  const got: string[] = []
  for await (const stream of ws.streams) {
    const { got: pieces } = await collect(stream)
    got.push(pieces.join(''))
  }
  return got
}

t.test('a Readable that was written is not taken again', async t => {
  const { client, server } = await ours(t)
  const [sent, waiting] = [new PassThrough(), new PassThrough()]
  client.streams.write(sent)
  client.streams.write(waiting)
  await settle()
  for (const readable of [sent, waiting]) {
    t.throws(() => client.streams.write(readable), {
      name: 'TypeError',
      message: 'this Readable has already been written'
    })
  }
  const got = collectStreams(server)
  client.streams.end()
  sent.end('a')
  waiting.end('b')
  t.same(await got, ['a', 'b'])
})

t.test('drained() resolves for all callers after end(), and adds two listeners in all', async t => {
  const { ws } = await stuck(t)
  ws.messages.end(Buffer.alloc(SIZE))
  const listeners = (): number => ws.messages.listenerCount('finish') + ws.messages.listenerCount('close')
  const before = listeners()
  const all = Array.from({ length: 20 }, () => ws.drained())
  t.ok(listeners() <= before + 2)
  ws.destroy()
  for (const drained of all) await t.rejects(drained, { code: 'WS_ERR_NOT_OPEN' })
})

t.test('drained() rejects if the bytes view was destroyed before what it was ended with was written', async t => {
  const { ws } = await stuck(t)
  const view = ws.bytes
  view.on('error', () => {})
  view.write(Buffer.alloc(SIZE))
  view.end(Buffer.alloc(SIZE))
  view.destroy()
  await once(view, 'close')
  const drained = t.rejects(ws.drained(), { code: 'WS_ERR_NOT_OPEN' })
  ws.destroy()
  await drained
})
