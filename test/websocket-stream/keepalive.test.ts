// Keepalive and closeTimeout while data flows, while it does not, and when only they could keep the process alive.

import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startChild } from '../backpressure/child.js'
import { PING, PONG, RawPeer } from '../support/raw-peer.js'
import {
  IN_MEMORY,
  joinTo,
  make,
  nameOf,
  open,
  SETUPS,
  type Setup,
  settle,
  shake,
  type TestLike,
  within
} from './sides.js'

const MIB = 2 ** 20

/** An end of a wire that reads piece by piece, and takes `delay` ms for each 64 KiB, or reads nothing at all. */
class SlowEnd extends Duplex {
  other!: SlowEnd
  delay = 0

  static pair(): [SlowEnd, SlowEnd] {
    const ends: [SlowEnd, SlowEnd] = [new SlowEnd(), new SlowEnd()]
    ends[0].other = ends[1]
    ends[1].other = ends[0]
    return ends
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    const give = (at: number): void => {
      if (at >= chunk.length) {
        callback()
        return
      }
      setTimeout(() => {
        if (!this.other.destroyed) this.other.push(Buffer.from(chunk.subarray(at, at + 65_536)))
        give(at + 65_536)
      }, this.delay)
    }
    if (this.delay === Number.POSITIVE_INFINITY) return
    if (this.delay > 0) give(0)
    else {
      this.other.push(Buffer.from(chunk))
      setImmediate(callback)
    }
  }

  override _final(callback: () => void): void {
    if (!this.other.destroyed) this.other.push(null)
    callback()
  }
}

/** Resolves when the peer has received this many bytes, or its wire has ended. */
function counted(peer: RawPeer, bytes: number): Promise<number> {
  const { stream } = peer
  stream.removeAllListeners('data')
  let count = peer.input.length
  return new Promise(resolve => {
    stream.on('data', chunk => {
      count += chunk.length
      if (count >= bytes) resolve(count)
    })
    stream.once('close', () => resolve(count))
  })
}

async function slow(t: TestLike, { role, join }: Setup, options: Parameters<typeof make>[1]) {
  const [left, right] = SlowEnd.pair()
  const ws = make(role, options)
  t.teardown(() => {
    ws.destroy()
    right.destroy()
  })
  joinTo(ws, left, join)
  const peer = new RawPeer(right, role === 'client' ? 'server' : 'client')
  await shake(peer, role)
  await ws.opened
  left.delay = 3
  return { ws, peer, left }
}

// These two take longer than the timeouts, which a busy machine must not reach between two pieces: so all setups run at once.
t.test('a wire that takes bytes is alive, however late the Pong', { timeout: 60_000 }, async t => {
  async function check(setup: Setup): Promise<void> {
    const { ws, peer, left } = await slow(t, setup, { keepalive: { interval: 50, timeout: 1500 } })
    const name = nameOf(setup)
    const errors: unknown[] = []
    ws.on('error', error => errors.push(error))
    ws.on('close', () => peer.stream.destroy())
    ws.on('message', () => {})
    left.delay = 8
    const began = performance.now()
    ws.binary(Buffer.alloc(16 * MIB))
    // no Pong arrives: its Ping waits behind the message
    t.ok((await counted(peer, 16 * MIB)) >= 16 * MIB, name)
    t.ok(performance.now() - began > 1550, `${name}: it took longer than both together`)
    t.same(errors, [], name)
    t.equal(ws.readyState, 'open', name)
  }
  await Promise.all(IN_MEMORY.map(check))
})

t.test(
  'closeTimeout does not cut off messages sent before a close while the wire takes them',
  { timeout: 60_000 },
  async t => {
    async function check(setup: Setup, messages: number): Promise<void> {
      const { ws, peer, left } = await slow(t, setup, { closeTimeout: 1800 })
      const name = `${nameOf(setup)}, ${messages} messages`
      left.delay = 8
      const began = performance.now()
      ws.on('close', () => peer.stream.destroy())
      // of several, most wait in the view, and the Close waits behind them
      for (let i = 0; i < messages; i++) ws.messages.write(Buffer.alloc((16 * MIB) / messages))
      const closed = ws.close(4000)
      const mask = setup.role === 'client' ? 4 : 0
      const size = 16 * MIB + messages * (10 + mask) + 4 + mask
      t.equal(await counted(peer, size), size, name)
      t.ok(performance.now() - began > 1800, `${name}: it took longer than closeTimeout`)
      peer.close(4000)
      peer.end()
      t.match(await closed, { code: 4000, wasClean: true }, name)
    }
    await Promise.all(IN_MEMORY.flatMap(setup => [1, 64].map(messages => check(setup, messages))))
  }
)

for (const setup of IN_MEMORY) {
  t.test(`either timeout ends a wire that takes nothing: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    for (const way of ['keepalive', 'close'] as const) {
      const { ws, left } = await slow(t, setup, { keepalive: { interval: 30, timeout: 30 }, closeTimeout: 60 })
      const errors: unknown[] = []
      ws.on('error', error => errors.push(error))
      ws.on('message', () => {})
      left.delay = Number.POSITIVE_INFINITY
      ws.binary(Buffer.alloc(4 * MIB))
      if (way === 'close') ws.close()
      t.match(await within(10_000, ws.whenClosed()), { code: 1006, wasClean: false })
      await settle()
      t.match(errors, [{ code: way === 'close' ? 'WS_ERR_CLOSE_TIMEOUT' : 'WS_ERR_KEEPALIVE_TIMEOUT' }])
    }
  })
}

for (const setup of SETUPS) {
  t.test(
    `keepalive reports a silent peer to a server that only sends: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      for (const way of ['nothing is touched', 'the view is there for writing'] as const) {
        const { ws, peer } = await open(t, setup, { keepalive: { interval: 20, timeout: 20 } })
        ws.on('error', () => {})
        peer.text('hello')
        if (way !== 'nothing is touched') ws.messages.write('tick')
        t.match(await within(10_000, ws.whenClosed()), { code: 1006, initiator: 'local' }, way)
      }
    }
  )

  t.test(`keepalive keeps a peer that answers: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { keepalive: { interval: 10, timeout: 1000 } })
    peer.text('hello')
    for (let i = 0; i < 5; i++) {
      const frame = await within(10_000, peer.nextFrame())
      t.equal(frame?.opcode, PING)
      peer.send(PONG, frame!.payload)
    }
    t.equal(ws.readyState, 'open')
  })
}

for (const role of ['server', 'client'] as const) {
  t.test(`the timers of an open connection do not keep the process alive: ${role}`, { timeout: 60_000 }, async t => {
    const child = startChild(t, fileURLToPath(new URL('unref-process.ts', import.meta.url)), [role])
    const exited = once(child.process, 'exit')
    t.same(await child.hear('open'), [role])
    t.same(await exited, [0, null])
  })
}
