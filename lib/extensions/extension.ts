// The form in which extensions are written: that of the package websocket-extensions, and the streaming side that ours have besides.

import type { Frame } from '../protocol/frame.js'

/** Parameters of one offer or answer: `true` for a bare one, an array for one that is repeated. */
export type ExtensionParams = { [name: string]: ExtensionParam | ExtensionParam[] }
/** The value of a parameter: `true` for a bare one, a number where it looks like one. */
export type ExtensionParam = true | string | number

/** A whole message on its way through an extension. */
export interface ExtensionMessage {
  /** RSV1 of the message's first frame. */
  rsv1: boolean
  /** RSV2 of it. */
  rsv2: boolean
  /** RSV3 of it. */
  rsv3: boolean
  /** 1 for text, 2 for binary. */
  opcode: number
  /** The payload of all frames together. */
  data: Buffer
}

/** Takes what a session made of a message, or why it could not; once. */
export type ExtensionCallback = (error: Error | null | undefined, message?: ExtensionMessage) => void

/** What is negotiated with one peer. */
export interface ExtensionSession {
  /** Undoes for a message that has arrived what the peer's session did to it. */
  processIncomingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
  /** Does to a message on its way out what was agreed on. */
  processOutgoingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
  /** The connection is over: frees what the session holds. */
  close(): void
  /** The streaming side of the session, where it has one: then messages need not be whole. */
  readonly streaming?: StreamingSession
}

export interface ClientExtensionSession extends ExtensionSession {
  /** What to ask for, in the order of preference. */
  generateOffer(): ExtensionParams | ExtensionParams[] | null | undefined
  /** Takes the server's answer; true where it is acceptable. */
  activate(params: ExtensionParams): boolean
}

export interface ServerExtensionSession extends ExtensionSession {
  /** What a server answers to the offer that it took. */
  generateResponse(): ExtensionParams
}

/** What a session is told about its connection. */
export interface ExtensionSessionOptions {
  /** Bytes in one message, after it has been decoded. */
  maxLength?: number
}

/** An extension, in the form of websocket-extensions. */
export interface Extension {
  readonly name: string
  /** The only kind there is. */
  readonly type: 'permessage'
  /** Whether it marks messages with RSV1. */
  readonly rsv1: boolean
  /** Whether it marks them with RSV2. */
  readonly rsv2: boolean
  /** Whether it marks them with RSV3. */
  readonly rsv3: boolean
  /** The session of a client with one peer; nothing where it does not want one. */
  createClientSession(options?: ExtensionSessionOptions): ClientExtensionSession | null | undefined
  /** The session of a server that takes one of the offers, in their order; nothing where it takes none. */
  createServerSession(
    offers: ExtensionParams[],
    options?: ExtensionSessionOptions
  ): ServerExtensionSession | null | undefined
}

/** Both directions of a session that works frame by frame. */
export interface StreamingSession {
  /**
   * What frames that arrive go through.
   * @param maxMessageSize - bytes of one message after decoding; beyond it `next` throws WS_ERR_MESSAGE_TOO_LARGE
   */
  incoming(maxMessageSize: number): FrameCodec
  /** What frames on their way out go through. */
  outgoing(): FrameCodec
}

/** Data frames in, data frames out, one direction of one connection. */
export interface FrameCodec {
  /**
   * Gives it the next data frame, or the next part of one. What came before is used up: `next` has answered null since, and
   * `busy` is false.
   */
  push(frame: Frame): void
  /**
   * The next frame, or part of one, that comes of it. Null where nothing more does: with `busy` at present, else for good.
   * @throws WebSocketError
   */
  next(): Frame | null
  /** Whether work goes on elsewhere; `ready` is called once when it is done, never from within `push` or `next`. */
  readonly busy: boolean
  /** Called when `busy` has become false. */
  ready: (() => void) | null
  /** Frees everything, at once or when work that is under way is done; nothing is called after it. */
  close(): void
}
