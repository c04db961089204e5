// Our server behind a front, and the clients in front of it: npm's `ws` and our own `connect`.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { permessageDeflate, type WebSocketStream } from '../../lib/index.js'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import type { Acceptor } from '../../lib/net/acceptor.js'
import type { AcceptorOptions } from '../../lib/net/acceptor-options.js'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { listen, makeServer, type ServerKind } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'
import { findCommand, needPeer } from '../support/peers.js'
import { agree, describe } from './agreement.js'
import { converse, OFFERED, type Plan, PROTOCOL, pathOf, planOf, type Report } from './converse.js'
import { type Front, type RunningFront, type Setup, startFront } from './fronts.js'
import { type OurReport, takePart } from './our-side.js'
import { talkerOf } from './peers/ws.js'
import { SCRIPT } from './script.js'

/** Our server, as it is behind a front. */
export interface Backend {
  port: number
  acceptor: Acceptor
  /** Connections that were opened, in order, except those with a conversation. */
  opened: Inbox<WebSocketStream>
  /** The reports of the conversations. */
  reports: Inbox<Promise<OurReport>>
  /** Answers ordinary requests of HTTP/1.1 with a page. */
  page(html: string): void
}

/** An acceptor that runs a conversation if the path asks for one, and refuses `/secret` with 403; the test handles anything else. */
export async function serve(t: Test, kind: ServerKind, options: AcceptorOptions = {}): Promise<Backend> {
  const server = makeServer(kind)
  const opened = new Inbox<WebSocketStream>()
  const reports = new Inbox<Promise<OurReport>>()
  const settings: AcceptorOptions = {
    protocols: [PROTOCOL],
    verify: ({ url }) => url !== '/secret' || { status: 403, headers: { 'X-Why': 'because' }, body: 'not you' },
    ...options
  }
  const acceptor = acceptWebSockets(server, settings, ws => {
    if (ws.url.includes('?player=')) reports.put(takePart(ws, planOf(ws.url)))
    else opened.put(ws)
  })
  const page = (html: string): void => {
    server.on('request', (_request: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(html)
    })
  }
  return { port: await listen(t, server), acceptor, opened, reports, page }
}

/** A front, and our server behind it. */
export interface Place {
  backend: Backend
  front: RunningFront
  url: string
  http2: boolean
}

export type Between = Omit<Setup, 'backend'>

/** Starts a front for our server, or for another port; undefined if the front is not installed. */
export async function place(
  t: Test,
  front: Front,
  between: Between,
  options?: AcceptorOptions,
  other?: number
): Promise<Place | undefined> {
  const command = needPeer(t, findCommand(front.name), front.debianPackage)
  if (command === undefined) return undefined
  const backend = await serve(t, between.to, options)
  const running = await startFront(t, command, front, { ...between, backend: other ?? backend.port })
  const { from } = between
  const scheme = from === 'http' || from === 'h2c' ? 'ws' : 'wss'
  return { backend, front: running, url: `${scheme}://localhost:${running.port}`, http2: from.startsWith('h2') }
}

const CA = { ca: AUTHORITY }

/** Our client of a front. */
export function dial({ url, http2 }: Pick<Place, 'url' | 'http2'>, path = '/', options: ConnectOptions = {}) {
  const tls = url.startsWith('wss:') ? { tls: CA } : {}
  return connect(url + path, { protocols: OFFERED, http2, ...tls, ...options })
}

/** The client in front of the front. */
export type Client = 'ws' | 'ours'
export const CLIENTS: Client[] = ['ws', 'ours']

/** What a client must see of one connection besides the messages. */
export interface Expected {
  /** The protocol version as our client and our server report it. */
  client: string
  server: string
  compressed?: boolean
}

/** A conversation through a front: messages whole, in pieces and in bursts, pings in between, and the closing handshake. */
export async function testTalk(t: Test, at: Place, client: Client, plan: Plan, expected: Expected): Promise<void> {
  const { compressed = false } = expected
  t.test(`${client}: ${describe(plan)}${compressed ? ', compressed' : ''}`, async t => {
    const extensions = compressed ? [permessageDeflate({ threshold: 0 })] : []
    const before = at.backend.acceptor.size
    const theirs = await (client === 'ws' ? talkByWs(at, plan, compressed) : talkByUs(at, plan, { extensions }))
    const ours = await (await at.backend.reports.take())!
    agree(t, plan, ours, theirs)
    t.equal(ours.version, expected.server)
    if (client === 'ours') t.equal(theirs.version, expected.client)
    t.equal(theirs.extensions.includes('permessage-deflate'), compressed)
    t.equal(at.backend.acceptor.size, before)
  })
}

type TheirReport = Report & { extensions: string; version?: string }

async function talkByWs({ url }: Place, plan: Plan, compressed: boolean): Promise<TheirReport> {
  const perMessageDeflate = compressed && { threshold: 0 }
  const socket = new WebSocket(url + pathOf(plan), OFFERED, { perMessageDeflate, ...CA })
  const talker = talkerOf(socket)
  await once(socket, 'open')
  const { extensions } = socket
  return { ...(await converse(talker, 'peer', plan, SCRIPT)), extensions }
}

async function talkByUs(at: Place, plan: Plan, options: ConnectOptions): Promise<TheirReport> {
  const ws = dial(at, pathOf(plan), options)
  const { extensions } = await ws.opened
  // this side is the plan's peer
  const other = (side: Plan['player']) => (side === 'us' ? 'peer' : 'us')
  const report = await takePart(ws, { ...plan, player: other(plan.player), closer: other(plan.closer) })
  return { ...report, extensions }
}
