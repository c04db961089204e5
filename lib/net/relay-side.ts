// One of the two connections of a relay, as the carriers use it.

import { kEndpoint } from '../endpoint.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { isDraft } from '../protocol/draft-parser.js'
import { Opcode } from '../protocol/opcode.js'
import type { WebSocketStream } from '../websocket-stream.js'

/** Counters for one direction of a relay. */
export interface RelayCounts {
  /** Payload bytes: as on the wire if frames are passed unchanged, otherwise of the messages. */
  bytes: number
  /** Data frames, if frames are passed unchanged; otherwise 0. */
  frames: number
  /** Whole messages. */
  messages: number
}

/** Carries data from one side to the other until no more arrives. */
export interface Carrier {
  /** Closes the other side with this body as soon as possible; drops further input. */
  stop(body: Buffer): void
  /** The other side has ended: drops further input. */
  discard(): void
  /** Both sides have ended: wakes up everything that waits. */
  release(): void
}

export const NO_STATUS = Buffer.alloc(0)

/** The payload of Pings that the relay itself sends; their Pongs are not passed on. */
const PROBE = Buffer.from('websocket-duplex: still there?')

export class Side {
  // bytes that had been written at the last call of `probe`
  private passed = -1

  constructor(
    readonly ws: WebSocketStream,
    private readonly lost: { readonly code: number; readonly reason: string }
  ) {}

  /** Lets the other side answer the peer's Close, and its Pings if requested. */
  giveAway(pings: boolean): void {
    const { connection } = this.ws[kEndpoint]
    connection.relaysClose = true
    connection.pings.areRelayed = pings
  }

  /** Whether its version has the frames and control frames of RFC 6455. */
  get hasFrames(): boolean {
    return !isDraft(this.ws.version)
  }

  /** Whether anything can still be sent. */
  get takesMessages(): boolean {
    return this.ws[kEndpoint].sender.takesMessages
  }

  /** Whether its wire takes no more at present. */
  get isBlocked(): boolean {
    return this.ws[kEndpoint].sender.isBlocked
  }

  /** Whether its input ended with a Close frame. */
  get hasClosed(): boolean {
    return this.ws[kEndpoint].connection.failure === null
  }

  whenDrained(callback: () => void): void {
    this.ws[kEndpoint].sender.whenDrained(callback)
  }

  sendControl(opcode: Opcode, payload: Buffer): void {
    if (this.takesMessages) this.ws[kEndpoint].sendControl(opcode, payload)
  }

  /**
   * Sends a Ping if this side's input is paused and the other side has taken nothing since the last call: a broken wire is noticed only
   * when it is read or written.
   */
  probe(other: Side): void {
    const { stats } = this.ws
    const passed = stats.bytesReceived + takenBy(other.ws)
    const isStill = passed === this.passed
    this.passed = this.ws[kEndpoint].holdsInput() ? passed : -1
    if (isStill && this.hasFrames && !this.isBlocked) this.sendControl(Opcode.Ping, PROBE)
  }

  /** Whether a Pong answers `probe`, and must not be passed on. */
  isOwnPong(payload: Buffer): boolean {
    return payload.equals(PROBE)
  }

  /** Starts or answers the closing handshake. */
  close(body: Buffer): void {
    if (this.takesMessages) this.ws[kEndpoint].sender.close(body)
  }

  /**
   * The body of the Close for the other side when this one sends nothing more.
   * @param isClean - whether this side's input ended with a Close frame
   */
  closing(isClean: boolean): Buffer {
    if (!isClean) return writeCloseBody(this.lost.code, this.lost.reason)
    const { code, reason } = this.ws[kEndpoint].connection.closeInfo
    return code === CloseCode.NoStatus ? NO_STATUS : writeCloseBody(code, reason)
  }
}

/** Bytes that the wire of a connection has taken, except for what was just passed to it. */
export function takenBy(ws: WebSocketStream): number {
  return ws.stats.bytesSent - ws.bufferedAmount
}

/** RFC 6455 §7.4.1: an endpoint is going away */
export function clientSide(ws: WebSocketStream): Side {
  return new Side(ws, { code: CloseCode.GoingAway, reason: 'the client was lost' })
}

/** The IANA close code registry: 1014, a gateway got an invalid response from its upstream server */
export function targetSide(ws: WebSocketStream): Side {
  return new Side(ws, { code: CloseCode.BadGateway, reason: 'the target was lost' })
}
