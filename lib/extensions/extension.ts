// The interface of extensions: that of the package websocket-extensions, plus the streaming interface of our own extensions.

import type { Frame } from '../protocol/frame.js'

/** Parameters of one offer or response: `true` for one without a value, an array for a repeated one. */
export type ExtensionParams = { [name: string]: ExtensionParam | ExtensionParam[] }
/** The value of a parameter: `true` for none, a number if it looks like one. */
export type ExtensionParam = true | string | number

/** A whole message as an extension sees it. */
export interface ExtensionMessage {
  /** RSV1 of the message's first frame. */
  rsv1: boolean
  /** RSV2 of the message's first frame. */
  rsv2: boolean
  /** RSV3 of the message's first frame. */
  rsv3: boolean
  /** 1 for text, 2 for binary. */
  opcode: number
  /** The payloads of all frames together. */
  data: Buffer
}

/** Called once with the processed message, or with an error. */
export type ExtensionCallback = (error: Error | null | undefined, message?: ExtensionMessage) => void

/** The state of an extension for one peer. */
export interface ExtensionSession {
  /** Reverses what the peer's session did to a received message. */
  processIncomingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
  /** Applies the extension to a message before it is sent. */
  processOutgoingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
  /** The connection has ended: frees the session's memory. Not called if `streaming` is used, whose codecs are closed instead. */
  close(): void
  /** The streaming interface of the session, if it has one: then messages need not be whole. */
  readonly streaming?: StreamingSession
}

export interface ClientExtensionSession extends ExtensionSession {
  /** The parameters to offer, in order of preference. */
  generateOffer(): ExtensionParams | ExtensionParams[] | null | undefined
  /** Takes the server's response; true if it is acceptable. */
  activate(params: ExtensionParams): boolean
}

export interface ServerExtensionSession extends ExtensionSession {
  /** The server's response to the offer that it accepted. */
  generateResponse(): ExtensionParams
}

/** Information about the connection of a session. */
export interface ExtensionSessionOptions {
  /** Maximum size of one message after decoding, in bytes. */
  maxLength?: number
}

/** An extension in the form of websocket-extensions. */
export interface Extension {
  readonly name: string
  /** The only type that exists. */
  readonly type: 'permessage'
  /** Whether it uses RSV1. */
  readonly rsv1: boolean
  /** Whether it uses RSV2. */
  readonly rsv2: boolean
  /** Whether it uses RSV3. */
  readonly rsv3: boolean
  /** Creates a client's session with one peer; returns nothing to offer nothing. */
  createClientSession(options?: ExtensionSessionOptions): ClientExtensionSession | null | undefined
  /** Creates the session of a server that accepts one of the offers, which are in order of preference; returns nothing to decline. */
  createServerSession(
    offers: ExtensionParams[],
    options?: ExtensionSessionOptions
  ): ServerExtensionSession | null | undefined
}

/** Both directions of a session that processes frame by frame. */
export interface StreamingSession {
  /**
   * The codec for received frames.
   * @param maxMessageSize - maximum size of one message after decoding, in bytes; beyond it `next` throws WS_ERR_MESSAGE_TOO_LARGE
   */
  incoming(maxMessageSize: number): FrameCodec
  /** The codec for frames to be sent. */
  outgoing(): FrameCodec
}

/** Processes the data frames of one direction of one connection. */
export interface FrameCodec {
  /**
   * Adds the next data frame, or the next part of one. Called only when the previous one is used up: `next` has returned null, and `busy`
   * is false.
   */
  push(frame: Frame): void
  /**
   * The next frame, or part of one, made from the input. Null if there is none: with `busy` for now, otherwise until the next `push`.
   * @throws WebSocketError
   */
  next(): Frame | null
  /** Whether it is working asynchronously; `ready` is called once when it is done, never from within `push` or `next`. */
  readonly busy: boolean
  /** Called when `busy` becomes false. */
  ready: (() => void) | null
  /** Frees all memory, at once or when work in progress is done; calls nothing afterwards. */
  close(): void
}
