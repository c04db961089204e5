// Collects pieces of bytes in one buffer. Copies them, so that it keeps no socket chunk alive, and doubles its capacity, so that adding
// single bytes takes linear time.

import { Buffer } from '../runtime/node.js'

const FIRST_ROOM = 256
const NOTHING = Buffer.alloc(0)

export class ByteStore {
  #bytes = NOTHING
  #length = 0

  get length(): number {
    return this.#length
  }

  push(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2, FIRST_ROOM))
      bytes.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = bytes
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** The bytes so far: a view, valid until the next `push`. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** The bytes so far as latin1; empties the store. */
  takeText(): string {
    const text = this.#bytes.toString('latin1', 0, this.#length)
    this.#length = 0
    return text
  }
}
