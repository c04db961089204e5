// Returns a request that node:http emitted as 'upgrade' to its server: if that upgrade is not wanted, the request is served like any other
// (RFC 9110 §7.8). Knows nothing of WebSockets.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { builtin } from '../runtime/builtin.js'
import { ignore } from '../streams.js'

/** Functions of node:http, and of node:http2 with `allowHTTP1`, for an HTTP/1.1 socket. */
interface HttpInternals {
  _connectionListener(this: object, socket: Socket): void
}

/** Serves a request of an 'upgrade' event as if it had no `Upgrade`, with its body and the following requests of the connection. */
export function serveWithoutUpgrade(server: object, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const goOn = (): void => {
    socket.off('error', ignore)
    if (socket.destroyed) return
    socket.unshift(Buffer.concat([headOf(request), head]))
    const { _connectionListener: serve } = builtin('node:http') as unknown as HttpInternals
    serve.call(server, socket)
  }
  // the response to an earlier request may be unfinished, and must be sent first (RFC 9112 §9.3.2)
  const { _httpMessage: earlier } = socket as Socket & { _httpMessage?: ServerResponse | null }
  socket.on('error', ignore)
  if (earlier) earlier.once('close', goOn)
  else goOn()
}

/** The head as received, without `Upgrade`. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'upgrade') head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  return Buffer.from(`${head}\r\n`, 'latin1')
}
