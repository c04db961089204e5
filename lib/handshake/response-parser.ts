// Parses the head of a final response and returns the bytes after it; interim responses such as 100 and 103 are skipped (RFC 9110 §15.2).
// Does not know the request.

import { HandshakeError } from '../errors.js'
import type { Buffer } from '../runtime/node.js'
import { type HeadLimits, HeadParser, RESPONSE, type ResponseHead } from './head-parser.js'

/** All interim responses together may be as large as this many heads; their number does not matter. */
const MOST_HEADS = 16

export class ResponseParser {
  readonly #parser: HeadParser<ResponseHead>
  /** Bytes that interim responses may still take. */
  #left: number

  constructor(limits: HeadLimits) {
    this.#parser = new HeadParser(RESPONSE, limits)
    this.#left = limits.maxHeaderSize * MOST_HEADS
  }

  /** The bytes after the response in the last chunk: a view that may be empty. */
  get rest(): Buffer {
    return this.#parser.rest
  }

  /**
   * Takes the next bytes; null if the response is not complete. 101 is final: no other response follows it.
   * @throws HandshakeError if the head is invalid or too large
   */
  parse(chunk: Buffer): ResponseHead | null {
    let head = this.#parser.parse(chunk)
    while (head !== null && head.status < 200 && head.status !== 101) {
      this.#left -= this.#parser.size
      if (this.#left < 0) throw new HandshakeError('WS_ERR_HEAD_TOO_LARGE', { detail: 'too many interim responses' })
      head = this.#parser.parse(this.#parser.rest)
    }
    return head
  }
}
