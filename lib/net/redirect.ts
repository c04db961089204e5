// Finds the target of a redirect, and which options must not be sent there (RFC 9110 §15.4). Sends no request.

import type { ConnectionOptions } from 'node:tls'
import type { HandshakeError } from '../errors.js'
import type { DialSettings } from './connect-options.js'
import { type DialTarget, isSameOrigin, readDialTarget } from './dial-target.js'

export interface Redirect {
  readonly target: DialTarget
  readonly dial: DialSettings
  /** Lower-case names of header fields to leave out of the request. */
  readonly dropped: readonly string[]
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
// header fields not to send to another origin
const BOUND_TO_ORIGIN = ['authorization', 'cookie', 'proxy-authorization', 'host']
// options of tls.connect: the client's identity, and the name of the old server
const IDENTITY: ReadonlySet<string> = new Set([
  'cert',
  'key',
  'passphrase',
  'pfx',
  'pskCallback',
  'secureContext',
  'servername',
  'session'
])

/** The target of a redirect; null if the response is not one, or leads to a URL that cannot be a WebSocket. */
export function redirectOf(from: DialTarget, dial: DialSettings, refusal: HandshakeError): Redirect | null {
  const { location } = refusal.headers
  // an invalid response, or one of a proxy, is not a redirect
  if (refusal.code !== 'WS_ERR_UNEXPECTED_STATUS' || !STATUSES.has(refusal.status)) return null
  const target = typeof location === 'string' ? targetOf(location, from) : null
  if (target === null) return null
  if (isSameOrigin(from, target)) return { target, dial, dropped: [] }
  return { target, dial: { ...dial, tls: withoutIdentity(dial.tls) }, dropped: BOUND_TO_ORIGIN }
}

function targetOf(location: string, from: DialTarget): DialTarget | null {
  try {
    const url = new URL(location, from.url)
    // a server must not choose our credentials, nor the socket file to open
    url.username = ''
    url.password = ''
    // RFC 9110 §10.2.2
    url.hash = ''
    const target = readDialTarget(url)
    return target.socketPath === undefined ? stay(from, target) : null
  } catch {
    return null
  }
}

/** The same server with another path: keeps the user in the URL, and a unix socket. */
function stay(from: DialTarget, target: DialTarget): DialTarget {
  const there = { ...target, given: target.url, socketPath: from.socketPath }
  if (!isSameOrigin(from, there)) return target
  there.url.username = from.url.username
  there.url.password = from.url.password
  return there
}

function withoutIdentity(tls: ConnectionOptions): ConnectionOptions {
  return Object.fromEntries(Object.entries(tls).filter(([name]) => !IDENTITY.has(name)))
}
