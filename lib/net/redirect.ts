// The answer that refused a handshake comes in, and with it how its wire was made; out comes where to ask instead, and what must
// not be told there (RFC 9110 §15.4). Sends no request itself.

import type { ConnectionOptions } from 'node:tls'
import type { HandshakeError } from '../errors.js'
import type { DialSettings } from './connect-options.js'
import { type DialTarget, isSameOrigin, readDialTarget } from './dial-target.js'

export interface Redirect {
  readonly target: DialTarget
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
export function redirectOf(from: DialTarget, dial: DialSettings, answer: HandshakeError): Redirect | null {
  const { location } = answer.headers
  // a wrong answer, or one that a proxy gave, is no redirect
  if (answer.code !== 'WS_ERR_UNEXPECTED_STATUS' || !STATUSES.has(answer.status)) return null
  const target = typeof location === 'string' ? targetOf(location, from) : null
  if (target === null) return null
  if (isSameOrigin(from, target)) return { target, dial, dropped: [] }
  return { target, dial: { ...dial, tls: withoutIdentity(dial.tls) }, dropped: CREDENTIALS }
}

function targetOf(location: string, from: DialTarget): DialTarget | null {
  try {
    const url = new URL(location, from.url)
    // a server says neither who we are nor which of our files to open
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

/** The same place, where only the path is another: the user in the URL, and a unix socket, are kept. */
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
