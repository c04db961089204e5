// One connection put together: the stages, the wire on one side, the application on the other, and the Connection that acts on
// control frames. Everything that has to reach across the pipeline passes here, and is decided elsewhere.

import { follow, unfollow } from './abort-signals.js'
import { type CloseInfo, Connection, type Role, type Surroundings } from './connection.js'
import { Deferred } from './deferred.js'
import { channels, type FrameEvent } from './diagnostics.js'
import { HandshakeError, type Headers, WebSocketError } from './errors.js'
import type { Negotiated } from './extensions/negotiation.js'
import { HandshakeMemo } from './handshake/memo.js'
import type { OpenInfo } from './handshake/open-info.js'
import type { Http2OpeningOwner } from './http2-opening.js'
import type { Opening, OpeningOwner } from './opening.js'
import type { Settings, UpgradeRequest } from './options.js'
import { CloseCode, writeCloseBody } from './protocol/close-code.js'
import { isDraft } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import type { Message } from './protocol/message-joiner.js'
import { isText, type Outgoing as OutgoingMessage, writtenSize } from './protocol/message-splitter.js'
import type { Opcode } from './protocol/opcode.js'
import { nextTick, warn } from './runtime/node.js'
import { ExtensionTransform } from './stages/extension-transform.js'
import { FrameDecoder } from './stages/frame-decoder.js'
import { FrameEncoder } from './stages/frame-encoder.js'
import { type HandshakeReader, HandshakeTransform } from './stages/handshake-transform.js'
import { MessageFragmenter } from './stages/message-fragmenter.js'
import { link, type Receiver, type Sender } from './stages/stage.js'
import type { ConnectionStats } from './stats.js'
import type { MessageKind } from './views/message-stream.js'
import { MessageWriter, type MessageWriterOwner } from './views/message-writer.js'
import { Outbox, type Outgoing } from './views/outbox.js'
import { type AnyView, Reception, type ReceptionOwner, type ViewKind } from './views/reception.js'
import type { View } from './views/view.js'
import { AttachedWire, PipedWire, type Wire, type WireUser } from './wire.js'

/** What the pipeline tells the WebSocketStream around it. */
export interface PipelineUser {
  /** Calls the listeners of an event; false where there are none. */
  tell(event: 'request' | 'open' | 'message' | 'ping' | 'pong' | 'error' | 'close', value: unknown): boolean
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
  /** Whether the application has been shown a right request. */
  offered?: boolean
  /** Whether it has looked at the request by itself. */
  requestSeen?: boolean
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
  private keptRequest: UpgradeRequest | null
  private bytesReceived = 0

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
    const inbound = new HandshakeTransform(opening.request === null ? opening : null)
    const outbound = new HandshakeTransform()
    this.connection = new Connection(role, settings, this)
    this.decoder = new FrameDecoder({ role, maxFrameSize: settings.maxFrameSize })
    this.encoder = new FrameEncoder({ role, highWaterMark: settings.highWaterMark })
    this.fragmenter = new MessageFragmenter(settings)
    this.handshake = { opening, inbound, outbound }
    this.keptRequest = opening.request

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
  join(wire: Wire, ownsInput: boolean): void {
    this.wire = wire
    this.decoder.ownsInput = ownsInput
    if (wire instanceof AttachedWire && wire.isSocket) this.encoder.borrowFor(wire)
    const { inbound, outbound } = this.handshake!
    link<Buffer>(wire, inbound)
    link<Buffer>(outbound, wire)
    // before the request is read
    if (this.settings.signal?.aborted && this.connection.role === 'server') this.aborted()
    nextTick(() => this.begin())
  }

  private begin(): void {
    const opening = this.handshake?.opening
    if (channels.handshake.hasSubscribers && opening !== undefined) {
      const { url, request } = opening
      channels.handshake.publish({ stream: this.user, role: this.connection.role, url, request })
    }
    opening?.begin()
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

  wireInput(chunk: Buffer): boolean {
    const { encoder } = this
    this.connection.heard = true
    this.bytesReceived += chunk.length
    // what the application answers to this chunk leaves as one write, at the end of it (benchmarks/questions/echo.js)
    encoder.hold()
    try {
      return this.wire!.next!.receive([chunk])
    } finally {
      encoder.release()
    }
  }

  wireEnded(): void {
    this.connection.inputEnded()
    this.wire!.next!.finish()
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
    if (tells) this.tellError()
  }

  hasSentAll(isOver = false): boolean {
    const { encoder, extensions, wire } = this
    // a stream of HTTP/2 forgets what it has written when the peer resets it, which browsers do after their Close
    if (this.hasEnded || (isOver && wire instanceof AttachedWire && wire.isMultiplexed)) return true
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
      extensions.inbound.whenIdle = () => this.over()
      return
    }
    // a Close may be among what had arrived before
    this.decoder.runOut()
    const lost = this.handshake === null ? undefined : new HandshakeError('WS_ERR_CONNECTION_LOST')
    if (lost !== undefined) this.failOpening(lost)
    this.connection.wireLost(undefined, lost)
    this.closeInfo = this.connection.over()
    if (this.settings.signal !== undefined) unfollow(this.settings.signal, this)
    extensions?.outbound.stop()
    this.tellCloseSent()
    this.tellDrained()
    const hasReader = this.hasReader
    this.view?.connectionOver()
    this.outgoing?.connectionOver()
    this.wire?.inputDone()
    nextTick(() => this.tellOver(hasReader))
  }

  private tellOver(hasReader: boolean): void {
    if (!hasReader) this.warnOfFailure()
    this.tellError()
    this.rare?.closed?.resolve(this.closeInfo!)
    this.user.tell('close', this.closeInfo)
    if (channels.close.hasSubscribers) {
      channels.close.publish({ stream: this.user, info: this.closeInfo, stats: this.stats })
    }
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

  /** The request, as it was given; or made anew, where nobody looked at it before the handshake was done. */
  get request(): UpgradeRequest | null {
    if (this.keptRequest === null && this.info instanceof HandshakeMemo) this.keptRequest = this.info.request
    if (this.handshake !== null) this.handshake.requestSeen = true
    return this.keptRequest
  }

  offer(request: UpgradeRequest): boolean {
    this.keptRequest = request
    this.handshake!.offered = true
    return this.user.tell('request', request)
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

  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void {
    const { handshake } = this
    const { inbound, outbound } = handshake!
    this.handshake = null
    this.info = info
    if (negotiated !== null) this.extend(negotiated)
    if (isDraft(info.version)) {
      this.decoder.speak(info.version)
      this.encoder.speak(info.version)
    }
    this.connection.opened(info.version)
    if (channels.open.hasSubscribers) channels.open.publish({ stream: this.user, info })
    this.rare?.opened?.resolve(info)
    this.user.tell('open', info)
    if (this.keptRequest !== null && !handshake!.requestSeen) this.remember(this.keptRequest, info)
    outbound.open()
    this.connection.ready()
    inbound.open()
  }

  // ExtensionTransform stands in both chains from here on
  private extend({ rsv, incoming, outgoing }: Negotiated): void {
    const inbound = new ExtensionTransform({ rsv, codec: incoming })
    const outbound = new ExtensionTransform({ rsv, codec: outgoing })
    inbound.listener = outbound.listener = this.connection
    this.decoder.allowedRsv = rsv
    this.extensions = { rsv, inbound, outbound }
    if (this.reception.kind === 'frames') {
      this.bypassExtensions()
      return
    }
    const waiting = this.encoder.takeBack()
    link(this.fragmenter, outbound)
    link(outbound, this.encoder)
    // what was written before is no exception
    if (waiting.length > 0) outbound.receive(waiting)
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
    const { inbound, outbound } = this.extensions
    link(this.fragmenter, this.encoder)
    inbound.stop()
    outbound.stop()
    this.extensions = null
  }

  private remember(request: UpgradeRequest, info: OpenInfo): void {
    const memo = HandshakeMemo.of(request, info)
    if (memo === null) return
    this.info = memo
    this.keptRequest = null
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

  /** Whether what is sent now has to wait. */
  get needsDrain(): boolean {
    return this.closeInfo === undefined && (this.encoder.isFull || (this.view?.writableNeedDrain ?? false))
  }

  /** Resolves when the wire takes bytes again; rejects if the connection ends first. */
  whenAllTaken(): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (this.closeInfo !== undefined) reject(new WebSocketError('WS_ERR_NOT_OPEN'))
        else if (this.needsDrain) this.whenDrained(() => nextTick(check))
        else resolve()
      }
      check()
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

  /** Sends a message behind all that wait. False if nothing more can be sent. */
  send(message: OutgoingMessage): boolean {
    if (!this.connection.takesMessages) return false
    // the drafts have no binary messages
    if (isDraft(this.info?.version ?? '') && !isText(message)) return false
    const { view } = this
    if (view === null) {
      if (!this.sendItem(message)) this.rememberWriter()
      return true
    }
    if (this.reception.kind === 'frames') {
      this.sendItem(message)
      return true
    }
    if (view.writableEnded) return false
    ;(view as View<unknown, unknown>).write(message)
    return true
  }

  /** Whoever is told to wait may listen for 'drain' on a view that is yet to be made. */
  private rememberWriter(): void {
    this.rare ??= {}
    const { rare } = this
    rare.writer ??= { proceed: () => delete rare.writer }
    this.setSender(rare.writer)
  }

  sendItem(item: Outgoing): boolean {
    return this.outgoing === null ? this.fragmenter.receive([item as OutgoingMessage]) : this.outgoing.add(item)
  }

  /** Where messages wait while one is written piece by piece; made when the first of these is begun. */
  get outbox(): Outbox {
    if (this.outgoing === null) {
      this.outgoing = new Outbox(this.fragmenter)
      this.outgoing.sender = this.view ?? this.rare?.writer ?? null
    }
    return this.outgoing
  }

  /** Begins a message that is written in pieces, behind all that wait. */
  createMessage(kind: MessageKind, compress: boolean): MessageWriter {
    const writer = this.makeWriter(kind, compress)
    const { view, outbox } = this
    if (view?.writableEnded) writer.connectionOver()
    else if (view !== null && view.writableLength > 0 && this.reception.kind !== 'frames')
      (view as View<unknown, unknown>).write(writer)
    else outbox.add(writer)
    return writer
  }

  beginMessage(kind: MessageKind | null): MessageWriter {
    const writer = this.makeWriter(kind, true)
    this.outbox.add(writer)
    return writer
  }

  private makeWriter(kind: MessageKind | null, compress: boolean): MessageWriter {
    return new MessageWriter(kind, compress, this.settings.highWaterMark, this)
  }

  get closeTimeout(): number {
    return this.settings.closeTimeout
  }

  wantMessages(): void {
    this.reception.proceed()
  }

  /** The application listens for 'message'. */
  listen(): void {
    this.reception.listen()
  }

  /** The application writes no more; what it wrote is to be sent within `closeTimeout`. */
  endsSoon(): void {
    if (this.view!.writableLength > 0) this.connection.closeSoon()
  }

  endMessages(callback: () => void): void {
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
    this.connection.close(isNormal ? NORMAL : writeCloseBody(CloseCode.InternalError, ''))
  }

  get isHeard(): boolean {
    return this.user.hears('message')
  }

  announce(message: Message): boolean {
    return this.user.tell('message', message)
  }

  inputDelivered(): void {
    this.connection.inputDelivered()
    this.reception.complete(this.connection.failure)
    this.wire?.inputDone()
  }

  /** Begins the closing handshake behind the messages that wait. */
  close(body: Buffer): void {
    // where nobody reads, the peer's answer must not wait behind messages that nobody wants
    if (this.reception.isUnheard) this.reception.discard()
    const { view } = this
    // a message that is being written in pieces is not waited for
    if (view === null || view.writableLength === 0 || this.outgoing?.isBusy) {
      this.connection.close(body)
      view?.end()
    } else if (!view.writableEnded) {
      this.rare ??= {}
      this.rare.closeBody = body
      this.connection.closeSoon()
      view.end()
    }
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
    let amount = this.encoder.size + (this.wire?.bufferedAmount ?? 0) + (this.outgoing?.size ?? 0)
    amount += this.extensions?.outbound.size ?? 0
    for (const { chunk } of this.view === null ? [] : waitingWrites(this.view)) amount += writtenSize(chunk)
    return amount
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

  sendControl(opcode: Opcode, payload: Buffer): boolean {
    return this.encoder.control(opcode, payload)
  }

  sendClose(payload: Buffer): boolean {
    let isSent = true
    this.behindMessages(() => {
      isSent = this.encoder.close(payload)
    })
    return isSent
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

  /** Runs when all messages that were sent before have passed the extensions. */
  private behindMessages(run: () => void): void {
    const outbound = this.extensions?.outbound
    if (outbound === undefined || outbound.isIdle) {
      run()
      return
    }
    const { whenIdle } = outbound
    outbound.whenIdle = () => {
      whenIdle?.()
      run()
    }
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
    return this.view?.isRead ?? false
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
    this.user.tell(event, payload)
  }

  saw(direction: 'received' | 'sent', frame: Frame): void {
    const event: FrameEvent = { stream: this.user, direction, frame }
    channels.frame.publish(event)
  }

  notifyError(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ stream: this.user, error })
    this.rare ??= {}
    this.rare.error ??= error
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

function waitingWrites(view: AnyView): { chunk: unknown }[] {
  return (view as unknown as { writableBuffer: { chunk: unknown }[] }).writableBuffer
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
