// Wraps a codec that processes frame by frame as a session that processes whole messages, to combine it with other extensions. Processes
// one message at a time, in order, and answers each once.

import { WebSocketError } from '../errors.js'
import { Frame } from '../protocol/frame.js'
import type { Opcode } from '../protocol/opcode.js'
import { Buffer } from '../runtime/node.js'
import type { ExtensionCallback, ExtensionMessage, FrameCodec } from './extension.js'

const RSV1 = 4

interface Waiting {
  readonly message: ExtensionMessage
  readonly callback: ExtensionCallback
}

/** One direction of one session. */
export class MessageForm {
  private readonly queue: Waiting[] = []
  private pieces: Buffer[] = []
  private rsv1 = false
  private running = false
  private error: Error | null = null

  constructor(private readonly codec: FrameCodec) {
    codec.ready = () => this.run()
  }

  process(message: ExtensionMessage, callback: ExtensionCallback): void {
    this.queue.push({ message, callback })
    if (this.queue.length === 1 && this.error === null) this.begin()
    this.run()
  }

  /** Calls back with an error for all that still wait. */
  close(): void {
    this.codec.close()
    this.error ??= new WebSocketError('WS_ERR_DESTROYED')
    this.run()
  }

  private begin(): void {
    const { opcode, data, rsv1 } = this.queue[0]!.message
    this.pieces = []
    this.rsv1 = false
    this.codec.push(new Frame(opcode as Opcode, data, true, rsv1 ? RSV1 : 0))
  }

  private run(): void {
    // a callback may call this again
    if (this.running) return
    this.running = true
    let hasThrown = true
    try {
      while (this.queue.length > 0 && (this.error !== null || this.gather())) this.answer()
      hasThrown = false
    } finally {
      this.running = false
      // the other messages do not wait because a callback threw
      if (hasThrown) this.run()
    }
  }

  /** Whether the first message is done or has failed. */
  private gather(): boolean {
    try {
      for (let frame = this.codec.next(); frame !== null; frame = this.codec.next()) {
        if (frame.first && frame.rsv === RSV1) this.rsv1 = true
        this.pieces.push(frame.payload)
      }
    } catch (error) {
      this.error = error as Error
    }
    return this.error !== null || !this.codec.busy
  }

  private answer(): void {
    const { message, callback } = this.queue.shift()!
    if (this.error !== null) {
      callback(this.error)
      return
    }
    message.rsv1 = this.rsv1
    // zlib's output is in shared memory
    if (this.pieces[0] !== message.data) message.data = Buffer.concat(this.pieces)
    this.pieces = []
    if (this.queue.length > 0) this.begin()
    callback(null, message)
  }
}
