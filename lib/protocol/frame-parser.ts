// Parses frames from bytes (RFC 6455 §5.2). Passes control frames on whole, data frames in parts as they arrive. Knows nothing of messages.

import { WebSocketError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { PACED_FROM, paceCollector } from './collector-pace.js'
import { Frame, type MemoryOwner } from './frame.js'
import { shiftMask } from './mask.js'
import { isControl, isKnown, Opcode } from './opcode.js'
import { copyBytes } from './small-payload.js'

export interface FrameParserOptions {
  /** Whether frames must be masked: those of a client must, those of a server must not (RFC 6455 §5.1). */
  masked: boolean
  /** Whether masked and unmasked frames are accepted regardless of `masked`. Default: false. */
  eitherMasked?: boolean
  /** Maximum payload of one frame in bytes. */
  maxFrameSize: number
}

/**
 * A masked chunk of at least this size that is not ours is copied once, instead of each payload in it. One large payload needs no copy
 * here: it is copied to its message (benchmarks/questions/decode.js, by write).
 */
const COPY_FROM = 4096

/** With extensions that this side does not process, any data frame may have reserved bits. */
const ANY_RSV = 7

interface FrameInProgress {
  readonly opcode: Opcode
  readonly fin: boolean
  readonly rsv: number
  readonly length: number
  readonly mask: number
  /** Bytes of the payload passed on so far. */
  offset: number
}

/** Reads frames from chunks; `next` returns one at a time, so a caller can stop inside a chunk. */
export class FrameParser {
  /** The negotiated reserved bits, as in `Frame.rsv`. */
  allowedRsv = 0
  /** Number of frames whose header has been read. */
  frames = 0
  /** Number of data frames among them that are the last of their message. */
  messages = 0

  private readonly masked: boolean
  private readonly eitherMasked: boolean
  readonly maxFrameSize: number
  // the chunk being read; null between chunks, so that an idle parser keeps no chunk alive
  private chunk: Buffer | null = null
  private position = 0
  private owner: MemoryOwner = 'us'
  private isCopied = false
  // the frame whose payload continues in the next bytes
  private current: FrameInProgress | null = null

  constructor(options: FrameParserOptions) {
    this.masked = options.masked
    this.eitherMasked = options.eitherMasked ?? false
    this.maxFrameSize = options.maxFrameSize
  }

  /**
   * Adds bytes to parse; earlier bytes must have been read to the end.
   * @param owned - whether this memory is not shared, so that it may be unmasked in place
   */
  push(chunk: Buffer, owned: boolean): void {
    this.isCopied = false
    if (this.chunk !== null) {
      // the rest of the last chunk: a header or a control frame cut in two, at most 138 bytes
      chunk = Buffer.concat([this.rest(this.chunk), chunk])
      owned = true
    }
    if (this.masked && !owned && chunk.length >= COPY_FROM && !this.isInside(chunk)) {
      chunk = copyBytes(chunk)
      this.isCopied = true
      owned = true
    }
    this.chunk = chunk
    this.owner = owned ? 'us' : 'wire'
    this.position = 0
  }

  // whether the whole chunk is payload of the current frame
  private isInside(chunk: Buffer): boolean {
    const { current } = this
    return current !== null && current.length - current.offset >= chunk.length
  }

  /**
   * The next frame, or the next part of one; null if more bytes are needed.
   * @throws WebSocketError at the first byte of a header that breaks a rule
   */
  next(): Frame | null {
    const { chunk } = this
    if (chunk === null) return null
    if (this.current !== null) return this.part(chunk, this.current)
    const available = chunk.length - this.position
    if (available < 2) return this.wait(chunk)
    let at = this.position + 2
    const first = chunk[at - 2]!
    const second = chunk[at - 1]!
    const opcode = first & 15
    const fin = first >= 128
    const rsv = (first >> 4) & 7
    const masked = second >= 128
    let length = second & 127
    this.check(opcode, fin, rsv, masked, length)
    if (length > 125) {
      const size = length === 126 ? 2 : 8
      if (available < 2 + size) return this.wait(chunk)
      length = size === 2 ? readShortLength(chunk, at) : readLongLength(chunk, at)
      at += size
    }
    if (length > this.maxFrameSize) throw frameTooLarge(opcode, length, this.maxFrameSize)
    if (masked && chunk.length < at + 4) return this.wait(chunk)
    const mask = masked ? readMask(chunk, at) : 0
    if (masked) at += 4
    const end = at + length
    if (end > chunk.length && isControl(opcode)) return this.wait(chunk)
    this.frames++
    if (fin && !isControl(opcode)) this.messages++
    if (end > chunk.length) {
      this.current = { opcode, fin, rsv, length, mask, offset: chunk.length - at }
      this.chunk = null
      this.pace(chunk.length - at)
      return new Frame(opcode, chunk, fin, rsv).within(at, chunk.length - at, mask, this.owner).asPart(0, length)
    }
    this.position = end
    if (end === chunk.length) this.chunk = null
    if (length >= PACED_FROM) this.pace(length)
    return new Frame(opcode, chunk, fin, rsv).within(at, length, mask, this.owner)
  }

  // checks the first two bytes of a header: RFC 6455 §5.2, §5.1, §5.5
  private check(opcode: number, fin: boolean, rsv: number, masked: boolean, length: number): asserts opcode is Opcode {
    if (rsv !== 0 && (rsv & ~this.rsvOf(opcode)) !== 0) throw unexpectedRsv(opcode, rsv) // §5.2
    if (!isKnown(opcode)) throw invalidOpcode(opcode) // §5.2
    if (masked !== this.masked && !this.eitherMasked) throw this.wrongMask(opcode) // §5.1
    if (!isControl(opcode)) return
    if (!fin) throw new WebSocketError('WS_ERR_CONTROL_FRAGMENTED', { details: { opcode } }) // §5.5
    if (length > 125) throw new WebSocketError('WS_ERR_CONTROL_TOO_LARGE', { details: { opcode, length } }) // §5.5
  }

  // RFC 7692 §6: no extension marks control frames, and those that we implement mark only the first frame of a message
  private rsvOf(opcode: number): number {
    const isMarked = opcode === Opcode.Text || opcode === Opcode.Binary
    return isMarked || (opcode === Opcode.Continuation && this.allowedRsv === ANY_RSV) ? this.allowedRsv : 0
  }

  private part(chunk: Buffer, current: FrameInProgress): Frame {
    const { position } = this
    const { opcode, fin, rsv, length, offset } = current
    const size = Math.min(chunk.length - position, length - offset)
    const mask = shiftMask(current.mask, offset)
    current.offset += size
    if (current.offset === length) this.current = null
    this.position += size
    if (this.position === chunk.length) this.chunk = null
    this.pace(size)
    const frame = new Frame(opcode, chunk, fin, rsv).within(position, size, mask, this.owner).asPart(offset, length)
    // not the first part, even at offset 0: an empty part may have come before
    frame.first = false
    return frame
  }

  // by payload and not by chunk: small messages make enough garbage themselves (benchmarks/questions/decode.js, 125 B by attach)
  private pace(size: number): void {
    paceCollector(this.isCopied ? 2 * size : size)
  }

  // keeps a copy of the few bytes instead of the chunk
  private wait(chunk: Buffer): null {
    this.chunk = this.position === chunk.length ? null : Buffer.from(this.rest(chunk))
    this.position = 0
    return null
  }

  private rest(chunk: Buffer): Buffer {
    if (this.position > chunk.length) throw new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
    return chunk.subarray(this.position)
  }

  private wrongMask(opcode: number): WebSocketError {
    return new WebSocketError(this.masked ? 'WS_ERR_EXPECTED_MASK' : 'WS_ERR_UNEXPECTED_MASK', { details: { opcode } })
  }
}

function unexpectedRsv(opcode: number, rsv: number): WebSocketError {
  return new WebSocketError('WS_ERR_UNEXPECTED_RSV', { details: { opcode, rsv } })
}

function invalidOpcode(opcode: number): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_OPCODE', { detail: String(opcode), details: { opcode } })
}

function frameTooLarge(opcode: number, length: number, limit: number): WebSocketError {
  const detail = `${length} bytes, where the limit is ${limit}`
  return new WebSocketError('WS_ERR_FRAME_TOO_LARGE', { detail, details: { opcode, length } })
}

function readMask(chunk: Buffer, at: number): number {
  return chunk[at]! | (chunk[at + 1]! << 8) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 24)
}

function readShortLength(chunk: Buffer, at: number): number {
  const length = (chunk[at]! << 8) | chunk[at + 1]!
  if (length < 126) throw new WebSocketError('WS_ERR_INVALID_LENGTH') // RFC 6455 §5.2: the shortest form
  return length
}

function readLongLength(chunk: Buffer, at: number): number {
  const high = chunk.readUInt32BE(at)
  const low = chunk.readUInt32BE(at + 4)
  if (high >= 2 ** 31) throw new WebSocketError('WS_ERR_INVALID_LENGTH') // RFC 6455 §5.2: the top bit is 0
  if (high === 0 && low < 65536) throw new WebSocketError('WS_ERR_INVALID_LENGTH') // §5.2: the shortest form
  if (high > 0x1fffff) throw new WebSocketError('WS_ERR_FRAME_TOO_LARGE', { detail: 'over 2^53-1 bytes' })
  return high * 2 ** 32 + low
}
