// Passes a stream that was read from to an HTTP server, with all bytes pushed back. Knows nothing of WebSockets.

import type { NodeDuplex } from './streams.js'

/** A server that takes connections: of `node:http` or `node:https`, or any emitter with a `connection` listener. */
export interface ConnectionServer {
  emit(event: string, stream: NodeDuplex): boolean
}

/** @throws TypeError if it is not a server */
export function checkServer(server: unknown): void {
  if (typeof (server as Partial<ConnectionServer> | null | undefined)?.emit !== 'function') {
    throw new TypeError('handOver needs a server of node:http or node:https')
  }
}

/**
 * Passes a stream to a server as a new connection.
 * @param bytes - the bytes read from it so far
 */
export function giveTo(server: ConnectionServer, stream: NodeDuplex, bytes: Buffer): void {
  // paused until the server reads
  stream.pause()
  stream.unshift(bytes)
  server.emit(eventFor(server, stream), stream)
  if (stream.listenerCount('data') > 0) stream.resume()
  else if (stream.readableFlowing === false) awaitReader(stream)
}

/** Undoes `pause()` without a reader: data waits as in a new socket, and flows as soon as the stream gets a 'data' listener. */
function awaitReader(stream: NodeDuplex): void {
  // Node forgets the pause when a 'readable' listener is removed and none is left, even if this one was never added
  stream.off('readable', stream.read)
}

/** The event to emit: a TLS server would otherwise start a TLS handshake on bytes that are already decrypted. */
function eventFor(server: ConnectionServer, stream: NodeDuplex): 'connection' | 'secureConnection' {
  const isDecrypted = (stream as NodeDuplex & { encrypted?: boolean }).encrypted === true
  const isTls = 'setSecureContext' in server
  return isDecrypted && isTls ? 'secureConnection' : 'connection'
}
