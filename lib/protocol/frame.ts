// One frame, or one part of a large one. It refers to its payload, and copies or unmasks it only on request.

import { WebSocketError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { applyMask } from './mask.js'
import type { Opcode } from './opcode.js'
import type { PreparedMessage } from './prepared-message.js'
import { readBinary } from './received-bytes.js'

/** A frame of a message that was prepared for many connections. */
export interface PreparedFrame {
  readonly message: PreparedMessage
  /** The whole frame, header included, as a server sends it. */
  readonly wire: Buffer
}

/** The owner of a payload's memory. `'wire'`: memory of the wire, which others may also use; `'us'`: ours alone. */
export type MemoryOwner = 'application' | 'wire' | 'us'

/**
 * A frame of RFC 6455 §5.2, or a part of one: a decoder passes on parts of a large payload before the rest has arrived. The payload stays
 * in the memory it was read into, still masked, until `payload` or `copy` is used.
 */
export class Frame {
  /** Whether this is the last frame of a message (RFC 6455 §5.4). */
  fin: boolean
  /** RSV1, RSV2 and RSV3 as three bits: 4, 2 and 1. */
  rsv: number
  /** The opcode. */
  opcode: Opcode
  /** Bytes in the payload of the whole frame; -1 in parts of a draft's text whose end has not arrived. */
  length: number
  /** Offset of this part in that payload. */
  offset: number
  /** Whether this is the first part of its frame, or the whole frame; a first part may be empty. */
  first: boolean
  /** Bytes in this part. */
  size: number
  /** @internal the bytes that contain the part, or text that is not encoded yet */
  data: Uint8Array | string
  /** @internal offset of the part in `data` */
  start: number
  /** @internal the mask for the first byte of this part; 0 if nothing is masked */
  mask: number
  /** @internal the owner of the memory of `data`; only our own memory may be changed */
  owner: MemoryOwner
  /** Whether an extension may compress it when it is sent. */
  compress: boolean
  /** @internal whether it is sent before waiting messages */
  urgent: boolean
  /** @internal the prepared message that it belongs to */
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
   * Turns this frame into a part of a larger one.
   * @param offset - offset of the part in the payload of that frame
   * @param length - bytes of that payload
   */
  asPart(offset: number, length: number): this {
    this.offset = offset
    this.first = offset === 0
    this.length = length
    return this
  }

  /** Sets the payload: `size` bytes of `data` from `start` on, masked with `mask`. @internal */
  within(start: number, size: number, mask: number, owner: MemoryOwner): this {
    this.start = start
    this.size = this.length = size
    this.mask = mask
    this.owner = owner
    return this
  }

  /** Whether this part ends the payload of its frame. */
  get complete(): boolean {
    return this.offset + this.size === this.length
  }

  /** Whether its memory has been transferred or made smaller since. @internal */
  get isLost(): boolean {
    return typeof this.data !== 'string' && this.data.length < this.start + this.size
  }

  /** @throws WebSocketError if its memory is lost @internal */
  checkMemory(): void {
    if (this.isLost) throw new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
  }

  /**
   * The bytes of this part, unmasked. The memory of a received payload belongs to the application.
   * @throws WebSocketError if the application has transferred the memory
   */
  get payload(): Buffer {
    if (typeof this.data === 'string') this.encode()
    this.checkMemory()
    if (this.owner !== 'application') {
      this.data = readBinary(this)
      this.start = this.mask = 0
      this.owner = 'application'
    }
    const { data, start, size } = this as { data: Uint8Array; start: number; size: number }
    if (data instanceof Buffer && size === data.length) return data
    return Buffer.from(data.buffer, data.byteOffset + start, size)
  }

  /** Encodes text that is not encoded yet. @internal */
  encode(): void {
    this.data = Buffer.from(this.data as string)
  }

  /**
   * Writes this part, unmasked, to `target` at `at`.
   * @throws WebSocketError if the application has transferred the memory
   */
  copy(target: Buffer, at: number): void {
    this.checkMemory()
    const { data } = this
    if (typeof data === 'string') target.utf8Write(data, at)
    else if (this.mask === 0 && this.size === data.length) target.set(data, at)
    else applyMask(data, this.start, this.start + this.size, target, at, this.mask)
  }
}
