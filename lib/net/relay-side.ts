// One of the two connections of a relay, as what carries its messages sees it.

import { kEndpoint } from '../endpoint.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { isDraft } from '../protocol/draft-parser.js'
import { Opcode } from '../protocol/opcode.js'
import type { WebSocketStream } from '../websocket-stream.js'

/** What has gone one way through a relay. */
export interface RelayCounts {
  /** Payload: as on the wire where frames pass as they are, else of the messages. */
  bytes: number
  /** Data frames, where they pass as they are; else 0. */
  frames: number
  /** Whole messages. */
  messages: number
}

/** Takes what one side sends to the other, until nothing more comes. */
export interface Carrier {
  /** Nothing more will be taken. */
  readonly isOver: boolean
  /** Closes the other side, with this body, as soon as it can be; what still comes is dropped. */
  stop(body: Buffer): void
  /** The other side is gone: what still comes is dropped. */
  discard(): void
  /** Both are: nothing waits for anything any more. */
  release(): void
}

export const NO_STATUS = Buffer.alloc(0)

/** What the Pings of a relay's own carry: their Pongs are not passed on. */
const PROBE = Buffer.from('websocket-duplex: still there?')

export class Side {
  // bytes that had passed when `probe` looked last
  private passed = -1

  constructor(
    readonly ws: WebSocketStream,
    private readonly lost: { readonly code: number; readonly reason: string }
  ) {}

  /** Leaves the peer's Close, and its Pings where asked, to the other side to answer. */
  giveAway(pings: boolean): void {
    const { connection } = this.ws[kEndpoint]
    connection.relaysClose = true
    connection.pings.areRelayed = pings
  }

  /** Whether it speaks a version that has frames, and control frames, as RFC 6455 does. */
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

  /** Whether nothing but a Close frame has ended what comes from it. */
  get hasClosed(): boolean {
    return this.ws[kEndpoint].connection.failure === null
  }

  whenDrained(callback: () => void): void {
    this.ws[kEndpoint].sender.whenDrained(callback)
  }

  sendControl(opcode: Opcode, payload: Buffer): void {
    if (this.takesMessages) this.ws[kEndpoint].sendControl(opcode, payload)
  }

  /** Bytes that its wire has taken, give or take what was handed to it since. */
  get taken(): number {
    return this.ws.stats.bytesSent - this.ws.bufferedAmount
  }

  /**
   * Sends a Ping where input is held back and the other side has taken nothing since the last call: a wire that is not read from does
   * not tell that it is broken, one that is written to does.
   */
  probe(other: Side): void {
    const { stats } = this.ws
    const passed = stats.bytesReceived + other.taken
    const isStill = passed === this.passed
    this.passed = this.ws[kEndpoint].holdsInput() ? passed : -1
    if (isStill && this.hasFrames && !this.isBlocked) this.sendControl(Opcode.Ping, PROBE)
  }

  /** Whether a Pong answers `probe`, and not the other side. */
  isOwnPong(payload: Buffer): boolean {
    return payload.equals(PROBE)
  }

  /** Begins, or answers, the closing handshake. */
  close(body: Buffer): void {
    if (this.takesMessages) this.ws[kEndpoint].sender.close(body)
  }

  /**
   * The body of the Close for the other side when nothing more comes from this one.
   * @param isClean - what came ended with a Close frame
   */
  closing(isClean: boolean): Buffer {
    if (!isClean) return writeCloseBody(this.lost.code, this.lost.reason)
    const { code, reason } = this.ws[kEndpoint].connection.closeInfo
    return code === CloseCode.NoStatus ? NO_STATUS : writeCloseBody(code, reason)
  }
}

/** RFC 6455 §7.4.1: an endpoint is going away. */
export function clientSide(ws: WebSocketStream): Side {
  return new Side(ws, { code: CloseCode.GoingAway, reason: 'the client was lost' })
}

/** The IANA close code registry: 1014, of a gateway whose upstream gave no right answer. */
export function targetSide(ws: WebSocketStream): Side {
  return new Side(ws, { code: CloseCode.BadGateway, reason: 'the target was lost' })
}
