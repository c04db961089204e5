// One connection put together: the stages, the wire on one side, the application on the other, and the Connection that acts on
// control frames. Everything that has to reach across the pipeline passes here, and is decided elsewhere.

import { follow, unfollow } from './abort-signals.js'
import { type CloseInfo, Connection, type Role, type Surroundings } from './connection.js'
import { Deferred } from './deferred.js'
import { channels, type FrameEvent } from './diagnostics.js'
import { HandshakeError, type Headers, WebSocketError } from './errors.js'
import type { Negotiated } from './extensions/negotiation.js'
import { type ConnectionServer, giveTo } from './hand-over.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { Http2OpeningOwner } from './http2-opening.js'
import type { Opening, OpeningOwner } from './opening.js'
import type { Settings, UpgradeRequest } from './options.js'
import { CloseCode, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import type { ReceivedMessage } from './protocol/message-joiner.js'
import { isText, OrderedControl, type Outgoing as OutgoingMessage } from './protocol/message-splitter.js'
import type { Opcode } from './protocol/opcode.js'
import { TextBytes } from './protocol/text-bytes.js'
import { Buffer, nextTick, warn } from './runtime/node.js'
import { ExtensionTransform } from './stages/extension-transform.js'
import { FrameDecoder } from './stages/frame-decoder.js'
import { FrameEncoder, type Written } from './stages/frame-encoder.js'
import { type HandshakeReader, HandshakeTransform } from './stages/handshake-transform.js'
import { MessageFragmenter } from './stages/message-fragmenter.js'
import { link, type Receiver, type Sender } from './stages/stage.js'
import type { ConnectionStats } from './stats.js'
import { surface } from './surfacing.js'
import type { MessageKind } from './views/message-stream.js'
import { MessageWriter, type MessageWriterOwner } from './views/message-writer.js'
import { Outbox, type Outgoing } from './views/outbox.js'
import { type AnyView, Reception, type ReceptionOwner, type ViewKind } from './views/reception.js'
import type { View } from './views/view.js'
import { AttachedWire } from './wires/attached-wire.js'
import { PipedWire } from './wires/piped-wire.js'
import type { Wire, WireUser } from './wires/wire.js'

/** What the pipeline tells the WebSocketStream around it. */
export interface PipelineUser {
  /** Calls the listeners of an event; false where there are none. */
  tell(event: 'message' | 'ping' | 'pong' | 'closing' | 'error' | 'close', value: unknown): boolean
  /** Calls the listeners of 'message' with bytes, and what they are; false where there are none. */
  tellMessage(message: Buffer, kind: MessageKind): boolean
  /** Emits an event of the handshake; false where it has no listeners. @throws what a listener throws */
  ask(event: 'request' | 'open', value: unknown): boolean
  /** Whether an event has listeners. */
  hears(event: string): boolean
  /** Whether the application listens for errors: pipes do, too, and do nothing with those of a peer. */
  hearsErrors(): boolean
  /** Nothing more will come or go. */
  allOver(): void
}

/** The handshake in progress, and the two stages that hold back the wire for it. */
interface Handshake {
  readonly opening: Opening
  readonly inbound: HandshakeTransform
  readonly outbound: HandshakeTransform
  /** Whether it has begun; `early`: in the turn in which listeners may still be added. */
  begun?: 'early' | 'in time'
  /** Whether the application has been shown a right request. */
  offered?: boolean
}

/** Both ExtensionTransforms, where something was negotiated. */
interface Extensions {
  readonly rsv: number
  readonly inbound: ExtensionTransform
  readonly outbound: ExtensionTransform
}

/** What few connections need, or need for a short time only. */
interface Rare {
  opened?: Deferred<OpenInfo>
  closed?: Deferred<CloseInfo>
  openError?: HandshakeError
  error?: Error
  isErrorTold?: boolean
  isClosingTold?: true
  closeBody?: Buffer
  closeSent?: () => void
  ask?: (answer: HandshakeError) => boolean
  isDialled?: true
  /** Who waits for the wire to take bytes again. */
  drained?: (() => void)[]
  /** Stands for the view of whoever was told to wait before there was one. */
  writer?: { proceed(): void }
}

const NORMAL = writeCloseBody(1000, '')

export class Pipeline implements Surroundings, WireUser, Http2OpeningOwner, ReceptionOwner, MessageWriterOwner {
  readonly connection: Connection
  /** What the handshake agreed on; null before. */
  info: OpenInfo | null = null
  /** How it all ended; undefined before. */
  declare closeInfo: CloseInfo | undefined

  private readonly decoder: FrameDecoder
  private readonly encoder: FrameEncoder
  private readonly fragmenter: MessageFragmenter
  private readonly reception = new Reception(this)
  private handshake: Handshake | null = null
  private wire: Wire | null = null
  /** Server: the request, as it was given. */
  request: UpgradeRequest | null
  private bytesReceived = 0
  private closeFrame: 'none' | 'sent' | 'written' = 'none'

  // What most open connections are without stands in the prototype, where it costs nothing (benchmarks/questions/idle.js)
  declare private extensions: Extensions | null
  declare private outgoing: Outbox | null
  declare private rare: Rare | null
  // the wire has taken all, its end included
  declare private hasEnded: boolean

  static {
    const plain = Pipeline.prototype
    plain.closeInfo = undefined
    plain.extensions = plain.outgoing = plain.rare = null
    plain.hasEnded = false
  }

  /**
   *     wire → HandshakeTransform → FrameDecoder → ExtensionTransform → reception: MessageAssembler → delivery → view
   *     wire ← HandshakeTransform ← FrameEncoder ← ExtensionTransform ← MessageFragmenter ← view
   */
  constructor(
    private readonly user: PipelineUser,
    role: Role,
    readonly settings: Settings,
    makeOpening: (owner: Http2OpeningOwner) => Opening
  ) {
    const opening = makeOpening(this)
    const inbound = new HandshakeTransform(opening.request === null ? opening : null, settings.highWaterMark)
    const outbound = new HandshakeTransform()
    this.connection = new Connection(role, settings, this)
    const { maxFrameSize, requireMasking, masking, highWaterMark } = settings
    this.decoder = new FrameDecoder({ role, maxFrameSize, requireMasking })
    this.encoder = new FrameEncoder({ role, masking, highWaterMark })
    this.fragmenter = new MessageFragmenter(settings)
    this.handshake = { opening, inbound, outbound }
    this.request = opening.request

    inbound.pipe(this.decoder)
    link(this.decoder, this.reception)
    this.fragmenter.pipe(this.encoder).pipe(outbound)

    inbound.listener = { fail: error => opening.fault(error as HandshakeError) }
    this.decoder.listener = this.connection
    this.encoder.listener = this
    this.encoder.block()
    this.connection.expectHandshake(() => this.handshake?.opening.late())
    if (settings.signal !== undefined) this.obey(settings.signal)
  }

  // The wire

  /** The peer has sent a client elsewhere: another handshake, on a wire that is still to come, takes the place of this one. */
  reopen(makeOpening: (owner: OpeningOwner) => Opening): void {
    const opening = makeOpening(this)
    const inbound = new HandshakeTransform(opening)
    const outbound = new HandshakeTransform()
    // the old wire may be ending just now, which is no end of the next one
    this.handshake!.inbound.next = null
    this.connection.reopened()
    // who dials attaches
    ;(this.wire as AttachedWire).release()
    this.wire = null
    this.handshake = { opening, inbound, outbound }
    link(inbound, this.decoder)
    link(this.encoder, outbound)
    inbound.listener = { fail: error => opening.fault(error as HandshakeError) }
  }

  /** Has a function asked about an answer that refuses a client, before anybody hears of it; true where another handshake follows. */
  whenRefused(ask: (answer: HandshakeError) => boolean): void {
    this.rare ??= {}
    this.rare.ask = ask
  }

  /** Joins the pipeline to the wire, once. Whoever answers the handshake has the rest of this turn to be set up. */
  join(wire: Wire): void {
    this.wire = wire
    this.encoder.setWire(wire)
    const { inbound, outbound } = this.handshake!
    link<Buffer>(wire, inbound)
    link<Buffer>(outbound, wire)
    // the application has given the connection up before it had a wire
    if (this.closeInfo !== undefined) {
      wire.drop()
      return
    }
    // before the request is read
    if (this.settings.signal?.aborted && this.connection.role === 'server') this.aborted()
    if (this.handshake?.opening.isDecided) this.begin()
    else nextTick(() => this.begin('in time'))
  }

  begin(when: 'early' | 'in time' = 'early'): void {
    const { handshake } = this
    if (handshake === null || handshake.begun !== undefined) return
    handshake.begun = when
    const { opening } = handshake
    if (channels.handshake.hasSubscribers) {
      const { url, request } = opening
      channels.handshake.publish({ stream: this.user, role: this.connection.role, url, request })
    }
    opening.begin()
  }

  /** Begins the handshake now; whether this side's part of it was sent. */
  start(): boolean {
    if (!this.isJoined || this.handshake === null || this.handshake.begun !== undefined) return false
    this.begin()
    return this.connection.failure === null
  }

  get isJoined(): boolean {
    return this.wire !== null
  }

  /** Whether `connect` opens the wire: until it is there, and between two of them, nothing else becomes it. */
  get isDialled(): boolean {
    return this.rare?.isDialled === true
  }

  expectDialled(): void {
    this.rare ??= {}
    this.rare.isDialled = true
  }

  /** The wire, where it is pipes. */
  get pipes(): PipedWire | undefined {
    return this.wire instanceof PipedWire ? this.wire : undefined
  }

  /** Bytes behind a request that somebody else has read. */
  keepHead(head: Buffer): void {
    this.handshake!.inbound.keep(head)
  }

  wireInput(chunk: Buffer, owned = false): boolean {
    const { encoder } = this
    this.decoder.ownsInput = owned
    this.connection.heard()
    this.bytesReceived += chunk.length
    // what the application answers to this chunk leaves as one write, at the end of it (benchmarks/questions/echo.js)
    encoder.hold()
    let more = true
    try {
      more = this.wire!.next!.receive([chunk])
    } catch (error) {
      // of a 'request' listener
      surface(error)
    }
    encoder.release()
    return more
  }

  wireEnded(): void {
    const { handshake } = this
    this.connection.inputEnded()
    this.wire!.next!.finish()
    if (handshake !== null && handshake === this.handshake) handshake.opening.peerLeft()
  }

  wireLost(cause?: unknown): void {
    if (this.handshake !== null) {
      this.connection.endedByPeer()
      // what a proxy said is said as it is
      const isTold = cause instanceof HandshakeError
      this.handshake.opening.fault(isTold ? cause : notConnected(cause))
    } else {
      // a Close may be among what had arrived before
      this.decoder.runOut()
      this.connection.wireLost(cause)
    }
  }

  wireClosed(): void {
    this.user.allOver()
  }

  outputEnded(isSent: true | undefined, tells = true): void {
    if (isSent) this.hasEnded = true
    // in a turn of its own: what a listener throws must not keep the wire from ending
    if (tells) nextTick(() => this.tellError())
  }

  hasSentAll(): boolean {
    const { encoder, extensions, wire } = this
    if (this.hasEnded) return true
    if (encoder.size > 0 || encoder.isBlocked || extensions?.outbound.isWorking) return false
    return wire === null || wire.bufferedAmount === 0
  }

  /** Ends the connection without a word to the peer. */
  abandon(error: WebSocketError): void {
    if (this.handshake !== null) {
      this.handshake.opening.abort()
      this.failOpening(new HandshakeError('WS_ERR_ABORTED', { cause: error.cause }))
    }
    this.stopReading()
    this.extensions?.inbound.stop()
    this.reception.discard()
    this.connection.abandon(error)
  }

  /** The streams in between are gone, whoever did it. Says how it ended; once. */
  over(): void {
    if (this.closeInfo !== undefined) return
    const { extensions } = this
    if (extensions?.inbound.isWorking) {
      // what is being inflated had arrived before
      extensions.inbound.whenIdle(() => this.over())
      return
    }
    // a Close may be among what had arrived before
    this.decoder.runOut()
    const lost = this.handshake === null ? undefined : new HandshakeError('WS_ERR_CONNECTION_LOST')
    if (lost !== undefined) this.failOpening(lost)
    this.connection.wireLost(undefined, lost)
    this.closeInfo = this.connection.over()
    if (this.settings.signal !== undefined) unfollow(this.settings.signal, this)
    // what waits in the stages is dropped with them
    this.encoder.seal()
    this.fragmenter.stop()
    extensions?.outbound.stop()
    this.rare?.closed?.resolve(this.closeInfo)
    // each by itself: what a listener of one throws does not keep the others
    if (!this.hasReader) nextTick(() => this.warnOfFailure())
    // 'close' is the last that is heard
    nextTick(() => this.encoder.failWaiters(new WebSocketError('WS_ERR_NOT_OPEN')))
    nextTick(() => this.tellError())
    nextTick(() => this.tellClose())
    this.tellCloseSent()
    this.tellDrained()
    this.view?.connectionOver()
    this.outgoing?.connectionOver()
    this.wire?.inputDone()
  }

  private tellClose(): void {
    if (channels.close.hasSubscribers) {
      channels.close.publish({ stream: this.user, info: this.closeInfo, stats: this.stats })
    }
    this.user.tell('close', this.closeInfo)
  }

  /** Whether a reader of messages, or a listener of its errors, hears of the end. */
  private get hasReader(): boolean {
    const { view } = this
    // one listener is the view's own
    return view !== null && (view.isRead || view.listenerCount('error') > 1)
  }

  /** A client that does not open, and that has nothing which would notice, must not fail in silence. */
  private warnOfFailure(): void {
    const { rare, connection, info } = this
    if (connection.role === 'server' || info !== null || rare?.opened !== undefined || this.user.hearsErrors()) return
    const error = rare!.openError!
    // the application gave it up itself
    if (error.code === 'WS_ERR_ABORTED') return
    // a query may hold secrets
    const where = this.handshake!.opening.url.split('?', 1)[0]
    warn(
      `no connection to ${where}: ${error.message}. Listen for 'error', or await opened, to handle it`,
      'WS_NOT_OPENED'
    )
  }

  // The opening handshake

  get opening(): Opening | null {
    return this.handshake?.opening ?? null
  }

  get opened(): Promise<OpenInfo> {
    this.rare ??= {}
    const { rare } = this
    if (rare.opened === undefined) {
      rare.opened = new Deferred()
      if (this.info !== null) rare.opened.resolve(this.info)
      else if (rare.openError !== undefined) rare.opened.reject(rare.openError)
    }
    return rare.opened.promise
  }

  /** Status and fields of the handshake's answer, also of one that refused; null before it. */
  get answer(): { readonly status: number; readonly headers: Headers } | null {
    return this.info ?? this.rare?.openError ?? null
  }

  offer(request: UpgradeRequest): boolean {
    this.request = request
    this.handshake!.offered = true
    return this.user.ask('request', request)
  }

  sendHead(bytes: Buffer): void {
    // they go past the encoder, and to the same wire
    this.encoder.bytes += bytes.length
    this.handshake!.outbound.send(bytes)
  }

  get followsRedirects(): boolean {
    return this.rare?.ask !== undefined
  }

  readOn(reader: HandshakeReader): void {
    this.handshake!.inbound.readOn(reader)
  }

  readMore(): void {
    this.handshake!.inbound.resumeInput()
  }

  handOver(server: ConnectionServer, head: Buffer): void {
    const { stream, unread } = this.wire!.detach()
    const bytes = Buffer.concat([head, ...this.handshake!.inbound.takeHeld(), ...unread])
    this.wire = null
    this.failOpening(new HandshakeError('WS_ERR_HANDED_OVER'))
    this.abandon(new WebSocketError('WS_ERR_DESTROYED'))
    giveTo(server, stream, bytes)
  }

  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void {
    const { inbound, outbound, begun } = this.handshake!
    this.handshake = null
    inbound.headIsDone()
    this.info = info
    if (negotiated !== null) this.extend(negotiated)
    if (isDraft(info.version)) {
      this.decoder.speak(info.version)
      this.encoder.speak(info.version)
    }
    this.connection.opened(info.version)
    if (channels.open.hasSubscribers) channels.open.publish({ stream: this.user, info })
    this.rare?.opened?.resolve(info)
    const goOn = (): void => {
      outbound.open()
      this.connection.ready()
      inbound.open()
    }
    // who accepts in the turn of attach may listen in the rest of it
    if (begun === 'early' && !this.user.hears('open')) nextTick(() => this.tellOpen(info, goOn))
    else this.tellOpen(info, goOn)
  }

  /** A listener's exception surfaces, and the connection goes on in a turn of its own. */
  private tellOpen(info: OpenInfo, goOn: () => void): void {
    let isTold = false
    try {
      if (this.connection.failure === null) this.user.ask('open', info)
      isTold = true
    } finally {
      if (isTold) goOn()
      else nextTick(goOn)
    }
  }

  // ExtensionTransform stands in both chains from here on
  private extend({ rsv, incoming, outgoing }: Negotiated): void {
    const inbound = new ExtensionTransform({ rsv, codec: incoming })
    const { fragmentSize } = this.settings
    const outbound = new ExtensionTransform({ rsv, codec: outgoing, fragmentSize })
    inbound.listener = outbound.listener = this.connection
    this.decoder.allowedRsv = rsv
    this.extensions = { rsv, inbound, outbound }
    if (this.reception.kind === 'frames') {
      this.bypassExtensions()
      return
    }
    const waiting = this.encoder.takeBack()
    // compressed whole, and cut behind that: what counts is what is on the wire
    this.fragmenter.cuts = false
    link(this.fragmenter, outbound)
    link(outbound, this.encoder)
    // what was written before is no exception
    const waiters = this.encoder.takeWaiters()
    if (waiting.length > 0) outbound.receive(waiting)
    for (const written of waiters) this.whenSent(written)
    // frames that nobody has asked for yet are kept as they are
    if (this.reception.kind !== null) link(this.decoder, this.extended(this.decoder.next!))
  }

  extended(entrance: Receiver<Frame>): Receiver<Frame> {
    if (this.extensions === null) return entrance
    const { inbound } = this.extensions
    link(inbound, entrance)
    return inbound
  }

  bypassExtensions(): void {
    this.decoder.passesControl = true
    if (this.extensions === null) return
    this.extensions.inbound.stop()
    // messages that are being compressed go out first
    this.outbox.hold()
    this.behindMessages(() => {
      this.fragmenter.cuts = true
      link(this.fragmenter, this.encoder)
      this.extensions!.outbound.stop()
      this.extensions = null
      this.outbox.release()
    })
  }

  handshakeFailed(error: HandshakeError): void {
    if (this.rare?.ask?.(error)) return
    this.failOpening(error)
    this.connection.fail(error)
    // a client has nothing more to say, and nothing to hear
    if (this.connection.role === 'client') this.connection.abandon(error)
  }

  private failOpening(error: HandshakeError): void {
    this.rare ??= {}
    this.rare.openError ??= error
    this.rare.opened?.reject(error)
  }

  // What a relay asks of its sides

  /** Whether a right request waits for an answer. */
  get isAsked(): boolean {
    return this.handshake?.offered === true
  }

  /** The answer depends on somebody else, who has another `handshakeTimeout` from now on; after it, it is 504 (RFC 9110 §15.6.5). */
  awaitGateway(): void {
    const late = new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 504 })
    this.connection.expectHandshake(() => this.handshake?.opening.fault(late))
  }

  /** Whether the wire takes no more at present. */
  get isBlocked(): boolean {
    return this.encoder.isBlocked
  }

  /** Hands what was sent to the wire now, and not at the end of this turn. */
  flush(): void {
    this.encoder.flush()
  }

  /** Whether what is sent now has to wait. */
  get needsDrain(): boolean {
    return (
      this.closeInfo === undefined &&
      (this.encoder.isFull || this.isQueueFull || (this.view?.writableNeedDrain ?? false))
    )
  }

  // behind a message that is written in pieces
  private get isQueueFull(): boolean {
    return this.outgoing !== null && this.outgoing.size > this.settings.highWaterMark
  }

  /** Resolves when the wire has written all that was sent before; rejects if the connection ends first. */
  whenAllWritten(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle: Written = error => {
        if (error) reject(new WebSocketError('WS_ERR_NOT_OPEN', { cause: error }))
        else resolve()
      }
      const { view, outgoing } = this
      if (this.closeInfo !== undefined) settle(new WebSocketError('WS_ERR_NOT_OPEN'))
      // behind what waits in the view, and behind a message in pieces
      else if (view !== null && view.writableLength > 0) view.whenWritten(settle)
      else if (outgoing !== null) outgoing.whenWritten(settle)
      else this.whenSent(settle)
    })
  }

  /** Calls back once when the wire takes bytes again, or is gone. */
  whenDrained(callback: () => void): void {
    this.rare ??= {}
    this.rare.drained ??= []
    this.rare.drained.push(callback)
  }

  // Messages

  /** The application's view of this kind; made when it is first asked for. */
  open(kind: ViewKind): AnyView {
    const isNew = this.reception.view === null
    const view = this.reception.open(kind)
    if (!isNew) return view
    // what is still to be written goes ahead of the answer
    if (kind === 'bytes') this.connection.relaysClose = true
    this.setSender(view)
    if (this.rare?.writer !== undefined) view.startBlocked()
    if (this.closeInfo !== undefined) view.connectionOver()
    return view
  }

  private setSender(sender: { proceed(): void }): void {
    if (this.outgoing !== null) this.outgoing.sender = sender
    else this.fragmenter.prev = sender as unknown as Sender<OutgoingMessage>
  }

  private get view(): AnyView | null {
    return this.reception.view
  }

  get takesMessages(): boolean {
    return this.connection.takesMessages
  }

  /**
   * Sends a message behind all that wait. False if nothing more can be sent.
   * @param written - called when the wire has written it, or with an error when it cannot
   */
  send(message: OutgoingMessage, written: Written | null = null): boolean {
    // the drafts have no binary messages
    const isTaken = this.canSend && (!isDraft(this.info?.version ?? '') || isText(message))
    if (isTaken) this.enqueue(message, written)
    else if (written !== null) nextTick(written, new WebSocketError('WS_ERR_NOT_OPEN'))
    return isTaken
  }

  private get canSend(): boolean {
    if (!this.connection.takesMessages || this.isEnding) return false
    return this.view === null || !this.viewTakesItems || !this.view.writableEnded
  }

  /** Whether messages go through the view, behind what was written there. */
  private get viewTakesItems(): boolean {
    return this.reception.kind === 'messages' || this.reception.kind === 'streams'
  }

  private enqueue(item: OutgoingMessage | OrderedControl, written: Written | null): void {
    const { view } = this
    if (view === null) {
      if (!this.sendItem(item, written)) this.rememberWriter()
    } else if (!this.viewTakesItems) {
      this.sendItem(item, written)
    } else if (written === null) {
      ;(view as View<unknown, unknown>).write(item)
    } else {
      ;(view as View<unknown, unknown>).write(item, written)
    }
  }

  /** Whoever is told to wait may listen for 'drain' on a view that is yet to be made. */
  private rememberWriter(): void {
    this.rare ??= {}
    const { rare } = this
    rare.writer ??= { proceed: () => delete rare.writer }
    this.setSender(rare.writer)
  }

  sendItem(item: Outgoing, written: Written | null): boolean {
    if (this.outgoing !== null) return this.outgoing.add(item, written)
    const more = this.fragmenter.receive([item as OutgoingMessage])
    if (written !== null) this.whenSent(written)
    return more
  }

  sendBarrier(written: Written): true {
    if (this.outgoing === null) this.whenSent(written)
    else this.outgoing.whenWritten(written)
    return true
  }

  whenSent(written: Written): void {
    this.behindMessages(() => {
      // messages that an extension was still working on are dropped with the connection
      if (this.closeInfo === undefined) this.encoder.whenWritten(written)
      else nextTick(written, new WebSocketError('WS_ERR_NOT_OPEN'))
    })
  }

  /** Where messages wait while one is written piece by piece; made when the first of these is begun. */
  get outbox(): Outbox {
    if (this.outgoing === null) {
      this.outgoing = new Outbox(this.fragmenter, written => this.whenSent(written))
      this.outgoing.sender = this.view ?? this.rare?.writer ?? null
    }
    return this.outgoing
  }

  /** Begins a message that is written in pieces, behind all that wait. */
  createMessage(kind: MessageKind, compress: boolean): MessageWriter {
    const writer = this.makeWriter(kind, compress)
    const { view, outbox } = this
    if (view?.writableEnded || this.isEnding) writer.connectionOver()
    else if (view !== null && view.writableLength > 0 && this.viewTakesItems)
      (view as View<unknown, unknown>).write(writer, error => error && writer.connectionOver())
    else outbox.add(writer, null)
    return writer
  }

  beginMessage(kind: MessageKind | null): MessageWriter {
    const writer = this.makeWriter(kind, true)
    writer.isByHand = false
    this.outbox.add(writer, null)
    return writer
  }

  private makeWriter(kind: MessageKind | null, compress: boolean): MessageWriter {
    return new MessageWriter(kind, compress, this.settings.highWaterMark, this)
  }

  get peerCloseCode(): number {
    return this.connection.peerCloseCode
  }

  get closeTimeout(): number {
    return this.settings.closeTimeout
  }

  wantMessages(): void {
    this.reception.proceed()
  }

  /** What arrives is dropped, after the checks that every message gets. */
  discardMessages(): void {
    this.reception.listen()
    this.reception.discard()
  }

  /** Keeps messages from the application until `resumeMessages`. */
  pauseMessages(): void {
    this.reception.pause()
  }

  resumeMessages(): void {
    this.reception.resume()
  }

  get messagesArePaused(): boolean {
    return this.reception.isPaused
  }

  /** The application listens for 'message'. */
  listen(): void {
    this.reception.listen()
  }

  /** The application writes no more; what it wrote is to be sent within `closeTimeout`. */
  endsSoon(): void {
    if (this.view!.writableLength === 0) return
    this.connection.closeSoon()
    this.closeIfStuck(NORMAL)
  }

  endsWhenStuck(): void {
    this.closeIfStuck(NORMAL)
  }

  endMessages(callback: () => void): void {
    if (this.outgoing === null) this.closeEnded(callback)
    else this.outgoing.whenSettled(() => this.closeEnded(callback))
  }

  private closeEnded(callback: () => void): void {
    this.connection.close(this.rare?.closeBody ?? NORMAL)
    if (this.encoder.isBlocked && this.closeInfo === undefined) {
      this.rare ??= {}
      this.rare.closeSent = callback
    } else {
      callback()
    }
  }

  messagesDestroyed(error: Error | null): void {
    this.reception.discard()
    // leaving a `for await` loop destroys the stream with an AbortError, and is no failure
    const isNormal = error === null || error.name === 'AbortError'
    if (!isNormal && !(error instanceof WebSocketError)) this.notifyError(error)
    this.connection.close(isNormal ? NORMAL : writeCloseBody(CloseCode.InternalError, ''))
  }

  get isHeard(): boolean {
    return this.user.hears('message')
  }

  announce(message: ReceivedMessage): boolean {
    if (this.settings.textAs === 'string') return this.user.tell('message', message)
    const isText = message instanceof TextBytes
    return this.user.tellMessage(isText ? message.bytes : (message as Buffer), isText ? 'text' : 'binary')
  }

  inputDelivered(): void {
    this.connection.inputDelivered()
    this.reception.complete(this.connection.failure)
    this.tellClosing()
    this.wire?.inputDone()
  }

  /** How the connection ends is known. What this side still has to send waits, and leaves behind the listeners. */
  private tellClosing(): void {
    if (!this.user.hears('closing')) return
    this.rare ??= {}
    if (this.rare.isClosingTold) return
    this.rare.isClosingTold = true
    const { code, reason, initiator } = this.connection.closeInfo
    this.user.tell('closing', { code, reason, initiator, error: this.rare.error ?? null })
  }

  /** Begins the closing handshake behind the messages that wait. */
  close(body: Buffer): void {
    // where nobody reads, the peer's answer must not wait behind messages that nobody wants
    if (this.reception.isUnheard) this.reception.discard()
    const { view, outgoing } = this
    const isSettled = outgoing === null || outgoing.isSettled
    // a message that the application has not ended is not waited for, nor what waits behind it
    const isWritten = view === null || view.writableLength === 0 || (outgoing?.isOpen ?? false)
    if (isSettled && isWritten) {
      this.connection.close(body)
      view?.end()
      return
    }
    if (this.isEnding || view?.writableEnded) return
    this.rare ??= {}
    this.rare.closeBody = body
    this.connection.closeSoon()
    if (view === null) {
      outgoing!.whenSettled(() => this.connection.close(body))
      return
    }
    view.end()
    this.closeIfStuck(body)
  }

  /** What waits behind a message that the application has not ended is not waited for. */
  private closeIfStuck(body: Buffer): void {
    if (this.reception.kind !== 'frames') this.outgoing?.whenStuck(() => this.connection.close(body))
  }

  /** Whether a Close waits for messages that have been sent. */
  private get isEnding(): boolean {
    return this.rare?.closeBody !== undefined
  }

  /** The application writes a Close frame itself. */
  closeWith(body: Buffer): void {
    this.connection.close(body)
  }

  /** A message that was begun cannot be ended (RFC 6455 has no way to take it back). */
  messageBroken(error: Error | null): void {
    const isText = error instanceof WebSocketError && error.code === 'WS_ERR_INVALID_UTF8'
    this.close(writeCloseBody(isText ? CloseCode.InvalidPayload : CloseCode.InternalError, ''))
  }

  fail(error: WebSocketError): void {
    this.connection.fail(error)
  }

  get allowedRsv(): number {
    return this.decoder.allowedRsv
  }

  get closed(): Promise<CloseInfo> {
    this.rare ??= {}
    const { rare } = this
    if (rare.closed === undefined) {
      rare.closed = new Deferred()
      if (this.closeInfo !== undefined) rare.closed.resolve(this.closeInfo)
    }
    return rare.closed.promise
  }

  /** Bytes taken from the application that the wire has not taken. */
  get bufferedAmount(): number {
    const { encoder, fragmenter, wire, outgoing, extensions, view } = this
    const inStages = encoder.size + fragmenter.size + (outgoing?.size ?? 0) + (extensions?.outbound.size ?? 0)
    return inStages + (wire?.bufferedAmount ?? 0) + (view?.queuedSize ?? 0)
  }

  get stats(): ConnectionStats {
    const { decoder, encoder, extensions } = this
    return {
      messagesReceived: decoder.messages,
      messagesSent: encoder.messages,
      framesReceived: decoder.frames,
      framesSent: encoder.frames,
      bytesReceived: this.bytesReceived,
      bytesSent: encoder.bytes,
      compressionReceived: extensions === null ? 1 : 1 / extensions.inbound.ratio,
      compressionSent: extensions?.outbound.ratio ?? 1,
      inputBlocked: decoder.blockedTime?.milliseconds ?? 0,
      outputBlocked: encoder.blockedTime?.milliseconds ?? 0
    }
  }

  // What the Connection asks for

  sendControl(opcode: Opcode, payload: Buffer, isAnswer = false): boolean {
    return this.encoder.control(opcode, payload, isAnswer)
  }

  sendInOrder(opcode: Opcode, payload: Buffer): void {
    this.enqueue(new OrderedControl(opcode, payload), null)
  }

  sendClose(payload: Buffer): boolean {
    let isSent = true
    this.behindMessages(() => {
      isSent = this.encoder.close(payload)
      if (isSent) this.watchClose()
    })
    return isSent
  }

  private watchClose(): void {
    this.closeFrame = 'sent'
    this.encoder.whenWritten(error => {
      if (!error) this.closeFrame = 'written'
    })
  }

  closeHasLeft(): boolean {
    // a stream of HTTP/2 forgets what it has written when the peer resets it, which browsers do after their Close
    if (this.hasEnded || (this.wire instanceof AttachedWire && this.wire.isMultiplexed)) return true
    return this.closeFrame === 'none' ? this.hasSentAll() : this.closeFrame === 'written'
  }

  endWire(): void {
    if (this.handshake === null) {
      this.behindMessages(() => this.encoder.finish())
    } else {
      // what waited for the handshake is never sent
      this.handshake.outbound.discard()
      this.handshake.outbound.finish()
    }
  }

  /** Runs when all messages that were sent before have reached the encoder. */
  private behindMessages(run: () => void): void {
    const busy = [this.fragmenter, this.extensions?.outbound].find(stage => stage?.isIdle === false)
    if (busy === undefined) run()
    else busy.whenIdle(() => this.behindMessages(run))
  }

  dropWire(): void {
    if (this.wire === null) this.user.allOver()
    else this.wire.drop()
  }

  stopReading(): void {
    this.handshake?.inbound.discard()
    this.decoder.stop()
  }

  isRead(): boolean {
    return this.view === null ? this.isHeard : this.view.isRead && !this.view.isStopped
  }

  dropUnread(): void {
    if (this.decoder.isBlocked && !this.reception.isUnheard) this.reception.dropNew()
  }

  releaseClose(): void {
    this.decoder.releaseClose()
  }

  holdsInput(): boolean {
    return this.decoder.isBlocked
  }

  resumeInput(): void {
    this.decoder.proceed()
  }

  /** The end goes down the pipeline behind what is still to be delivered. */
  messagesEnded(): void {
    this.decoder.finish()
  }

  notify(event: 'ping' | 'pong', payload: Buffer): void {
    // the answer has the same bytes, and what a listener gets is its own
    if (this.user.hears(event)) this.user.tell(event, Buffer.from(payload))
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    const event: FrameEvent = { stream: this.user, direction, frame }
    channels.frame.publish(event)
  }

  notifyError(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ stream: this.user, error })
    this.rare ??= {}
    // one for each connection
    if (!this.rare.isErrorTold) this.rare.error ??= error
  }

  progressed(): void {
    this.connection.progressed()
  }

  drained(): void {
    this.connection.drained()
    this.tellCloseSent()
    this.tellDrained()
  }

  private tellDrained(): void {
    const drained = this.rare?.drained
    if (drained === undefined) return
    delete this.rare!.drained
    for (const callback of drained) callback()
  }

  private tellCloseSent(): void {
    const callback = this.rare?.closeSent
    if (callback === undefined) return
    delete this.rare!.closeSent
    callback()
  }

  // An error is told when the Close frame that names it has left: whoever hears of it may tear the wire down
  private tellError(): void {
    const error = this.rare?.error
    if (error === undefined) return
    delete this.rare!.error
    this.rare!.isErrorTold = true
    if (this.user.hears('error')) this.user.tell('error', error)
  }

  private obey(signal: AbortSignal): void {
    if (signal.aborted) nextTick(() => this.aborted())
    else follow(signal, this)
  }

  /** `signal` was aborted. A client gives up; a server answers, since the request may be there, or comes yet. */
  aborted(): void {
    const { handshake, closeInfo } = this
    const cause = this.settings.signal!.reason
    if (closeInfo !== undefined) return
    if (handshake === null) this.close(NORMAL)
    else if (this.connection.role === 'client') this.abandon(new HandshakeError('WS_ERR_ABORTED', { cause }))
    // without a wire there is nothing to answer on yet: see `join`
    else if (this.wire !== null) handshake.opening.fault(new HandshakeError('WS_ERR_ABORTED', { status: 503, cause }))
  }
}

/** Says what the socket says, as it is: `connect ECONNREFUSED 127.0.0.1:1`. */
function notConnected(cause: unknown): HandshakeError {
  const message = messageOf(cause) || 'the connection was closed before the handshake was done'
  return new HandshakeError('WS_ERR_CONNECTION_LOST', { cause, message })
}

/** Where all addresses of a name were tried, each has an error of its own. */
function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  const { message, errors } = cause as AggregateError
  return message === '' && Array.isArray(errors) ? errors.map(messageOf).join(', ') : message
}
