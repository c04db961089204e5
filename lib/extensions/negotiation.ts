// Offers and answers of Sec-WebSocket-Extensions (RFC 6455 §9.1), by the container of websocket-extensions. What goes into its parser
// has been checked for size and form before. Knows no extension by name.

import Extensions from 'websocket-extensions'
import { WebSocketError } from '../errors.js'
import type {
  ClientExtensionSession,
  Extension,
  ExtensionCallback,
  ExtensionMessage,
  ExtensionParams,
  ExtensionSession,
  ExtensionSessionOptions,
  FrameCodec,
  ServerExtensionSession
} from './extension.js'
import { MessageCodecs } from './message-codec.js'

/** What both sides agreed on, ready for use. */
export interface Negotiated {
  /** As in `Frame.rsv`: the reserved bits that a message's first frame may have. */
  readonly rsv: number
  /** What data frames go through; null if the application itself processes what was agreed. */
  readonly incoming: FrameCodec | null
  readonly outgoing: FrameCodec | null
}

export interface NegotiationLimits {
  readonly maxMessageSize: number
  readonly maxFragments: number
  /** Milliseconds that an extension may take for one message. */
  readonly closeTimeout: number
}

interface Active {
  readonly extension: Extension
  readonly session: ExtensionSession
}

/** The extensions of one side in one handshake. */
export class Negotiation {
  private readonly container: Extensions
  private active: Active[] = []

  constructor(
    extensions: readonly Extension[],
    private readonly limits: NegotiationLimits
  ) {
    this.container = new Extensions({ maxLength: limits.maxMessageSize })
    for (const extension of extensions) this.container.add(this.watched(extension))
  }

  /** What a client asks for; '' for nothing. */
  offer(): string {
    return this.container.generateOffer() ?? ''
  }

  /**
   * Takes a server's answer.
   * @throws Error where something in it was not offered, or is unacceptable
   */
  activate(answer: string): void {
    this.active = []
    this.container.activate(answer)
  }

  /** What a server answers to an offer; '' for nothing. */
  respond(offer: string): string {
    this.active = []
    return this.container.generateResponse(offer) ?? ''
  }

  /** The codecs of what was agreed on; null where nothing was. */
  negotiated(): Negotiated | null {
    const { active } = this
    if (active.length === 0) return null
    let rsv = 0
    for (const { extension } of active) {
      rsv |= (extension.rsv1 ? 4 : 0) | (extension.rsv2 ? 2 : 0) | (extension.rsv3 ? 1 : 0)
    }
    const streaming = active.length === 1 ? active[0]!.session.streaming : undefined
    if (streaming === undefined) return { rsv, ...new MessageCodecs(this.container, rsv, this.limits) }
    return { rsv, incoming: streaming.incoming(this.limits.maxMessageSize), outgoing: streaming.outgoing() }
  }

  // the container keeps its sessions to itself
  private watched(extension: Extension): Extension {
    const { name, type, rsv1, rsv2, rsv3 } = extension
    return {
      name,
      type,
      rsv1,
      rsv2,
      rsv3,
      createClientSession: (options: ExtensionSessionOptions) => {
        const session = extension.createClientSession(options)
        return session ? this.watchedClient(extension, session) : session
      },
      createServerSession: (offers: ExtensionParams[], options: ExtensionSessionOptions) => {
        const session: ServerExtensionSession | null | undefined = extension.createServerSession(offers, options)
        if (!session) return session
        this.active.push({ extension, session })
        return { generateResponse: () => session.generateResponse(), ...guarded(session) }
      }
    }
  }

  private watchedClient(extension: Extension, session: ClientExtensionSession): ClientExtensionSession {
    return {
      generateOffer: () => session.generateOffer(),
      activate: (params: ExtensionParams) => {
        if (session.activate(params) !== true) return false
        this.active.push({ extension, session })
        return true
      },
      ...guarded(session)
    }
  }
}

/** What the container may call without harm: whatever goes wrong comes back as an Error that can be written to, as the container does. */
function guarded(session: ExtensionSession): ExtensionSession {
  const guard =
    (name: 'processIncomingMessage' | 'processOutgoingMessage') =>
    (message: ExtensionMessage, callback: ExtensionCallback): void => {
      try {
        session[name](message, (error, result) => callback(error ? toError(error) : null, result))
      } catch (error) {
        callback(toError(error))
      }
    }
  return {
    processIncomingMessage: guard('processIncomingMessage'),
    processOutgoingMessage: guard('processOutgoingMessage'),
    close() {
      try {
        session.close()
      } catch {
        // the connection is gone
      }
    }
  }
}

function toError(cause: unknown): Error {
  // one of ours says which close code it asks for
  if (cause instanceof WebSocketError) return cause
  return new Error(cause instanceof Error ? cause.message : `it gave ${typeof cause} for an error`, { cause })
}
