// Streams of plain bytes over `ws.bytes`: stdin and stdout of `connect --bytes`, and a TCP or unix
// connection for each WebSocket of `serve --tcp`, and the other way round for `connect --listen`.

import { once } from 'node:events'
import { createServer, connect as dial, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionHandler, type ConnectOptions, connect, type WebSocketStream } from '../index.js'
import type { Call } from './call.js'
import { ExitCode, Failure, type Io, put, UsageError } from './io.js'
import { untilAborted } from './listening.js'
import { describeError, type Notes } from './terminal.js'

/** An end of a stream of bytes: an address of TCP, or the path of a unix socket. */
export type ByteEndpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** Where to listen; port 0 is any that is free. @throws UsageError where it is neither HOST:PORT nor a path with a slash */
export function readEndpoint(given: string, name: string, leastPort = 0): ByteEndpoint {
  if (given.includes('/')) return { path: given }
  const [, host, digits] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(given) ?? []
  const port = Number(digits)
  if (host !== undefined && port >= leastPort && port <= 65535) return { host, port }
  throw new UsageError(`${name} needs HOST:PORT, or the PATH of a unix socket, not '${given}'`)
}

/** As `readEndpoint`, for one to connect to. */
export const readTarget = (given: string, name: string): ByteEndpoint => readEndpoint(given, name, 1)

function nameOf(endpoint: ByteEndpoint): string {
  return 'path' in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`
}

/** Carries stdin to the peer and what comes to stdout, until the connection is over. */
export async function carryBytes(call: Call, wait: boolean): Promise<void> {
  const { ws, io } = call
  const { bytes } = ws
  // the end of stdin is no end of what the peer has to say
  io.stdin.pipe(bytes, { end: !wait })
  bytes.on('error', () => {})
  try {
    for await (const chunk of bytes.iterator({ destroyOnReturn: false })) await put(io.stdout, chunk)
  } catch (error) {
    // of other ends the Call tells
    const { code, message } = error as { code?: string; message: string }
    if (code === 'WS_ERR_BYTES_CUT') call.fail(message)
  }
  await ws.whenClosed()
  io.stdin.destroy()
}

/** Joins each connection to one of TCP. */
export function tunnelTo(
  target: ByteEndpoint,
  notes: Notes,
  busy: Set<Promise<unknown>>
): ConnectionHandler<undefined> {
  return ws => {
    const running = tunnel(ws, target).then(error => {
      busy.delete(running)
      if (error !== null) notes.say(`${nameOf(target)}: ${error.message}`)
    })
    busy.add(running)
  }
}

/** Resolves when both are over, with what went wrong on the side of TCP. */
function tunnel(ws: WebSocketStream, target: ByteEndpoint): Promise<Error | null> {
  return join(ws, dial({ ...target, allowHalfOpen: true, noDelay: true } as NetConnectOpts))
}

function join({ bytes }: WebSocketStream, socket: Socket): Promise<Error | null> {
  // an end of one direction is passed on, and the other goes on
  bytes.allowHalfOpen = true
  bytes.pipe(socket).pipe(bytes)
  return new Promise(resolve => {
    let failure: Error | null = null
    socket.on('error', error => {
      failure = error
      bytes.destroy(error)
    })
    // what has come to its end is still on the way to the socket
    bytes.on('close', () => bytes.readableEnded || socket.destroy())
    socket.on('close', () => resolve(failure))
  })
}

/** Listens, and joins each connection to a WebSocket of its own, until the user asks for the end. @throws Failure where it cannot listen */
export async function forward(
  endpoint: ByteEndpoint,
  url: string,
  options: ConnectOptions,
  io: Io,
  notes: Notes
): Promise<ExitCode> {
  const clients = new Set<WebSocketStream>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const ws = connect(url, options)
    clients.add(ws)
    ws.on('error', error => notes.say(describeError(error)))
    ws.on('close', () => clients.delete(ws))
    // where there is no connection, nothing comes through
    ws.bytes.on('error', () => socket.destroy())
    void join(ws, socket)
  })
  server.listen(endpoint)
  await once(server, 'listening').catch(error => {
    throw new Failure(`cannot listen on ${nameOf(endpoint)}: ${error.message}`)
  })
  const address = server.address()
  io.stdout.write(
    `${typeof address === 'string' ? address : nameOf({ ...endpoint, port: address!.port } as ByteEndpoint)}\n`
  )
  await untilAborted(io.signal)
  server.close()
  for (const ws of clients) ws.destroy()
  return ExitCode.Ok
}
