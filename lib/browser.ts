// The public API in a browser: everything but dialling, listening, and Node's compression. Bundlers for browsers use this file as the
// package (see package.json).

export type { CloseInfo } from './closing-facts.js'
export type { ClosingInfo, Role } from './connection.js'
export type { ReadyState } from './connection-phase.js'
export {
  type ErrorCode,
  type ErrorDetails,
  HandshakeError,
  type HandshakeErrorOptions,
  type Headers,
  WebSocketError,
  type WebSocketErrorOptions
} from './errors.js'
export type { TypedEmitter, WebSocketStreamEvents } from './events.js'
export type {
  ClientExtensionSession,
  Extension,
  ExtensionCallback,
  ExtensionMessage,
  ExtensionParam,
  ExtensionParams,
  ExtensionSession,
  ExtensionSessionOptions,
  FrameCodec,
  ServerExtensionSession,
  StreamingSession
} from './extensions/extension.js'
export type { ConnectionServer } from './hand-over.js'
export type { Authority } from './handshake/connect-handshake.js'
export type { Http2Headers } from './handshake/http2-fields.js'
export type { OpenInfo, ProtocolVersion } from './handshake/open-info.js'
export { type AcceptOptions, type HybiVersion, isWebSocket, type RefusalOptions } from './handshake/server-handshake.js'
export { type JsonOptions, jsonMessages } from './json-messages.js'
export type {
  HeaderFields,
  Keepalive,
  OriginCheck,
  ProtocolChooser,
  UpgradeRequest,
  UpgradeResponse,
  WebSocketOptions
} from './options.js'
export { CloseCode } from './protocol/close-code.js'
export { Frame } from './protocol/frame.js'
export type { Message, ReceivedMessage } from './protocol/message-joiner.js'
export type { OrderedControl, Outgoing, Sendable, Uncompressed } from './protocol/message-splitter.js'
export { Opcode } from './protocol/opcode.js'
export { type PrepareOptions, prepareMessage } from './protocol/prepare-message.js'
export { PreparedMessage } from './protocol/prepared-message.js'
export { TextBytes } from './protocol/text-bytes.js'
export type { BinaryMessage, ControlOptions, SendOptions, SentCallback } from './send-arguments.js'
export { ExtensionTransform, type ExtensionTransformOptions } from './stages/extension-transform.js'
export { FrameDecoder, type FrameDecoderOptions } from './stages/frame-decoder.js'
export { FrameEncoder, type FrameEncoderOptions } from './stages/frame-encoder.js'
export { type HandshakeReader, HandshakeTransform } from './stages/handshake-transform.js'
export { MessageAssembler, type MessageAssemblerOptions } from './stages/message-assembler.js'
export { MessageFragmenter, type MessageFragmenterOptions } from './stages/message-fragmenter.js'
export type { Batch, Receiver, Sender } from './stages/stage.js'
export type { ConnectionStats } from './stats.js'
export type { BytesView } from './views/bytes-view.js'
export type { FrameFields, FramesView } from './views/frames-view.js'
export type { JsonView } from './views/json-view.js'
export { type MessageKind, MessageStream } from './views/message-stream.js'
export type { MessageWriter, MessageWriterOptions } from './views/message-writer.js'
export type { MessagesView } from './views/messages-view.js'
export type { StreamsView } from './views/streams-view.js'
export { WebSocketStream } from './websocket-stream.js'
