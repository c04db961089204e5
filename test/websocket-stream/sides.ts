// A connection of this library with a raw peer at the other end, in every combination of role, join and wire.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type CloseInfo, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { answerHead, type Head, RawPeer, requestFields, requestHead } from '../support/raw-peer.js'

export interface Setup {
  /** `http`: a server whose request other code has parsed. */
  role: 'server' | 'http' | 'client'
  join: 'attach' | 'pipe'
  wire: 'memory' | 'tcp'
}

/** What these helpers need of a tap test. */
export interface TestLike {
  teardown(fn: () => unknown): unknown
}

export interface Side {
  ws: WebSocketStream
  /** Our end of the wire. */
  socket: Duplex
  peer: RawPeer
  /** Every `close` event so far. */
  closes: CloseInfo[]
}

const ROLES = ['server', 'client'] as const
const JOINS = ['attach', 'pipe'] as const
const WIRES = ['memory', 'tcp'] as const

/** Both roles, both ways to join, both wires. */
export const SETUPS: readonly Setup[] = ROLES.flatMap(role =>
  JOINS.flatMap(join => WIRES.map((wire): Setup => ({ role, join, wire })))
)
/** Like `SETUPS`, but only in memory. */
export const IN_MEMORY = SETUPS.filter(({ wire }) => wire === 'memory')

export function nameOf({ role, join, wire }: Setup): string {
  return `${role}, ${join}, ${wire}`
}

export function joinTo(ws: WebSocketStream, socket: Duplex, join: Setup['join']): void {
  if (join === 'attach') ws.attach(socket)
  else socket.pipe(ws).pipe(socket)
}

/** A request as from `node:http`. */
export function parsedRequest(changes: Record<string, string> = {}): {
  method: string
  url: string
  headers: Record<string, string>
} {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...requestFields(), ...changes })) headers[name.toLowerCase()] = value
  return { method: 'GET', url: '/chat', headers }
}

export function make(role: Setup['role'], options?: WebSocketOptions): WebSocketStream {
  if (role === 'client') return WebSocketStream.client('ws://example.com/chat', options)
  return role === 'http' ? WebSocketStream.http(parsedRequest(), undefined, options) : WebSocketStream.server(options)
}

/** Both ends of a wire: ours, and the peer's. */
export async function wireOf(t: TestLike, setup: Setup): Promise<[Duplex, Duplex]> {
  const [ours, theirs] = setup.wire === 'memory' ? pair() : await tcpPair(t, setup.role === 'client')
  t.teardown(() => {
    ours.destroy()
    theirs.destroy()
  })
  return [ours, theirs]
}

/** A TCP connection on the loopback: our end with Node's defaults, and one that ends only when it is told to. */
export async function tcpPair(t: TestLike, ourEndDials: boolean): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: ourEndDials, noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const dialled = connect({ port, host: '127.0.0.1', allowHalfOpen: !ourEndDials, noDelay: true })
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(dialled, 'connect')])) as [
    [Socket],
    unknown
  ]
  server.close()
  t.teardown(() => {
    accepted.destroy()
    dialled.destroy()
  })
  return ourEndDials ? [dialled, accepted] : [accepted, dialled]
}

/** A connection whose handshake has not begun. */
export async function fresh(t: TestLike, setup: Setup, options?: WebSocketOptions): Promise<Side> {
  const [socket, theirs] = await wireOf(t, setup)
  const ws = make(setup.role, options)
  const closes: CloseInfo[] = []
  ws.on('close', info => closes.push(info))
  t.teardown(() => ws.destroy())
  joinTo(ws, socket, setup.join)
  return { ws, socket, peer: new RawPeer(theirs, setup.role === 'client' ? 'server' : 'client'), closes }
}

/** The peer's half of the handshake; resolves with the head that our side sent. */
export async function shake(peer: RawPeer, role: Setup['role']): Promise<Head> {
  if (role === 'server') peer.write(requestHead())
  const head = await peer.head()
  if (role === 'client') peer.write(answerHead(head))
  return head
}

/** An open connection. */
export async function open(t: TestLike, setup: Setup, options?: WebSocketOptions): Promise<Side> {
  const side = await fresh(t, setup, options)
  await shake(side.peer, setup.role)
  await side.ws.opened
  return side
}

/** Our two sides with each other. */
export interface Both {
  server: WebSocketStream
  client: WebSocketStream
}

export async function ours(
  t: TestLike,
  options: WebSocketOptions = {},
  clientOptions: WebSocketOptions = options
): Promise<Both> {
  const [left, right] = pair()
  const server = WebSocketStream.server(options).attach(left)
  const client = WebSocketStream.client('ws://example.com/chat', clientOptions).attach(right)
  t.teardown(() => {
    server.destroy()
    client.destroy()
  })
  await Promise.all([server.opened, client.opened])
  return { server, client }
}

/** Waits until pending work of this process has ended: turns of the event loop, but no fixed time. */
export async function settle(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(resolve => setImmediate(resolve))
}

/** Resolves with the reason for which a promise rejects. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('it did not reject')
}

/** Collects what arrives until the view ends. */
export async function collect(messages: AsyncIterable<unknown>): Promise<{ got: unknown[]; error: unknown }> {
  const got: unknown[] = []
  try {
    for await (const message of messages) got.push(message)
  } catch (error) {
    return { got, error }
  }
  return { got, error: null }
}

/** A promise that must settle within this many milliseconds; otherwise resolves with undefined. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  const value = await Promise.race([promise, late])
  clearTimeout(timer)
  return value
}
