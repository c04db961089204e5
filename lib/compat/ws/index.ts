// The interface of `ws`: the same names, to import and to require.

import { createWebSocketStream } from './create-web-socket-stream.js'
import { WebSocketServer } from './server.js'
import { WebSocket } from './web-socket.js'

/** The class, with what `require('ws')` has beside it. */
const entry = Object.assign(WebSocket, { WebSocket, WebSocketServer, Server: WebSocketServer, createWebSocketStream })

export type { CloseEvent, ErrorEvent, MessageEvent, SocketEvent as Event } from './event-target.js'
export type { Data, RawData } from './events.js'
export type {
  ClientOptions,
  FinishRequestCallback,
  PerMessageDeflateOptions,
  ServerOptions,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync
} from './options.js'
export { WebSocketServer as Server } from './server.js'
export { createWebSocketStream, entry as default, entry as 'module.exports', WebSocket, WebSocketServer }
