// Every wire that a connection may have, with our client at one end and our server at the other: the matrices run over these.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { connect, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { MemoryEnd } from './memory-wire.js'

/** What these helpers need of a tap test. */
export interface TestLike {
  teardown(fn: () => unknown): unknown
}

export type Role = 'client' | 'server'
export const ROLES: readonly Role[] = ['client', 'server']

export interface Both {
  client: WebSocketStream
  server: WebSocketStream
  /** The ends of the wire, unless an HTTP/2 client makes its own. */
  ends: { client?: Duplex; server: Duplex }
}

export interface Meeting {
  client?: WebSocketOptions
  server?: WebSocketOptions
  /** Called for each side as soon as it is made, before it has its wire. */
  prepare?(ws: WebSocketStream, role: Role): void
}

export interface Wire {
  readonly name: string
  readonly join: 'attach' | 'pipe'
  /** Two connections on one wire; the handshake is in progress. */
  meet(t: TestLike, meeting?: Meeting): Promise<Both>
}

type EndsOf = (t: TestLike) => Promise<[client: Duplex, server: Duplex]>

export function joinTo(ws: WebSocketStream, end: Duplex, join: Wire['join']): void {
  // an error that breaks a pipe is reported to the application
  end.on('error', () => {})
  if (join === 'attach') ws.attach(end)
  else end.pipe(ws).pipe(end)
}

function plainWire(name: string, join: Wire['join'], endsOf: EndsOf): Wire {
  return {
    name: `${name}, ${join}`,
    join,
    async meet(t, { client: clientOptions, server: serverOptions, prepare } = {}) {
      const [near, far] = await endsOf(t)
      const client = WebSocketStream.client('ws://localhost/', clientOptions)
      const server = WebSocketStream.server(serverOptions)
      destroyAtTheEnd(t, client, server, near, far)
      prepare?.(client, 'client')
      prepare?.(server, 'server')
      joinTo(server, far, join)
      joinTo(client, near, join)
      return { client, server, ends: { client: near, server: far } }
    }
  }
}

/** Server: a stream of HTTP/2; the client's is made by `connect`. */
function http2Wire(join: Wire['join']): Wire {
  return {
    name: `HTTP/2, ${join}`,
    join,
    async meet(t, { client: clientOptions, server: serverOptions, prepare } = {}) {
      const listener = http2.createSecureServer({ ...LOCALHOST, settings: { enableConnectProtocol: true } })
      const port = await listen(listener)
      t.teardown(() => listener.close())
      const arrived = new Promise<[WebSocketStream, Duplex]>(resolve => {
        listener.once('stream', (stream, headers) => {
          const server = WebSocketStream.http2(stream, headers, serverOptions)
          destroyAtTheEnd(t, server, stream)
          prepare?.(server, 'server')
          joinTo(server, stream, join)
          resolve([server, stream])
        })
      })
      const client = connect(`wss://localhost:${port}/`, { ...clientOptions, http2: true, tls: { ca: AUTHORITY } })
      destroyAtTheEnd(t, client)
      prepare?.(client, 'client')
      const [server, stream] = await arrived
      return { client, server, ends: { server: stream } }
    }
  }
}

function destroyAtTheEnd(t: TestLike, ...streams: { destroy(): unknown }[]): void {
  t.teardown(() => {
    for (const stream of streams) stream.destroy()
  })
}

async function listen(server: net.Server | http2.Http2SecureServer, path?: string): Promise<number> {
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const tcpEnds: EndsOf = async t => {
  const server = net.createServer({ noDelay: true })
  const near = net.connect({ port: await listen(server), host: '127.0.0.1', noDelay: true })
  return [near, await accept(t, server, 'connection')]
}

const unixEnds: EndsOf = async t => {
  const folder = mkdtempSync(join(tmpdir(), 'wires-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'socket')
  const server = net.createServer()
  await listen(server, path)
  return [net.connect(path), await accept(t, server, 'connection')]
}

const tlsEnds: EndsOf = async t => {
  const server = tls.createServer(LOCALHOST)
  const port = await listen(server)
  const near = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY })
  return [near, await accept(t, server, 'secureConnection')]
}

async function accept(t: TestLike, server: net.Server, event: string): Promise<Duplex> {
  t.teardown(() => server.close())
  const [socket] = (await once(server, event)) as [Duplex]
  server.close()
  return socket
}

const memoryEnds: EndsOf = async () => MemoryEnd.pair()
const objectEnds: EndsOf = async () => MemoryEnd.pair(true)

const JOINS = ['attach', 'pipe'] as const

/** Wires in memory, whose chunks others can see. */
export const MEMORY_WIRES: readonly Wire[] = JOINS.flatMap(join => [
  plainWire('in memory', join, memoryEnds),
  plainWire('in memory with objects', join, objectEnds)
])

export const WIRES: readonly Wire[] = [
  ...JOINS.flatMap(join => [
    plainWire('TCP', join, tcpEnds),
    plainWire('TLS', join, tlsEnds),
    plainWire('unix socket', join, unixEnds),
    http2Wire(join)
  ]),
  ...MEMORY_WIRES
]

/** One of these wires. */
export function wireNamed(name: string): Wire {
  const wire = WIRES.find(wire => wire.name === name)
  if (wire === undefined) throw new Error(`no wire is called ${name}`)
  return wire
}

/** A wire that does not work must fail its test soon. */
const SOON: WebSocketOptions = { handshakeTimeout: 5000 }

/** Two open connections. */
export async function openOn(t: TestLike, wire: Wire, { client, server, ...meeting }: Meeting = {}): Promise<Both> {
  const both = await wire.meet(t, { ...meeting, client: { ...SOON, ...client }, server: { ...SOON, ...server } })
  await Promise.all([both.client.opened, both.server.opened])
  return both
}

/** The other side of `role`. */
export const otherRole = (role: Role): Role => (role === 'client' ? 'server' : 'client')
