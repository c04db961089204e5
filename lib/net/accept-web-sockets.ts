// A server of node:http, node:https or node:http2 comes in, and a function that is given each WebSocket to it.

import { Acceptor } from './acceptor.js'
import { type AcceptorOptions, type ConnectionHandler, readAcceptorOptions } from './acceptor-options.js'
import { enter, type WebServer } from './request-router.js'

/**
 * Accepts WebSockets on a server: by upgrade on HTTP/1.1 (RFC 6455), by extended CONNECT on HTTP/2 (RFC 8441), and both on one that is
 * made with `allowHTTP1`. On HTTP/2 it announces SETTINGS_ENABLE_CONNECT_PROTOCOL in the sessions that begin from then on.
 *
 * Several acceptors on a server are asked in the order in which they were made, and the first whose `path` fits takes a request. What
 * none takes is left to other listeners for 'upgrade' (on HTTP/2: 'stream' or 'connect') where there are any, as of a development
 * server; where there are none it gets 404. Such listeners have to leave alone, for their part, what is for an acceptor: give each a
 * path of its own, `ws` its `noServer` mode, and engine.io `destroyUpgrade: false`. Ordinary requests are not
 * touched, and neither are those that offer an upgrade to another protocol (`Upgrade: h2c`): with no other listener for 'upgrade', the
 * server's 'request' listeners answer them (RFC 9110 §7.8).
 *
 * A peer's fault never throws. An exception of `verify` is answered with 500 and one of `handler` with a Close of 1011, and both are
 * emitted as `error`, which is thrown if it has no listener. That a connection ended under a handler is no exception.
 * @param options - those of every connection, and `path`, `verify`, `maxConnections`, `maxHandshakes`; read once, at this call
 * @param handler - called when a connection is open, before its first message; may be asynchronous
 * @returns the connections, and the ways to end them
 * @throws TypeError, RangeError where an option is wrong
 */
export function acceptWebSockets<Context = undefined>(
  server: WebServer,
  options: AcceptorOptions<Context> | undefined,
  handler: ConnectionHandler<Context>
): Acceptor<Context> {
  if (typeof server?.on !== 'function' || typeof server.listenerCount !== 'function') {
    throw new TypeError('server must be one of node:http, node:https or node:http2')
  }
  if (typeof handler !== 'function') throw new TypeError('handler must be a function')
  const { settings, stream } = readAcceptorOptions(options ?? {})
  return new Acceptor(settings, handler, acceptor => enter(server, acceptor, stream))
}
