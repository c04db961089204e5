// A place comes in, a stream of bytes that leads there comes out: TCP or TLS, a unix socket, a tunnel through a proxy, or whatever
// the application opens. It may be still connecting, and keeps what is written to it. Knows nothing of WebSockets.

import type { ConnectionOptions } from 'node:tls'
import { builtin } from '../runtime/builtin.js'
import type { NodeDuplex } from '../streams.js'
import type { DialSettings } from './connect-options.js'
import type { DialTarget } from './dial-target.js'
import { type ProxyServer, proxyTo } from './proxy.js'
import { ProxyTunnel } from './proxy-tunnel.js'

/**
 * Opens the wire to a place. A promise only where `createConnection` gives one.
 * @throws TypeError, RangeError where an option of the socket or of TLS is wrong or the port is 0, and whatever `createConnection` throws
 */
export function dial(target: DialTarget, settings: DialSettings): NodeDuplex | Promise<NodeDuplex> {
  if (settings.createConnection !== undefined) return settings.createConnection(new URL(target.given), settings.given)
  if (target.socketPath !== undefined) return builtin('node:net').connect({ path: target.socketPath })
  if (target.port === 0) throw new RangeError(`the URL has port 0, to which nothing can connect: ${target.url.origin}`)
  const proxy = proxyTo(target, settings.proxy)
  return proxy === null ? open(target, settings.tls, settings) : throughProxy(proxy, target, settings)
}

/** TCP, with TLS upon it where that is wanted. */
function open(
  { secure, hostname, port }: DialTarget | ProxyServer,
  tls: ConnectionOptions,
  { socket }: DialSettings
): NodeDuplex {
  const where = { ...(socket as object), host: hostname, port }
  return secure
    ? builtin('node:tls').connect({ ...where, ...secureOptions(hostname, tls) })
    : builtin('node:net').connect(where)
}

/** TLS to the server runs inside the tunnel, and is about the server's name: the proxy sees nothing of it. */
function throughProxy(proxy: ProxyServer, target: DialTarget, settings: DialSettings): NodeDuplex {
  const { maxHeaderSize, maxHeaders } = settings.given
  const tunnel = new ProxyTunnel(
    { host: target.hostname, port: target.port },
    // time runs for all of dialling together
    { authorization: proxy.authorization, maxHeaderSize, maxHeaders, handshakeTimeout: Number.POSITIVE_INFINITY }
  )
  const wire = target.secure
    ? builtin('node:tls').connect({ ...secureOptions(target.hostname, settings.tls), socket: tunnel.target })
    : tunnel.target
  tunnel.attach(open(proxy, settings.proxyTls, settings))
  return wire
}

/** The options of TLS to a host, safe unless the application says otherwise. */
function secureOptions(hostname: string, given: ConnectionOptions): ConnectionOptions {
  return {
    ALPNProtocols: ['http/1.1'],
    // RFC 6066 §3: a name without its final dot, and no address
    ...(builtin('node:net').isIP(hostname) === 0 && { servername: hostname.replace(/\.$/, '') }),
    ...given,
    // the environment's NODE_TLS_REJECT_UNAUTHORIZED does not count
    rejectUnauthorized: given.rejectUnauthorized ?? true,
    // what the certificate has to be for, where there is no server name
    host: hostname
  }
}
