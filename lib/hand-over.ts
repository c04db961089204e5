// A stream that was read from goes to an HTTP server, with all that was read put back in front. Knows nothing of WebSockets.

import type { NodeDuplex } from './streams.js'

/** What a stream can be handed over to: a server of `node:http`, `node:https`, or whatever else listens for `connection`. */
export interface ConnectionServer {
  emit(event: string, stream: NodeDuplex): boolean
}

/** @throws TypeError for what is no server */
export function checkServer(server: unknown): void {
  if (typeof (server as Partial<ConnectionServer> | null | undefined)?.emit !== 'function') {
    throw new TypeError('handOver needs a server of node:http or node:https')
  }
}

/**
 * Gives a stream to a server as a new connection.
 * @param bytes - what has been read from it
 */
export function giveTo(server: ConnectionServer, stream: NodeDuplex, bytes: Buffer): void {
  // paused, so that nothing is read before the server listens
  stream.pause()
  stream.unshift(bytes)
  server.emit(eventFor(server, stream), stream)
  stream.resume()
}

/** A server of TLS would take what is decrypted already for the beginning of another handshake. */
function eventFor(server: ConnectionServer, stream: NodeDuplex): 'connection' | 'secureConnection' {
  const isDecrypted = (stream as NodeDuplex & { encrypted?: boolean }).encrypted === true
  const isTls = 'setSecureContext' in server
  return isDecrypted && isTls ? 'secureConnection' : 'connection'
}
