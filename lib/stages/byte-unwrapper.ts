// Takes batches of frames and passes on the payloads of binary messages as they arrive, without borders. Buffers no message; text is an
// error.

import { WebSocketError } from '../errors.js'
import { FragmentRules, type MessageLimits } from '../protocol/fragment-rules.js'
import type { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { readBinary } from '../protocol/received-bytes.js'
import type { Buffer } from '../runtime/node.js'
import { type Batch, type ErrorListener, Stage } from './stage.js'

/** Extracts the bytes of binary messages (RFC 6455 §5.6). Only for a pipeline: it needs `listener`, and takes no control frames. */
export class ByteUnwrapper extends Stage<Frame, Buffer> {
  listener: ErrorListener | null = null

  private readonly rules: FragmentRules

  constructor(limits: MessageLimits) {
    super()
    this.rules = new FragmentRules(limits)
  }

  receive(frames: Batch<Frame>): boolean {
    const pieces: Buffer[] = []
    let failure: WebSocketError | null = null
    try {
      for (const frame of frames) this.unwrap(frame, pieces)
    } catch (error) {
      /* c8 ignore next - nothing else is thrown, and an error of ours must not be reported as the peer's */
      if (!(error instanceof WebSocketError)) throw error
      failure = error
    }
    const more = pieces.length === 0 || this.hand(pieces)
    if (failure !== null) this.listener!.fail(failure)
    return more
  }

  private unwrap(frame: Frame, pieces: Buffer[]): void {
    if (frame.opcode === Opcode.Text) throw new WebSocketError('WS_ERR_UNEXPECTED_TEXT')
    this.rules.add(frame)
    if (frame.size > 0) pieces.push(readBinary(frame))
  }
}
