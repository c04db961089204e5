// When a silent peer is pinged, and when it is given up, with a clock that the test advances.

import { mock } from 'node:test'
import t from 'tap'
import { Keepalive } from '../lib/keepalive.js'
import { Clock } from './support/clock.js'
import { PING, PONG } from './support/raw-peer.js'
import { open, settle } from './websocket-stream/sides.js'

function bench(t: ConstructorParameters<typeof Clock>[0], interval: number, timeout = interval) {
  const clock = new Clock(t)
  const pings: number[] = []
  const owner = {
    holds: false,
    silent: 0,
    sendPing: () => void pings.push(clock.now - 1000),
    holdsInput: () => owner.holds,
    peerIsSilent: () => void owner.silent++
  }
  const keepalive = new Keepalive(interval, timeout, owner)
  return { clock, pings, owner, keepalive }
}

t.test('a peer that answers each Ping gets one after every interval of silence', async t => {
  const { clock, pings, owner, keepalive } = bench(t, 1000)
  for (let i = 0; i < 6; i++) {
    await clock.pass(1000)
    t.equal(pings.length, i + 1, `a Ping is due after ${clock.now - 1000} ms`)
    await clock.pass(20)
    keepalive.heard()
  }
  const pauses = pings.slice(1).map((time, i) => time - pings[i]!)
  t.same(pauses, [1020, 1020, 1020, 1020, 1020], 'an interval behind each Pong')
  t.equal(owner.silent, 0)
})

t.test('a peer that sends gets no Ping', async t => {
  const { clock, pings, keepalive } = bench(t, 1000)
  for (let i = 0; i < 10; i++) {
    await clock.pass(700)
    keepalive.heard()
  }
  t.same(pings, [])
  await clock.pass(999)
  t.same(pings, [])
  await clock.pass(1)
  t.same(pings, [8000])
})

for (const [interval, timeout] of [
  [1000, 1000],
  [1000, 300],
  [300, 1000]
] as const) {
  t.test(
    `interval ${interval} ms, timeout ${timeout} ms: a silent peer is dropped that long after its Ping`,
    async t => {
      const { clock, pings, owner } = bench(t, interval, timeout)
      await clock.pass(interval)
      t.same(pings, [interval])
      await clock.pass(timeout - 1)
      t.equal(owner.silent, 0)
      await clock.pass(1)
      t.equal(owner.silent, 1)
      t.same(pings, [interval], 'one Ping is enough')
      await clock.pass(60_000)
      t.equal(owner.silent, 1)
    }
  )
}

t.test('any data after the Ping counts, and the next Ping follows an interval later', async t => {
  const { clock, pings, owner, keepalive } = bench(t, 1000, 5000)
  await clock.pass(1000 + 4900)
  keepalive.heard()
  await clock.pass(999)
  t.same(pings, [1000])
  await clock.pass(1)
  t.same(pings, [1000, 6900])
  t.equal(owner.silent, 0)
})

t.test('a peer that our backpressure stops is not judged, and gets the whole time when it may write again', async t => {
  const { clock, pings, owner } = bench(t, 1000)
  owner.holds = true
  await clock.pass(20_000)
  t.equal(owner.silent, 0)
  t.equal(pings.splice(0).length, 20, 'Pings go on: Node notices that the wire is gone when it writes')
  owner.holds = false
  await clock.pass(999)
  t.same(pings, [])
  await clock.pass(1)
  t.same(pings, [21_000])
  await clock.pass(999)
  t.equal(owner.silent, 0)
  await clock.pass(1)
  t.equal(owner.silent, 1)
})

t.test('a peer that our backpressure stops after its Ping gets the whole time when it may write again', async t => {
  const { clock, pings, owner } = bench(t, 1000, 2000)
  await clock.pass(1000)
  t.same(pings, [1000])
  owner.holds = true
  await clock.pass(10_000)
  owner.holds = false
  // an interval of silence, and then the whole timeout
  await clock.pass(2999)
  t.equal(owner.silent, 0)
  await clock.pass(1)
  t.equal(owner.silent, 1)
})

t.test('after a blocked event loop, data that has arrived counts first', async t => {
  const { clock, pings, owner, keepalive } = bench(t, 500)
  await clock.pass(500)
  t.same(pings, [500])
  clock.stall(2000)
  // the Pong was waiting in the socket
  keepalive.heard()
  await clock.pass(0)
  t.equal(owner.silent, 0)
  await clock.pass(600)
  t.equal(owner.silent, 0)
  t.equal(pings.length, 2)
})

t.test('after a blocked event loop, a peer whose Pong is still on its way gets the time again', async t => {
  const { clock, owner, keepalive } = bench(t, 500)
  await clock.pass(500)
  clock.stall(2000)
  await clock.pass(499)
  t.equal(owner.silent, 0)
  keepalive.heard()
  await clock.pass(400)
  t.equal(owner.silent, 0)
})

t.test('after a blocked event loop, a peer that never answers is dropped', async t => {
  const { clock, owner } = bench(t, 500)
  await clock.pass(500)
  clock.stall(2000)
  await clock.pass(500)
  t.equal(owner.silent, 1)
})

t.test('it does not keep the process alive, and can be stopped', async t => {
  const { clock, pings, keepalive } = bench(t, 500)
  t.equal(clock.keepsAlive, false)
  await clock.pass(500)
  t.equal(clock.keepsAlive, false)
  keepalive.stop()
  t.same(clock.waiting, [])
  await clock.pass(5000)
  t.same(pings, [500])
})

for (const role of ['server', 'client'] as const) {
  t.test(`it works with the mocked timers of node:test, which leave the clock as it is: ${role}`, async t => {
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => mock.timers.reset())
    const { ws, peer } = await open(
      t,
      { role, join: 'attach', wire: 'memory' },
      { keepalive: { interval: 30_000, timeout: 1000 } }
    )
    const pass = async (milliseconds: number): Promise<void> => {
      mock.timers.tick(milliseconds)
      await settle()
    }
    await pass(30_000)
    // data had arrived: the silence has lasted for a little less
    await pass(30_000)
    const ping = await peer.nextFrame()
    t.equal(ping?.opcode, PING)
    peer.send(PONG, ping!.payload)
    await settle()
    await pass(1000)
    t.equal(ws.readyState, 'open', 'answered')
    await pass(30_000)
    t.equal((await peer.nextFrame())?.opcode, PING)
    await pass(999)
    t.equal(ws.readyState, 'open')
    await pass(1)
    t.not(ws.readyState, 'open')
    t.match(await ws.whenClosed(), { code: 1006 })
  })
}
