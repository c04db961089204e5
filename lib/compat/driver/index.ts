// The interface of npm's websocket-driver 0.8 over that of this package: `websocket-duplex/driver`.

import { ClientDriver } from './client-driver.js'
import { Headers } from './headers.js'
import { type DriverOptions, validateOptions } from './options.js'
import { type DriverRequest, HttpDriver, isSecureRequest, isWebSocket, ServerDriver } from './server-driver.js'

export type { ClientDriver } from './client-driver.js'
export type { DriverMessage } from './data.js'
export type { Driver } from './driver.js'
export type {
  CloseEvent,
  ConnectEvent,
  DriverEvents,
  MessageEvent,
  OpenEvent,
  PingEvent,
  PongEvent
} from './events.js'
export type { DriverOptions } from './options.js'
export type { DriverProxy } from './proxy.js'
export type { DriverRequest, HttpDriver, ServerDriver } from './server-driver.js'
export type { IO, Messages } from './streams.js'
export { Headers, isSecureRequest, isWebSocket, validateOptions }

/**
 * A driver for a server whose request has been parsed already: its `io` takes what comes behind the head, the `head` of `node:http`'s
 * `upgrade` event first.
 * @throws Error for an unknown option; TypeError, RangeError for a wrong value
 */
export function http(request: DriverRequest, options?: DriverOptions | null): HttpDriver {
  return new HttpDriver(request, options)
}

/**
 * A driver for a server on raw bytes, which reads the request itself, and emits `connect` for any that is well-formed.
 * @throws Error for an unknown option; TypeError, RangeError for a wrong value
 */
export function server(options?: DriverOptions | null): ServerDriver {
  return new ServerDriver(options)
}

/**
 * A driver for a client.
 * @param url - `ws:` or `wss:`
 * @throws Error where it is no such URL, or for an unknown option; TypeError, RangeError for a wrong value
 */
export function client(url: string, options?: DriverOptions | null): ClientDriver {
  return new ClientDriver(url, options)
}

/** All functions of this module, for who imports or requires it whole. */
export default {
  /** A driver for a client. */
  client,
  /** A driver for a server on raw bytes. */
  server,
  /** A driver for a server whose request has been parsed already. */
  http,
  /** Whether a request came by TLS. */
  isSecureRequest,
  /** Whether a request asks for a WebSocket. */
  isWebSocket,
  /** Gives options back if all have known names. */
  validateOptions,
  /** A list of header fields. */
  Headers
}
