// Takes batches of frames and makes one MessageStream after the other. It takes a frame when the stream of its message has room, and a new
// message when the view wants one.

import { WebSocketError } from '../errors.js'
import { FragmentRules, type MessageLimits } from '../protocol/fragment-rules.js'
import type { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { readBinary } from '../protocol/received-bytes.js'
import type { Buffer } from '../runtime/node.js'
import type { Batch, ErrorListener } from '../stages/stage.js'
import { MessageStream, type MessageStreamOwner } from '../views/message-stream.js'
import { InputQueue, type InputQueueOwner } from './input-queue.js'

/** Receives the streams of messages. */
export interface StreamConsumer {
  /** A message has begun; false pauses until `proceed`. */
  deliver(stream: MessageStream): boolean
  endMessages(error: Error | null): void
}

export type StreamAssemblerOwner = InputQueueOwner & ErrorListener

export class StreamAssembler extends InputQueue<Frame> implements MessageStreamOwner {
  private readonly rules: FragmentRules
  private current: MessageStream | null = null
  // `wantsNext`: the view takes a new message; `hasRoom`: the current message takes more bytes
  private wantsNext = true
  private hasRoom = true
  // a frame whose message is known, and whether it is the last one of that message
  private entered: Frame | null = null
  private isLast = false
  // the rule that the peer broke
  private failure: WebSocketError | null = null

  constructor(
    private readonly view: StreamConsumer,
    protected override readonly owner: StreamAssemblerOwner,
    private readonly limits: MessageLimits & { highWaterMark: number }
  ) {
    super(owner)
    this.rules = new FragmentRules(limits)
  }

  receive(frames: Batch<Frame>): boolean {
    if (this.drops) return true
    this.add(frames)
    return this.isRunning() || (!this.isBlocked && this.run())
  }

  /** The view takes another message. */
  proceed(): void {
    this.wantsNext = true
    this.goOn()
  }

  /** The current message takes more. */
  wantMore(stream: MessageStream): void {
    // an earlier message that is read or destroyed only now makes no room in the current one
    if (stream !== this.current) return
    this.hasRoom = true
    this.goOn()
  }

  /** Whether the application is reading the current message. */
  get isRead(): boolean {
    return this.current?.isWanted ?? false
  }

  protected end(outcome: Error | null): void {
    this.current?.fail(outcome ?? new WebSocketError('WS_ERR_INCOMPLETE_MESSAGE'))
    this.current = null
    this.view.endMessages(outcome)
  }

  protected run(): boolean {
    this.state = 'running'
    let more = true
    while (more && this.queue !== null && this.failure === null && this.isRunning()) more = this.take(this.queue)
    const { failure } = this
    if (failure !== null) {
      this.failure = null
      this.discard(failure)
      this.owner.fail(failure)
    }
    return this.ran(more)
  }

  /** Takes the next frame; false if it or the one after it has to wait. */
  private take(queue: Batch<Frame>): boolean {
    const frame = queue[this.index]!
    if (frame !== this.entered) {
      if (this.rules.inMessage ? !this.hasRoom : !this.wantsNext) return false
      // the view may have discarded the rest
      if (!this.enter(frame) || !this.isRunning()) return true
    }
    const { isLast } = this
    const current = this.current!
    this.entered = null
    // not of `queue`: more frames may have arrived meanwhile
    this.shift()
    const piece = this.read(current, frame)
    if (piece === null) return true
    if (isLast) this.current = null
    this.hasRoom = false
    // fill() may ask for more, so set hasRoom only if it returns true
    if (current.fill(piece)) this.hasRoom = true
    if (isLast) current.complete()
    return isLast ? this.wantsNext : this.hasRoom
  }

  /** Assigns a frame to its message, and begins one if needed; false if it breaks a rule. */
  private enter(frame: Frame): boolean {
    try {
      this.isLast = this.rules.add(frame)
    } catch (error) {
      this.failure = asWebSocketError(error)
      return false
    }
    this.entered = frame
    if (this.current === null) this.begin(frame)
    return true
  }

  /** The payload as the message needs it; null if it is not UTF-8. */
  private read(stream: MessageStream, frame: Frame): Buffer | string | null {
    try {
      return stream.decode(readBinary(frame), this.isLast)
    } catch (error) {
      this.failure = asWebSocketError(error)
      return null
    }
  }

  private begin(frame: Frame): void {
    const kind = frame.opcode === Opcode.Text ? 'text' : 'binary'
    const stream = new MessageStream(kind, this.limits.highWaterMark, this)
    this.current = stream
    this.wantsNext = false
    if (this.view.deliver(stream)) this.wantsNext = true
  }
}

/** @throws an error that the peer did not cause */
function asWebSocketError(error: unknown): WebSocketError {
  /* c8 ignore next - an error of ours must not be reported as the peer's */
  if (!(error instanceof WebSocketError)) throw error
  return error
}
