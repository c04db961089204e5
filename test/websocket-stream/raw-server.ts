// A server on raw bytes over each kind of wire, by attach and by pipe, and a raw peer as its client.

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { type CloseInfo, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { pair } from '../support/pair.js'
import { RawPeer } from '../support/raw-peer.js'
import { joinTo, type TestLike } from './sides.js'

export interface RawSetup {
  wire: 'memory' | 'tcp' | 'unix' | 'tls'
  join: 'attach' | 'pipe'
}

export const RAW_SETUPS: readonly RawSetup[] = (['memory', 'tcp', 'unix', 'tls'] as const).flatMap(wire =>
  (['attach', 'pipe'] as const).map(join => ({ wire, join }))
)

export const nameOfRaw = ({ wire, join }: RawSetup): string => `${wire}, ${join}`

export interface Asked {
  ws: WebSocketStream
  peer: RawPeer
  socket: Duplex
  closes: CloseInfo[]
  errors: Error[]
}

let paths = 0

/** Our end of a wire, and the peer's. */
export async function rawWire(t: TestLike, wire: RawSetup['wire']): Promise<[Duplex, Duplex]> {
  if (wire === 'memory') return pair()
  const half = { allowHalfOpen: true }
  const server = wire === 'tls' ? tls.createServer({ ...LOCALHOST, ...half }) : net.createServer(half)
  const path = wire === 'unix' ? joinPath(tmpdir(), `ws-${process.pid}-${paths++}`) : undefined
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    if (path !== undefined) rmSync(path, { force: true })
  })
  const { port } = (path === undefined ? server.address() : {}) as AddressInfo
  const where = path === undefined ? { port, host: '127.0.0.1', ...half } : { path, ...half }
  const accepted = once(server, wire === 'tls' ? 'secureConnection' : 'connection')
  const theirs = wire === 'tls' ? tls.connect({ ...where, ca: AUTHORITY, servername: 'localhost' }) : net.connect(where)
  const [ours] = (await accepted) as [Duplex]
  return [ours, theirs]
}

/** A server whose handshake has not begun, and its peer. */
export async function rawServer(t: TestLike, setup: RawSetup, options?: WebSocketOptions): Promise<Asked> {
  const [socket, theirs] = await rawWire(t, setup.wire)
  const ws = WebSocketStream.server(options)
  const closes: CloseInfo[] = []
  const errors: Error[] = []
  ws.on('close', info => closes.push(info))
  ws.on('error', error => errors.push(error))
  t.teardown(() => {
    ws.destroy()
    socket.destroy()
    theirs.destroy()
  })
  joinTo(ws, socket, setup.join)
  return { ws, peer: new RawPeer(theirs, 'client'), socket, closes, errors }
}

/** A request with these lines. */
export const ask = (line: string, fields: string[] = [], body: string | Uint8Array = ''): Buffer =>
  Buffer.concat([Buffer.from(`${[line, 'Host: example.com', ...fields].join('\r\n')}\r\n\r\n`), Buffer.from(body)])

/** The exceptions that are not caught until the test is over. */
export function uncaught(t: TestLike): Error[] {
  const errors: Error[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const gather = (error: Error): void => void errors.push(error)
  process.on('uncaughtException', gather)
  t.teardown(() => {
    process.off('uncaughtException', gather)
    for (const listener of before) process.on('uncaughtException', listener)
  })
  return errors
}
