// Accepts WebSockets on a node:http, node:https or node:http2 server, and passes each to a handler.

import { checkFunction } from '../checks.js'
import { Acceptor } from './acceptor.js'
import { type AcceptorOptions, type ConnectionHandler, readAcceptorOptions } from './acceptor-options.js'
import { enter, type WebServer } from './request-router.js'

/**
 * Accepts WebSockets on a server: HTTP/1.1 upgrades (RFC 6455), HTTP/2 extended CONNECT (RFC 8441), and both on an HTTP/2 server made with
 * `allowHTTP1`. On HTTP/2 it announces SETTINGS_ENABLE_CONNECT_PROTOCOL in sessions that start after this call.
 *
 * Several acceptors on one server are asked in the order in which they were made; the first with a matching `path` takes the request. If
 * none matches, other listeners for 'upgrade' (on HTTP/2: 'stream' or 'connect') get the request, for example those of a development
 * server; if there are none, the response is 404. Such listeners must in turn ignore the acceptor's requests: give each a path of its own,
 * use the `noServer` mode of `ws`, and `destroyUpgrade: false` of engine.io. The server's 'request' listeners answer ordinary requests, and
 * without another listener for 'upgrade' also those that offer an upgrade to another protocol (`Upgrade: h2c`; RFC 9110 §7.8). A server
 * that has no 'request' listener when an ordinary request arrives answers it with 426, on HTTP/2 with 404, until the acceptor is closed.
 *
 * A peer that breaks the protocol never causes an exception. If `verify` throws, the request is answered with 500; if `handler` throws, the
 * connection is closed with 1011. Both exceptions are emitted as `error`, which throws if it has no listener. The end of a connection while
 * its handler runs does not count as an exception.
 * @param options - those of every connection, and `path`, `verify`, `maxConnections`, `maxHandshakes`; read once, in this call
 * @param handler - called when a connection is open, before its first message; may be asynchronous
 * @returns the acceptor, which has the connections and ends them
 * @throws TypeError, RangeError if an option is invalid
 */
export function acceptWebSockets<Context = undefined>(
  server: WebServer,
  options: AcceptorOptions<Context> | undefined,
  handler: ConnectionHandler<Context>
): Acceptor<Context> {
  if (typeof server?.on !== 'function' || typeof server.listenerCount !== 'function') {
    throw new TypeError('server must be one of node:http, node:https or node:http2')
  }
  if (typeof options === 'function') {
    throw new TypeError(
      'handler is the third argument: acceptWebSockets(server, options, handler); options may be undefined'
    )
  }
  checkFunction(handler, 'handler')
  const { settings, stream } = readAcceptorOptions(options ?? {})
  return new Acceptor(settings, handler, acceptor => enter(server, acceptor, stream))
}
