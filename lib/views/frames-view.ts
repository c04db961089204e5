// The frames view: an object-mode Duplex of frames as they are on the wire, control frames included, for relays.

import { WebSocketError } from '../errors.js'
import type { SendQueue } from '../outbound/send-queue.js'
import { readCloseBody } from '../protocol/close-code.js'
import { Frame } from '../protocol/frame.js'
import { isControl, isKnown, Opcode } from '../protocol/opcode.js'
import { Buffer, nextTick } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { View, type ViewOwner } from './view.js'

/** A frame to send: a Frame or its fields. */
export interface FrameFields {
  /** The opcode. */
  readonly opcode: Opcode
  /** Bytes, or text to be sent as UTF-8. Default: empty. */
  readonly payload?: Uint8Array | string
  /** Whether it is the last frame of its message. Default: true. */
  readonly fin?: boolean
  /** RSV1, RSV2, RSV3 as bits 4, 2, 1; only negotiated bits are allowed. Default: 0. */
  readonly rsv?: number
}

export interface FramesOwner extends ViewOwner {
  readonly sendQueue: SendQueue
  /** Reserved bits that were negotiated. */
  readonly allowedRsv: number
  sendControl(opcode: Opcode, payload: Buffer): boolean
  /** Calls back when the wire has written everything sent before. */
  whenSent(written: Written): void
  /** Whether the wire takes no more at present. */
  readonly isBlocked: boolean
  /** Calls back once, when the wire takes bytes again. */
  whenDrained(callback: () => void): void
  /** Starts or answers the closing handshake. */
  closeWith(body: Buffer): void
}

/**
 * Frames as they are on the wire, but unmasked; large frames come in parts (`first`, `complete`), so none is buffered whole. Reserved bits
 * and compressed payloads are unchanged. Pings and a Close are answered whether or not the application reads them here. `write` takes a
 * Frame or its fields, and enforces RFC 6455 §5: a message must end before the next begins, and a frame before the next; control frames are
 * whole and have at most 125 bytes; a Close is well-formed. Frames get new masks. Writing a frame that breaks a rule destroys the view with
 * a TypeError.
 */
export class FramesView extends View<any, Frame> {
  // the state of the message and of the frame in progress
  private inMessage = false
  private frame: Frame | null = null
  // a frame that waits until a message sent by other means has ended
  private held: { frame: Frame; written: Written | null } | null = null
  private hasTurn = false

  constructor(private readonly frames: FramesOwner) {
    super(frames)
  }

  /** Bytes of a frame that waits for its turn. @internal */
  get size(): number {
    return this.held?.frame.size ?? 0
  }

  /** It is not known when a message written as frames will end. @internal */
  readonly isEnded = false
  /** @internal */
  readonly isByHand = true

  /** In its turn a frame is passed on when it is written, so nothing waits here. @internal */
  whenTaken(callback: () => void): void {
    callback()
  }

  /** @internal */
  begin(): void {
    this.hasTurn = true
    const { held } = this
    this.held = null
    this.frames.sendQueue.recount(this)
    if (this.sendData(held!.frame, held!.written)) this.proceed()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, callback)
    const { held } = this
    if (held !== null || this.hasTurn) this.frames.sendQueue.done(this)
    this.held = null
    if (held?.written) nextTick(held.written, error ?? new WebSocketError('WS_ERR_NOT_OPEN'))
  }

  protected override send(item: Frame | FrameFields, written: Written | null): boolean {
    const frame = toFrame(item)
    this.check(frame)
    if (isControl(frame.opcode)) return this.sendControl(frame, written)
    if (this.hasTurn) return this.sendData(frame, written)
    this.held = { frame, written }
    this.frames.sendQueue.add(this, null)
    return false
  }

  private sendControl({ opcode, payload }: Frame, written: Written | null): boolean {
    // copied: the application may reuse its memory at once
    const bytes = Buffer.from(payload)
    if (opcode === Opcode.Close) {
      this.frames.closeWith(bytes)
      if (written !== null) this.frames.whenSent(written)
      return true
    }
    this.frames.sendControl(opcode, bytes)
    if (written !== null) this.frames.whenSent(written)
    if (!this.frames.isBlocked) return true
    // control frames overtake waiting messages, so they must not pile up
    this.frames.whenDrained(() => this.proceed())
    return false
  }

  private sendData(frame: Frame, written: Written | null): boolean {
    this.frame = frame.complete ? null : frame
    this.inMessage = this.frame !== null || !frame.fin
    const more = this.frames.sendQueue.frame(frame)
    if (written !== null) this.frames.whenSent(written)
    if (this.inMessage) return more
    this.hasTurn = false
    this.frames.sendQueue.done(this)
    return more
  }

  private check(frame: Frame): void {
    if (isControl(frame.opcode)) checkControl(frame)
    else this.checkData(frame)
  }

  private checkData(frame: Frame): void {
    const last = this.frame
    if (!frame.first) {
      if (last === null || frame.offset !== last.offset + last.size || frame.length !== last.length) {
        throw new TypeError('a part of a frame must follow the part before it')
      }
      return
    }
    if (last !== null) throw new TypeError('a frame must be sent whole before the next one')
    const { opcode } = frame
    if (!isKnown(opcode)) throw new TypeError(`unknown opcode ${opcode}`)
    // RFC 6455 §5.4
    if (this.inMessage !== (opcode === Opcode.Continuation)) {
      throw new TypeError(this.inMessage ? 'the previous message has not ended' : 'a continuation outside a message')
    }
    // RFC 6455 §5.2
    if ((frame.rsv & ~this.frames.allowedRsv) !== 0)
      throw new TypeError('a reserved bit is set that no extension negotiated')
  }
}

function toFrame(item: Frame | FrameFields): Frame {
  if (item instanceof Frame) return item
  if (typeof item !== 'object' || item === null) throw new TypeError('a frame must be a Frame, or its fields')
  const { opcode, payload = '', fin = true, rsv = 0 } = item
  const isPayload = typeof payload === 'string' || payload instanceof Uint8Array
  const isNumbered = Number.isInteger(opcode) && opcode >= 0 && Number.isInteger(rsv)
  if (!isPayload || typeof fin !== 'boolean' || !isNumbered) throw new TypeError('invalid fields of a frame')
  return new Frame(opcode, payload, fin, rsv)
}

// RFC 6455 §5.5
function checkControl(frame: Frame): void {
  const { opcode, payload } = frame
  if (!isKnown(opcode)) throw new TypeError(`unknown opcode ${opcode}`)
  if (!frame.fin || !frame.first || !frame.complete) throw new TypeError('a control frame must be whole')
  if (payload.length > 125) throw new TypeError('a control frame carries at most 125 bytes')
  if (frame.rsv !== 0) throw new TypeError('a control frame must not have reserved bits')
  if (opcode === Opcode.Close) checkClose(payload)
}

function checkClose(payload: Buffer): void {
  try {
    readCloseBody(payload)
  } catch (cause) {
    throw new TypeError('a malformed Close frame', { cause })
  }
}
