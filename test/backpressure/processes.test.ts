// 96 MiB for a side that does not read, each side in its own process: neither grows, and in the end all bytes have arrived.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { TestLike } from '../websocket-stream/sides.js'
import { type Child, startChild } from './child.js'

const SCRIPT = fileURLToPath(new URL('flow.ts', import.meta.url))
const MIB = 1024 * 1024
const TOTAL = 96 * MIB
const ALLOWED = 16 * MIB

const start = (t: TestLike, ...args: (string | number)[]): Child => startChild(t, SCRIPT, args)

for (const taker of ['server', 'client'] as const) {
  for (const join of ['attach', 'pipe'] as const) {
    t.test(`${TOTAL / MIB} MiB to a ${taker} that does not read, ${join}`, { timeout: 60_000 }, async t => {
      const duty = (role: string): string => (role === taker ? 'take' : 'send')
      const server = start(t, 'server', join, duty('server'), TOTAL)
      const [port] = await server.hear('port')
      const client = start(t, 'client', join, duty('client'), TOTAL, port as number)
      const [taking, sending] = taker === 'server' ? [server, client] : [client, server]
      await taking.hear('ready')

      const [sent, held, grownSender] = (await sending.hear('stalled')) as number[]
      t.ok(sent! < 64 * MIB, `the sender is told to wait after ${Math.round(sent! / MIB)} MiB`)
      t.ok(held! < 4 * MIB, `and holds ${held} bytes`)
      t.ok(grownSender! < ALLOWED, `it has grown by ${Math.round(grownSender! / MIB)} MiB`)
      taking.process.send('size')
      const [grown] = (await taking.hear('size')) as number[]
      t.ok(grown! < ALLOWED, `the one that does not read has grown by ${Math.round(grown! / MIB)} MiB`)

      taking.process.send('read')
      const [hash, told] = await sending.hear('sent')
      t.ok((told as number) > 1)
      t.same(await taking.hear('received'), [hash, TOTAL], 'all bytes arrive')
      t.same(await sending.hear('closed'), [1000, true])
      t.same(await taking.hear('closed'), [1000, true])
    })
  }
}

t.test('the measured memory grows without backpressure', { timeout: 60_000 }, async t => {
  // while it grows, a process may also free 30 MiB that it used to load modules
  const much = 128 * MIB
  const heedless = start(t, 'server', 'attach', 'overrun', much)
  const [port] = await heedless.hear('port')
  start(t, 'client', 'attach', 'take', much, port as number)
  const [grownSender] = (await heedless.hear('overrun')) as number[]
  t.ok(grownSender! > ALLOWED * 2, `a sender that writes on grows by ${Math.round(grownSender! / MIB)} MiB`)

  const hoarder = start(t, 'server', 'attach', 'hoard', much)
  const [second] = await hoarder.hear('port')
  start(t, 'client', 'attach', 'send', much, second as number)
  const [grown] = (await hoarder.hear('hoarded')) as number[]
  t.ok(grown! > ALLOWED * 2, `a reader that keeps everything grows by ${Math.round(grown! / MIB)} MiB`)
})
