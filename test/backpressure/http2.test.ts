// A side that does not read its WebSocket on an HTTP/2 stream stops its sender by the flow control of that stream (RFC 9113 §5.2), and no
// other stream of the session: counted in bytes, on real sessions between our two sides.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocketStream } from '../../lib/index.js'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import { connect } from '../../lib/net/connect.js'
import { listen, makeServer, type ServerKind } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'
import { settle } from '../websocket-stream/sides.js'

const PIECE = Buffer.alloc(16384, 'piece')
/** Limits of one connection, in each direction. */
const HIGH_WATER = 65536
/** Node's default window for an HTTP/2 stream (RFC 9113 §6.9.2). */
const WINDOW = 65535
/** Extra room: Node's buffers on each side, the message that fills a buffer, and frame headers. */
const SLACK = 2 * 16384 + 2 * PIECE.length + 1024

interface Pair {
  client: WebSocketStream
  server: WebSocketStream
}

/** Our server, and this many connections to it on one session. */
async function meet(t: Test, kind: ServerKind) {
  const server = makeServer(kind)
  let sessions = 0
  server.on('session', () => sessions++)
  const opened = new Inbox<WebSocketStream>()
  acceptWebSockets(server, {}, ws => opened.put(ws))
  const url = `${kind === 'h2c' ? 'ws' : 'wss'}://localhost:${await listen(t, server)}/`
  const options = { http2: true, ...(kind === 'h2' && { tls: { ca: AUTHORITY } }) }
  return {
    sessions: () => sessions,
    async open(): Promise<Pair> {
      const client = connect(url, options)
      const [there] = await Promise.all([opened.take(), client.opened])
      return { client, server: there! }
    }
  }
}

/** Writes until nothing more is accepted, not even later; returns the number of bytes. */
async function fill(ws: WebSocketStream): Promise<number> {
  let sent = 0
  for (let idle = 0; idle < 3; ) {
    if (ws.messages.writableNeedDrain) {
      idle++
      await settle(50)
    } else {
      idle = 0
      ws.messages.write(PIECE)
      sent += PIECE.length
    }
    if (sent > 2 ** 24) break
  }
  return sent
}

for (const kind of ['h2', 'h2c'] as const) {
  for (const sender of ['client', 'server'] as const) {
    const receiver = sender === 'client' ? 'server' : 'client'

    t.test(`${kind}: a ${receiver} that does not read keeps the ${sender} waiting`, async t => {
      const { open } = await meet(t, kind)
      const pair = await open()
      const sent = await fill(pair[sender])
      const { bufferedAmount } = pair[sender]
      t.ok(bufferedAmount <= HIGH_WATER + SLACK, `${bufferedAmount} bytes are held`)
      const most = 2 * HIGH_WATER + WINDOW + 2 * SLACK
      t.ok(sent <= most, `${sent} bytes were taken in all`)
      t.comment(`${sent} bytes taken, ${bufferedAmount} of them held by the sender`)
      pair[sender].messages.end()
      let received = 0
      for await (const message of pair[receiver].messages) received += message.length
      t.equal(received, sent, 'all of it arrives once somebody reads')
      t.match(await pair[sender].whenClosed(), { code: 1000, wasClean: true })
    })
  }
}

const MIB = 2 ** 20

/** Milliseconds in which each connection echoes a mebibyte, many times the windows of stream and session. */
async function race(pairs: readonly Pair[]): Promise<number> {
  const began = performance.now()
  await Promise.all(
    pairs.map(async ({ client }) => {
      let got = 0
      const onMessage = (message: string | Buffer): void => {
        got += message.length
      }
      client.on('message', onMessage)
      for (let sent = 0; sent < MIB; sent += PIECE.length) {
        client.binary(PIECE)
        if (client.needsDrain) while (client.bufferedAmount > HIGH_WATER / 2) await once(client, 'message')
      }
      while (got < MIB) await once(client, 'message')
      client.off('message', onMessage)
    })
  )
  return performance.now() - began
}

t.test('of 100 connections on one session, one that is not read does not slow down the others', async t => {
  const { open, sessions } = await meet(t, 'h2')
  const pairs: Pair[] = []
  for (let i = 0; i < 100; i++) pairs.push(await open())
  t.equal(sessions(), 1)
  const [stuck, ...others] = pairs as [Pair, ...Pair[]]
  const runners = others.slice(0, 20)
  for (const { server } of others) server.messages.pipe(server.messages)
  await race(runners)
  const alone = Math.min(await race(runners), await race(runners))
  const sent = [await fill(stuck.client), await fill(stuck.server)]
  const bound = 4 * alone + 100
  let beside = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5 && beside >= bound; i++) beside = Math.min(beside, await race(runners))
  t.comment(`20 MiB both ways in ${alone.toFixed()} ms, and in ${beside.toFixed()} ms beside one that is not read`)
  // generous, since the machine may be busy: only a standstill or a crawl takes longer
  t.ok(beside < bound, `${beside.toFixed()} ms, where ${alone.toFixed()} ms were enough`)
  t.ok(stuck.client.messages.writableNeedDrain && stuck.server.messages.writableNeedDrain, 'and it still waits')
  t.ok(Math.max(...sent) <= 2 * HIGH_WATER + WINDOW + 2 * SLACK, `${sent} bytes were taken of it`)
  for (const { client } of pairs) client.destroy()
  await Promise.all(pairs.map(({ server }) => server.whenClosed()))
})
