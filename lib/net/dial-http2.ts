// Opens a stream of a shared HTTP/2 session to a server (RFC 8441), or a wire for HTTP/1.1 if the server does not support HTTP/2.

import type { Http2ClientDriver } from '../drivers/http2-driver.js'
import type { NodeDuplex } from '../streams.js'
import type { DialSettings, Http2Windows } from './connect-options.js'
import { dial } from './dial.js'
import type { DialTarget } from './dial-target.js'
import { Http2Failure, type Http2Outcome, Http2Sessions } from './http2-session.js'

const sessions = new Http2Sessions()

/**
 * Opens the wire to a target; if that is HTTP/2, the driver requests a stream. Over TLS, ALPN decides; without TLS, HTTP/2 is tried first
 * (RFC 9113 §3.3), and HTTP/1.1 on another wire if the server does not support it.
 */
export async function dialHttp2(
  driver: Http2ClientDriver,
  target: DialTarget,
  settings: DialSettings,
  signal: AbortSignal
): Promise<NodeDuplex> {
  const outcome = await openStream(driver, target, settings, signal)
  if ('stream' in outcome) return outcome.stream
  driver.useHttp1()
  return outcome.http1 ?? (await dial(target, settings))
}

async function openStream(
  driver: Http2ClientDriver,
  target: DialTarget,
  settings: DialSettings,
  signal: AbortSignal
): Promise<Http2Outcome> {
  const tls = { ...settings.tls, ALPNProtocols: ['h2', 'http/1.1'] }
  try {
    return await sessions.open({
      origin: sessionKey(target, settings),
      dial: () => dial(target, { ...settings, tls }),
      request: session => driver.requestOn(session),
      windows: settings.http2 as Http2Windows,
      signal
    })
  } catch (error) {
    if (target.secure || signal.aborted || error instanceof Http2Failure) throw error
    return { http1: null }
  }
}

/** A key: connections with the same key can share a session. */
function sessionKey({ secure, hostname, port, socketPath }: DialTarget, { given, http2 }: DialSettings): string {
  const { proxy, tls, proxyTls, socket, createConnection } = given
  const optionIds = [tls, proxyTls, socket, createConnection].map(option =>
    option === undefined ? 0 : identities.of(option)
  )
  return JSON.stringify([secure, hostname, port, socketPath, String(proxy), http2, ...optionIds])
}

/** A number for each object, to name it in a key. Process-wide, since the sessions are; holds no object alive. */
class Identities {
  private readonly numbers = new WeakMap<object, number>()
  private count = 0

  of(option: object): number {
    let number = this.numbers.get(option)
    if (number === undefined) {
      number = ++this.count
      this.numbers.set(option, number)
    }
    return number
  }
}

const identities = new Identities()
