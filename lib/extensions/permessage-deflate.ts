// The extension permessage-deflate (RFC 7692): creates sessions that compress and inflate, in the form of websocket-extensions, with a
// streaming interface.

import { type Agreement, acceptOffer, acceptResponse, makeOffer, type Wishes } from './deflate-parameters.js'
import type { EngineKind } from './engine.js'
import type {
  ClientExtensionSession,
  Extension,
  ExtensionCallback,
  ExtensionMessage,
  ExtensionParams,
  ExtensionSession,
  ExtensionSessionOptions,
  FrameCodec,
  ServerExtensionSession,
  StreamingSession
} from './extension.js'
import { IncomingCodec, type IncomingSettings } from './incoming-codec.js'
import { MessageForm } from './message-form.js'
import { OutgoingCodec, OutgoingSettings } from './outgoing-codec.js'
import { zlibProbe } from './zlib-probe.js'

/**
 * Options of `permessageDeflate`, named from the point of view of this side, server or client. An unknown name or a wrong type is a
 * TypeError, a number out of range a RangeError; `undefined` means the default. docs/compression.md describes their cost.
 */
export interface PermessageDeflateOptions {
  /** Size in bytes below which a message is not compressed; a fragmented message always is. Default: 64. */
  threshold?: number | undefined
  /** Compression level of zlib, 0 to 9. Default: 6. */
  level?: number | undefined
  /** Memory of zlib's compressor besides the window, 1 to 9: 2^(memLevel + 9) bytes. Default: 5. */
  memLevel?: number | undefined
  /** Maximum window that we compress with, 9 to 15; zlib takes 4 * 2^windowBits bytes. Default: 12. */
  windowBits?: number | undefined
  /**
   * Maximum window that we ask the peer to compress with, 8 to 15. A server can ask only clients that support it; on a client the handshake
   * fails if the server does not comply. Default: 12 for a server; 15 for a client, which then asks for nothing.
   */
  peerWindowBits?: number | undefined
  /** Whether our messages may refer to earlier ones, which needs a compressor for each connection. Default: true. */
  contextTakeover?: boolean | undefined
  /** Whether the peer's messages may refer to earlier ones. Default: true. */
  peerContextTakeover?: boolean | undefined
  /** Maximum jobs in the thread pool at the same time, over the whole process. Default: 4. */
  concurrency?: number | undefined
}

const DEFAULTS = {
  threshold: 64,
  level: 6,
  memLevel: 5,
  windowBits: 12,
  contextTakeover: true,
  peerContextTakeover: true,
  concurrency: 4
}

const DEFAULT_CLIENT_WINDOW = 12
const LARGEST_WINDOW = 15

type Settings = typeof DEFAULTS & { peerWindowBits?: number }

const RANGES: Record<string, readonly [least: number, most: number]> = {
  threshold: [0, Number.POSITIVE_INFINITY],
  level: [0, 9],
  memLevel: [1, 9],
  windowBits: [9, 15],
  peerWindowBits: [8, 15],
  concurrency: [1, Number.POSITIVE_INFINITY]
}

/**
 * Compression of messages (RFC 7692), for the option `extensions` of a connection.
 * @throws TypeError | RangeError if an option is invalid
 */
export function permessageDeflate(options: PermessageDeflateOptions = {}): Extension {
  zlibProbe.begin()
  return new PermessageDeflate(readOptions(options))
}

function readOptions(options: unknown): Settings {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object')
  const settings: Record<string, unknown> = { ...DEFAULTS }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RANGES, name) && name !== 'contextTakeover' && name !== 'peerContextTakeover') {
      throw new TypeError(`unknown option '${name}'`)
    }
    if (value === undefined) continue
    checkOption(name, value)
    settings[name] = value
  }
  return settings as Settings
}

function checkOption(name: string, value: unknown): void {
  const range = RANGES[name]
  const type = range === undefined ? 'boolean' : 'number'
  if (typeof value !== type) throw new TypeError(`${name} must be a ${type}`)
  if (range === undefined) return
  const [least, most] = range
  const isWhole = Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY
  if (!isWhole || (value as number) < least || (value as number) > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}`)
  }
}

class PermessageDeflate implements Extension {
  readonly name = 'permessage-deflate'
  readonly type = 'permessage'
  readonly rsv1 = true
  readonly rsv2 = false
  readonly rsv3 = false

  // connections that agreed on the same parameters share one object
  private readonly shared = new Map<number, SharedSettings>()

  constructor(private readonly settings: Settings) {}

  createClientSession(options: ExtensionSessionOptions = {}): ClientExtensionSession {
    return new ClientSession(this, this.wishes(LARGEST_WINDOW), options.maxLength)
  }

  createServerSession(offers: ExtensionParams[], options: ExtensionSessionOptions = {}): ServerExtensionSession | null {
    const wishes = this.wishes(DEFAULT_CLIENT_WINDOW)
    // RFC 7692 §5: in order of preference
    for (const offer of offers) {
      const accepted = acceptOffer(wishes, offer)
      if (accepted !== null)
        return new ServerSession(this.agree(accepted.agreement), accepted.response, options.maxLength)
    }
    return null
  }

  /** @param peerWindowBits - the default if the application sets none */
  private wishes(peerWindowBits: number): Wishes {
    return { ...this.settings, peerWindowBits: this.settings.peerWindowBits ?? peerWindowBits }
  }

  agree(agreement: Agreement): SharedSettings {
    const { windowBits, peerWindowBits, contextTakeover, peerContextTakeover } = agreement
    const key = (windowBits << 6) | (peerWindowBits << 2) | (contextTakeover ? 2 : 0) | (peerContextTakeover ? 1 : 0)
    let shared = this.shared.get(key)
    if (shared === undefined) this.shared.set(key, (shared = this.makeShared(agreement)))
    return shared
  }

  private makeShared(agreement: Agreement): SharedSettings {
    const { level, memLevel, threshold, concurrency } = this.settings
    const { windowBits, peerWindowBits, contextTakeover, peerContextTakeover } = agreement
    // zlib cannot compress with a window of 8, so we do not compress
    const deflate: EngineKind | null = windowBits === 8 ? null : { does: 'deflate', windowBits, level, memLevel }
    // a peer that uses zlib compresses with 9 when it agreed on 8; a window of 9 inflates both
    const inflate: EngineKind = { does: 'inflate', windowBits: Math.max(peerWindowBits, 9) }
    return {
      outgoing: new OutgoingSettings(deflate, contextTakeover, threshold, concurrency),
      incoming: { kind: inflate, contextTakeover: peerContextTakeover, concurrency }
    }
  }
}

interface SharedSettings {
  readonly outgoing: OutgoingSettings
  readonly incoming: IncomingSettings
}

abstract class Session implements ExtensionSession, StreamingSession {
  private receiver: MessageForm | null = null
  private sender: MessageForm | null = null

  constructor(
    protected shared: SharedSettings | null,
    private readonly maxLength = Number.POSITIVE_INFINITY
  ) {}

  get streaming(): StreamingSession {
    return this
  }

  incoming(maxMessageSize: number): FrameCodec {
    return new IncomingCodec(this.agreed.incoming, maxMessageSize)
  }

  outgoing(): FrameCodec {
    return new OutgoingCodec(this.agreed.outgoing)
  }

  processIncomingMessage(message: ExtensionMessage, callback: ExtensionCallback): void {
    this.receiver ??= new MessageForm(this.incoming(this.maxLength))
    this.receiver.process(message, callback)
  }

  processOutgoingMessage(message: ExtensionMessage, callback: ExtensionCallback): void {
    this.sender ??= new MessageForm(this.outgoing())
    this.sender.process(message, callback)
  }

  close(): void {
    this.receiver?.close()
    this.sender?.close()
  }

  private get agreed(): SharedSettings {
    if (this.shared === null) throw new Error('permessage-deflate was not negotiated')
    return this.shared
  }
}

class ServerSession extends Session implements ServerExtensionSession {
  constructor(
    shared: SharedSettings,
    private readonly response: ExtensionParams,
    maxLength: number | undefined
  ) {
    super(shared, maxLength)
  }

  generateResponse(): ExtensionParams {
    return this.response
  }
}

class ClientSession extends Session implements ClientExtensionSession {
  constructor(
    private readonly extension: PermessageDeflate,
    private readonly wishes: Wishes,
    maxLength: number | undefined
  ) {
    super(null, maxLength)
  }

  generateOffer(): ExtensionParams {
    return makeOffer(this.wishes)
  }

  activate(params: ExtensionParams): boolean {
    const agreement = acceptResponse(this.wishes, params)
    if (agreement === null) return false
    this.shared = this.extension.agree(agreement)
    return true
  }
}
