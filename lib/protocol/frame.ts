// One frame, or one part of a large one, between two stages. Knows where its payload lies; touches it only when asked.

import { Buffer } from '../runtime/node.js'
import { applyMask } from './mask.js'
import type { Opcode } from './opcode.js'
import type { PreparedMessage } from './prepared-message.js'

/** Bytes that are taken from Buffer's pool, which has 8 KiB, or from Node 24 on 64 KiB. */
const POOLED_BELOW = 4096

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
  /** @internal whether `data` may be written to and kept: nobody else uses it */
  owned: boolean
  // What few frames have stands in the prototype for all others, so that it costs them nothing
  /** Whether an extension may compress it, on the way out. */
  declare compress: boolean
  /** @internal the whole frame as a server sends it, where somebody has made that before */
  declare wire: Buffer | null
  /** @internal what it is a frame of, where that has many receivers */
  declare prepared: PreparedMessage | null

  /**
   * @param payload - bytes, or text to be sent as UTF-8
   * @param fin - the last, or only, frame of its message
   * @param rsv - RSV1, RSV2, RSV3 as bits 4, 2, 1
   * @param length - bytes of the whole frame's payload, where this is only a part of it
   * @param offset - where in that payload this part begins
   */
  constructor(
    opcode: Opcode,
    payload: Uint8Array | string,
    fin = true,
    rsv = 0,
    length = -1,
    offset = 0,
    start = 0,
    size = -1,
    mask = 0,
    owned = false
  ) {
    if (size < 0) size = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    this.fin = fin
    this.rsv = rsv
    this.opcode = opcode
    this.length = length < 0 ? size : length
    this.offset = offset
    this.first = offset === 0
    this.size = size
    this.data = payload
    this.start = start
    this.mask = mask
    this.owned = owned
  }

  /** Whether the frame's payload ends with this part. */
  get complete(): boolean {
    return this.offset + this.size === this.length
  }

  /** The bytes of this part, unmasked. */
  get payload(): Buffer {
    if (typeof this.data === 'string') this.encode()
    const { data, start, size } = this as { data: Uint8Array; start: number; size: number }
    if (this.mask !== 0) {
      // from here on a pool holds it no cheaper, and would be kept alive by it
      this.data = size < POOLED_BELOW ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size)
      applyMask(data, start, start + size, this.data, 0, this.mask)
      this.start = this.mask = 0
    }
    const bytes = this.data as Uint8Array
    if (bytes instanceof Buffer && size === bytes.length) return bytes
    return Buffer.from(bytes.buffer, bytes.byteOffset + this.start, size)
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

Frame.prototype.compress = true
Frame.prototype.wire = null
Frame.prototype.prepared = null
