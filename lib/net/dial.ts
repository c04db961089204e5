// Opens a stream of bytes to a target: TCP or TLS, a unix socket, a tunnel through a proxy, or what the application opens. The stream may
// still be connecting; it buffers what is written to it. Knows nothing of WebSockets.

import type { ConnectionOptions } from 'node:tls'
import { builtin } from '../runtime/builtin.js'
import type { NodeDuplex } from '../streams.js'
import type { DialSettings } from './connect-options.js'
import type { DialTarget } from './dial-target.js'
import { type ProxyServer, proxyTo } from './proxy.js'
import { ProxyTunnel } from './proxy-tunnel.js'

/**
 * Opens the wire to a target. Returns a promise only if `createConnection` does.
 * @throws TypeError, RangeError if an option of the socket or of TLS is invalid, or the port is 0; and anything that `createConnection`
 * throws
 */
export function dial(target: DialTarget, settings: DialSettings): NodeDuplex | Promise<NodeDuplex> {
  if (settings.createConnection !== undefined) return settings.createConnection(new URL(target.given), settings.given)
  if (target.socketPath !== undefined) return builtin('node:net').connect({ path: target.socketPath })
  if (target.port === 0) throw new RangeError(`the URL has port 0, to which nothing can connect: ${target.url.origin}`)
  const proxy = proxyTo(target, settings.proxy)
  return proxy === null ? open(target, settings.tls, settings) : throughProxy(proxy, target, settings)
}

/** Opens TCP, and TLS over it if requested. */
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

/** TLS with the server runs inside the tunnel, and verifies the server's name; the proxy cannot read it. */
function throughProxy(proxy: ProxyServer, target: DialTarget, settings: DialSettings): NodeDuplex {
  const { maxHeaderSize, maxHeaders } = settings.given
  const tunnel = new ProxyTunnel(
    { host: target.hostname, port: target.port },
    // one timeout covers all of dialling
    { authorization: proxy.authorization, maxHeaderSize, maxHeaders, handshakeTimeout: Number.POSITIVE_INFINITY }
  )
  const wire = target.secure
    ? builtin('node:tls').connect({ ...secureOptions(target.hostname, settings.tls), socket: tunnel.target })
    : tunnel.target
  tunnel.attach(open(proxy, settings.proxyTls, settings))
  return wire
}

/** The options for TLS with a host; secure unless the application says otherwise. */
function secureOptions(hostname: string, given: ConnectionOptions): ConnectionOptions {
  return {
    ALPNProtocols: ['http/1.1'],
    // RFC 6066 §3: a name without its final dot; not an address
    ...(builtin('node:net').isIP(hostname) === 0 && { servername: hostname.replace(/\.$/, '') }),
    ...given,
    // NODE_TLS_REJECT_UNAUTHORIZED of the environment is ignored
    rejectUnauthorized: given.rejectUnauthorized ?? true,
    // the name to verify in the certificate if there is no server name
    host: hostname
  }
}
