// The last inflated bytes, up to the size of a window: later blocks may refer to them (RFC 1951 §2). An engine does not expose its own
// window, and loses it after a final block; an engine for each connection would take 7 KiB more than a window.

import { Buffer } from '../runtime/node.js'
import { BLOCK_HEADER, type Engine } from './engine.js'

const EMPTY = Buffer.alloc(0)
/** Initial size of the memory, which doubles as needed. */
const START = 512

const block = Buffer.alloc(BLOCK_HEADER + 2 ** 15)

export class History {
  private bytes = EMPTY
  private size = 0
  // where the next byte goes, once the memory is full
  private turn = 0

  /** @param limit - size of the window in bytes */
  constructor(private readonly limit: number) {}

  /** Bytes of memory allocated. */
  get memory(): number {
    return this.bytes.length
  }

  /** Adds `source[start, start + size)`. */
  add(source: Buffer, start: number, size: number): void {
    const { limit } = this
    if (size >= limit) {
      this.grow(limit)
      source.copy(this.bytes, 0, start + size - limit, start + size)
      this.size = limit
      this.turn = 0
      return
    }
    const room = limit - this.size
    if (size <= room) {
      this.grow(this.size + size)
      source.copy(this.bytes, this.size, start, start + size)
      this.size += size
      return
    }
    this.grow(limit)
    if (room > 0) source.copy(this.bytes, this.size, start, start + room)
    this.size = limit
    this.overwrite(source, start + room, start + size)
  }

  private overwrite(source: Buffer, start: number, end: number): void {
    const { limit, turn } = this
    const atEnd = Math.min(end - start, limit - turn)
    source.copy(this.bytes, turn, start, start + atEnd)
    if (start + atEnd < end) source.copy(this.bytes, 0, start + atEnd, end)
    this.turn = (turn + end - start) % limit
  }

  private grow(needed: number): void {
    if (needed <= this.bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(Math.min(this.limit, Math.max(START, needed, this.bytes.length * 2)))
    this.bytes.copy(bytes, 0, 0, this.size)
    this.bytes = bytes
  }

  /** Fills the window of an engine without history, with a stored block (RFC 1951 §3.2.4). */
  restore(engine: Engine): void {
    const { bytes, size, turn } = this
    if (size === 0) return
    block[0] = 0
    block.writeUInt16LE(size, 1)
    block.writeUInt16LE(size ^ 0xffff, 3)
    bytes.copy(block, BLOCK_HEADER, turn, size)
    bytes.copy(block, BLOCK_HEADER + size - turn, 0, turn)
    engine.restore(block, BLOCK_HEADER + size)
  }
}
