// The few members of the public interface that these tests use by other names than they may have: one place to change.

import type { CloseInfo, PreparedMessage, WebSocketStream } from '../../lib/index.js'

export type Bytes = NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer

interface Named {
  whenClosed?(): Promise<CloseInfo>
  closed: unknown
  drained?(): Promise<void>
  needsDrain?: boolean
  bytes?: NodeJS.ReadWriteStream
}

const named = (ws: WebSocketStream): Named => ws as unknown as Named

/** How the connection ended, when all is over. */
export function whenClosed(ws: WebSocketStream): Promise<CloseInfo> {
  return named(ws).whenClosed?.() ?? (named(ws).closed as Promise<CloseInfo>)
}

/** Begins the closing handshake; resolves when all is over. */
export function close(ws: WebSocketStream, code?: number, reason?: string): Promise<CloseInfo> {
  ws.close(code, reason)
  return whenClosed(ws)
}

/** Sends one message of any kind. */
export function send(ws: WebSocketStream, data: string | Bytes | PreparedMessage): boolean {
  if (typeof data === 'string') return ws.text(data)
  return 'byteLength' in data ? ws.binary(data) : ws.send(data)
}

/** Resolves when the wire has taken all that was sent; rejects when the connection ends first. */
export async function drained(ws: WebSocketStream): Promise<void> {
  const { drained } = named(ws)
  if (drained !== undefined) {
    await drained.call(ws)
    return
  }
  while (ws.bufferedAmount > 0) {
    if (ws.readyState === 'closed') throw new Error('the connection has ended')
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** The view of plain bytes, if this version of the library has one. */
export function bytesView(ws: WebSocketStream): NodeJS.ReadWriteStream | undefined {
  return named(ws).bytes
}
