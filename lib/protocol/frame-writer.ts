// Frames come in, bytes go out (RFC 6455 §5.2, §5.3). Frames wait until they are taken, all in as few buffers as makes sense.

import { Buffer } from '../runtime/node.js'
import { Frame } from './frame.js'
import { applyMask, freshMask, shiftMask, WORDS_FROM } from './mask.js'
import { isControl } from './opcode.js'
import { borrow, MEMORY_SIZE } from './output-memory.js'

/**
 * From here on a payload travels to a socket as it is, behind a buffer with its header; smaller ones are copied to memory that is warm
 * (benchmarks/questions/echo.js, 16 KiB). Any other stream may keep what it has written, and gets a copy.
 */
const UNCOPIED_FROM = 32768
/**
 * A payload of this size is masked in pieces: memory that the allocator has at hand, and that stays in the cache, where one large
 * piece is fetched from the system for each message (benchmarks/questions/encode.js, 1 MiB). Two of them, and a header, are borrowed
 * at a time.
 */
const PIECES_FROM = 131072
const PIECE_SIZE = 65520
/**
 * A payload of more than this goes out in parts of `PART_SIZE`, so that the wire says now and then that it has taken some: a write of
 * 100 MiB that is under way looks like one that is stuck.
 */
const PARTS_FROM = 2 ** 20
const PART_SIZE = 2 ** 18
/** So many bytes are taken at once, and one frame more. */
const TAKE_UP_TO = 2 ** 20
/**
 * Masking while copying saves a pass over the payload: from here on, and for what is masked by a plain loop anyhow
 * (benchmarks/questions/encode.js, 16 KiB and 16 B as a client).
 */
const FUSED_FROM = 4096
/** So many bytes, or characters of ASCII, are copied faster by a loop than by a call (benchmarks/questions/encode.js). */
const LOOP_UP_TO = 24

// where nothing waits, nothing is held for it
const NONE: Frame[] = []

export class FrameWriter {
  /** Whether the memory of small output may be borrowed: the last write was done when it returned. */
  borrows = false
  /** Bytes that wait, headers included. */
  size = 0
  /** Frames that have been added. */
  count = 0
  /** Data frames among them that are the last of their message. */
  messages = 0
  /** Frames and parts of them that keep their order and have been added, and how many of these have been taken. */
  dataAdded = 0
  dataTaken = 0

  private sharesMemory = false
  private frames: Frame[] = NONE
  // control frames among them, at the front
  private urgent = 0
  // frames among them whose payload is written by itself
  private apart = 0
  // a frame that is written in parts keeps its mask, and nothing may come between its parts
  private partMask = 0
  private inParts = false
  // control frames that came while a frame is in parts whose last has not come
  private deferred: Frame[] | null = null

  /** @param masked - whether this is a client, which masks what it sends (RFC 6455 §5.3) */
  constructor(readonly masked: boolean) {}

  /** Whether the bytes go to a socket: it is done with their memory when it has written them, so large payloads need no copy. */
  get toSocket(): boolean {
    return this.sharesMemory
  }

  set toSocket(toSocket: boolean) {
    if (toSocket === this.sharesMemory) return
    this.sharesMemory = toSocket
    this.apart = 0
    for (const frame of this.frames) if (this.isApart(frame)) this.apart++
  }

  /** Puts a frame behind all that wait. */
  add(frame: Frame): void {
    if (frame.size > PARTS_FROM || (this.masked && frame.size >= PIECES_FROM)) {
      this.addInParts(frame, this.masked ? PIECE_SIZE : PART_SIZE)
    } else {
      this.insert(this.frames.length, frame)
    }
    if (this.deferred === null || !frame.complete) return
    for (const control of this.deferred) this.insert(this.frames.length, control)
    this.deferred = null
  }

  /** Whether a frame has begun whose last part has not been added. */
  get isMidFrame(): boolean {
    const last = this.frames.at(-1)
    return last === undefined ? this.inParts : !last.complete
  }

  /** Puts a control frame behind all that wait, the rest of a frame in parts included. */
  addLast(frame: Frame): void {
    if (this.isMidFrame) (this.deferred ??= []).push(frame)
    else this.add(frame)
  }

  /** Puts a control frame ahead of all data that wait, though never inside a frame that is being written in parts. */
  addUrgent(frame: Frame): void {
    frame.urgent = true
    if (!this.inParts) {
      this.insert(this.urgent++, frame)
      return
    }
    let at = this.frames.findIndex(part => part.complete)
    if (at < 0) {
      ;(this.deferred ??= []).push(frame)
      return
    }
    // behind the control frames that came before it
    do at++
    while (at < this.frames.length && isControl(this.frames[at]!.opcode))
    this.insert(at, frame)
  }

  /** Replaces a frame that waits; false if that one has gone. */
  replace(old: Frame, frame: Frame): boolean {
    const deferred = this.deferred?.indexOf(old) ?? -1
    if (deferred >= 0) {
      frame.urgent = true
      this.deferred![deferred] = frame
      return true
    }
    const at = this.frames.indexOf(old)
    if (at < 0) return false
    frame.urgent = true
    this.frames[at] = frame
    this.size += this.wireSize(frame) - this.wireSize(old)
    return true
  }

  /** A large payload is copied or masked when the wire takes it, and not before: what waits is the application's own memory. */
  private addInParts({ opcode, payload, fin, rsv, length, offset, first, compress }: Frame, partSize: number): void {
    for (let from = 0; from < payload.length; from += partSize) {
      const size = Math.min(partSize, payload.length - from)
      const piece = new Frame(opcode, payload, fin, rsv)
        .within(from, size, 0, 'application')
        .asPart(offset + from, length)
      // behind an empty part the first bytes are not the first part
      piece.first = first && from === 0
      // an extension may yet come in between
      if (!compress) piece.compress = false
      this.insert(this.frames.length, piece)
    }
  }

  private insert(at: number, frame: Frame): void {
    if (frame.first) this.count++
    if (!frame.urgent) this.dataAdded++
    if (frame.fin && frame.complete && !isControl(frame.opcode)) this.messages++
    if (this.frames === NONE) this.frames = [frame]
    else if (at === this.frames.length) this.frames.push(frame)
    else this.frames.splice(at, 0, frame)
    this.size += this.wireSize(frame)
    if (this.isApart(frame)) this.apart++
  }

  /** The frames that wait, for another writer. */
  takeFrames(): Frame[] {
    const { frames } = this
    this.frames = NONE
    this.size = this.urgent = this.apart = 0
    return frames
  }

  /** The bytes of the frames that wait, or of as many as leave at once. */
  take(): Buffer[] {
    const { frames, size } = this
    const mixed = this.apart > 0
    const most = mixed || !this.toSocket ? TAKE_UP_TO : MEMORY_SIZE
    if (size > most && frames.length > 1) return this.takeSome(most)
    this.frames = NONE
    this.size = this.urgent = this.apart = 0
    this.dataTaken = this.dataAdded
    return this.encode(frames, size, mixed)
  }

  /** Takes frames from the front, of no more than `most` bytes unless the first alone has more. */
  private takeSome(most: number): Buffer[] {
    const { frames, apart } = this
    let size = 0
    let count = 0
    do {
      const frame = frames[count++]!
      size += this.wireSize(frame)
      if (this.isApart(frame)) this.apart--
      if (!frame.urgent) this.dataTaken++
    } while (count < frames.length && size + this.wireSize(frames[count]!) <= most)
    this.size -= size
    this.urgent = Math.max(0, this.urgent - count)
    return this.encode(frames.splice(0, count), size, this.apart < apart)
  }

  private encode(frames: readonly Frame[], size: number, mixed: boolean): Buffer[] {
    // what many connections send is not copied for each (benchmarks/questions/broadcast.js)
    if (frames.length === 1 && frames[0]!.prepared !== null && this.toSocket && !this.masked) {
      return [frames[0]!.prepared.wire]
    }
    if (mixed) return this.takeMixed(frames)
    if (size === 0) return []
    const bytes = this.borrows ? borrow(size) : Buffer.allocUnsafe(size)
    let at = 0
    for (const frame of frames) at = this.write(frame, bytes, at)
    return [bytes]
  }

  private takeMixed(frames: readonly Frame[]): Buffer[] {
    const buffers: Buffer[] = []
    for (let first = 0; first < frames.length; ) {
      // a run: frames that are copied, and the header of the large payload behind them
      let room = 0
      let last = first
      let large: Frame | null = null
      while (last < frames.length && large === null) {
        const frame = frames[last++]!
        room += this.wireSize(frame)
        if (this.isApart(frame)) large = frame
      }
      if (large !== null) room -= large.size
      const bytes = Buffer.allocUnsafe(room)
      let at = 0
      for (; first < last; first++) at = this.write(frames[first]!, bytes, at)
      if (room > 0) buffers.push(bytes)
      if (large !== null) buffers.push(large.payload)
    }
    return buffers
  }

  private isApart(frame: Frame): boolean {
    if (this.masked || !this.sharesMemory) return false
    return frame.size >= UNCOPIED_FROM && typeof frame.data !== 'string'
  }

  private wireSize(frame: Frame): number {
    if (!frame.first) return frame.size
    const { length } = frame
    return frame.size + (length < 126 ? 2 : length < 65536 ? 4 : 10) + (this.masked ? 4 : 0)
  }

  private write(frame: Frame, bytes: Buffer, at: number): number {
    let mask = this.partMask
    if (frame.first) {
      at = writeHeader(frame, bytes, at, this.masked)
      if (this.masked) {
        mask = freshMask() // RFC 6455 §5.3
        bytes[at] = mask
        bytes[at + 1] = mask >>> 8
        bytes[at + 2] = mask >>> 16
        bytes[at + 3] = mask >>> 24
        at += 4
      }
    }
    this.inParts = !frame.complete
    this.partMask = mask
    if (this.isApart(frame)) return at
    const end = at + frame.size
    const isFused = this.masked && (frame.size >= FUSED_FROM || frame.size < WORDS_FROM)
    if (isFused && typeof frame.data !== 'string' && frame.mask === 0) {
      applyMask(frame.data, frame.start, frame.start + frame.size, bytes, at, shiftMask(mask, frame.offset))
      return end
    }
    copyPayload(frame, bytes, at)
    if (this.masked) applyMask(bytes, at, end, bytes, at, shiftMask(mask, frame.offset))
    return end
  }
}

/** Writes the header of a frame, its mask aside; answers where the payload, or the mask, begins. */
export function writeHeader(frame: Frame, bytes: Buffer, at: number, masked: boolean): number {
  const { length } = frame
  const maskBit = masked ? 128 : 0
  bytes[at] = (frame.fin ? 128 : 0) | (frame.rsv << 4) | frame.opcode
  if (length < 126) {
    bytes[at + 1] = maskBit | length
    return at + 2
  }
  if (length < 65536) {
    bytes[at + 1] = maskBit | 126
    bytes[at + 2] = length >>> 8
    bytes[at + 3] = length
    return at + 4
  }
  bytes[at + 1] = maskBit | 127
  bytes.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2)
  bytes.writeUInt32BE(length % 2 ** 32, at + 6)
  return at + 10
}

function copyPayload(frame: Frame, bytes: Buffer, at: number): void {
  const { data, size } = frame
  if (typeof data !== 'string') {
    if (size > LOOP_UP_TO || frame.mask !== 0) frame.copy(bytes, at)
    else for (let from = frame.start, end = from + size; from < end; from++) bytes[at++] = data[from]!
  } else if (data.length !== size) {
    frame.copy(bytes, at)
  } else if (data.length <= LOOP_UP_TO) {
    for (let i = 0; i < data.length; i++) bytes[at + i] = data.charCodeAt(i)
  } else {
    bytes.latin1Write(data, at) // as many bytes as characters: ASCII
  }
}
