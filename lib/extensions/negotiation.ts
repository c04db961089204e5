// Negotiates Sec-WebSocket-Extensions (RFC 6455 §9.1) with the package websocket-extensions. Size and form of the input have been checked,
// since its parser is not strict. Knows no extension by name.

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

/** The agreed extensions, ready for use. */
export interface Negotiated {
  /** The reserved bits that a message's first frame may have, as in `Frame.rsv`. */
  readonly rsv: number
  /** Process data frames; null if the application itself processes the agreed extensions. */
  readonly incoming: FrameCodec | null
  readonly outgoing: FrameCodec | null
}

export interface NegotiationLimits {
  readonly maxMessageSize: number
  readonly maxFragments: number
  /** Time in ms that an extension may take for one message. */
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

  /** A client's offer; '' for none. */
  offer(): string {
    return this.container.generateOffer() ?? ''
  }

  /**
   * Takes a server's response.
   * @throws Error if it contains something that was not offered or is unacceptable
   */
  activate(response: string): void {
    this.active = []
    this.container.activate(response)
  }

  /** A server's response to an offer; '' for none. */
  respond(offer: string): string {
    this.active = []
    return this.container.generateResponse(offer) ?? ''
  }

  /** The codecs of the agreed extensions; null if there are none. */
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

  // wrapped, since the package does not expose its sessions
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

/** A session that never throws: any failure is passed on as an Error object, on which the package can set properties. */
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
        // the connection has ended
      }
    }
  }
}

function toError(cause: unknown): Error {
  // one of our errors has its own close code
  if (cause instanceof WebSocketError) return cause
  return new Error(cause instanceof Error ? cause.message : `it failed with a value of type ${typeof cause}`, { cause })
}
