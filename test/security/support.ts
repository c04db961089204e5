// Shared by the tests of attacks: connections between an attacking peer and our side, how they end, and processes that report
// their memory.

import { execFile } from 'node:child_process'
import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type CloseInfo,
  type ConnectOptions,
  connect,
  type Message,
  type WebSocketOptions,
  WebSocketStream
} from '../../lib/index.js'
import { connectStream, listen, makeServer, session } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import type { TestLike } from '../support/peers.js'
import { answerHead, CLOSE, type FieldChanges, RawPeer, readClose } from '../support/raw-peer.js'
import { fresh, open, type Side } from '../websocket-stream/sides.js'

export const MIB = 2 ** 20

/** Our side: a server or a client on bytes, or either on a stream of HTTP/2. The peer is the attacker. */
export type Way = 'server' | 'client' | 'http2' | 'http2 client'

export const WAYS: readonly Way[] = ['server', 'client', 'http2', 'http2 client']

/** The loopback for any name: no test uses a name server. */
export const TO_THIS_MACHINE: NonNullable<ConnectOptions['socket']> = {
  lookup: (_name, _options, found) => found(null, '127.0.0.1', 4),
  autoSelectFamily: false
}

export interface Met {
  ws: WebSocketStream
  peer: RawPeer
  /** Our end of the wire; for a client on HTTP/2, which makes its own, the peer's. */
  wire: Duplex
  closes: CloseInfo[]
  /** Messages that arrived, unless `reads` is false. */
  got: Message[]
  errors: (Error & { code?: string })[]
}

export interface Meeting {
  /** Whether a listener reads messages. Default: true. */
  reads?: boolean
  /** More header fields in the peer's part of the handshake. */
  fields?: FieldChanges
  /** On TCP instead of in memory; HTTP/2 is always on TCP. */
  wire?: 'memory' | 'tcp'
}

/** Our side, open, and a peer that the test controls. */
export async function meet(t: TestLike, way: Way, options: WebSocketOptions = {}, meeting: Meeting = {}): Promise<Met> {
  const { [way]: join } = { server: onBytes, client: onBytes, http2: onHttp2, 'http2 client': toHttp2 }
  const side = await join(t, options, meeting, way as 'server')
  const got: Message[] = []
  const errors: Error[] = []
  if (meeting.reads ?? true) side.ws.on('message', message => got.push(message))
  side.ws.on('error', error => errors.push(error))
  return { ws: side.ws, peer: side.peer, wire: side.socket, closes: side.closes, got, errors }
}

async function onBytes(t: TestLike, options: WebSocketOptions, meeting: Meeting, role: 'server' | 'client') {
  const { fields = {}, wire = 'memory' } = meeting
  const setup = { role, join: 'attach', wire } as const
  if (Object.keys(fields).length === 0) return open(t, setup, options)
  const side = await fresh(t, setup, options)
  if (role === 'server') side.peer.write(requestWith(fields))
  const head = await side.peer.head()
  if (role === 'client') side.peer.write(answerHead(head, fields))
  await side.ws.opened
  return side
}

async function onHttp2(t: TestLike, options: WebSocketOptions, { fields = {} }: Meeting): Promise<Side> {
  const { next, ask } = await http2Server(t, options)
  const [{ ws, stream }, { peer }] = await Promise.all([next, ask(fields)])
  const closes: CloseInfo[] = []
  ws.on('close', info => closes.push(info))
  await ws.opened
  return { ws, socket: stream, peer, closes }
}

/** A client on HTTP/2, with Node's own server. */
async function toHttp2(t: TestLike, options: WebSocketOptions, { fields = {} }: Meeting): Promise<Side> {
  const server = makeServer('h2')
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  const answered = new Promise<ServerHttp2Stream>(resolve => {
    server.on('stream', (stream: ServerHttp2Stream) => {
      const lines = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value])
      stream.respond({ ':status': 200, ...Object.fromEntries(lines) })
      resolve(stream)
    })
  })
  const port = await listen(t, server)
  const ws = connect(`wss://localhost:${port}/`, {
    ...options,
    http2: true,
    tls: { ca: AUTHORITY },
    socket: TO_THIS_MACHINE
  })
  t.teardown(() => ws.destroy())
  const closes: CloseInfo[] = []
  ws.on('close', info => closes.push(info))
  await ws.opened
  const stream = await answered
  return { ws, socket: stream, peer: new RawPeer(stream, 'server'), closes }
}

/** A server on HTTP/2 without TLS, its first connection, and a way to ask for one. */
export async function http2Server(t: TestLike, options: WebSocketOptions = {}, setUp = (_: WebSocketStream) => {}) {
  const server = makeServer('h2c')
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  const next = new Promise<{ ws: WebSocketStream; stream: ServerHttp2Stream }>(resolve => {
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      const ws = WebSocketStream.http2(stream, headers, options)
      setUp(ws)
      resolve({ ws, stream })
    })
  })
  const client = await session(t, await listen(t, server), false)
  return { client, next, ask: (fields: FieldChanges = {}) => connectStream(client, fields as never) }
}

/** A request in which these fields replace the usual ones. */
export function requestWith(fields: FieldChanges = {}, line = 'GET /chat HTTP/1.1'): Buffer {
  const usual: FieldChanges = {
    Host: 'example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13'
  }
  const all = Object.entries({ ...usual, ...fields }).filter(([, value]) => value !== null)
  return Buffer.from(`${line}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1')
}

/** Our side on bytes before the handshake, its end of the wire, and the peer. */
export function greet(t: TestLike, role: 'server' | 'client', options: WebSocketOptions = {}): Promise<Side> {
  return fresh(t, { role, join: 'attach', wire: 'memory' }, options)
}

/** How our side ended, and its Close frame (undefined if it sent none). */
export interface Fate {
  said: number | undefined
  code: number
  wasClean: boolean
  /** The first error of our side. */
  error: string | undefined
}

/** Waits for the end of our side; the peer only ends the wire. */
export async function fate({ ws, peer, errors }: Met): Promise<Fate> {
  let said: number | undefined
  for (let frame = await peer.nextFrame(); frame !== undefined; frame = await peer.nextFrame()) {
    if (frame.opcode !== CLOSE) continue
    said = readClose(frame).code
    // RFC 6455 §7.1.1: a client waits for the server's end
    if (peer.role === 'server') peer.end()
  }
  peer.end()
  const { code, wasClean } = await ws.whenClosed()
  return { said, code, wasClean, error: errors[0]?.code }
}

/** Turns of the event loop without room on the wire after which the other side is regarded as taking no more. */
const PATIENCE = 500

/**
 * Writes as long as the wire takes it, and returns the number of bytes: up to `most`, until the other side ends the wire, or until
 * it reads no more.
 */
export async function pour(peer: RawPeer, chunk: Buffer, most: number): Promise<number> {
  const { stream } = peer
  let poured = 0
  while (poured < most && !peer.hasEnded && stream.writable) {
    poured += chunk.length
    const free = stream.write(chunk)
    let hasRoom = free
    if (!free) stream.once('drain', () => (hasRoom = true))
    for (let i = 0; i === 0 || (i < PATIENCE && !hasRoom && !peer.hasEnded); i++) await turn()
    if (!hasRoom) break
  }
  return poured
}

export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

// without coverage, which would add to what the attack makes the library do
const EXEC_ARGV = process.execArgv.filter(arg => !arg.includes('processinfo'))
const ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS$|NODE_V8_COVERAGE$|_TAPJS_PROCESSINFO)/.test(name))
)

/** Runs `children/<name>.ts` as a process, and returns its results. */
export async function inProcess<T>(
  name: string,
  { args = [], env = {} }: { args?: (string | number)[]; env?: NodeJS.ProcessEnv } = {}
): Promise<T> {
  const script = fileURLToPath(new URL(`children/${name}.ts`, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [...EXEC_ARGV, script, ...args.map(String)], {
    env: { ...ENV, ...env },
    timeout: 90_000
  })
  return JSON.parse(stdout) as T
}
