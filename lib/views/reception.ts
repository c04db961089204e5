// The inbound end of the pipeline: frames wait here until the application has said how it wants them, as messages, as streams or as
// frames; then what makes these of them takes this place.

import type { WebSocketError } from '../errors.js'
import type { Settings } from '../options.js'
import type { Frame } from '../protocol/frame.js'
import type { ReceivedMessage } from '../protocol/message-joiner.js'
import { type Buffer, nextTick, warn } from '../runtime/node.js'
import { ByteUnwrapper } from '../stages/byte-unwrapper.js'
import { MessageAssembler } from '../stages/message-assembler.js'
import { type Batch, link, type Receiver, type Sender } from '../stages/stage.js'
import { type BytesOwner, BytesView } from './bytes.js'
import { Delivery, type DeliveryOwner, type MessageListeners, type Taker } from './delivery.js'
import { type FramesOwner, FramesView } from './frames.js'
import { MessagesView } from './messages.js'
import { StreamIntake } from './stream-intake.js'
import { type StreamsOwner, StreamsView } from './streams.js'

/** The forms in which an application can have what arrives. */
export type ViewKind = 'messages' | 'streams' | 'frames' | 'bytes'

export type AnyView = MessagesView | StreamsView | FramesView | BytesView

/** What stands behind the views. */
export interface ReceptionOwner extends DeliveryOwner {
  readonly settings: Settings
  /** The listeners of 'message'. */
  readonly lifecycle: MessageListeners<ReceivedMessage>
  /** What the views write to. */
  readonly sender: StreamsOwner & FramesOwner & BytesOwner
  /** Ends the connection for a rule that the peer has broken. */
  fail(error: WebSocketError): void
  /** Frames are wanted as they are on the wire: nothing else is to be done with them. */
  bypassExtensions(): void
  /** Messages are wanted: what takes frames, with the extensions before it. */
  extended(entrance: Receiver<Frame>): Receiver<Frame>
}

/** What takes what arrives, once it is wanted. */
interface Sink {
  /** The application wants more. */
  proceed(): void
  discard(): void
  /** Drops what comes from now on. */
  dropNew(): void
  complete(outcome: Error | null): void
}

/** Fragments that are held at most, however small: an empty one takes room too. */
const HELD_FRAMES = 1024

export class Reception implements Receiver<Frame> {
  prev: Sender<Frame> | null = null
  /** The application's view, where it has asked for one. */
  view: AnyView | null = null
  /** How the application wants what arrives; null while it has not said. */
  kind: ViewKind | null = null
  /** Whether the messages view ends after a connection that was lost, in place of failing. */
  endsQuietly = false

  private sink: Sink | null = null
  private messages: Delivery<ReceivedMessage> | null = null

  private held: Frame[] | null = null
  private heldSize = 0
  private discarding = false
  private outcome: Error | null | undefined = undefined
  private warning: NodeJS.Timeout | null = null

  constructor(private readonly owner: ReceptionOwner) {}

  receive(frames: Batch<Frame>): boolean {
    if (this.discarding) return true
    if (this.held === null) this.held = []
    for (const frame of frames) {
      this.held.push(frame)
      this.heldSize += frame.size
    }
    if (frames.some(endsMessage)) this.warning ??= warnOfUnread()
    // half of what any other buffer holds: so a Close, or the end of the wire, is seen though nothing is read
    return this.held.length < HELD_FRAMES && this.heldSize < this.owner.settings.highWaterMark / 2
  }

  finish(): void {
    this.owner.inputDelivered()
  }

  /** Whether nothing takes what arrives at present. */
  get isUnheard(): boolean {
    return this.view === null && !this.owner.lifecycle.isHeard
  }

  /** The view of this kind, made when it is first asked for. @throws TypeError where another one serves this connection */
  open(kind: ViewKind): AnyView {
    if (this.view === null) {
      this.choose(kind)
      if (kind === 'messages') this.attach(new MessagesView(this.owner.sender))
    } else if (this.kind !== kind) {
      throw this.taken()
    }
    return this.view!
  }

  /** The application listens for 'message'. @throws TypeError where another view serves this connection */
  listen(): void {
    if (this.kind !== null && this.kind !== 'messages') throw this.taken()
    this.choose('messages')
    // the new listener takes messages from the next turn on
    if (this.messages!.isBlocked) nextTick(() => this.messages!.proceed())
  }

  /** Keeps messages from listeners and the view until `resume`. @throws TypeError where streams or frames are read */
  pause(): void {
    this.listen()
    this.messages!.paused = true
  }

  /** Whether `pause` holds. */
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
    this.sink?.proceed()
  }

  /** What waits can still be read, and what comes is dropped: it lies before a Close that must be seen. */
  dropNew(): void {
    // without a sink, `close` has discarded all
    this.sink!.dropNew()
  }

  /** Drops all that waits or comes. */
  discard(): void {
    this.discarding = true
    this.stopWarning()
    this.held = null
    if (this.sink === null) this.prev!.proceed()
    else this.sink.discard()
  }

  /** Nothing more will come. */
  complete(outcome: Error | null): void {
    this.stopWarning()
    if (this.outcome === undefined) this.outcome = outcome
    if (this.held === null) this.completeSink(outcome)
  }

  private completeSink(outcome: Error | null): void {
    this.sink?.complete(this.endsQuietly && this.kind === 'messages' ? null : outcome)
  }

  private stopWarning(): void {
    if (this.warning !== null) clearTimeout(this.warning)
    this.warning = null
  }

  private taken(): TypeError {
    return new TypeError(`already read through ws.${this.kind}; use only one of messages, streams, frames, bytes`)
  }

  private choose(kind: ViewKind): void {
    if (this.kind === kind) return
    if (this.kind !== null) throw this.taken()
    this.kind = kind
    this.stopWarning()
    let entrance: Receiver<Frame>
    if (kind === 'messages') entrance = this.owner.extended(this.makeMessages())
    else if (kind === 'streams') entrance = this.owner.extended(this.makeStreams())
    else if (kind === 'bytes') entrance = this.owner.extended(this.makeBytes())
    else entrance = this.makeFrames()
    if (this.discarding) this.sink!.discard()
    // the application has the rest of this turn to be set up
    if (this.held !== null) nextTick(() => this.handOver(entrance))
    else this.giveWay(entrance)
  }

  private giveWay(entrance: Receiver<Frame>): void {
    // another consumer cannot begin in the middle of a message: what is dropped is dropped here
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
      more = entrance.receive(held)
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
    const assembler = new MessageAssembler(owner.settings)
    assembler.listener = owner
    this.messages = this.sink = new Delivery<ReceivedMessage>(owner.lifecycle, owner, owner.settings.highWaterMark / 2)
    link(assembler, this.messages)
    return assembler
  }

  private makeStreams(): Receiver<Frame> {
    const { owner } = this
    const view = new StreamsView(owner.sender)
    const intake = new StreamIntake(view, owner, owner.settings)
    this.sink = intake
    this.attach(view)
    return intake
  }

  private makeFrames(): Receiver<Frame> {
    const { owner } = this
    owner.bypassExtensions()
    const view = new FramesView(owner.sender)
    return this.deliverTo<Frame>(view)
  }

  private makeBytes(): Receiver<Frame> {
    const { owner } = this
    const unwrapper = new ByteUnwrapper(owner.settings)
    unwrapper.listener = owner
    link(unwrapper, this.deliverTo<Buffer>(new BytesView(owner.sender)))
    return unwrapper
  }

  /** What gives to this view, and to no listener of 'message'. */
  private deliverTo<T>(view: AnyView & Taker<T>): Delivery<T> {
    const { owner } = this
    const delivery = new Delivery<T>(null, owner, owner.settings.highWaterMark / 2)
    this.sink = delivery
    delivery.attach(view)
    this.attach(view)
    return delivery
  }
}

function endsMessage(frame: Frame): boolean {
  return frame.fin && frame.complete
}

/** ms */
const WARN_AFTER = 10_000
let hasWarned = false

/** Says once, unless it is stopped, that messages wait which nothing reads. */
function warnOfUnread(): NodeJS.Timeout {
  const timer = setTimeout(() => {
    if (hasWarned) return
    hasWarned = true
    const text =
      "messages of a WebSocket have waited for 10 s, and nothing reads them: listen for 'message', " +
      'read ws.messages, or call ws.discardMessages()'
    warn(text, 'WS_UNREAD')
  }, WARN_AFTER)
  timer.unref?.()
  return timer
}
