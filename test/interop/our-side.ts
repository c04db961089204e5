// This library's side of a conversation: as a server in each of its modes, as a client, joined to a socket in each way.

import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { type CloseInfo, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { Inbox } from '../support/inbox.js'
import type { TestLike } from '../support/peers.js'
import {
  converse,
  type Message,
  OFFERED,
  type Plan,
  PROTOCOL,
  pathOf,
  planOf,
  type Report,
  type Talker
} from './converse.js'
import { SCRIPT } from './script.js'

/** Whether this library sends messages in pieces chosen by the application. */
export const WRITES_PIECES = 'createMessage' in WebSocketStream.prototype

/** How the wire is joined: by `attach`, or by two plain pipes. */
export type Join = 'attach' | 'pipe'

/** `http`: Node parses the request. `raw`: this library does. */
export type Mode = 'http' | 'raw'

export interface OurReport extends Report {
  version: string
  wasClean: boolean
  initiator: string
}

/** A server of this library that runs a conversation with each client. */
export interface OurServer {
  origin: string
  /** The report of the connection that was opened next. */
  report(): Promise<OurReport>
}

/** `talk` takes part in a connection; by default it is a conversation about the script. */
export async function listen(
  t: TestLike,
  mode: Mode,
  join: Join,
  options: WebSocketOptions = {},
  talk: (ws: WebSocketStream, plan: Plan) => Promise<OurReport> = takePart
): Promise<OurServer> {
  const reports = new Inbox<Promise<OurReport>>()
  const settings = { protocols: [PROTOCOL], ...options }
  const begin = (ws: WebSocketStream, socket: Socket) => {
    joinTo(ws, socket, join)
    reports.put(ws.opened.then(({ url }) => talk(ws, planOf(url))))
  }

  // send small messages at once: `attach` disables Nagle's algorithm, a user of `pipe` has to
  const server = mode === 'http' ? createHttpServer() : createServer({ noDelay: join === 'pipe' })
  if (mode === 'raw') server.on('connection', socket => begin(WebSocketStream.server(settings), socket))
  else server.on('upgrade', (request, socket, head) => begin(WebSocketStream.http(request, head, settings), socket))

  const port = await listenOnLoopback(t, server)
  return {
    origin: `ws://127.0.0.1:${port}`,
    async report() {
      return (await reports.take())!
    }
  }
}

/** Listens on a free port of the loopback until the test is over, and then destroys every connection. */
export async function listenOnLoopback(t: TestLike, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** Connects to another implementation's server and runs one conversation. */
export async function dial(
  t: TestLike,
  origin: string,
  plan: Plan,
  join: Join,
  options: WebSocketOptions = {}
): Promise<OurReport> {
  const ws = WebSocketStream.client(origin + pathOf(plan), { protocols: OFFERED, ...options })
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1', noDelay: join === 'pipe' })
  t.teardown(() => socket.destroy())
  joinTo(ws, socket, join)
  await ws.opened
  return takePart(ws, plan)
}

function joinTo(ws: WebSocketStream, socket: Socket, join: Join): void {
  if (join === 'attach') ws.attach(socket)
  else socket.pipe(ws).pipe(socket)
}

/** Runs a conversation on an open connection. */
export async function takePart(ws: WebSocketStream, plan: Plan): Promise<OurReport> {
  const report = await converse(talkerOf(ws), 'us', plan, SCRIPT)
  return addClosing(ws, report)
}

/** Echoes by a plain pipe, which ends when the other side closes. */
export async function echoByPipe(ws: WebSocketStream): Promise<OurReport> {
  ws.messages.pipe(ws.messages)
  const closed: Promise<CloseInfo> = ws.whenClosed()
  const { code, reason } = await closed
  return addClosing(ws, { protocol: ws.protocol, echoed: 0, ponged: 0, code, reason, faults: [] })
}

function addClosing(ws: WebSocketStream, report: Report): OurReport {
  const { wasClean = false, initiator = '' } = ws.closeInfo ?? {}
  return { ...report, version: String(ws.version), wasClean, initiator: String(initiator) }
}

function talkerOf(ws: WebSocketStream): Talker {
  const incoming = ws.messages[Symbol.asyncIterator]()
  return {
    protocol: ws.protocol,
    closed: ws.whenClosed(),
    send: message => ws.messages.write(message),
    ...(WRITES_PIECES && { sendPieces: pieceWriter(ws as unknown as PieceSource) }),
    async receive() {
      const { value, done } = await incoming.next()
      return done ? undefined : (value as Message)
    },
    ping: payload => ws.ping(payload),
    close: (code, reason) => ws.close(code, reason)
  }
}

interface PieceSource {
  createMessage(kind: 'text' | 'binary'): Writable
}

/** One message as a Writable: a fragment for each chunk, with a ping between them. */
function pieceWriter(ws: PieceSource): NonNullable<Talker['sendPieces']> {
  return (kind, pieces, between) => {
    const message = ws.createMessage(kind)
    const [first, ...others] = pieces
    message.write(first)
    between()
    for (const piece of others) message.write(piece)
    message.end()
  }
}
