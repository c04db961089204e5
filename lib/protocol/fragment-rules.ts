// Data frames come in, one after the other, and are held against the rules for messages: order, number and size (RFC 6455 §5.4).
// Keeps no payload.

import { WebSocketError } from '../errors.js'
import type { Frame } from './frame.js'
import { Opcode } from './opcode.js'

export interface MessageLimits {
  /** Bytes in one message, summed over its frames. */
  readonly maxMessageSize: number
  /** Frames in one message, empty ones counted. */
  readonly maxFragments: number
  /** Whether text is made a string of, or left as bytes. Default: `'string'`. */
  readonly textAs?: 'string' | 'bytes'
}

export class FragmentRules {
  /** Bytes of the message in progress that have been seen. */
  size = 0
  private fragments = 0

  constructor(private readonly limits: MessageLimits) {}

  /** Whether a message has begun that has not ended. */
  get inMessage(): boolean {
    return this.fragments > 0
  }

  /**
   * Takes the next data frame, or the next part of one; true where its message ends with it.
   * @throws WebSocketError where it cannot stand here, or the message breaks a limit
   */
  add(frame: Frame): boolean {
    if (frame.first) this.begin(frame)
    this.size += frame.size
    // a frame whose length is not known yet (-1) has not been looked at as a whole
    if (this.size > this.limits.maxMessageSize) throw tooLarge(this.size)
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
    // the sum, and before any of the frame's payload is waited for
    const size = this.size + frame.length
    if (size > this.limits.maxMessageSize) throw tooLarge(size)
  }
}

export function tooLarge(size: number): WebSocketError {
  return new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE', { detail: `${size} bytes`, details: { length: size } })
}

export function unexpectedContinuation(): WebSocketError {
  return new WebSocketError('WS_ERR_UNEXPECTED_CONTINUATION', { details: { opcode: Opcode.Continuation } })
}
