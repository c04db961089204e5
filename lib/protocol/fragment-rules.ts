// Checks data frames against the rules for messages: order, number and size (RFC 6455 §5.4). Keeps no payload.

import { WebSocketError } from '../errors.js'
import type { Frame } from './frame.js'
import { Opcode } from './opcode.js'

export interface MessageLimits {
  /** Maximum size of one message in bytes, summed over its frames. */
  readonly maxMessageSize: number
  /** Maximum number of frames of one message, empty ones included. */
  readonly maxFragments: number
  /** Whether text becomes a string or stays bytes. Default: `'string'`. */
  readonly textAs?: 'string' | 'bytes'
}

export class FragmentRules {
  /** Bytes of the current message seen so far. */
  size = 0
  private fragments = 0

  constructor(private readonly limits: MessageLimits) {}

  /** Whether a message has begun and not ended. */
  get inMessage(): boolean {
    return this.fragments > 0
  }

  /**
   * Checks the next data frame, or the next part of one; true if it ends the message.
   * @throws WebSocketError if the frame is not allowed here, or the message exceeds a limit
   */
  add(frame: Frame): boolean {
    if (frame.first) this.begin(frame)
    this.size += frame.size
    // a frame of unknown length (-1) could not be checked at its start
    if (this.size > this.limits.maxMessageSize) throw tooLarge(this.size, this.limits.maxMessageSize)
    if (!frame.fin || !frame.complete) return false
    this.size = this.fragments = 0
    return true
  }

  private begin(frame: Frame): void {
    const isContinuation = frame.opcode === Opcode.Continuation
    if (!this.inMessage && isContinuation) throw unexpectedContinuation() // §5.4
    if (this.inMessage && !isContinuation) {
      const { opcode } = frame
      throw new WebSocketError('WS_ERR_EXPECTED_CONTINUATION', { details: { opcode } }) // §5.4
    }
    if (++this.fragments > this.limits.maxFragments) throw new WebSocketError('WS_ERR_TOO_MANY_FRAGMENTS')
    // checked before any of the frame's payload arrives
    const size = this.size + frame.length
    if (size > this.limits.maxMessageSize) throw tooLarge(size, this.limits.maxMessageSize)
  }
}

export function tooLarge(size: number, limit: number): WebSocketError {
  const detail = `at least ${size} bytes, where the limit is ${limit}`
  return new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE', { detail, details: { length: size } })
}

export function unexpectedContinuation(): WebSocketError {
  return new WebSocketError('WS_ERR_UNEXPECTED_CONTINUATION', { details: { opcode: Opcode.Continuation } })
}
