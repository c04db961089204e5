// npm's `ws`, in both roles, over every way to join this library to a socket.

import { createServer } from 'node:http'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { Inbox } from '../support/inbox.js'
import { ALL, agree, describe, plansUpTo, SMALL } from './agreement.js'
import { converse, OFFERED, type Plan, PROTOCOL, pathOf, planOf, type Report } from './converse.js'
import { dial, echoByPipe, type Join, listen, listenOnLoopback, type Mode } from './our-side.js'
import { talkerOf } from './peers/ws.js'
import { SCRIPT } from './script.js'

const JOINS: Join[] = ['attach', 'pipe']
const MODES: Mode[] = ['http', 'raw']
const VERSIONS = [13, 8] as const

// the longest messages are sent once in each mode and each way to join
const SERVERS: [(typeof VERSIONS)[number], Mode, Join, number][] = [
  [13, 'http', 'attach', ALL],
  [13, 'http', 'pipe', SMALL],
  [13, 'raw', 'attach', SMALL],
  [13, 'raw', 'pipe', ALL],
  [8, 'http', 'attach', SMALL],
  [8, 'http', 'pipe', SMALL],
  [8, 'raw', 'attach', SMALL],
  [8, 'raw', 'pipe', SMALL]
]

for (const [version, mode, join, most] of SERVERS) {
  t.test(`ws as client, version ${version}, against our ${mode} server joined by ${join}`, async t => {
    const server = await listen(t, mode, join)
    for (const plan of plansUpTo(most)) {
      t.test(describe(plan), async t => {
        const theirs = await connectAs(server.origin, version, plan)
        const ours = await server.report()
        agree(t, plan, ours, theirs)
        t.equal(ours.version, `hybi-${version}`)
      })
    }
  })
}

for (const version of VERSIONS) {
  for (const join of JOINS) {
    t.test(`ws as server against our client, version ${version}, joined by ${join}`, async t => {
      const { origin, reports } = await serve(t)
      for (const plan of plansUpTo(version === 13 ? ALL : SMALL)) {
        t.test(describe(plan), async t => {
          const ours = await dial(t, origin, plan, join, { version })
          const theirs = (await reports.take())!
          agree(t, plan, ours, theirs)
          t.equal(ours.version, `hybi-${version}`)
        })
      }
    })
  }
}

t.test('a message split by fragmentSize arrives whole', async t => {
  const plan: Plan = { player: 'us', closer: 'us', most: ALL }
  const { origin, reports } = await serve(t)
  const ours = await dial(t, origin, plan, 'attach', { fragmentSize: 1021 })
  agree(t, plan, ours, (await reports.take())!)
})

for (const mode of MODES) {
  t.test(`messages piped into themselves are an echo on our ${mode} server`, async t => {
    const plan: Plan = { player: 'peer', closer: 'peer', most: ALL }
    const server = await listen(t, mode, 'pipe', {}, echoByPipe)
    const theirs = await connectAs(server.origin, 13, plan)
    const ours = await server.report()
    t.match(theirs, { code: 3000, faults: [] })
    t.match(ours, { code: 3000, wasClean: true, initiator: 'peer' })
  })
}

async function connectAs(origin: string, protocolVersion: number, plan: Plan): Promise<Report> {
  const socket = new WebSocket(origin + pathOf(plan), OFFERED, { protocolVersion })
  const talker = talkerOf(socket)
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  return converse(talker, 'peer', plan, SCRIPT)
}

async function serve(t: Parameters<typeof listenOnLoopback>[0]) {
  const reports = new Inbox<Promise<Report>>()
  const http = createServer()
  const server = new WebSocketServer({ server: http, handleProtocols: offered => offered.has(PROTOCOL) && PROTOCOL })
  server.on('connection', (socket, request) => {
    reports.put(converse(talkerOf(socket), 'peer', planOf(request.url!), SCRIPT))
  })
  return { origin: `ws://127.0.0.1:${await listenOnLoopback(t, http)}`, reports }
}
