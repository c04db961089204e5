// A place comes in, a stream of HTTP/2 that leads there comes out (RFC 8441), on a session that many connections share; or a wire
// for HTTP/1.1, where the server offers nothing else.

import type { Http2ClientOpening } from '../http2-opening.js'
import type { NodeDuplex } from '../streams.js'
import type { DialSettings, Http2Windows } from './connect-options.js'
import { dial } from './dial.js'
import { Http2Failure, type Http2Outcome, Http2Sessions } from './http2-session.js'
import type { Place } from './place.js'

const sessions = new Http2Sessions()

/**
 * Opens the wire to a place, and has the opening ask for a stream where that is HTTP/2. Over TLS, ALPN tells; without it HTTP/2 is
 * tried first (RFC 9113 §3.3), and HTTP/1.1 on another wire where the server does not know it.
 */
export async function dialHttp2(
  opening: Http2ClientOpening,
  place: Place,
  settings: DialSettings,
  signal: AbortSignal
): Promise<NodeDuplex> {
  const outcome = await openStream(opening, place, settings, signal)
  if ('stream' in outcome) return outcome.stream
  opening.useHttp1()
  return outcome.http1 ?? (await dial(place, settings))
}

async function openStream(
  opening: Http2ClientOpening,
  place: Place,
  settings: DialSettings,
  signal: AbortSignal
): Promise<Http2Outcome> {
  const tls = { ...settings.tls, ALPNProtocols: ['h2', 'http/1.1'] }
  try {
    return await sessions.open({
      origin: sharing(place, settings),
      dial: () => dial(place, { ...settings, tls }),
      request: session => opening.requestOn(session),
      windows: settings.http2 as Http2Windows,
      signal
    })
  } catch (error) {
    if (place.secure || signal.aborted || error instanceof Http2Failure) throw error
    return { http1: null }
  }
}

/** What two connections must have in common to share a session. */
function sharing({ secure, hostname, port, socketPath }: Place, { given, http2 }: DialSettings): string {
  const { proxy, tls, proxyTls, socket, createConnection } = given
  const ways = [tls, proxyTls, socket, createConnection].map(identity)
  return JSON.stringify([secure, hostname, port, socketPath, String(proxy), http2, ...ways])
}

const identities = new WeakMap<object, number>()
let last = 0

function identity(option: object | undefined): number {
  if (option === undefined) return 0
  let number = identities.get(option)
  if (number === undefined) {
    number = ++last
    identities.set(option, number)
  }
  return number
}
