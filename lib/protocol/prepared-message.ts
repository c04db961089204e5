// One message for many receivers: framed once, and compressed once for each set of parameters; all receivers share its bytes.

import { Buffer } from '../runtime/node.js'
import { Frame } from './frame.js'
import { writeHeader } from './frame-writer.js'
import type { Opcode } from './opcode.js'

const RSV1 = 4

/** The result of `prepareMessage`; `messages.write`, `streams.write` and `send` take it like any message. */
export class PreparedMessage {
  /** Whether it may be compressed if compression was negotiated. */
  readonly compress: boolean
  /** @internal */
  readonly opcode: Opcode
  /** @internal */
  readonly payload: Buffer
  private readonly plain: Frame
  private readonly compressed = new Map<number, Frame>()

  /** @internal */
  constructor(opcode: Opcode, payload: Buffer, compress: boolean) {
    this.opcode = opcode
    this.payload = payload
    this.compress = compress
    this.plain = this.frame(payload, 0)
  }

  /** Bytes in the message before compression. */
  get size(): number {
    return this.payload.length
  }

  /** The uncompressed frame. @internal */
  get whole(): Frame {
    return this.plain
  }

  /**
   * The compressed frame (RFC 7692 §7.2.1), made once for each set of parameters.
   * @param parameters - a key for the set of parameters
   * @param deflate - compresses the payload without context
   * @internal
   */
  deflated(parameters: number, deflate: (payload: Buffer) => Buffer): Frame {
    let frame = this.compressed.get(parameters)
    if (frame === undefined) {
      frame = this.frame(deflate(this.payload), RSV1)
      this.compressed.set(parameters, frame)
    }
    return frame
  }

  private frame(payload: Buffer, rsv: number): Frame {
    const frame = new Frame(this.opcode, payload, true, rsv)
    const header = Buffer.allocUnsafe(10)
    const at = writeHeader(frame, header, 0, false)
    const wire = Buffer.concat([header.subarray(0, at), payload])
    frame.data = wire.subarray(at)
    frame.prepared = { message: this, wire }
    frame.compress = this.compress
    return frame
  }
}
