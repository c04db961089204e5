// HTTP/2 before, behind, and on both sides of haproxy and nghttpx (RFC 8441), with our client in front and our server behind; and
// nginx, which has no extended CONNECT.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { launchBrowser } from '../support/browser.js'
import { freePort } from '../support/peers.js'
import { rejection } from '../websocket-stream/sides.js'
import { ALL, plansUpTo, SMALL } from './agreement.js'
import { OFFERED, PROTOCOL } from './converse.js'
import { type Between, type Client, dial, type Expected, type Place, place, testTalk } from './front-sides.js'
import { type Front, HAPROXY, NGHTTPX, NGINX } from './fronts.js'
import { SCRIPT } from './script.js'

interface Case extends Between {
  front: Front
  expected: Expected
  client?: Client
  /** Whether the longest messages and many connections are tried. */
  all?: boolean
  /** Whether it stalls if more data is in flight in both directions than its buffers hold. */
  stalls?: boolean
}

const BOTH = { client: 'rfc8441', server: 'rfc8441' }
const IN_FRONT = { client: 'rfc8441', server: 'hybi-13' }
const BEHIND = { client: 'hybi-13', server: 'rfc8441' }
const NEITHER = { client: 'hybi-13', server: 'hybi-13' }

const CASES: Case[] = [
  { front: HAPROXY, from: 'h2', to: 'http', expected: IN_FRONT, all: true },
  { front: HAPROXY, from: 'h2', to: 'h2', expected: BOTH, stalls: true },
  { front: HAPROXY, from: 'h2c', to: 'h2c', expected: BOTH, stalls: true },
  { front: HAPROXY, from: 'http', to: 'h2c', expected: BEHIND, client: 'ws' },
  { front: NGHTTPX, from: 'h2', to: 'http', expected: IN_FRONT },
  { front: NGHTTPX, from: 'h2', to: 'h2', expected: BOTH, all: true },
  { front: NGHTTPX, from: 'h2c', to: 'h2c', expected: BOTH },
  { front: NGHTTPX, from: 'http', to: 'h2c', expected: BEHIND, client: 'ws' },
  { front: NGINX, from: 'h2', to: 'http', expected: NEITHER }
]

for (const { front, expected, client = 'ours', all = false, stalls = false, ...between } of CASES) {
  t.test(`${front.name} from ${between.from} to ${between.to}`, async t => {
    // nghttpx leaves its side of a stream open; this ends it
    const closeTimeout = front === NGHTTPX && between.to.startsWith('h2') ? { closeTimeout: 200 } : {}
    const options = { extensions: [permessageDeflate({ threshold: 0 })], ...closeTimeout }
    const at = await place(t, front, between, options)
    if (at === undefined) return
    if (client === 'ours') {
      testTurns(t, at, expected)
      testRefusal(t, at)
    }
    // haproxy 2.6 does so from HTTP/2 to HTTP/2, whatever the client and the server are
    if (!stalls) {
      for (const plan of plansUpTo(SMALL)) await testTalk(t, at, client, plan, expected)
      await testTalk(t, at, client, { player: 'us', closer: 'peer', most: SMALL }, { ...expected, compressed: true })
      if (all) await testTalk(t, at, client, { player: 'us', closer: 'us', most: ALL }, expected)
      if (all) testMany(t, at)
    }
    if (client === 'ours') testEnds(t, at)
  })
}

/** One message at a time. */
function testTurns(t: Test, at: Place, expected: Expected): void {
  t.test('messages of all lengths, one after another', async t => {
    const ws = dial(at, '/', { extensions: [permessageDeflate({ threshold: 0 })] })
    t.match(await ws.opened, { version: expected.client, protocol: PROTOCOL, extensions: /^permessage-deflate/ })
    const there = (await at.backend.opened.take())!
    t.equal(there.version, expected.server)
    there.messages.pipe(there.messages)
    for (const { data, kind } of SCRIPT) {
      const sent = kind === 'text' ? Buffer.from(data).toString() : Buffer.from(data)
      ws.messages.write(sent)
      const [got] = await once(ws, 'message')
      t.ok(typeof sent === 'string' ? sent === got : sent.equals(got), `${data.length} bytes`)
    }
    await Promise.all([ws.ping('of ours'), there.ping('of theirs')])
    ws.close(3000, 'done')
    for (const side of [ws, there]) t.match(await side.whenClosed(), { code: 3000, reason: 'done', wasClean: true })
  })
}

function testRefusal(t: Test, at: Place): void {
  t.test('a refusal arrives with status, fields and body', async t => {
    const error = await rejection(dial(at, '/secret').opened)
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, headers: { 'x-why': 'because' } })
    t.equal(String(error['body']), 'not you')
  })
}

/** Many connections, one of which is not read. */
function testMany(t: Test, at: Place): void {
  t.test('one connection of many that is not read applies backpressure to its sender only', async t => {
    const stuck = dial(at)
    await stuck.opened
    const sender = (await at.backend.opened.take())!
    const others = Array.from({ length: 20 }, () => dial(at))
    await Promise.all(others.map(ws => ws.opened))
    for (const _ of others) {
      const there = (await at.backend.opened.take())!
      there.messages.pipe(there.messages)
    }
    const piece = Buffer.alloc(65536, 'piece')
    // far more than all windows and buffers on the way: the end of it fits only when the other side reads
    const total = 32 * 2 ** 20
    let sent = 0
    const sending = (async () => {
      for (; sent < total; sent += piece.length) {
        if (!sender.messages.write(piece)) await once(sender.messages, 'drain')
      }
      sender.messages.end()
    })()
    for (let round = 0; round < 4; round++) {
      for (const ws of others) ws.binary(piece)
      for (const echoed of await Promise.all(others.map(ws => once(ws, 'message')))) t.ok(piece.equals(echoed[0]))
    }
    t.ok(sent < total, `${sent} bytes were taken of the one who waits`)
    t.ok(sender.bufferedAmount <= 4 * 65536, `${sender.bufferedAmount} bytes wait with it`)
    let received = 0
    for await (const message of stuck.messages) received += message.length
    await sending
    t.equal(received, total)
    for (const ws of others) ws.close()
    for (const ws of [stuck, ...others]) t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })
}

function testEnds(t: Test, at: Place): void {
  const both = async () => {
    const ws = dial(at)
    await ws.opened
    return { ws, there: (await at.backend.opened.take())! }
  }
  const lost = { code: 1006, wasClean: false, initiator: 'peer' }

  t.test('a connection destroyed by either side ends with 1006, and another on the same session continues', async t => {
    const [first, second, third] = [await both(), await both(), await both()]
    first.there.destroy()
    t.match(await first.ws.whenClosed(), lost)
    second.ws.destroy()
    t.match(await second.there.whenClosed(), lost)
    third.ws.text('still there')
    t.same(await once(third.there, 'message'), ['still there'])
    third.ws.close(3000, 'done')
    t.match(await third.there.whenClosed(), { code: 3000, reason: 'done', wasClean: true })
    await third.ws.whenClosed()
  })

  t.test('a server that shuts down closes all connections with 1001', async t => {
    const all = await Promise.all(Array.from({ length: 5 }, both))
    const last = at.backend.acceptor.close({ reason: 'until later' })
    for (const { ws } of all) {
      t.same(await ws.whenClosed(), { code: 1001, reason: 'until later', wasClean: true, initiator: 'peer' })
    }
    await last
  })
}

for (const front of [HAPROXY, NGHTTPX]) {
  t.test(`${front.name} with HTTP/2 in front shuts down itself`, async t => {
    const at = await place(t, front, { from: 'h2', to: 'http' })
    if (at === undefined) return
    const ws = dial(at)
    await ws.opened
    const there = (await at.backend.opened.take())!
    await at.front.stop()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    t.match(await there.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    const error = await rejection(dial(at).opened)
    t.match(error, { code: 'WS_ERR_CONNECTION_LOST', cause: { code: 'ECONNREFUSED' } })
  })
}

const TALK = `async (url, protocols, size) => {
  const socket = new WebSocket(url, protocols)
  socket.binaryType = 'arraybuffer'
  const seen = []
  return new Promise(resolve => {
    socket.onopen = () => {
      seen.push(socket.protocol, socket.extensions)
      socket.send('hello')
      socket.send(new Uint8Array(size))
    }
    socket.onmessage = ({ data }) => {
      seen.push(data.byteLength ?? data)
      if (data.byteLength) socket.close(3000, 'done')
    }
    socket.onclose = ({ code, reason, wasClean }) => resolve([...seen, code, reason, wasClean])
  })
}`

t.test('Chromium over HTTP/2 to haproxy, which uses HTTP/1.1 to our server', async t => {
  const at = await place(t, HAPROXY, { from: 'h2', to: 'http' })
  const browser = at && (await launchBrowser(t))
  if (!at || !browser) return
  const page = await browser.newPage()
  const inspector = await browser.newCDPSession(page)
  // the certificate authority of the tests
  await inspector.send('Security.setIgnoreCertificateErrors', { ignore: true })
  at.backend.page('<!doctype html><title>a page</title><link rel="icon" href="data:,">')
  await page.goto(at.url.replace('wss:', 'https:'))
  const protocol = await page.evaluate(`performance.getEntriesByType('navigation')[0].nextHopProtocol`)
  t.equal(protocol, 'h2')
  const seen = page.evaluate(`(${TALK})(${JSON.stringify(at.url)}, ${JSON.stringify(OFFERED)}, 100000)`)
  const there = (await at.backend.opened.take())!
  there.messages.pipe(there.messages)
  t.same(await seen, [OFFERED[1], '', 'hello', 100_000, 3000, 'done', true])
  t.equal(there.version, 'hybi-13')
  t.match(await there.whenClosed(), { code: 3000, reason: 'done', wasClean: true, initiator: 'peer' })
})

t.test('an unreachable backend is a handshake error', async t => {
  for (const front of [NGINX, HAPROXY, NGHTTPX]) {
    for (const from of ['http', 'h2'] as const) {
      const at = await place(t, front, { from, to: 'http' }, {}, await freePort())
      if (at === undefined) continue
      const error = await rejection(dial(at).opened)
      t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: front === HAPROXY ? 503 : 502 })
    }
  }
})
