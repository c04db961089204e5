// Frames come in, bytes go out, as hixie-75 and hixie-76 have them: a text message between 00 and FF, whatever frames it came in,
// and FF 00 for a Close. Frames wait until they are taken. What the drafts have no form for is written nowhere.

import { Buffer } from '../runtime/node.js'
import type { DraftVersion } from './draft-parser.js'
import { Frame } from './frame.js'
import { isControl, Opcode } from './opcode.js'

// What stands between payloads, as frames without a form of their own. Bytes of UTF-8 are never FF, so nothing else ends a text.
const BEGIN = mark(0x00)
const END = mark(0xff)
const CLOSE = mark(0xff, 0x00)

function mark(...bytes: number[]): Frame {
  return new Frame(Opcode.Text, Buffer.from(bytes))
}

/** Writes what a server sends. */
export class DraftWriter {
  /** As in `FrameWriter`; the memory is always its own. */
  toSocket = false
  borrows = false
  /** Bytes that wait, those around messages included. */
  size = 0
  /** Frames that have been written or wait: texts that have begun, and a Close. */
  count = 0
  /** Texts that have ended. */
  messages = 0
  /** Data frames, parts of them, and a Close that have been added, and how many of these have been taken. */
  dataAdded = 0
  dataTaken = 0

  private readonly closes: boolean
  private pieces: Frame[] = []
  // of the message whose frames are being added
  private kind: 'none' | 'text' | 'other' = 'none'

  constructor(version: DraftVersion) {
    this.closes = version === 'hixie-76'
  }

  /** Puts a data frame behind all that wait, or a Close where there can be one; other control frames are dropped. */
  add(frame: Frame): void {
    if (isControl(frame.opcode)) {
      if (frame.opcode === Opcode.Close && this.canClose) {
        this.dataAdded++
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

  /** Whether a text has begun whose end has not been added: whatever came now would become a part of it. */
  get isMidFrame(): boolean {
    return this.kind === 'text'
  }

  /**
   * Whether a Close can be written now: hixie-75 has none, and inside a text it would be a part of that. Where it cannot, the end of
   * the wire has to do.
   */
  get canClose(): boolean {
    return this.closes && !this.isMidFrame
  }

  /** As `add`. */
  addLast(frame: Frame): void {
    this.add(frame)
  }

  /** As `add`: nothing overtakes a text. */
  addUrgent(frame: Frame): void {
    this.add(frame)
  }

  /** For the face of `FrameWriter`: no control frame waits that another could replace. */
  replace(_old: Frame, _frame: Frame): boolean {
    return false
  }

  private begin(opcode: Opcode): void {
    this.kind = opcode === Opcode.Text ? 'text' : 'other'
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

  /** The bytes of all that wait. */
  take(): Buffer[] {
    const { pieces } = this
    this.pieces = []
    this.size = 0
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
