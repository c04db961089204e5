// Batches of frames come in, and become one MessageStream after the other. Takes a frame when the stream that it belongs to has
// room, and a new message when the view wants one.

import { WebSocketError } from '../errors.js'
import { FragmentRules, type MessageLimits } from '../protocol/fragment-rules.js'
import type { Frame } from '../protocol/frame.js'
import { Opcode } from '../protocol/opcode.js'
import { readBinary } from '../protocol/received-bytes.js'
import type { Batch, FaultListener, Receiver, Sender } from '../stages/stage.js'
import { MessageStream, type MessageStreamOwner } from './message-stream.js'

/** Takes the streams of messages. */
export interface StreamTaker {
  /** A message has begun; false asks for no other one until `proceed`. */
  deliver(stream: MessageStream): boolean
  endMessages(error: Error | null): void
}

export interface StreamIntakeOwner extends FaultListener {
  /** Everything that had arrived has been delivered. */
  inputDelivered(): void
}

export class StreamIntake implements Receiver<Frame>, MessageStreamOwner {
  prev: Sender<Frame> | null = null
  private readonly rules: FragmentRules
  private current: MessageStream | null = null
  private queue: Batch<Frame> | null = null
  private at = 0
  private state: 'idle' | 'running' | 'blocked' | 'discarding' = 'idle'
  // the view takes a new message; the message in progress takes more of its bytes
  private wantsNext = true
  private hasRoom = true
  private outcome: Error | null | undefined = undefined

  constructor(
    private readonly view: StreamTaker,
    private readonly owner: StreamIntakeOwner,
    private readonly limits: MessageLimits & { highWaterMark: number }
  ) {
    this.rules = new FragmentRules(limits)
  }

  receive(frames: Batch<Frame>): boolean {
    if (this.state === 'discarding') return true
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

  /** The message in progress takes more. */
  wantMore(stream: MessageStream): void {
    // one that is complete, and read or destroyed now, makes no room in another
    if (stream !== this.current) return
    this.hasRoom = true
    this.goOn()
  }

  /** Whether a message is in progress that somebody reads. */
  get isRead(): boolean {
    return this.current?.isWanted ?? false
  }

  /** Drops all that waits or comes. */
  discard(): void {
    const wasBlocked = this.state === 'blocked'
    this.queue = null
    this.state = 'discarding'
    if (wasBlocked) this.prev!.proceed()
  }

  /** Nothing more will come. */
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
    try {
      while (more && this.queue !== null && (this.state as string) === 'running') more = this.take(this.queue)
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      this.discard()
      this.owner.fail(error)
    } finally {
      if ((this.state as string) === 'running') this.state = more ? 'idle' : 'blocked'
    }
    if (this.queue === null && this.outcome !== undefined) this.end(this.outcome)
    return (this.state as string) !== 'blocked'
  }

  /** Takes the next frame; false where it, or the one behind it, has to wait. */
  private take(queue: Batch<Frame>): boolean {
    const frame = queue[this.at]!
    if (this.rules.inMessage ? !this.hasRoom : !this.wantsNext) return false
    if (++this.at === queue.length) this.queue = null
    const isLast = this.rules.add(frame)
    this.current ??= this.begin(frame)
    const { current } = this
    this.hasRoom = false
    // whoever reads may ask for more while being given it
    if (current.fill(readBinary(frame))) this.hasRoom = true
    if (!isLast) return this.hasRoom
    current.complete()
    this.current = null
    return this.wantsNext
  }

  private begin(frame: Frame): MessageStream {
    const kind = frame.opcode === Opcode.Text ? 'text' : 'binary'
    const stream = new MessageStream(kind, this.limits.highWaterMark, this)
    this.wantsNext = false
    if (this.view.deliver(stream)) this.wantsNext = true
    return stream
  }
}
