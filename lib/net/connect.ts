// Makes a client for a URL and opens its wire, and further ones for redirects. The WebSocketStream is returned at once, and does the rest.

import type { HandshakeError } from '../errors.js'
import { Duplex, type NodeDuplex } from '../streams.js'
import { makeDialled, WebSocketStream } from '../websocket-stream.js'
import { type ConnectOptions, type DialSettings, readConnectOptions } from './connect-options.js'
import { dial } from './dial.js'
import { dialHttp2 } from './dial-http2.js'
import { type DialTarget, readDialTarget } from './dial-target.js'
import { type DialClient, DialledClient } from './dialled-client.js'
import { type Redirect, redirectOf } from './redirect.js'

/**
 * Connects to a WebSocket server. Returns the WebSocketStream at once; messages written to it wait until it is open.
 *
 * Errors before it is open reject `opened` with a HandshakeError, whose `cause` is the socket's error, and emit `error` and `close`.
 * `handshakeTimeout` covers everything; `signal` or `destroy` aborts it.
 * @param url - `ws:`, `wss:`, `http:` or `https:`, or `ws+unix:///path/to.sock:/target?query` for a unix socket; a user name and password
 * in it are sent as Basic authorization
 * @throws SyntaxError if the URL, or that of the proxy, is invalid
 * @throws TypeError, RangeError if an option is invalid, or the URL has port 0; and anything that `createConnection` throws
 */
export function connect(url: string | URL, options?: ConnectOptions): WebSocketStream {
  const { dial: settings, stream } = readConnectOptions(options)
  const target = readDialTarget(url)
  if (target.socketPath !== undefined && typeof settings.proxy === 'object') {
    throw new TypeError('proxy cannot be combined with a unix socket')
  }
  const { ws, driver } =
    settings.http2 !== false
      ? makeDialled(target.url, stream)
      : { ws: WebSocketStream.client(target.url, stream), driver: null }
  const client = new DialledClient(ws)
  // a signal that is already aborted ends the connection before there is a wire
  if (stream.signal?.aborted) return ws
  try {
    begin(
      client,
      target,
      settings,
      driver === null ? dial(target, settings) : dialHttp2(driver, target, settings, endSignalOf(ws))
    )
  } catch (error) {
    ws.destroy()
    throw error
  }
  return ws
}

/** Opens the wire of a client, and further ones while redirects are followed (RFC 9110 §15.4). @internal */
export function begin(
  caller: DialClient,
  target: DialTarget,
  settings: DialSettings,
  wire: NodeDuplex | Promise<NodeDuplex> = dial(target, settings)
): void {
  let here: Redirect = { target, dial: settings, dropped: [] }
  let left = settings.maxRedirects
  const follow = (refusal: HandshakeError): boolean => {
    const next = left > 0 ? redirectOf(here.target, here.dial, refusal) : null
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

/** A signal that is aborted when the connection has ended. */
function endSignalOf(ws: WebSocketStream): AbortSignal {
  const control = new AbortController()
  ws.whenClosed().then(() => control.abort())
  return control.signal
}

function join(caller: DialClient, wire: NodeDuplex | Promise<NodeDuplex>): void {
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

function attach(caller: DialClient, wire: NodeDuplex): void {
  if (typeof wire?.pipe !== 'function' || typeof wire.write !== 'function') {
    throw new TypeError('createConnection must return a Duplex')
  }
  if (caller.closeInfo === undefined) {
    caller.attach(wire)
  } else {
    // too late: the connection has ended
    wire.on('error', () => {})
    wire.destroy()
  }
}

/** A wire that fails with this reason. */
function broken(reason: unknown): NodeDuplex {
  const error =
    reason instanceof Error
      ? reason
      : new Error('createConnection failed with a value that is not an Error', { cause: reason })
  return new Duplex().destroy(error)
}
