// The form in which extensions are written: that of the package websocket-extensions, and the streaming side that ours have besides.

import type { Frame } from '../protocol/frame.js'

/** Parameters of one offer or answer: `true` for a bare one, an array for one that is repeated. */
export type ExtensionParams = { [name: string]: ExtensionParam | ExtensionParam[] }
export type ExtensionParam = true | string | number

/** A whole message on its way through an extension. */
export interface ExtensionMessage {
  rsv1: boolean
  rsv2: boolean
  rsv3: boolean
  opcode: number
  data: Buffer
}

export type ExtensionCallback = (error: Error | null | undefined, message?: ExtensionMessage) => void

/** What is negotiated with one peer. */
export interface ExtensionSession {
  processIncomingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
  processOutgoingMessage(message: ExtensionMessage, callback: ExtensionCallback): void
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
  generateResponse(): ExtensionParams
}

export interface ExtensionSessionOptions {
  /** Bytes in one message, after it has been decoded. */
  maxLength?: number
}

/** An extension, in the form of websocket-extensions. */
export interface Extension {
  readonly name: string
  readonly type: 'permessage'
  readonly rsv1: boolean
  readonly rsv2: boolean
  readonly rsv3: boolean
  createClientSession(options?: ExtensionSessionOptions): ClientExtensionSession | null | undefined
  createServerSession(
    offers: ExtensionParams[],
    options?: ExtensionSessionOptions
  ): ServerExtensionSession | null | undefined
}

/** Both directions of a session that works frame by frame. */
export interface StreamingSession {
  /** @param maxMessageSize - bytes of one message after decoding; beyond it `next` throws WS_ERR_MESSAGE_TOO_LARGE */
  incoming(maxMessageSize: number): FrameCodec
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
