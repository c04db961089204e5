// Streams of plain bytes over `ws.bytes`: stdin and stdout of `connect --bytes`, a TCP or unix connection for each WebSocket of
// `serve --tcp`, and the reverse for `connect --listen`.

import { createServer, connect as dial, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionHandler, type ConnectOptions, connect, type WebSocketStream } from '../index.js'
import type { Call } from './call.js'
import { ExitCode, Failure, type Io, put, UsageError } from './io.js'
import { authority, listenOn, untilAborted } from './listening.js'
import { describeError, type Notes } from './terminal.js'

/** One end of a stream of bytes: a TCP address, or the path of a unix socket. */
export type ByteEndpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** The address to listen on; port 0 picks a free one. @throws UsageError if it is neither HOST:PORT nor a path with a slash */
export function readEndpoint(given: string, name: string, leastPort = 0): ByteEndpoint {
  if (given.includes('/')) return { path: given }
  const [, host, digits] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(given) ?? []
  const port = Number(digits)
  if (host !== undefined && port >= leastPort && port <= 65535) return { host, port }
  throw new UsageError(`${name} needs HOST:PORT, or the PATH of a unix socket, not '${given}'`)
}

/** Like `readEndpoint`, for an address to connect to. */
export const readTarget = (given: string, name: string): ByteEndpoint => readEndpoint(given, name, 1)

function nameOf(endpoint: ByteEndpoint): string {
  return 'path' in endpoint ? endpoint.path : `${authority(endpoint.host)}:${endpoint.port}`
}

/** Sends stdin to the peer, and writes received bytes to stdout, until the connection has ended. */
export async function carryBytes(call: Call, wait: boolean): Promise<void> {
  const { ws, io } = call
  const { bytes } = ws
  // after the end of stdin, the peer may still send
  io.stdin.pipe(bytes, { end: !wait })
  bytes.on('error', () => {})
  // bytes read from stdin but not sent when the server closed
  let left = 0
  ws.once('closing', () => {
    left = bytes.writableLength
  })
  try {
    for await (const chunk of bytes.iterator({ destroyOnReturn: false })) await put(io.stdout, chunk)
  } catch (error) {
    // Call reports other ways to end
    const { code, message } = error as { code?: string; message: string }
    if (code === 'WS_ERR_BYTES_CUT') call.fail(message)
  }
  await ws.whenClosed()
  if (left + io.stdin.readableLength > 0 && !io.signal.aborted) call.unfinished = 'stdin was not all sent'
  io.stdin.destroy()
}

/** Joins each WebSocket to a TCP connection. */
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

/** Resolves when both have ended, with the error of the TCP connection, if any. */
function tunnel(ws: WebSocketStream, target: ByteEndpoint): Promise<Error | null> {
  return join(ws, dial({ ...target, allowHalfOpen: true, noDelay: true } as NetConnectOpts))
}

function join({ bytes }: WebSocketStream, socket: Socket): Promise<Error | null> {
  // the end of one direction is passed on, and the other direction continues
  bytes.allowHalfOpen = true
  bytes.pipe(socket).pipe(bytes)
  return new Promise(resolve => {
    let failure: Error | null = null
    socket.on('error', error => {
      failure = error
      bytes.destroy(error)
    })
    // if the view has ended, its last bytes are still on the way to the socket
    bytes.on('close', () => bytes.readableEnded || socket.destroy())
    socket.on('close', () => resolve(failure))
  })
}

/** Listens, and joins each connection to its own WebSocket, until the user ends it. @throws Failure if it cannot listen */
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
    // if there is no connection, no bytes arrive
    ws.bytes.on('error', () => socket.destroy())
    void join(ws, socket)
  })
  await listenOn(server, endpoint, notes).catch(error => {
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
