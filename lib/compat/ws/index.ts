// The interface of `ws`, with the same names, for import and require.

import type { IncomingMessage } from 'node:http'
import { createWebSocketStream } from './create-web-socket-stream.js'
import type * as events from './event-target.js'
import type { Data as AnyData, RawData as ReceivedData } from './events.js'
import type * as options from './options.js'
import { WebSocketServer } from './server.js'
import { WebSocket } from './web-socket.js'

/** The class with the properties that `require('ws')` has. */
const entry = Object.assign(WebSocket, { WebSocket, WebSocketServer, Server: WebSocketServer, createWebSocketStream })

/** As a type, the default export is the class. */
type entry = WebSocket

/** Types that programs use through the default export: `WebSocket.RawData`, `WebSocket.Server`. */
declare namespace entry {
  export type RawData = ReceivedData
  export type Data = AnyData
  export type ClientOptions = options.ClientOptions
  export type FinishRequestCallback = options.FinishRequestCallback
  export type PerMessageDeflateOptions = options.PerMessageDeflateOptions
  export type ServerOptions<
    Socket extends typeof WebSocket = typeof WebSocket,
    Request extends options.RequestClass = options.RequestClass
  > = options.ServerOptions<Socket, Request>
  export type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> =
    options.VerifyClientCallbackAsync<Request>
  export type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> =
    options.VerifyClientCallbackSync<Request>
  export type AddressInfo = import('node:net').AddressInfo
  export type Event = events.SocketEvent<WebSocket>
  export type MessageEvent = events.MessageEvent<WebSocket>
  export type CloseEvent = events.CloseEvent<WebSocket>
  export type ErrorEvent = events.ErrorEvent<WebSocket>
  export type WebSocketServer<
    Socket extends typeof WebSocket = typeof WebSocket,
    Request extends options.RequestClass = options.RequestClass
  > = import('./server.js').WebSocketServer<Socket, Request>
  export type Server<
    Socket extends typeof WebSocket = typeof WebSocket,
    Request extends options.RequestClass = options.RequestClass
  > = import('./server.js').WebSocketServer<Socket, Request>
}

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
