// One of the two connections of a relay, as what carries its messages sees it.

import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { isDraft } from '../protocol/draft-parser.js'
import type { Opcode } from '../protocol/opcode.js'
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

export class Side {
  constructor(
    readonly ws: WebSocketStream,
    private readonly lost: { readonly code: number; readonly reason: string }
  ) {}

  /** Leaves the peer's Close, and its Pings where asked, to the other side to answer. */
  giveAway(pings: boolean): void {
    const { connection } = this.ws.inside
    connection.relaysClose = true
    connection.relaysPings = pings
  }

  /** Whether it speaks a version that has frames, and control frames, as RFC 6455 does. */
  get hasFrames(): boolean {
    return !isDraft(this.ws.version)
  }

  /** Whether anything can still be sent. */
  get takesMessages(): boolean {
    return this.ws.inside.takesMessages
  }

  /** Whether its wire takes no more at present. */
  get isBlocked(): boolean {
    return this.ws.inside.isBlocked
  }

  /** Whether nothing but a Close frame has ended what comes from it. */
  get hasClosed(): boolean {
    return this.ws.inside.connection.failure === null
  }

  whenDrained(callback: () => void): void {
    this.ws.inside.whenDrained(callback)
  }

  sendControl(opcode: Opcode, payload: Buffer): void {
    if (this.takesMessages) this.ws.inside.sendControl(opcode, payload)
  }

  /** Begins, or answers, the closing handshake. */
  close(body: Buffer): void {
    if (this.takesMessages) this.ws.inside.close(body)
  }

  /**
   * The body of the Close for the other side when nothing more comes from this one.
   * @param isClean - what came ended with a Close frame
   */
  closing(isClean: boolean): Buffer {
    if (!isClean) return writeCloseBody(this.lost.code, this.lost.reason)
    const { code, reason } = this.ws.inside.connection.closeInfo
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
