// Python's hypercorn as a server of HTTP/2 (RFC 8441), over TLS and without, and of HTTP/1.1: our client on its own sessions.

import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { AUTHORITY } from '../support/certificates.js'
import { pattern } from '../support/frames.js'
import { findPython, needPeer, type PeerProcess, startPeer } from '../support/peers.js'
import { rejection } from '../websocket-stream/sides.js'
import { describe, plansUpTo, SMALL } from './agreement.js'
import { BATON, CLOSE_CODE, CLOSE_REASON, OFFERED, type Plan, PROTOCOL, pathOf } from './converse.js'
import { takePart } from './our-side.js'
import { pathTo } from './python-peers.js'
import { SCRIPT, writeScript } from './script.js'

/** Hypercorn's report on a connection. */
interface Told {
  port: number
  http: string
  scheme: string
  echoed: number
  faults: string[]
}

interface Server {
  peer: PeerProcess<Told>
  secure: boolean
  port: number
}

const CERTIFICATE = ['localhost.pem', 'localhost-key.pem'].map(file =>
  fileURLToPath(new URL(`../support/certificates/${file}`, import.meta.url))
)

const python = needPeer(t, findPython('hypercorn'), 'python3-hypercorn')
if (python !== undefined) {
  const folder = writeScript(t.testdir())
  for (const secure of [true, false]) {
    t.test(`hypercorn ${secure ? 'over TLS' : 'without TLS'}`, async t => {
      // no bytecode files beside the sources
      const args = ['-B', pathTo('hypercorn_peer.py'), folder, ...(secure ? CERTIFICATE : [])]
      const peer = startPeer<Told>(t, python, args)
      const server = { peer, secure, port: (await peer.next()).port }
      for (const http2 of [true, false]) {
        // every plan of each version once, and half of them the other way
        for (const plan of plansUpTo(SMALL)) {
          if (http2 === secure || plan.player === plan.closer) testTalk(t, server, plan, http2)
        }
      }
      testTalk(t, server, { player: 'us', closer: 'peer', most: SMALL }, secure, true)
      if (secure) testLarge(t, server)
      testRefusals(t, server)
    })
  }
}

function dial({ port, secure }: Server, path: string, options: ConnectOptions): ReturnType<typeof connect> {
  // on HTTP/2 it leaves the stream open after its answer to a Close, and only this ends it
  const common = { protocols: OFFERED, closeTimeout: 300, ...(secure && { tls: { ca: AUTHORITY } }) }
  return connect(`${secure ? 'wss' : 'ws'}://localhost:${port}${path}`, { ...common, ...options })
}

function testTalk(t: Test, server: Server, plan: Plan, http2: boolean, compressed = false): void {
  const version = http2 ? 'rfc8441' : 'hybi-13'

  t.test(`${describe(plan)}, ${version}${compressed ? ', compressed' : ''}`, async t => {
    const extensions = compressed ? [permessageDeflate({ threshold: 0 })] : []
    const ws = dial(server, pathOf(plan), { http2, extensions })
    t.match(await ws.opened, { version, protocol: PROTOCOL, headers: { 'x-server': 'hypercorn' } })
    t.equal(ws.extensions.includes('permessage-deflate'), compressed)
    const ours = await takePart(ws, plan)
    const theirs = await server.peer.next()
    const messages = SCRIPT.filter(({ data }) => data.length <= plan.most).length
    // whole, at the end without waiting, and in pieces if the side can do so
    const pieces = plan.player === 'us' ? messages : 0
    const echoed = 2 * messages + pieces
    const initiator = plan.closer === 'us' ? 'local' : 'peer'
    const ending = { code: CLOSE_CODE, wasClean: true, initiator }
    t.match(ours, { faults: [], echoed, ponged: 2 + pieces, ...ending })
    if (plan.closer === 'peer') t.equal(ours.reason, CLOSE_REASON)
    t.match(theirs, { faults: [], echoed, http: http2 ? '2' : '1.1', scheme: server.secure ? 'wss' : 'ws' })
  })
}

function testLarge(t: Test, server: Server): void {
  t.test('messages larger than all windows of the session', async t => {
    const ws = dial(server, pathOf({ player: 'us', closer: 'peer', most: SMALL }), { http2: true })
    for (const message of ['grüße '.repeat(2 ** 17), pattern(2 ** 20)]) {
      ws.messages.write(message)
      const [got] = await once(ws, 'message')
      t.ok(typeof message === 'string' ? message === got : message.equals(got), `${message.length}`)
    }
    ws.text(BATON)
    t.match(await ws.whenClosed(), { code: CLOSE_CODE, wasClean: true })
    t.match(await server.peer.next(), { faults: [], echoed: 2 })
  })
}

function testRefusals(t: Test, server: Server): void {
  for (const http2 of [true, false]) {
    t.test(`its refusals ${http2 ? 'by HTTP/2' : 'by HTTP/1.1'} are errors with status and body`, async t => {
      const refused = await rejection(dial(server, '/refuse', { http2 }).opened)
      t.match(refused, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 418, headers: { 'x-why': 'because' } })
      t.equal(String(refused['body']), 'no coffee here')
      const denied = await rejection(dial(server, '/deny', { http2 }).opened)
      t.match(denied, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403 })
    })

    t.test(`an application that leaves ${http2 ? 'HTTP/2' : 'HTTP/1.1'} without a Close`, async t => {
      const ws = dial(server, '/leave', { http2 })
      t.match(await ws.whenClosed(), { code: 1000, reason: '', initiator: 'peer' })
    })
  }

  t.test('its HTTP/2 session is shared by connections, and ends with the last', async t => {
    const plan = { player: 'us', closer: 'peer', most: SMALL } as const
    const all = Array.from({ length: 20 }, () => dial(server, pathOf(plan), { http2: true }))
    await Promise.all(all.map(ws => ws.opened))
    for (const ws of all) {
      ws.text('hello')
      ws.text(BATON)
    }
    for (const ws of all) t.match(await ws.whenClosed(), { code: CLOSE_CODE, reason: CLOSE_REASON, wasClean: true })
    for (const _ of all) t.match(await server.peer.next(), { http: '2', echoed: 1, faults: [] })
  })
}
