// Parses frames of hixie-75 and hixie-76: text between 00 and FF, and frames with a length, which are skipped. Passes text on as it
// arrives. Knows nothing of messages.

import { WebSocketError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { Frame, type MemoryOwner } from './frame.js'
import { Opcode } from './opcode.js'

/** The versions without the framing of RFC 6455. */
export type DraftVersion = 'hixie-75' | 'hixie-76'

export function isDraft(version: string): version is DraftVersion {
  return version === 'hixie-75' || version === 'hixie-76'
}

export interface DraftParserOptions {
  /** Only hixie-76 has a Close: `FF 00` (hixie-76 §5.3). */
  version: DraftVersion
  /** Maximum payload of one frame in bytes, text or skipped. */
  maxFrameSize: number
}

/** This many digits of seven bits hold any number up to 2^53-1; the drafts do not limit leading zeros. */
const LENGTH_DIGITS = 8

const END = 0xff
const EMPTY = Buffer.alloc(0)

/** Reads frames from chunks; `next` returns one at a time, so a caller can stop inside a chunk. */
export class DraftParser {
  /** Same interface as `FrameParser`: the drafts have no reserved bits. */
  allowedRsv = 0
  /** Number of frames begun, including skipped ones. */
  frames = 0
  /** Number of texts ended. */
  messages = 0

  private readonly closes: boolean
  readonly maxFrameSize: number
  // the chunk being read; null between chunks, so that an idle parser keeps no chunk alive
  private chunk: Buffer | null = null
  private position = 0
  private owner: MemoryOwner = 'us'
  // text and frames of unknown types without a length end at FF; skipped frames after the length they announce
  private state: 'type' | 'text' | 'unknown' | 'length' | 'skipped' = 'type'
  private type = 0
  // number of bytes of the text or unknown frame read so far
  private offset = 0
  // remaining bytes of a skipped frame
  private length = 0
  private digits = 0

  constructor(options: DraftParserOptions) {
    this.closes = options.version === 'hixie-76'
    this.maxFrameSize = options.maxFrameSize
  }

  /**
   * Adds bytes to parse.
   * @param owned - whether this memory is not shared, so that it may be kept
   */
  push(chunk: Buffer, owned: boolean): void {
    if (this.chunk !== null) {
      chunk = Buffer.concat([this.chunk.subarray(this.position), chunk])
      owned = true
    }
    this.chunk = chunk.length === 0 ? null : chunk
    this.owner = owned ? 'us' : 'wire'
    this.position = 0
  }

  /**
   * The next frame, or the next part of one; text without its end has `length` -1. Null if more bytes are needed.
   * @throws WebSocketError as soon as a frame exceeds the limit
   */
  next(): Frame | null {
    let frame: Frame | null = null
    while (frame === null && this.chunk !== null) {
      frame = this.step(this.chunk)
      if (this.position === this.chunk.length) this.chunk = null
    }
    return frame
  }

  /**
   * The wire ended. hixie-75 has no Close frame: an end between frames counts as one; null in any other case.
   */
  end(): Frame | null {
    return this.closes || this.state !== 'type' ? null : new Frame(Opcode.Close, EMPTY)
  }

  private step(chunk: Buffer): Frame | null {
    switch (this.state) {
      case 'type':
        this.begin(chunk[this.position++]!)
        return null
      case 'length':
        return this.readDigit(chunk[this.position++]!)
      case 'skipped':
        this.skip(chunk)
        return null
      default:
        return this.readText(chunk)
    }
  }

  // hixie-76 §5.3: the high bit marks frames with a length; of the others only type 00 is a message
  private begin(type: number): void {
    this.frames++
    this.type = type
    this.offset = this.length = this.digits = 0
    this.state = type >= 0x80 ? 'length' : type === 0 ? 'text' : 'unknown'
  }

  private readText(chunk: Buffer): Frame | null {
    const { position, offset } = this
    const found = chunk.indexOf(END, position)
    const end = found < 0 ? chunk.length : found
    const size = end - position
    if (offset + size > this.maxFrameSize) throw tooLarge(`over ${this.maxFrameSize} bytes`)
    const isText = this.state === 'text'
    this.offset += size
    this.position = found < 0 ? end : end + 1
    if (found >= 0) this.state = 'type'
    if (!isText) return null
    if (found >= 0) this.messages++
    const length = found < 0 ? -1 : offset + size
    return new Frame(Opcode.Text, chunk).within(position, size, 0, this.owner).asPart(offset, length)
  }

  // the limit is checked at each digit
  private readDigit(byte: number): Frame | null {
    this.length = this.length * 128 + (byte & 0x7f)
    if (this.length > Math.min(this.maxFrameSize, Number.MAX_SAFE_INTEGER)) throw tooLarge(String(this.length))
    if (byte >= 0x80) {
      if (++this.digits === LENGTH_DIGITS) throw new WebSocketError('WS_ERR_INVALID_LENGTH')
      return null
    }
    this.state = this.length === 0 ? 'type' : 'skipped'
    // hixie-76 §5.3
    return this.closes && this.type === END && this.length === 0 ? new Frame(Opcode.Close, EMPTY) : null
  }

  private skip(chunk: Buffer): void {
    const size = Math.min(chunk.length - this.position, this.length)
    this.position += size
    this.length -= size
    if (this.length === 0) this.state = 'type'
  }
}

function tooLarge(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_FRAME_TOO_LARGE', { detail })
}
