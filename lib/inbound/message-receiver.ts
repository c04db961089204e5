// The inbound end of the pipeline. Frames wait here until the application chooses how to read: as messages, streams, frames or bytes. Then
// the stages for that choice replace this one.

import type { WebSocketError } from '../errors.js'
import type { Settings } from '../options.js'
import type { Frame } from '../protocol/frame.js'
import type { ReceivedMessage } from '../protocol/message-joiner.js'
import { Opcode } from '../protocol/opcode.js'
import { Buffer, nextTick, warn } from '../runtime/node.js'
import { type Batch, type ErrorListener, link, type Receiver, type Sender } from '../stages/stage.js'
import { type BytesOwner, BytesView } from '../views/bytes-view.js'
import { type FramesOwner, FramesView } from '../views/frames-view.js'
import { MessagesView } from '../views/messages-view.js'
import { type StreamsOwner, StreamsView } from '../views/streams-view.js'
import { Delivery, type MessageConsumer, type MessageListeners } from './delivery.js'
import type { InputQueueOwner } from './input-queue.js'
import { StreamAssembler } from './stream-assembler.js'

/** The forms in which an application can read. */
export type ViewKind = 'messages' | 'streams' | 'frames' | 'bytes'

export type AnyView = MessagesView | StreamsView | FramesView | BytesView

/** The parts of the Endpoint that the views use. */
export interface MessageReceiverOwner extends InputQueueOwner {
  readonly settings: Settings
  /** The 'message' listeners. */
  readonly lifecycle: MessageListeners<ReceivedMessage>
  /** Sends what the views write. */
  readonly sender: StreamsOwner & FramesOwner & BytesOwner
  /** Fails the connection because the peer broke a rule. */
  fail(error: WebSocketError): void
  /** Builds the end of the inbound chain. */
  readonly pipeline: InboundPipeline
}

/** The methods of a Pipeline that link stages between its decoder and the delivery. */
interface InboundPipeline {
  deliverMessages(delivery: Receiver<ReceivedMessage>, listener: ErrorListener): Receiver<Frame>
  deliverBytes(delivery: Receiver<Buffer>, listener: ErrorListener): Receiver<Frame>
  deliverFrames(entrance: Receiver<Frame>): Receiver<Frame>
  /** Delivers frames as they are on the wire, without decompression. */
  bypassExtensions(queue: { hold(): void; release(): void }): void
  /** No more frames arrive; calls back when those that have arrived are decompressed. */
  endInbound(run: () => void): void
}

/** The last inbound stage, once the application has chosen how to read. */
interface Sink {
  /** The application wants more. */
  proceed(): void
  discard(failure: Error | null): void
  /** Drops what arrives from now on. */
  dropNew(): void
  complete(outcome: Error | null): void
}

/** Limit on buffered fragments of any size, since even an empty one takes memory. */
const HELD_FRAMES = 1024

export class MessageReceiver implements Receiver<Frame> {
  prev: Sender<Frame> | null = null
  /** The application's view; null if it has not asked for one. */
  view: AnyView | null = null
  /** How the application reads; null while it has not chosen. */
  kind: ViewKind | null = null
  /** Whether the messages view ends after a lost connection instead of failing. */
  endsQuietly = false

  private sink: Sink | null = null
  private messages: Delivery<ReceivedMessage> | null = null
  private held: HeldFrames | null = null
  private discarding = false
  private outcome: Error | null | undefined = undefined

  constructor(private readonly owner: MessageReceiverOwner) {}

  receive(frames: Batch<Frame>): boolean {
    if (this.discarding) return true
    this.held ??= new HeldFrames(() => this.probe())
    const { held } = this
    held.add(frames)
    // Accept input although the application does not read yet, so that a Close or the end of the wire is noticed: half of what other
    // buffers hold.
    return held.frames.length < HELD_FRAMES && held.size < this.owner.settings.highWaterMark / 2
  }

  finish(): void {
    this.owner.inputDelivered()
  }

  /** Whether the application neither reads nor listens at present. */
  get isUnheard(): boolean {
    return this.view === null && !this.owner.lifecycle.isHeard
  }

  /** The view of this kind, created on first use. @throws TypeError if the connection is already read in another way */
  open(kind: ViewKind): AnyView {
    if (this.view === null) {
      this.choose(kind)
      if (kind === 'messages') this.attach(new MessagesView(this.owner.sender))
    } else if (this.kind !== kind) {
      throw this.taken()
    }
    return this.view!
  }

  /** A 'message' listener was added. @throws TypeError if the connection is already read through another view */
  listen(): void {
    if (this.kind !== null && this.kind !== 'messages') throw this.taken()
    this.choose('messages')
    // the listener gets waiting messages in the next turn
    if (this.messages!.isBlocked) nextTick(() => this.messages!.proceed())
  }

  /** Stops delivery to listeners and the view until `resume`. @throws TypeError if the connection is read through another view */
  pause(): void {
    this.listen()
    this.messages!.paused = true
  }

  /** Whether delivery is paused. */
  get isPaused(): boolean {
    return this.messages?.paused ?? false
  }

  resume(): void {
    if (!this.isPaused) return
    this.messages!.paused = false
    this.messages!.proceed()
  }

  /** The application wants more. */
  proceed(): void {
    if (this.messages !== null) this.messages.ask()
    else this.sink?.proceed()
  }

  /** Keeps the messages that wait readable and drops new ones, to reach the Close after them. */
  dropNew(): void {
    // called only if the application reads, so there is a sink
    this.sink!.dropNew()
  }

  /** Drops all messages, for an application that only sends. @throws TypeError if the connection is read through another view */
  ignore(): void {
    this.listen()
    this.discard()
  }

  /**
   * Drops all messages, waiting and new.
   * @param failure - how the view ends if messages are dropped that would have come before a clean end
   */
  discard(failure: Error | null = null): void {
    this.discarding = true
    this.held?.stopTimer()
    this.held = null
    if (this.sink === null) this.prev!.proceed()
    else this.sink.discard(this.asTold(failure))
  }

  /** No more messages arrive. */
  complete(outcome: Error | null): void {
    this.held?.stopTimer()
    if (this.outcome === undefined) this.outcome = outcome
    if (this.held === null) this.completeSink(outcome)
  }

  private completeSink(outcome: Error | null): void {
    this.owner.pipeline.endInbound(() => this.sink?.complete(this.asTold(outcome)))
  }

  private asTold(outcome: Error | null): Error | null {
    return this.endsQuietly && this.kind === 'messages' ? null : outcome
  }

  private taken(): TypeError {
    return new TypeError(`already read through ws.${this.kind}; use only one of messages, streams, frames, bytes`)
  }

  private choose(kind: ViewKind): void {
    if (this.kind === kind) return
    if (this.kind !== null) throw this.taken()
    this.kind = kind
    this.held?.stopTimer()
    let entrance: Receiver<Frame>
    if (kind === 'messages') entrance = this.makeMessages()
    else if (kind === 'streams') entrance = this.makeStreams()
    else if (kind === 'bytes') entrance = this.makeBytes()
    else entrance = this.makeFrames()
    if (this.discarding) this.sink!.discard(null)
    // the application has the rest of this turn to add its listeners
    if (this.held !== null) nextTick(() => this.handOver(entrance))
    else this.giveWay(entrance)
  }

  private giveWay(entrance: Receiver<Frame>): void {
    // drop whole messages here, since the next stage cannot start in the middle of one
    if (!this.discarding) {
      link(this.prev!, entrance)
      this.prev = null
    }
    this.endIfOver()
  }

  private endIfOver(): void {
    if (this.outcome !== undefined) this.completeSink(this.outcome)
  }

  private handOver(entrance: Receiver<Frame>): void {
    const { prev, held } = this
    this.held = null
    let more = true
    if (held !== null) {
      this.prev = null
      link(prev!, entrance)
      more = entrance.receive(held.frames)
    }
    this.endIfOver()
    if (more) prev!.proceed()
  }

  private attach(view: AnyView): void {
    this.view = view
    this.messages?.attach(view as MessagesView)
  }

  private makeMessages(): Receiver<Frame> {
    const { owner } = this
    this.messages = this.sink = new Delivery<ReceivedMessage>(owner.lifecycle, owner, owner.settings.highWaterMark / 2)
    return owner.pipeline.deliverMessages(this.messages, owner)
  }

  private makeStreams(): Receiver<Frame> {
    const { owner } = this
    const view = new StreamsView(owner.sender)
    const assembler = new StreamAssembler(view, owner, owner.settings)
    this.sink = assembler
    this.attach(view)
    return owner.pipeline.deliverFrames(assembler)
  }

  /** Sends an unsolicited Pong (RFC 6455 §5.5.3): if the peer has gone, the write fails, while a wire that is not read reports nothing. */
  private probe(): void {
    const { sender } = this.owner
    if (!sender.isBlocked) sender.sendControl(Opcode.Pong, Buffer.alloc(0))
  }

  private makeFrames(): Receiver<Frame> {
    const { owner } = this
    owner.pipeline.bypassExtensions(owner.sender.sendQueue)
    const view = new FramesView(owner.sender)
    return this.deliverTo<Frame>(view)
  }

  private makeBytes(): Receiver<Frame> {
    const { owner } = this
    return owner.pipeline.deliverBytes(this.deliverTo<Buffer>(new BytesView(owner.sender)), owner)
  }

  /** A delivery to this view only, not to 'message' listeners. */
  private deliverTo<T>(view: AnyView & MessageConsumer<T>): Delivery<T> {
    const { owner } = this
    const delivery = new Delivery<T>(null, owner, owner.settings.highWaterMark / 2)
    this.sink = delivery
    delivery.attach(view)
    this.attach(view)
    return delivery
  }
}

/** Frames that arrived before the application has chosen how to read. */
class HeldFrames {
  readonly frames: Frame[] = []
  size = 0
  private timer: NodeJS.Timeout | null = null
  private isChosen = false

  /** @param probe - finds out whether the peer is still there */
  constructor(private readonly probe: () => void) {}

  add(frames: Batch<Frame>): void {
    for (const frame of frames) {
      this.frames.push(frame)
      this.size += frame.size
    }
    if (this.timer === null && !this.isChosen && frames.some(endsMessage)) this.startTimer()
  }

  /** The application has chosen how to read, or the connection has ended. */
  stopTimer(): void {
    this.isChosen = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  private startTimer(): void {
    this.timer = setTimeout(() => {
      this.startTimer()
      warnOfUnread()
      this.probe()
    }, UNREAD_AFTER)
    this.timer.unref?.()
  }
}

function endsMessage(frame: Frame): boolean {
  return frame.fin && frame.complete
}

/** ms */
const UNREAD_AFTER = 10_000
let hasWarned = false

/** Warns once for each process. */
function warnOfUnread(): void {
  if (hasWarned) return
  hasWarned = true
  const text =
    "messages of a WebSocket have waited for 10 s, and nothing reads them: listen for 'message', " +
    'read ws.messages, or call ws.discardMessages()'
  warn(text, 'WS_UNREAD')
}
