// Takes batches of frames and passes on batches of messages. Ignores control frames.

import type { DuplexOptions } from 'node:stream'
import { checkNumber } from '../checks.js'
import { WebSocketError } from '../errors.js'
import type { MessageLimits } from '../protocol/fragment-rules.js'
import type { Frame } from '../protocol/frame.js'
import { MessageJoiner, type ReceivedMessage, readWhole } from '../protocol/message-joiner.js'
import { isControl } from '../protocol/opcode.js'
import { type Batch, type ErrorListener, Stage } from './stage.js'

/** The options of a MessageAssembler. */
export interface MessageAssemblerOptions {
  /** Maximum size of one message in bytes, summed over its fragments. Default: 2^26-1. */
  maxMessageSize?: number
  /** Maximum number of fragments of one message, empty ones included. Default: 131072. */
  maxFragments?: number
  /** Whether text becomes a string, or stays bytes in a TextBytes. Default: `'string'`. */
  textAs?: 'string' | 'bytes'
}

/** Joins fragments into messages (RFC 6455 §5.4, §5.6). Used on its own, it is destroyed if the peer breaks a rule. */
export class MessageAssembler extends Stage<Frame, ReceivedMessage> {
  /** @internal */
  listener: ErrorListener | null = null

  // a message of which some parts have arrived
  private joiner: MessageJoiner<ReceivedMessage> | null = null
  private readonly limits: MessageLimits

  constructor(options?: MessageAssemblerOptions)
  /** @param limits - the settings of a connection, which have been checked, in place of options @internal */
  constructor(options: MessageAssemblerOptions, limits: MessageLimits)
  constructor(options: MessageAssemblerOptions = {}, limits = readLimits(options)) {
    super()
    this.limits = limits
  }

  receive(frames: Batch<Frame>): boolean {
    if (this.listener === null) frames.forEach(share)
    let messages: ReceivedMessage[] | null = null
    try {
      for (const frame of frames) {
        if (isControl(frame.opcode)) continue
        const message = this.joiner === null ? this.begin(frame) : this.joiner.add(frame)
        if (message === null) continue
        if (this.joiner !== null) this.joiner = null
        if (messages === null) messages = [message]
        else messages.push(message)
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      if (messages !== null) this.hand(messages)
      if (this.listener !== null) this.listener.fail(error)
      else this.destroy(error)
      return true
    }
    return messages === null || this.hand(messages)
  }

  private begin(frame: Frame): ReceivedMessage | null {
    const whole = readWhole(frame, this.limits)
    if (whole !== null) return whole
    this.joiner = new MessageJoiner<ReceivedMessage>(this.limits)
    return this.joiner.add(frame)
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }
}

/** A frame of which the stage before may keep a reference, so that its memory must not change. */
function share(frame: Frame): void {
  if (frame.owner === 'us') frame.owner = 'wire'
}

function readLimits(options: MessageAssemblerOptions): MessageLimits {
  const { maxMessageSize = 2 ** 26 - 1, maxFragments = 2 ** 17, textAs = 'string' } = options
  checkNumber(maxMessageSize, 'maxMessageSize', 0)
  checkNumber(maxFragments, 'maxFragments', 1)
  return { maxMessageSize, maxFragments, textAs }
}
