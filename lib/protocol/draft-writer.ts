// Writes frames of hixie-75 and hixie-76: each text message between 00 and FF, however it was fragmented, and FF 00 for a Close. Frames
// wait until they are taken. Data that the drafts cannot express is dropped.

import { WebSocketError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import type { DraftVersion } from './draft-parser.js'
import { Frame } from './frame.js'
import { isControl, Opcode } from './opcode.js'

// The bytes between payloads, kept as frames without a header. UTF-8 never contains FF, so nothing else ends a text.
const BEGIN = mark(0x00)
const END = mark(0xff)
const CLOSE = mark(0xff, 0x00)

function mark(...bytes: number[]): Frame {
  return new Frame(Opcode.Text, Buffer.from(bytes))
}

/** Writes the frames of a server. */
export class DraftWriter {
  /** As in `FrameWriter`; the memory is always our own. */
  toSocket = false
  borrows = false
  /** Bytes that wait, including the marks around messages. */
  size = 0
  /** Number of texts begun and Closes, written or waiting. */
  count = 0
  /** Number of texts ended. */
  messages = 0
  /** `dataAdded`: data frames, parts of them, and a Close added so far; `dataTaken`: how many of them were taken */
  dataAdded = 0
  dataTaken = 0
  /** Set if the memory of a text was lost: everything that waited was dropped. */
  failure: WebSocketError | null = null

  private readonly closes: boolean
  private pieces: Frame[] = []
  // the message whose frames are being added
  private kind: 'none' | 'text' | 'other' = 'none'

  /** @param begins - called with each message and Close: whether it can be expressed, or is dropped */
  constructor(
    version: DraftVersion,
    private readonly begins: (isSent: boolean) => void = () => {}
  ) {
    this.closes = version === 'hixie-76'
  }

  /** Adds a data frame at the end, or a Close if it can be sent; other control frames are dropped. */
  add(frame: Frame): void {
    if (isControl(frame.opcode)) {
      if (frame.opcode === Opcode.Close && this.canClose) {
        this.dataAdded++
        this.begins(true)
        this.putFrame(CLOSE)
      }
      return
    }
    this.dataAdded++
    if (frame.first && frame.opcode !== Opcode.Continuation) this.begin(frame.opcode)
    const { kind } = this
    if (kind === 'text') this.put(frame)
    if (frame.fin && frame.complete) this.end(kind)
  }

  /** Whether a text has begun and not ended: anything sent now would become a part of it. */
  get isMidFrame(): boolean {
    return this.kind === 'text'
  }

  /**
   * Whether a Close can be written now: hixie-75 has none, and inside a text it would become a part of the text. If it cannot, the end of
   * the wire replaces it.
   */
  get canClose(): boolean {
    return this.closes && !this.isMidFrame
  }

  /** Like `add`. */
  addLast(frame: Frame): void {
    this.add(frame)
  }

  /** Like `add`: nothing may overtake a text. */
  addUrgent(frame: Frame): void {
    this.add(frame)
  }

  /** Same interface as `FrameWriter`: no control frame ever waits here. */
  replace(_old: Frame, _frame: Frame): boolean {
    return false
  }

  private begin(opcode: Opcode): void {
    this.kind = opcode === Opcode.Text ? 'text' : 'other'
    this.begins(this.kind === 'text')
    if (this.kind === 'text') this.putFrame(BEGIN)
  }

  private end(kind: 'none' | 'text' | 'other'): void {
    this.kind = 'none'
    if (kind !== 'text') return
    this.put(END)
    this.messages++
  }

  private putFrame(mark: Frame): void {
    this.count++
    this.put(mark)
  }

  private put(piece: Frame): void {
    if (piece.size === 0) return
    this.pieces.push(piece)
    this.size += piece.size
  }

  /** The bytes of everything that waits. */
  take(): Buffer[] {
    const { pieces } = this
    this.pieces = []
    this.size = 0
    if (pieces.some(piece => piece.isLost)) {
      this.failure = new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
      return []
    }
    this.dataTaken = this.dataAdded
    return pieces.length === 0 ? [] : [join(pieces)]
  }
}

function join(pieces: readonly Frame[]): Buffer {
  const bytes = Buffer.allocUnsafe(pieces.reduce((sum, piece) => sum + piece.size, 0))
  let at = 0
  for (const piece of pieces) {
    piece.copy(bytes, at)
    at += piece.size
  }
  return bytes
}

/** The error for a binary message, which the drafts do not have. */
export function noBinary(): WebSocketError {
  return new WebSocketError('WS_ERR_NO_BINARY')
}

export function isNoBinary(error: unknown): boolean {
  return error instanceof WebSocketError && error.code === 'WS_ERR_NO_BINARY'
}
