// 200 connections between two processes. One blocks for 2 s, longer than keepalive, handshakeTimeout and closeTimeout allow, and the answers
// to its pings, requests and Closes arrive in that time: no connection is given up.

import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Child, startChild } from '../../backpressure/child.js'
import { type Counts, type Fates, STALL } from './timers.js'

const SCRIPT = fileURLToPath(new URL('side.ts', import.meta.url))
const ROLES = ['server', 'client'] as const
type Role = (typeof ROLES)[number]
const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

const server = startChild(t, SCRIPT, ['server'])
const client = startChild(t, SCRIPT, ['client'])
const sides = { server, client }
const ports = await server.hear('ports')
await client.hear('here')

/** New connections; says which side stalls, and which answers. */
async function start(counts: Counts, stalls: Record<Role, boolean>): Promise<void> {
  for (const role of ROLES) {
    sides[role].process.send(['begin', stalls[role]])
    await sides[role].hear('ready')
  }
  client.process.send(['dial', ports, counts])
  await client.hear('dialled')
}

/** Waits until all connections, and all handshakes that wait, have reached a side. */
async function meetAll(child: Child, counts: Counts, waiting: number): Promise<void> {
  for (;;) {
    child.process.send(['count'])
    const [got, begun] = (await child.hear('counts')) as [Counts, number]
    if (got.keepalive === counts.keepalive && got.handshake === counts.handshake && begun === waiting) return
  }
}

function survived(t: Test, [fates]: unknown[], counts: Counts): void {
  t.same((fates as Fates).faults.slice(0, 5), [], 'nothing went wrong')
  const { keepalive, close, handshake } = fates as Fates
  t.same({ keepalive, close, handshake }, counts, 'all connections go on, and all that were closed are')
}

for (const role of ROLES) {
  const other = role === 'server' ? 'client' : 'server'

  t.test(`a ${role} that stalls does not drop a peer whose answer has arrived`, { timeout: 60_000 }, async t => {
    const counts = { keepalive: 80, close: 60, handshake: 60 }
    await start(counts, { server: role === 'server', client: role === 'client' })
    await meetAll(sides.server, counts, role === 'server' ? 0 : counts.handshake)
    sides[other].process.send(['answer', 600])
    await sides[other].hear('answers late')
    // a ping is in flight on each
    await pause(300)
    sides[role].process.send(['stall', STALL])
    survived(t, await sides[role].hear('fates'), counts)
  })

  t.test(`a ${role} stalls, and then its ${other}: neither drops the other`, { timeout: 60_000 }, async t => {
    const counts = { keepalive: 200, close: 0, handshake: 0 }
    await start(counts, { server: true, client: true })
    await meetAll(sides.server, counts, 0)
    sides[role].process.send(['stall', STALL])
    await sides[role].hear('stalls')
    // the first is awake, and has answered, before the second checks
    await pause(400)
    sides[other].process.send(['stall', STALL])
    const fates = await Promise.all([sides[role].hear('fates'), sides[other].hear('fates')])
    for (const fate of fates) survived(t, fate, counts)
  })
}
