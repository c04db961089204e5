// The few members of the public interface that may be renamed: the only place to change.

import type { CloseInfo, PreparedMessage, WebSocketStream } from '../../lib/index.js'

export type Bytes = NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** How the connection ended, when it has. */
export function whenClosed(ws: WebSocketStream): Promise<CloseInfo> {
  return ws.whenClosed()
}

/** Begins the closing handshake; resolves when the connection has ended. */
export async function close(ws: WebSocketStream, code?: number, reason?: string): Promise<CloseInfo> {
  ws.close(code, reason)
  return ws.whenClosed()
}

/** Sends one message of any kind; false if nothing more can be sent. */
export function send(ws: WebSocketStream, data: string | Bytes | PreparedMessage): boolean {
  if (typeof data === 'string') return ws.text(data)
  return 'byteLength' in data ? ws.binary(data) : ws.send(data)
}

/** Resolves when the wire has taken all output; rejects if the connection ends first. */
export function drained(ws: WebSocketStream): Promise<void> {
  return ws.drained()
}

/** The view of plain bytes, if this version of the library has one. */
export function bytesView(ws: WebSocketStream): NodeJS.ReadWriteStream | undefined {
  return (ws as unknown as { bytes?: NodeJS.ReadWriteStream }).bytes
}
