// Reads the option `proxy`.

import { readUrl } from '../handshake/client-url.js'
import { bareHostname, type DialTarget, portOf } from './dial-target.js'
import { proxyFromEnvironment } from './proxy-from-environment.js'

export interface ProxyServer {
  /** Whether the connection to the proxy itself is encrypted. */
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  /** The value of `Proxy-Authorization`; '' for none. */
  readonly authorization: string
}

/**
 * @throws SyntaxError if it is not the URL of an HTTP proxy, or has port 0
 * @throws TypeError if it is neither a string nor a URL, or contains control characters
 */
export function readProxy(given: string | URL): ProxyServer {
  const isUrl = typeof given === 'string' || given instanceof URL
  if (isUrl && !/^\s*https?:/i.test(String(given))) throw new SyntaxError('the scheme of a proxy must be http or https')
  const { authorization } = readUrl(given)
  const url = new URL(given)
  const secure = url.protocol === 'https:'
  const port = portOf(url, secure ? 443 : 80)
  if (port === 0) throw new SyntaxError('the URL of the proxy has port 0, to which nothing can connect')
  return { secure, hostname: bareHostname(url), port, authorization }
}

/**
 * The proxy for a target; null for none.
 * @throws SyntaxError, TypeError if the environment names something other than an HTTP proxy
 */
export function proxyTo(target: DialTarget, option: ProxyServer | 'environment' | undefined): ProxyServer | null {
  if (option !== 'environment') return option ?? null
  // a unix socket is on this machine
  const found = target.socketPath === undefined ? proxyFromEnvironment(target, process.env) : ''
  return found === '' ? null : readProxy(found)
}
