// Bytes of a wire come in, the head of a final answer comes out, and what lay behind it: interim answers such as 100 and 103 are
// skipped (RFC 9110 §15.2). Does not know what was asked.

import { HandshakeError } from '../errors.js'
import type { Buffer } from '../runtime/node.js'
import { type HeadLimits, HeadParser, RESPONSE, type ResponseHead } from './head-parser.js'

/** All interim answers together may be as large as so many heads; how many they are does not matter. */
const MOST_HEADS = 16

export class AnswerParser {
  readonly #parser: HeadParser<ResponseHead>
  /** Bytes that interim answers may still take. */
  #left: number

  constructor(limits: HeadLimits) {
    this.#parser = new HeadParser(RESPONSE, limits)
    this.#left = limits.maxHeaderSize * MOST_HEADS
  }

  /** The bytes behind the answer in the last chunk, a view that may be empty. */
  get rest(): Buffer {
    return this.#parser.rest
  }

  /**
   * Takes the next bytes; null where the answer goes on behind them. 101 is final: nothing else follows it.
   * @throws HandshakeError where the head is wrong or too large
   */
  parse(chunk: Buffer): ResponseHead | null {
    let head = this.#parser.parse(chunk)
    while (head !== null && head.status < 200 && head.status !== 101) {
      this.#left -= this.#parser.size
      if (this.#left < 0)
        throw new HandshakeError('WS_ERR_HEAD_TOO_LARGE', { detail: 'interim answers without an end' })
      head = this.#parser.parse(this.#parser.rest)
    }
    return head
  }
}
