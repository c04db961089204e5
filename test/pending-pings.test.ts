// Pings that wait for their Pong: which of them a Pong settles, in which order, and how many may wait.

import t from 'tap'
import { PendingPings } from '../lib/pending-pings.js'
import { best } from './handshake/feed.js'

const bytes = (text: string): Buffer => Buffer.from(text)

/** Pings by name, and the result of each, in order. */
class Bench {
  readonly pings = new PendingPings()
  readonly settled: string[] = []

  add(name: string, payload = name): void {
    this.pings.add(bytes(payload)).then(
      time => this.settled.push(time >= 0 ? name : `${name}: ${time} ms`),
      error => this.settled.push(`${name}: ${error.code}`)
    )
  }

  async pong(payload: string): Promise<string[]> {
    this.pings.settle(bytes(payload))
    return this.take()
  }

  async take(): Promise<string[]> {
    await new Promise(setImmediate)
    return this.settled.splice(0)
  }
}

t.test('a Pong settles its ping and all that were sent before it, in order', async t => {
  const bench = new Bench()
  for (const name of ['a', 'b', 'c', 'd']) bench.add(name)
  t.same(await bench.pong('c'), ['a', 'b', 'c'])
  t.same(await bench.pong('b'), [], 'which has been settled already')
  t.same(await bench.pong('nobody asked'), [])
  t.same(await bench.pong('d'), ['d'])
  t.same(await bench.pong('d'), [])
})

t.test('if several pings have the same payload, a Pong settles the oldest', async t => {
  const bench = new Bench()
  bench.add('first', 'same')
  bench.add('other')
  bench.add('second', 'same')
  bench.add('third', 'same')
  t.same(await bench.pong('same'), ['first'])
  t.same(await bench.pong('same'), ['other', 'second'])
  t.same(await bench.pong('same'), ['third'])
  t.same(await bench.pong('same'), [])
  bench.add('fourth', 'same')
  t.same(await bench.pong('same'), ['fourth'], 'and again when all are gone')
})

t.test('payloads are compared as bytes, not as text', async t => {
  const bench = new Bench()
  const { pings } = bench
  let isSettled = false
  void pings.add(Buffer.from([0xff, 0xfe])).then(() => {
    isSettled = true
  })
  pings.settle(Buffer.from([0xff, 0xfd]))
  pings.settle(Buffer.from('\ufffd\ufffd'))
  await bench.take()
  t.equal(isSettled, false)
  pings.settle(Buffer.from([0xff, 0xfe]))
  await bench.take()
  t.equal(isSettled, true)
})

t.test('1024 pings wait; one more rejects the oldest', async t => {
  const bench = new Bench()
  for (let i = 0; i < 1024; i++) bench.add(`${i}`)
  t.same(await bench.take(), [])
  bench.add('one more')
  t.same(await bench.take(), ['0: WS_ERR_PING_UNANSWERED'])
  for (let i = 0; i < 20_000; i++) bench.add(`more ${i}`)
  t.equal((await bench.take()).length, 20_000)
  t.same(await bench.pong('more 18975'), [], 'it has been given up')
  t.same(await bench.pong('more 18976'), ['more 18976'])
  t.equal((await bench.pong('more 19999')).length, 1023)
})

t.test('a Pong takes constant time, however many pings wait', async t => {
  const bench = new Bench()
  let waiting = 0
  const strays = (count: number): number => {
    for (; waiting < count; waiting++) void bench.pings.add(bytes(`${waiting}`)).catch(() => {})
    return best(() => {
      for (let j = 0; j < 5000; j++) bench.pings.settle(bytes('stray'))
    }, 10)
  }
  const few = strays(1)
  const many = strays(1024)
  t.ok(many < 10 * few, `5000 Pongs take ${few} µs with one ping, ${many} µs with 1024`)
  // one more, for which the oldest is given up
  bench.add('last')
  t.same(await bench.pong('last'), ['last'])
})

t.test('all waiting pings are rejected, in order, when no Pong can arrive any more', async t => {
  const bench = new Bench()
  bench.pings.fail()
  bench.add('a')
  bench.add('b', 'same')
  bench.add('c', 'same')
  bench.pings.fail()
  t.same(await bench.take(), ['a: WS_ERR_NOT_OPEN', 'b: WS_ERR_NOT_OPEN', 'c: WS_ERR_NOT_OPEN'])
  t.same(await bench.pong('same'), [])
  bench.add('d')
  t.same(await bench.pong('d'), ['d'])
})
