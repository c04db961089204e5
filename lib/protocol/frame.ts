// One frame, or one part of a large one, between two stages. Knows where its payload lies; touches it only when asked.

import { Buffer } from '../runtime/node.js'
import { applyMask } from './mask.js'
import type { Opcode } from './opcode.js'
import type { PreparedMessage } from './prepared-message.js'
import { readBinary } from './received-bytes.js'

/** A frame of a message that was prepared once for many connections. */
export interface PreparedFrame {
  readonly message: PreparedMessage
  /** The whole frame as a server sends it, header included. */
  readonly wire: Buffer
}

/** Whose memory a payload lies in. What came on the wire may be another one's, or ours alone. */
export type Owner = 'application' | 'wire' | 'us'

/**
 * A frame of RFC 6455 §5.2, or a part of one: a decoder passes on what it has of a large payload before the rest is there.
 * The payload stays where it was read, masked as it came, until `payload` or `copy` is used.
 */
export class Frame {
  /** Whether this is the last frame of a message (RFC 6455 §5.4). */
  fin: boolean
  /** RSV1, RSV2 and RSV3 as three bits: 4, 2 and 1. */
  rsv: number
  /** What kind of frame it is. */
  opcode: Opcode
  /** Bytes in the payload of the whole frame; -1 in parts of one whose end has not been seen, where no header tells it. */
  length: number
  /** Where in that payload this part begins. */
  offset: number
  /** Whether this part is the first of its frame, or the whole of it; a first part may be empty. */
  first: boolean
  /** Bytes in this part. */
  size: number
  /** @internal the bytes that hold the part, or the text that is yet to be encoded */
  data: Uint8Array | string
  /** @internal where in `data` the part begins */
  start: number
  /** @internal applies to the first byte of this part; 0 where nothing is masked */
  mask: number
  /** @internal whose memory `data` is; only what is ours may be written to */
  owner: Owner
  /** Whether an extension may compress it, on the way out. */
  compress: boolean
  /** @internal whether it goes ahead of the messages that wait */
  urgent: boolean
  /** @internal the prepared message that it is a frame of */
  prepared: PreparedFrame | null

  /**
   * @param payload - bytes, or text to be sent as UTF-8
   * @param fin - whether this is the last, or only, frame of its message
   * @param rsv - RSV1, RSV2, RSV3 as bits 4, 2, 1
   */
  constructor(opcode: Opcode, payload: Uint8Array | string, fin = true, rsv = 0) {
    this.fin = fin
    this.rsv = rsv
    this.opcode = opcode
    this.size = this.length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    this.offset = 0
    this.first = true
    this.data = payload
    this.start = 0
    this.mask = 0
    this.owner = 'application'
    this.compress = true
    this.urgent = false
    this.prepared = null
  }

  /**
   * Makes this a part of a larger frame.
   * @param offset - where in that frame's payload it begins
   * @param length - bytes of that payload
   */
  asPart(offset: number, length: number): this {
    this.offset = offset
    this.first = offset === 0
    this.length = length
    return this
  }

  /** The payload is `size` bytes of `data` from `start` on, masked with `mask`. @internal */
  within(start: number, size: number, mask: number, owner: Owner): this {
    this.start = start
    this.size = this.length = size
    this.mask = mask
    this.owner = owner
    return this
  }

  /** Whether the frame's payload ends with this part. */
  get complete(): boolean {
    return this.offset + this.size === this.length
  }

  /** The bytes of this part, unmasked. What was received lies in memory that belongs to the application. */
  get payload(): Buffer {
    if (typeof this.data === 'string') this.encode()
    if (this.owner !== 'application') {
      this.data = readBinary(this)
      this.start = this.mask = 0
      this.owner = 'application'
    }
    const { data, start, size } = this as { data: Uint8Array; start: number; size: number }
    if (data instanceof Buffer && size === data.length) return data
    return Buffer.from(data.buffer, data.byteOffset + start, size)
  }

  /** Makes bytes of text that has not been encoded. @internal */
  encode(): void {
    this.data = Buffer.from(this.data as string)
  }

  /** Writes this part, unmasked, to `target` at `at`. */
  copy(target: Buffer, at: number): void {
    const { data } = this
    if (typeof data === 'string') target.utf8Write(data, at)
    else if (this.mask === 0 && this.size === data.length) target.set(data, at)
    else applyMask(data, this.start, this.start + this.size, target, at, this.mask)
  }
}
