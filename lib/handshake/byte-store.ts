// Pieces of bytes come in, one run of them comes out. Copies what it takes, so that no chunk of a socket is kept alive by
// it, and doubles its room, so that single bytes cost no more than their sum. Knows nothing of what the bytes mean.

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

  /** What came so far: a view, good until the next `push`. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What came so far as latin1; the store is empty afterwards. */
  takeText(): string {
    const text = this.#bytes.toString('latin1', 0, this.#length)
    this.#length = 0
    return text
  }
}
