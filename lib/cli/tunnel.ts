// Streams of plain bytes over `ws.bytes`: stdin and stdout of `connect --bytes`, and a TCP connection for each of `serve --tcp`.

import { connect as dial } from 'node:net'
import type { ConnectionHandler, WebSocketStream } from '../index.js'
import type { Call } from './call.js'
import { put, UsageError } from './io.js'
import type { Notes } from './terminal.js'

/** Where `--tcp` goes. */
export interface TcpTarget {
  readonly host: string
  readonly port: number
}

/** @throws UsageError where it is not HOST:PORT */
export function readTarget(given: string, name: string): TcpTarget {
  const [, host = '', digits] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(given) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65535)) throw new UsageError(`--${name} is HOST:PORT, and not '${given}'`)
  return { host, port }
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
export function tunnelTo(target: TcpTarget, notes: Notes, busy: Set<Promise<unknown>>): ConnectionHandler<undefined> {
  return ws => {
    const running = tunnel(ws, target).then(error => {
      busy.delete(running)
      if (error !== null) notes.say(`${target.host}:${target.port}: ${error.message}`)
    })
    busy.add(running)
  }
}

/** Resolves when both are over, with what went wrong on the side of TCP. */
function tunnel({ bytes }: WebSocketStream, target: TcpTarget): Promise<Error | null> {
  const socket = dial({ ...target, allowHalfOpen: true, noDelay: true })
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
