// Our server behind nginx, haproxy and nghttpx by HTTP/1.1, plain and with TLS: what passes through them, and how an end looks
// on the other side.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { permessageDeflate } from '../../lib/index.js'
import type { AcceptorOptions } from '../../lib/net/acceptor-options.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { rejection } from '../websocket-stream/sides.js'
import { ALL, plansUpTo, SMALL } from './agreement.js'
import { PROTOCOL } from './converse.js'
import { type Between, CLIENTS, type Client, dial, type Place, place, testTalk } from './front-sides.js'
import { type Front, HAPROXY, NGHTTPX, NGINX } from './fronts.js'

interface Case extends Between {
  front: Front
  /** The client that sends the longest messages. */
  longest?: Client
}

const CASES: Case[] = [
  { front: NGINX, from: 'http', to: 'http', longest: 'ws' },
  { front: NGINX, from: 'https', to: 'http' },
  { front: NGINX, from: 'https', to: 'https' },
  { front: HAPROXY, from: 'http', to: 'http', longest: 'ours' },
  { front: HAPROXY, from: 'https', to: 'http' },
  { front: NGHTTPX, from: 'http', to: 'http' }
]
const HYBI = { client: 'hybi-13', server: 'hybi-13' }
/** Milliseconds of silence that each allows in that test; nginx does not restart timers of less than 300 ms for each byte. */
const PATIENCE: [Front, number][] = [
  [NGINX, 1200],
  [HAPROXY, 600],
  [NGHTTPX, 600]
]

for (const { front, longest, ...between } of CASES) {
  t.test(`${front.name} from ${between.from} to ${between.to}`, async t => {
    const at = await place(t, front, between, { extensions: [permessageDeflate({ threshold: 0 })] })
    if (at === undefined) return
    for (const client of CLIENTS) {
      for (const plan of plansUpTo(SMALL)) await testTalk(t, at, client, plan, HYBI)
      await testTalk(t, at, client, { player: 'us', closer: 'peer', most: SMALL }, { ...HYBI, compressed: true })
    }
    if (longest !== undefined) await testTalk(t, at, longest, { player: 'peer', closer: 'us', most: ALL }, HYBI)
    testRefusals(t, at)
    testEnds(t, at)
  })
}

function testRefusals(t: Test, at: Place): void {
  t.test('a refusal arrives with status, fields and body', async t => {
    const error = await rejection(dial(at, '/secret').opened)
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, headers: { 'x-why': 'because' } })
    t.equal(String(error['body']), 'not you')
  })
}

/** Ends of connections other than a closing handshake of the client. */
function testEnds(t: Test, at: Place): void {
  const both = async (path: string) => {
    const ws = dial(at, path)
    const { protocol } = await ws.opened
    t.equal(protocol, PROTOCOL)
    return { ws, there: (await at.backend.opened.take())! }
  }

  t.test('if the server destroys a connection, it ends with 1006, and data sent before arrives', async t => {
    const { ws, there } = await both('/')
    there.text('last words')
    t.same(await once(ws, 'message'), ['last words'])
    there.destroy()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
  })

  t.test('if the client destroys a connection, it ends with 1006', async t => {
    const { ws, there } = await both('/')
    ws.destroy()
    t.match(await there.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
  })

  t.test('a client that violates the protocol gets a Close', async t => {
    const socket = new WebSocket(at.url, { rejectUnauthorized: false })
    await once(socket, 'open')
    const there = (await at.backend.opened.take())!
    // an unmasked frame
    ;(socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(Buffer.from([0x81, 1, 0x61]))
    const [code] = await once(socket, 'close')
    t.equal(code, 1002)
    t.match(await there.whenClosed(), { code: 1002, wasClean: false, initiator: 'local' })
  })

  t.test('a server that shuts down closes all connections with 1001', async t => {
    const all = await Promise.all(Array.from({ length: 5 }, () => both('/')))
    await at.backend.acceptor.close({ reason: 'until later' })
    for (const { ws } of all) {
      t.same(await ws.whenClosed(), { code: 1001, reason: 'until later', wasClean: true, initiator: 'peer' })
    }
  })
}

for (const [front, patience] of PATIENCE) {
  const between: Between = { from: 'http', to: 'http', patience }

  t.test(`${front.name} tolerates ${patience} ms of silence`, async t => {
    const keepalive = { keepalive: { interval: patience / 4 } }
    const meet = async (options: AcceptorOptions, clientOptions: ConnectOptions) => {
      const at = await place(t, front, between, options)
      if (at === undefined) return undefined
      const ws = dial(at, '/', clientOptions)
      await ws.opened
      return { ws, there: (await at.backend.opened.take())! }
    }
    const isKept = async (side: 'server' | 'client') => {
      const both = await (side === 'server' ? meet(keepalive, {}) : meet({}, keepalive))
      if (both === undefined) return
      const { ws, there } = both
      // each fires when two intervals brought nothing
      for (let pings = 0; pings < 4; pings++) await once(side === 'server' ? ws : there, 'ping')
      ws.close()
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true }, `pings of the ${side} keep a connection alive`)
      t.match(await there.whenClosed(), { code: 1000, wasClean: true })
    }
    const isLost = async () => {
      for (const ws of Object.values((await meet({}, {})) ?? {})) {
        const end = { code: 1006, wasClean: false, initiator: 'peer' }
        t.match(await ws.whenClosed(), end, 'without pings it ends for both sides')
      }
    }
    // the time passes for all of them at once
    await Promise.all([isKept('server'), isKept('client'), isLost()])
  })

  t.test(`${front.name} itself shuts down`, async t => {
    const at = await place(t, front, { from: 'http', to: 'http' })
    if (at === undefined) return
    const ws = dial(at)
    await ws.opened
    const there = (await at.backend.opened.take())!
    await at.front.stop()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    t.match(await there.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    t.match(await rejection(dial(at).opened), { code: 'WS_ERR_CONNECTION_LOST', cause: { code: 'ECONNREFUSED' } })
  })
}
