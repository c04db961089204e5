// A URL comes in, a WebSocketStream that dials by itself comes out at once. What happens on the wire is its affair; here it is
// given one, and another where a server sends it elsewhere.

import type { HandshakeError } from '../errors.js'
import { Duplex, type NodeDuplex } from '../streams.js'
import { makeDialled, WebSocketStream } from '../websocket-stream.js'
import { type ConnectOptions, type DialSettings, readConnectOptions } from './connect-options.js'
import { dial } from './dial.js'
import { dialHttp2 } from './dial-http2.js'
import { type DialTarget, readDialTarget } from './dial-target.js'
import { type Caller, DialledClient } from './dialled-client.js'
import { type Redirect, redirectOf } from './redirect.js'

/**
 * Connects to a WebSocket server, and gives the WebSocketStream at once: what is written to it waits until it is open.
 *
 * What goes wrong on the way rejects `opened` with a HandshakeError, whose `cause` is the error of the socket, and is told as
 * `error` and `close` events; `handshakeTimeout` covers all of it, and `signal` or `destroy` end it.
 * @param url - `ws:`, `wss:`, `http:` or `https:`, or `ws+unix:///path/to.sock:/target?query` for a unix socket; a user's name and
 * password in it become Basic authorization
 * @throws SyntaxError where the URL, or that of the proxy, is none for its purpose
 * @throws TypeError, RangeError where an option is wrong, or the URL has port 0; and whatever `createConnection` throws
 */
export function connect(url: string | URL, options?: ConnectOptions): WebSocketStream {
  const { dial: settings, stream } = readConnectOptions(options)
  const target = readDialTarget(url)
  if (target.socketPath !== undefined && typeof settings.proxy === 'object') {
    throw new TypeError('there is no proxy on the way to a unix socket')
  }
  const { ws, driver } =
    settings.http2 !== false
      ? makeDialled(target.url, stream)
      : { ws: WebSocketStream.client(target.url, stream), driver: null }
  const client = new DialledClient(ws)
  // a signal that was aborted before ends the connection without any wire
  if (stream.signal?.aborted) return ws
  try {
    begin(
      client,
      target,
      settings,
      driver === null ? dial(target, settings) : dialHttp2(driver, target, settings, endOf(ws))
    )
  } catch (error) {
    ws.destroy()
    throw error
  }
  return ws
}

/** Gives a client its wire, and further ones as far as redirects are followed (RFC 9110 §15.4). @internal */
export function begin(
  caller: Caller,
  target: DialTarget,
  settings: DialSettings,
  wire: NodeDuplex | Promise<NodeDuplex> = dial(target, settings)
): void {
  let here: Redirect = { target, dial: settings, dropped: [] }
  let left = settings.maxRedirects
  const follow = (answer: HandshakeError): boolean => {
    const next = left > 0 ? redirectOf(here.target, here.dial, answer) : null
    if (next === null) return false
    here = next
    left--
    caller.redial(next.target.url, next.dropped)
    try {
      join(caller, dial(next.target, next.dial))
    } catch (error) {
      join(caller, broken(error))
    }
    return true
  }
  if (left > 0) caller.whenRefused(follow)
  join(caller, wire)
}

/** Aborted when the connection is over. */
function endOf(ws: WebSocketStream): AbortSignal {
  const control = new AbortController()
  ws.whenClosed().then(() => control.abort())
  return control.signal
}

function join(caller: Caller, wire: NodeDuplex | Promise<NodeDuplex>): void {
  if (typeof (wire as Promise<NodeDuplex> | undefined)?.then !== 'function') {
    attach(caller, wire as NodeDuplex)
    return
  }
  ;(wire as Promise<NodeDuplex>)
    .then(duplex => attach(caller, duplex))
    .catch(error => {
      if (caller.closeInfo === undefined) caller.attach(broken(error))
    })
}

function attach(caller: Caller, wire: NodeDuplex): void {
  if (typeof wire?.pipe !== 'function' || typeof wire.write !== 'function') {
    throw new TypeError('createConnection must give a Duplex')
  }
  if (caller.closeInfo === undefined) {
    caller.attach(wire)
  } else {
    // it comes too late
    wire.on('error', () => {})
    wire.destroy()
  }
}

/** A wire that leads nowhere, for this reason. */
function broken(reason: unknown): NodeDuplex {
  const error = reason instanceof Error ? reason : new Error('there is no wire', { cause: reason })
  return new Duplex().destroy(error)
}
