// Connects an unanswered connection of a client to a target that it dials: messages, Pings and Close frames of either side reach the other.
// Decides the form in which data is passed; the carriers pass it.

import type { CloseInfo } from '../closing-facts.js'
import { Deferred } from '../deferred.js'
import { kEndpoint } from '../endpoint.js'
import { HandshakeError } from '../errors.js'
import { isWebSocket } from '../handshake/server-handshake.js'
import type { UpgradeRequest } from '../options.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { WebSocketStream } from '../websocket-stream.js'
import { connect } from './connect.js'
import { FrameCarrier } from './relay-frames.js'
import { MessageCarrier } from './relay-messages.js'
import {
  type RelayDirection,
  type RelayOptions,
  type RelaySettings,
  type RelayTarget,
  readRelayOptions,
  readTarget,
  type TargetChooser
} from './relay-options.js'
import { type Dialling, diallingFor, refusalFrom, returnedFields } from './relay-request.js'
import { type Carrier, clientSide, type RelayCounts, type Side, takenBy, targetSide } from './relay-side.js'
import { thrownError } from './thrown-error.js'

export type {
  MessageHook,
  MessageTransform,
  MessageTransforms,
  RelayDirection,
  RelayOptions,
  RelayTarget,
  RelayTargetOptions,
  TargetChooser
} from './relay-options.js'
export type { RelayCounts } from './relay-side.js'

/** The result of both handshakes. */
export interface RelayInfo {
  /** The subprotocol of the client's connection; '' for none. */
  readonly protocol: string
  /** The extensions of the client's connection; '' for none. */
  readonly extensions: string
  /** How messages are passed: as frames, as streams while they arrive, or as whole messages. */
  readonly form: 'frames' | 'streams' | 'messages'
}

/** How both connections ended. */
export interface RelayCloseInfo {
  /** How the client's connection ended. */
  readonly client: CloseInfo
  /** Null if the target was never dialled. */
  readonly target: CloseInfo | null
  /** The exception of `onMessage`, or the error of a transform, because of which both were closed with 1011; null for none. */
  readonly error: Error | null
}

/** Counters for both directions. */
export type RelayStats = { readonly [D in RelayDirection]: Readonly<RelayCounts> }

/**
 * Connects a client's connection to one that it dials: for reverse proxies and gateways.
 *
 * The target gets the client's offer of subprotocols and extensions, and the client gets the target's response. Then frames are passed
 * unchanged, with their compression and fragmentation (RFC 6455 §5.4), and none is buffered whole. If the two sides end up with different
 * extensions (`connect.extensions`, a draft of the protocol), messages are passed one by one as streams. Backpressure applies in both
 * directions.
 *
 * The Close frame of one side is answered by that of the other, so the closing handshake is end to end. If one side is lost or breaks a
 * rule, the other is closed: a client with 1014, a target with 1001; or destroyed, if it got an incomplete frame.
 *
 * If the target cannot be reached, the client gets 502; on timeout 504; if the target refuses, its response.
 * @param ws - a server's connection whose request is not answered yet; `maxFrameSize: Infinity` passes frames of any size
 * @param target - taken from the configuration only: a host named in a request is never dialled
 * @throws TypeError if an option is invalid, or the request has been answered
 */
export function relay(ws: WebSocketStream, target: RelayTarget | TargetChooser, options?: RelayOptions): Relay {
  if (!(ws instanceof WebSocketStream) || ws[kEndpoint].connection.role !== 'server') {
    throw new TypeError('ws must be a WebSocketStream of a server')
  }
  if (ws.status !== 0) throw new TypeError('the request has been answered already')
  return new Relay(ws, readTarget(target), readRelayOptions(options))
}

/** A client's connection and its connection to the target. */
export class Relay {
  /** The connection to the target; null until it is dialled. */
  target: WebSocketStream | null = null
  /** Counters for both directions. */
  readonly stats: RelayStats = { fromClient: newCounts(), fromTarget: newCounts() }

  private readonly whenOpened = new Deferred<RelayInfo>()
  private readonly whenClosed = new Deferred<RelayCloseInfo>()
  private carriers: { readonly [D in RelayDirection]: Carrier } | null = null
  private timer: NodeJS.Timeout | undefined = undefined
  private isClosing = false
  private error: Error | null = null
  private prober: NodeJS.Timeout | undefined = undefined

  /** @internal */
  constructor(
    /** The client's connection. */
    readonly client: WebSocketStream,
    private readonly chosen: RelayTarget | TargetChooser,
    private readonly settings: RelaySettings
  ) {
    client.opened.catch(error => this.whenOpened.reject(error))
    client.once('open', () => this.begin())
    void client.whenClosed().then(() => this.sideOver('client'))
    if (client[kEndpoint].handshake?.isOffered) void this.dial(client.request!)
    else client.once('request', request => void this.dial(request))
  }

  /** Resolves when both connections are open; rejects if one could not be opened. Does not cause an unhandled rejection. */
  get opened(): Promise<RelayInfo> {
    return this.whenOpened.promise
  }

  /** Resolves when both connections have ended; never rejects. */
  get closed(): Promise<RelayCloseInfo> {
    return this.whenClosed.promise
  }

  /**
   * Closes both connections after the data received so far; a client that waits for the target gets 503.
   * @param code - 1000-1003, 1007-1014 or 3000-4999; default 1001: the relay is going away
   * @param reason - at most 123 bytes of UTF-8
   * @throws TypeError, RangeError if they cannot be sent
   */
  close(code: number = CloseCode.GoingAway, reason = ''): void {
    const body = writeCloseBody(code, reason)
    const { carriers } = this
    const { closeTimeout } = this.client[kEndpoint].settings
    if (carriers === null) {
      this.client.reject(503)
      this.target?.destroy()
      return
    }
    carriers.fromClient.stop(body)
    carriers.fromTarget.stop(body)
    if (this.isClosing) return
    this.isClosing = true
    this.after(closeTimeout, () => this.destroy())
  }

  /** Destroys both connections at once. */
  destroy(): void {
    this.client.destroy()
    this.target?.destroy()
  }

  /** Closes with 1001 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.closed
  }

  // Both handshakes

  private async dial(request: UpgradeRequest): Promise<void> {
    const { client, chosen } = this
    if (!isWebSocket(request)) {
      // accept() refuses an invalid request, as without a relay
      client.accept()
      return
    }
    client[kEndpoint].awaitGateway()
    try {
      const target = typeof chosen === 'function' ? await chosen(request) : chosen
      if (client.readyState !== 'connecting') return
      this.dialTarget(diallingFor(request, readTarget(target) as RelayTarget, this.settings))
    } catch (cause) {
      this.refuse(new HandshakeError('WS_ERR_REJECTED', { status: 500, detail: 'choosing the target failed', cause }))
    }
  }

  private dialTarget(dialling: Dialling): void {
    const target = connect(dialling.url, dialling.options)
    this.target = target
    // not too late: the request is sent in a later turn
    if (dialling.path !== null) target[kEndpoint].driver!.askFor!(dialling.path)
    target.once('open', () => this.answer(target, dialling))
    target.opened.catch(error => this.refuse(error))
    void target.whenClosed().then(() => this.sideOver('target'))
  }

  /** The target has accepted the request, so the client is accepted too. */
  private answer(target: WebSocketStream, { isOpaque, choosesProtocol }: Dialling): void {
    const { client, settings } = this
    const headers = returnedFields(target.headers, settings.returnHeaders)
    const accepted = client.accept({
      headers,
      ...(choosesProtocol && { protocol: target.protocol }),
      ...(isOpaque && { extensions: target.extensions })
    })
    if (!accepted) target.destroy()
  }

  private refuse(error: HandshakeError): void {
    this.whenOpened.reject(error)
    const { status, ...options } = refusalFrom(error, this.settings)
    this.client.reject(status, options)
  }

  // Both connections

  private begin(): void {
    const { client, target, settings } = this
    if (target?.readyState !== 'open') {
      // another handler has accepted the request
      this.destroy()
      return
    }
    const near = clientSide(client)
    const far = targetSide(target)
    const form = this.formFor(near, far)
    const relaysPings = settings.pings === 'relay' && near.hasFrames && far.hasFrames
    near.giveAway(relaysPings)
    far.giveAway(relaysPings)
    const fromClient = this.carrier(form, 'fromClient', near, far, relaysPings)
    const fromTarget = this.carrier(form, 'fromTarget', far, near, relaysPings)
    this.carriers = { fromClient, fromTarget }
    fromClient.begin()
    fromTarget.begin()
    this.probe(near, far)
    this.whenOpened.resolve({ protocol: client.protocol, extensions: client.extensions, form })
  }

  private formFor(near: Side, far: Side): RelayInfo['form'] {
    const { onMessage, transform } = this.settings
    if (onMessage !== undefined) return 'messages'
    const isSame = near.ws.extensions === far.ws.extensions && near.hasFrames && far.hasFrames
    return transform === undefined && isSame ? 'frames' : 'streams'
  }

  private carrier(
    form: RelayInfo['form'],
    direction: RelayDirection,
    from: Side,
    to: Side,
    relaysPings: boolean
  ): FrameCarrier | MessageCarrier {
    const counts = this.stats[direction]
    const common = { counts, relaysPings }
    if (form === 'frames') return new FrameCarrier(from, to, common)
    const { onMessage, transform } = this.settings
    const failed = (error: unknown): void => {
      this.error ??= thrownError(error)
      this.close(CloseCode.InternalError)
    }
    return new MessageCarrier(from, to, { ...common, direction, onMessage, transform: transform?.[direction], failed })
  }

  // The ends

  private sideOver(side: 'client' | 'target'): void {
    const { client, target, carriers } = this
    carriers?.[side === 'client' ? 'fromTarget' : 'fromClient'].discard()
    if (client.closeInfo !== undefined && target?.closeInfo !== undefined) {
      this.over()
    } else if (carriers !== null) {
      if (!this.isClosing) this.awaitEnd(side === 'client' ? target! : client)
    } else if (side === 'client') {
      if (target === null) this.over()
      else target.destroy()
    }
  }

  private over(): void {
    clearTimeout(this.timer)
    clearInterval(this.prober)
    this.carriers?.fromClient.release()
    this.carriers?.fromTarget.release()
    const { client, target, error } = this
    this.whenClosed.resolve({ client: client.closeInfo!, target: target?.closeInfo ?? null, error })
  }

  /** Data that one side sent before it ended is still sent to the other, as long as the wire takes some in each `closeTimeout`. */
  private awaitEnd(last: WebSocketStream): void {
    const { closeTimeout } = this.client[kEndpoint].settings
    let seen: number | undefined
    const look = (): void => {
      const taken = takenBy(last)
      if (taken === seen) this.destroy()
      else this.after(closeTimeout, look)
      seen = taken
    }
    look()
  }

  /** Checks for sides that may have died while their input is paused because the other side takes nothing. */
  private probe(near: Side, far: Side): void {
    const { closeTimeout } = this.client[kEndpoint].settings
    if (closeTimeout === Number.POSITIVE_INFINITY) return
    this.prober = setInterval(
      () => {
        near.probe(far)
        far.probe(near)
      },
      Math.max(closeTimeout / 2, SHORTEST_PROBE)
    )
    this.prober.unref()
  }

  private after(milliseconds: number, run: () => void): void {
    clearTimeout(this.timer)
    if (milliseconds < Number.POSITIVE_INFINITY) this.timer = setTimeout(run, milliseconds)
  }
}

/** Time in ms. */
const SHORTEST_PROBE = 250

function newCounts(): RelayCounts {
  return { bytes: 0, frames: 0, messages: 0 }
}
