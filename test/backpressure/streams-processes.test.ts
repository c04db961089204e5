// One message larger than the memory of both processes: sent by `createMessage` or a Readable on one side, read by `streams` on
// the other. FULL=1 sends 2 GiB.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { TestLike } from '../websocket-stream/sides.js'
import { type Child, startChild } from './child.js'

const SCRIPT = fileURLToPath(new URL('endless.ts', import.meta.url))
const MIB = 1024 * 1024
const TOTAL = (process.env['FULL'] ? 2048 : 256) * MIB
// on a busy machine V8's helper threads free memory later: at most 64 MiB, at which V8 marks the heap, and what comes meanwhile
const ALLOWED = (process.env['FULL'] ? 24 : 96) * MIB

const start = (t: TestLike, ...args: (string | number)[]): Child =>
  startChild(t, SCRIPT, args, ['--max-old-space-size=64'])

for (const [sender, duty] of [
  ['client', 'create'],
  ['server', 'stream']
] as const) {
  const name = `${TOTAL / MIB} MiB in one message from a ${sender}, by ${duty === 'create' ? 'createMessage' : 'a Readable'}`
  t.test(name, { timeout: 115_000 }, async t => {
    const server = start(t, 'server', sender === 'server' ? duty : 'take', TOTAL)
    const [port] = await server.hear('port')
    const client = start(t, 'client', sender === 'client' ? duty : 'take', TOTAL, port as number)
    const [sending, taking] = sender === 'server' ? [server, client] : [client, server]
    const [hash, grownSender] = await sending.hear('sent')
    const [received, size, grownTaker] = await taking.hear('received')
    t.equal(received, hash, 'all bytes arrive')
    t.equal(size, TOTAL)
    t.ok((grownSender as number) < ALLOWED, `the sender has grown by ${Math.round((grownSender as number) / MIB)} MiB`)
    t.ok((grownTaker as number) < ALLOWED, `the taker has grown by ${Math.round((grownTaker as number) / MIB)} MiB`)
    t.same(await sending.hear('closed'), [1000, true])
    t.same(await taking.hear('closed'), [1000, true])
  })
}

t.test('the measured memory grows if the reader keeps what it reads', { timeout: 60_000 }, async t => {
  const keeper = start(t, 'server', 'keep', 256 * MIB)
  const [port] = await keeper.hear('port')
  start(t, 'client', 'create', 256 * MIB, port as number)
  const [, , grown] = await keeper.hear('received')
  t.ok((grown as number) > ALLOWED, `it has grown by ${Math.round((grown as number) / MIB)} MiB`)
})
