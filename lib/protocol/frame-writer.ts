// Writes frames as bytes (RFC 6455 §5.2, §5.3). Frames wait until they are taken, and leave in as few buffers as is efficient.

import { WebSocketError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { Frame } from './frame.js'
import { applyMask, freshMask, shiftMask, WORDS_FROM } from './mask.js'
import { isControl } from './opcode.js'
import { borrow, MEMORY_SIZE } from './output-memory.js'

/**
 * From this size on, a payload is written to a socket without a copy, after a buffer with its header; smaller payloads are copied to
 * memory that is in the cache (benchmarks/questions/echo.js, 16 KiB). Other streams may keep their chunks, so they always get a copy.
 */
const UNCOPIED_FROM = 32768
/**
 * A payload of this size is masked in pieces: small pieces of memory are reused and stay in the cache, while the allocator would request
 * one large piece from the system for each message (benchmarks/questions/encode.js, 1 MiB). Two pieces and a header are borrowed at a time.
 */
const PIECES_FROM = 131072
const PIECE_SIZE = 65520
/**
 * A larger payload is written in parts of `PART_SIZE`, so that the wire reports progress: a single write of 100 MiB looks as if it were
 * stuck.
 */
const PARTS_FROM = 2 ** 20
const PART_SIZE = 2 ** 18
/** `take` returns at most this many bytes, plus one frame. */
const TAKE_UP_TO = 2 ** 20
/**
 * From this size on, and where a plain loop masks anyway, masking while copying saves a pass over the payload
 * (benchmarks/questions/encode.js, 16 KiB and 16 B as a client).
 */
const FUSED_FROM = 4096
/** Up to this many bytes or ASCII characters, a loop copies faster than a call (benchmarks/questions/encode.js). */
const LOOP_UP_TO = 24

// shared by idle writers, to save an array for each
const NONE: Frame[] = []

export class FrameWriter {
  /** Whether small output may use borrowed memory: true if the last write had finished when it returned. */
  borrows = false
  /** Bytes that wait, including headers. */
  size = 0
  /** Number of frames added. */
  count = 0
  /** Number of data frames among them that are the last of their message. */
  messages = 0
  /** `dataAdded`: frames and parts that must keep their order; `dataTaken`: how many of them were taken */
  dataAdded = 0
  dataTaken = 0
  /** Set if the memory of a frame was lost: that frame and all after it were dropped. */
  failure: WebSocketError | null = null

  private sharesMemory = false
  private frames: Frame[] = NONE
  // number of control frames at the front of the queue
  private urgent = 0
  // number of frames in the queue whose payload is written without a copy
  private apart = 0
  // a frame written in parts keeps its mask, and nothing may be sent between its parts
  private partMask = 0
  private inParts = false
  // control frames that wait until the last part of a frame has been added
  private deferred: Frame[] | null = null

  /** @param masked - whether frames are masked, as a client must (RFC 6455 §5.3) */
  constructor(readonly masked: boolean) {}

  /** Whether the bytes go to a socket, which keeps no reference to memory it has written, so that large payloads need no copy. */
  get toSocket(): boolean {
    return this.sharesMemory
  }

  set toSocket(toSocket: boolean) {
    if (toSocket === this.sharesMemory) return
    this.sharesMemory = toSocket
    this.apart = 0
    for (const frame of this.frames) if (this.isApart(frame)) this.apart++
  }

  /** Adds a frame at the end. */
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

  /** Whether a frame has begun and its last part has not been added. */
  get isMidFrame(): boolean {
    const last = this.frames.at(-1)
    return last === undefined ? this.inParts : !last.complete
  }

  /** Adds a control frame at the end, after the remaining parts of a frame. */
  addLast(frame: Frame): void {
    if (this.isMidFrame) (this.deferred ??= []).push(frame)
    else this.add(frame)
  }

  /** Adds a control frame before all waiting data, but never inside a frame that is written in parts. */
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
    // after control frames that were added before
    do at++
    while (at < this.frames.length && isControl(this.frames[at]!.opcode))
    this.insert(at, frame)
  }

  /** Replaces a frame that waits; false if it has already left. */
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

  /** A large payload is copied or masked only when the wire takes it; until then the application's own memory is kept. */
  private addInParts({ opcode, payload, fin, rsv, length, offset, first, compress }: Frame, partSize: number): void {
    for (let from = 0; from < payload.length; from += partSize) {
      const size = Math.min(partSize, payload.length - from)
      const piece = new Frame(opcode, payload, fin, rsv)
        .within(from, size, 0, 'application')
        .asPart(offset + from, length)
      // after an empty part, the first bytes are not the first part
      piece.first = first && from === 0
      // `takeFrames` may pass these frames to an extension
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

  /** Returns the frames that wait, for another writer. */
  takeFrames(): Frame[] {
    const { frames } = this
    this.frames = NONE
    this.size = this.urgent = this.apart = 0
    return frames
  }

  /** The bytes of the frames that wait, up to `TAKE_UP_TO`. */
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

  /** Takes frames from the front: at most `most` bytes, but at least one frame. */
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
    // a prepared message is shared by many connections without a copy for each (benchmarks/questions/broadcast.js)
    if (frames.length === 1 && frames[0]!.prepared !== null && this.toSocket && !this.masked) {
      return [frames[0]!.prepared.wire]
    }
    if (mixed) return this.takeMixed(frames)
    if (size === 0) return []
    const bytes = this.borrows ? borrow(size) : Buffer.allocUnsafe(size)
    const end = this.writeAll(frames, 0, frames.length, bytes)
    return end === 0 ? [] : [end === size ? bytes : bytes.subarray(0, end)]
  }

  /** Writes frames up to `last`; returns the offset of the end, or of the first frame whose memory is lost. */
  private writeAll(frames: readonly Frame[], first: number, last: number, bytes: Buffer): number {
    let at = 0
    for (; first < last; first++) {
      const frame = frames[first]!
      if (frame.isLost) {
        this.failFrom(frames.slice(first))
        break
      }
      at = this.write(frame, bytes, at)
    }
    return at
  }

  /** Drops these frames, which had been taken, and all that wait. */
  private failFrom(frames: readonly Frame[]): void {
    this.failure = new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
    for (const { urgent } of frames) if (!urgent) this.dataTaken--
    this.takeFrames()
    this.deferred = null
  }

  private takeMixed(frames: readonly Frame[]): Buffer[] {
    const buffers: Buffer[] = []
    for (let first = 0; first < frames.length && this.failure === null; ) {
      // one output buffer holds a run of copied frames and the header of the large payload after them
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
      const end = this.writeAll(frames, first, last, bytes)
      first = last
      if (end > 0) buffers.push(end === room ? bytes : bytes.subarray(0, end))
      if (large !== null && this.failure === null) buffers.push(large.payload)
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

/** Writes the header of a frame without its mask; returns the offset of the payload or the mask. */
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
