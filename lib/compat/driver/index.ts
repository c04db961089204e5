// The interface of npm's websocket-driver 0.8 on top of this package: `websocket-duplex/driver`.

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
 * A driver for a server whose request has already been parsed. Write to its `io` the bytes after the head, starting with the `head` of
 * node:http's `upgrade` event.
 * @throws Error if an option is unknown; TypeError, RangeError if an option is invalid
 */
export function http(request: DriverRequest, options?: DriverOptions | null): HttpDriver {
  return new HttpDriver(request, options)
}

/**
 * A driver for a server on raw bytes: reads the request itself, and emits `connect` for any well-formed request.
 * @throws Error if an option is unknown; TypeError, RangeError if an option is invalid
 */
export function server(options?: DriverOptions | null): ServerDriver {
  return new ServerDriver(options)
}

/**
 * A driver for a client.
 * @param url - `ws:` or `wss:`
 * @throws Error if it is not a valid URL, or an option is unknown; TypeError, RangeError if an option is invalid
 */
export function client(url: string, options?: DriverOptions | null): ClientDriver {
  return new ClientDriver(url, options)
}

/** All functions of this module, for programs that import or require it as a whole. */
export default {
  /** A driver for a client. */
  client,
  /** A driver for a server on raw bytes. */
  server,
  /** A driver for a server whose request has already been parsed. */
  http,
  /** Whether a request arrived over TLS. */
  isSecureRequest,
  /** Whether a request asks for a WebSocket. */
  isWebSocket,
  /** Returns the options if all have known names. */
  validateOptions,
  /** A list of header fields. */
  Headers
}
