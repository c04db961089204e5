// The public API: everything that also works in a browser, and what needs Node.

export * from './browser.js'
export { type PermessageDeflateOptions, permessageDeflate } from './extensions/permessage-deflate.js'
export { acceptWebSockets } from './net/accept-web-sockets.js'
export type { Acceptor } from './net/acceptor.js'
export type {
  Acceptance,
  AcceptorOptions,
  AcceptorRequest,
  ConnectionHandler,
  RefusalAnswer,
  ShutdownOptions,
  Verdict
} from './net/acceptor-options.js'
export type { BroadcastOptions, BroadcastResult, WhenBehind } from './net/broadcast.js'
export {
  type BrowserCloseInfo,
  type BrowserOpenInfo,
  BrowserWebSocketError,
  BrowserWebSocketStream
} from './net/browser-stream.js'
export { connect } from './net/connect.js'
export type { ConnectOptions, CreateConnection, Http2Options, SocketOptions } from './net/connect-options.js'
export { ProxyTunnel, type ProxyTunnelOptions, type TunnelInfo } from './net/proxy-tunnel.js'
export { type ReconnectTarget, reconnect } from './net/reconnect.js'
export type { ReconnectOptions, RetryDecision, RetryInfo } from './net/reconnect-options.js'
export {
  type MessageHook,
  type MessageTransform,
  type MessageTransforms,
  Relay,
  type RelayCloseInfo,
  type RelayCounts,
  type RelayDirection,
  type RelayInfo,
  type RelayOptions,
  type RelayStats,
  type RelayTarget,
  type RelayTargetOptions,
  relay,
  type TargetChooser
} from './net/relay.js'
export type { WebServer } from './net/request-router.js'
export { Room } from './net/room.js'
