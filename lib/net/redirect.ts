// The answer that refused a handshake comes in, and with it how its wire was made; out comes where to ask instead, and what must
// not be told there (RFC 9110 §15.4). Sends no request itself.

import type { ConnectionOptions } from 'node:tls'
import type { HandshakeError } from '../errors.js'
import type { DialSettings } from './connect-options.js'
import { isSameOrigin, type Place, readPlace } from './place.js'

export interface Redirect {
  readonly place: Place
  readonly dial: DialSettings
  /** Lower-case names of fields that are left out of the request. */
  readonly dropped: readonly string[]
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization', 'host']
// of tls.connect: who we are, and which name the old server goes by
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

/** Where to ask instead; null where the answer is no redirect, or leads to where no WebSocket can be. */
export function redirectOf(from: Place, dial: DialSettings, answer: HandshakeError): Redirect | null {
  const { location } = answer.headers
  // a wrong answer, or one that a proxy gave, is no redirect
  if (answer.code !== 'WS_ERR_UNEXPECTED_STATUS' || !STATUSES.has(answer.status)) return null
  const place = typeof location === 'string' ? placeOf(location, from) : null
  if (place === null) return null
  if (isSameOrigin(from, place)) return { place, dial, dropped: [] }
  return { place, dial: { ...dial, tls: withoutIdentity(dial.tls) }, dropped: CREDENTIALS }
}

function placeOf(location: string, from: Place): Place | null {
  try {
    const url = new URL(location, from.url)
    // a server says neither who we are nor which of our files to open
    url.username = ''
    url.password = ''
    // RFC 9110 §10.2.2
    url.hash = ''
    const place = readPlace(url)
    return place.socketPath === undefined ? stay(from, place) : null
  } catch {
    return null
  }
}

/** The same place, where only the path is another: the user in the URL, and a unix socket, are kept. */
function stay(from: Place, place: Place): Place {
  const there = { ...place, given: place.url, socketPath: from.socketPath }
  if (!isSameOrigin(from, there)) return place
  there.url.username = from.url.username
  there.url.password = from.url.password
  return there
}

function withoutIdentity(tls: ConnectionOptions): ConnectionOptions {
  return Object.fromEntries(Object.entries(tls).filter(([name]) => !IDENTITY.has(name)))
}
