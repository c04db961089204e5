// Takes batches of frames and makes one MessageStream after the other. It takes a frame when the stream of its message has room, and a new
// message when the view wants one.

import { WebSocketError } from '../errors.js'
import { FragmentRules, type MessageLimits } from '../protocol/fragment-rules.js'
import type { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { readBinary } from '../protocol/received-bytes.js'
import type { Buffer } from '../runtime/node.js'
import type { Batch, ErrorListener, Receiver, Sender } from '../stages/stage.js'
import { MessageStream, type MessageStreamOwner } from '../views/message-stream.js'

/** Receives the streams of messages. */
export interface StreamConsumer {
  /** A message has begun; false pauses until `proceed`. */
  deliver(stream: MessageStream): boolean
  endMessages(error: Error | null): void
}

export interface StreamAssemblerOwner extends ErrorListener {
  /** All input has passed the stages; it may still wait for the application. */
  inputDelivered(): void
}

export class StreamAssembler implements Receiver<Frame>, MessageStreamOwner {
  prev: Sender<Frame> | null = null
  private readonly rules: FragmentRules
  private current: MessageStream | null = null
  private queue: Batch<Frame> | null = null
  private at = 0
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  // `wantsNext`: the view takes a new message; `hasRoom`: the current message takes more bytes
  private wantsNext = true
  private hasRoom = true
  private outcome: Error | null | undefined = undefined
  // a frame whose message is known, and whether it is the last one of that message
  private entered: Frame | null = null
  private isLast = false
  // the rule that the peer broke
  private failure: WebSocketError | null = null
  private dropsNew = false

  constructor(
    private readonly view: StreamConsumer,
    private readonly owner: StreamAssemblerOwner,
    private readonly limits: MessageLimits & { highWaterMark: number }
  ) {
    this.rules = new FragmentRules(limits)
  }

  receive(frames: Batch<Frame>): boolean {
    if (this.state === 'discarding' || this.dropsNew) return true
    this.queue = this.queue === null ? frames : [...this.queue.slice(this.at), ...frames]
    this.at = 0
    if (this.state !== 'idle') return this.state === 'running'
    return this.run()
  }

  finish(): void {
    this.owner.inputDelivered()
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

  /** Keeps what waits readable and drops new input. */
  dropNew(): void {
    this.dropsNew = true
    if (this.state === 'blocked') this.prev!.proceed()
  }

  /**
   * Drops all input, waiting and new.
   * @param failure - how the view ends if frames are dropped that would have come before a clean end
   */
  discard(failure: Error | null = null): void {
    const wasBlocked = this.state === 'blocked'
    const endsNow = this.queue !== null && this.outcome !== undefined
    this.queue = null
    this.state = 'discarding'
    if (endsNow) this.outcome ??= failure
    // otherwise run() is under way, and goes on
    if (!wasBlocked) return
    if (endsNow) this.end(this.outcome!)
    this.prev!.proceed()
  }

  /** No more frames arrive. */
  complete(outcome: Error | null): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    if (this.queue === null) this.end(outcome)
  }

  private end(outcome: Error | null): void {
    this.current?.fail(outcome ?? new WebSocketError('WS_ERR_INCOMPLETE_MESSAGE'))
    this.current = null
    this.view.endMessages(outcome)
  }

  private goOn(): void {
    if (this.state === 'blocked' && this.run()) this.prev!.proceed()
  }

  private run(): boolean {
    this.state = 'running'
    let more = true
    while (more && this.queue !== null && this.failure === null && this.isRunning()) more = this.take(this.queue)
    if (this.isRunning()) this.state = more ? 'idle' : 'blocked'
    const { failure } = this
    if (failure !== null) {
      this.failure = null
      this.discard(failure)
      this.owner.fail(failure)
    }
    if (this.queue === null && this.outcome !== undefined) this.end(this.outcome)
    return this.state !== 'blocked'
  }

  private isRunning(): boolean {
    return this.state === 'running'
  }

  /** Takes the next frame; false if it or the one after it has to wait. */
  private take(queue: Batch<Frame>): boolean {
    const frame = queue[this.at]!
    if (frame !== this.entered) {
      if (this.rules.inMessage ? !this.hasRoom : !this.wantsNext) return false
      // the view may have discarded the rest
      if (!this.enter(frame) || !this.isRunning()) return true
    }
    const { isLast } = this
    const current = this.current!
    this.entered = null
    // more frames may have arrived meanwhile
    if (++this.at === this.queue!.length) this.queue = null
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
