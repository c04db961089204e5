// Batches of messages come in, batches of frames go out: one for each message, or as many as fragmentSize asks for.

import type { DuplexOptions } from 'node:stream'
import { checkNumber } from '../checks.js'
import type { Frame } from '../protocol/frame.js'
import { type Outgoing, splitFrame, splitMessage } from '../protocol/message-splitter.js'
import { type Batch, Stage } from './stage.js'

/** What a MessageFragmenter is made with. */
export interface MessageFragmenterOptions {
  /** Bytes of payload in one frame. Default: no splitting. */
  fragmentSize?: number
}

/** Makes frames of messages (RFC 6455 §5.4, §5.6). */
export class MessageFragmenter extends Stage<Outgoing, Frame> {
  declare private fragmentSize: number

  static {
    // most do not split (benchmarks/questions/idle.js)
    MessageFragmenter.prototype.fragmentSize = Number.POSITIVE_INFINITY
  }

  constructor(options: MessageFragmenterOptions = {}) {
    super()
    const { fragmentSize = Number.POSITIVE_INFINITY } = options
    checkNumber(fragmentSize, 'fragmentSize', 1)
    if (fragmentSize !== Number.POSITIVE_INFINITY) this.fragmentSize = fragmentSize
  }

  receive(messages: Batch<Outgoing>): boolean {
    const { fragmentSize } = this
    if (messages.length === 1) return this.hand(splitMessage(messages[0]!, fragmentSize))
    return this.hand(messages.flatMap(message => splitMessage(message, fragmentSize)))
  }

  /** Frames of a message that comes in pieces. @internal */
  pass(frames: Batch<Frame>): boolean {
    return this.hand(frames.flatMap(frame => splitFrame(frame, this.fragmentSize)))
  }

  override streamOptions(): DuplexOptions {
    return { ...super.streamOptions(), readableHighWaterMark: 1, writableHighWaterMark: 1 }
  }
}
