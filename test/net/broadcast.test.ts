// One message to many connections: which of them get it, and what happens to those that do not read.

import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { kEndpoint } from '../../lib/endpoint.js'
import {
  type Acceptor,
  type AcceptorOptions,
  acceptWebSockets,
  connect,
  permessageDeflate,
  prepareMessage,
  Room,
  type WebSocketStream
} from '../../lib/index.js'
import { CLOSE, type RawPeer, readClose } from '../support/raw-peer.js'
import { listen, makeServer, upgrade } from './web-servers.js'

interface Met {
  acceptor: Acceptor
  port: number
  /** The server's connection with the next client. */
  next(): Promise<WebSocketStream>
}

async function start(t: Test, options: AcceptorOptions = {}): Promise<Met> {
  const server = makeServer('http')
  const waiting: ((ws: WebSocketStream) => void)[] = []
  const acceptor: Acceptor = acceptWebSockets(server, options, ws => {
    waiting.shift()?.(ws)
  })
  const port = await listen(t, server)
  return { acceptor, port, next: () => new Promise(resolve => waiting.push(resolve)) }
}

/** A client written by hand, and the server's connection with it. */
async function meet(t: Test, { port, next }: Met): Promise<{ peer: RawPeer; ws: WebSocketStream }> {
  const came = next()
  const { peer } = await upgrade(t, port)
  return { peer, ws: await came }
}

const text = async (peer: RawPeer): Promise<string> => (await peer.nextFrame())!.payload.toString()
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('a message is sent to all connections except some', async t => {
  const met = await start(t)
  const { acceptor } = met
  t.strictSame(acceptor.broadcast('nobody is there'), { sent: 0, behind: 0 })
  const [one, two, three] = [await meet(t, met), await meet(t, met), await meet(t, met)]
  t.strictSame(acceptor.broadcast('all'), { sent: 3, behind: 0 })
  t.strictSame(acceptor.broadcast(Buffer.from('not one'), { except: one.ws }), { sent: 2, behind: 0 })
  t.strictSame(acceptor.broadcast(prepareMessage('one'), { except: [two.ws, three.ws] }), { sent: 1, behind: 0 })
  t.strictSame(acceptor.broadcast('three', { filter: ws => ws === three.ws, except: undefined }), {
    sent: 1,
    behind: 0
  })
  t.equal(await text(one.peer), 'all')
  t.match(await one.peer.nextFrame(), { opcode: 1, payload: Buffer.from('one') })
  t.equal(await text(two.peer), 'all')
  t.match(await two.peer.nextFrame(), { opcode: 2, payload: Buffer.from('not one') })
  for (const expected of ['all', 'not one', 'three']) t.equal(await text(three.peer), expected)
  two.ws.close()
  t.strictSame(acceptor.broadcast('to those that are open'), { sent: 2, behind: 0 })
})

t.test('invalid arguments throw, and send nothing', async t => {
  const met = await start(t)
  const { acceptor } = met
  const { peer } = await meet(t, met)
  const wrong: unknown[] = [
    null,
    1,
    { unknown: 1 },
    { except: 1 },
    { except: null },
    { filter: 'all' },
    { whenBehind: 'wait' },
    { limit: '1' }
  ]
  for (const options of wrong) t.throws(() => acceptor.broadcast('x', options as never), TypeError)
  t.throws(() => acceptor.broadcast({} as never), TypeError)
  t.throws(() => acceptor.broadcast('x', { limit: Number.NaN }), RangeError)
  t.throws(() => acceptor.broadcast('x'.repeat(1000), { limit: 1000 }), { name: 'RangeError', message: /1000 bytes/ })
  const boom = new Error('boom')
  const filter = (): never => {
    throw boom
  }
  t.throws(() => acceptor.broadcast('x', { filter }), boom)
  acceptor.broadcast('x'.repeat(986), { limit: 1000 })
  t.equal((await text(peer)).length, 986)
})

/** A connection whose client does not read, and that holds as much as it may. */
async function stall(
  t: Test,
  met: Met,
  options: object
): Promise<{ peer: RawPeer; ws: WebSocketStream; sent: number }> {
  const { peer, ws } = await meet(t, met)
  peer.stream.pause()
  let sent = 0
  const message = Buffer.alloc(60_000, 'x')
  while (met.acceptor.broadcast(message, options).behind === 0) {
    sent++
    t.ok(ws.bufferedAmount <= 200_000)
    await turn()
  }
  return { peer, ws, sent }
}

t.test('without a limit, a message of any size is sent to connections with an empty buffer', async t => {
  const met = await start(t)
  const [slow, quick] = [await meet(t, met), await meet(t, met)]
  slow.peer.stream.pause()
  const large = Buffer.alloc(8_000_000, 'x')
  t.strictSame(met.acceptor.broadcast(large, { whenBehind: 'drop' }), { sent: 2, behind: 0 })
  t.equal((await quick.peer.nextFrame())!.payload.length, large.length)
  t.strictSame(met.acceptor.broadcast(large, { whenBehind: 'drop' }), { sent: 1, behind: 1 })
  t.ok(slow.ws.bufferedAmount <= large.length + 14)
  t.throws(() => met.acceptor.broadcast(large, { limit: 2 ** 20 }), RangeError)
})

t.test('a misspelt option is named', async t => {
  const { acceptor } = await start(t)
  t.throws(() => acceptor.broadcast('x', { exept: [] } as never), { message: /did you mean 'except'\?/ })
  t.throws(() => new Room().broadcast('x', { whenBehid: 'drop' } as never), { message: /did you mean 'whenBehind'\?/ })
})

t.test('close: a connection that is behind is closed with 1013', async t => {
  const met = await start(t)
  const { peer, sent } = await stall(t, met, { limit: 200_000 })
  t.strictSame(met.acceptor.broadcast('more'), { sent: 0, behind: 0 })
  peer.stream.resume()
  for (let i = 0; i < sent; i++) t.equal((await peer.nextFrame())!.payload.length, 60_000)
  const close = await peer.nextFrame()
  t.equal(close!.opcode, CLOSE)
  t.strictSame(readClose(close), { code: 1013, reason: 'too slow' })
})

t.test('drop: a message that does not fit is not sent, one that fits is', async t => {
  const met = await start(t)
  const options = { limit: 200_000, whenBehind: 'drop' } as const
  const { peer, sent } = await stall(t, met, options)
  t.strictSame(met.acceptor.broadcast('small', options), { sent: 1, behind: 0 })
  t.strictSame(met.acceptor.broadcast(Buffer.alloc(60_000), options), { sent: 0, behind: 1 })
  peer.stream.resume()
  for (let i = 0; i < sent; i++) t.equal((await peer.nextFrame())!.payload.length, 60_000)
  t.equal(await text(peer), 'small')
})

t.test('skip: nothing is sent until the buffer is empty, and then the newest', async t => {
  const met = await start(t)
  const options = { limit: 200_000, whenBehind: 'skip' } as const
  const { peer, ws, sent } = await stall(t, met, options)
  t.strictSame(met.acceptor.broadcast('missed', options), { sent: 0, behind: 1 })
  peer.stream.resume()
  while (ws.bufferedAmount > 0) await turn()
  t.strictSame(met.acceptor.broadcast('newest', options), { sent: 1, behind: 0 })
  t.strictSame(met.acceptor.broadcast('and on', options), { sent: 1, behind: 0 })
  for (let i = 0; i < sent; i++) t.equal((await peer.nextFrame())!.payload.length, 60_000)
  t.equal(await text(peer), 'newest')
  t.equal(await text(peer), 'and on')
})

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

async function memory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turn()
    gc()
  }
  return process.memoryUsage().arrayBuffers
}

for (const whenBehind of ['drop', 'skip', 'close'] as const) {
  t.test(
    `${whenBehind}: memory is bounded with a client that does not read, and another client gets everything`,
    async t => {
      const options = { limit: 500_000, whenBehind }
      const met = await start(t, { extensions: [permessageDeflate()], closeTimeout: 60_000 })
      const came = met.next()
      const reader = connect(`ws://127.0.0.1:${met.port}/`)
      t.teardown(() => reader.destroy())
      let received = 0
      reader.on('message', () => received++)
      await came
      const { peer, ws } = await meet(t, met)
      peer.stream.pause()
      const before = await memory()
      // 300 MB
      for (let i = 0; i < 300; i++) {
        met.acceptor.broadcast(Buffer.alloc(400_000, i), options)
        t.ok(ws.bufferedAmount <= 500_000, `message ${i}`)
        while (received <= i) await once(reader, 'message')
      }
      const grown = (await memory()) - before
      t.ok(grown < 8e6, `${grown} bytes more`)
      t.equal(ws.readyState, whenBehind === 'close' ? 'closing' : 'open')
      ws.destroy()
    }
  )
}

t.test('a room is a set of connections that leave it when they end', async t => {
  const met = await start(t)
  const [one, two, three] = [await meet(t, met), await meet(t, met), await meet(t, met)]
  const room = new Room().add(one.ws).add(two.ws).add(two.ws)
  t.equal(room.size, 2)
  t.strictSame([...room], [one.ws, two.ws])
  t.ok(room.has(one.ws))
  t.notOk(room.has(three.ws))
  t.strictSame(room.broadcast('hello', { except: one.ws }), { sent: 1, behind: 0 })
  t.equal(await text(two.peer), 'hello')
  t.notOk(room.delete(three.ws))
  t.ok(room.delete(two.ws))
  t.notOk(room.delete(two.ws))
  t.equal(room.size, 1)
  const others = Array.from({ length: 20 }, () => new Room().add(one.ws))
  t.ok(one.ws.listenerCount('close') < 10, 'any number of rooms')
  const left = new Promise(resolve => one.ws.on('close', () => resolve(room.size)))
  one.peer.reset()
  t.equal(await left, 0, 'a listener finds the room without it')
  await turn()
  const before = new Promise(resolve => three.ws.on('close', () => resolve(room.size)))
  room.add(three.ws)
  three.peer.reset()
  t.equal(await before, 0, 'also a listener that is older than the room')
  await turn()
  t.strictSame(
    [room, ...others].map(({ size }) => size).filter(size => size > 0),
    []
  )
  room.add(one.ws)
  t.equal(room.size, 0, 'it is over')
  t.throws(() => room.add({} as never), TypeError)
})

t.test('an acceptor sends Pings to its connections unless that is turned off', async t => {
  for (const [given, expected] of [
    [undefined, { interval: 30_000, timeout: 30_000 }],
    [false, undefined],
    [{ interval: 5000 }, { interval: 5000, timeout: 5000 }]
  ] as const) {
    const met = await start(t, { keepalive: given })
    const { ws } = await meet(t, met)
    t.strictSame(ws[kEndpoint].settings.keepalive, expected)
  }
})
