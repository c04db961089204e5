// Both chains of stages between a wire and the delivery of messages. Only links them; does not decide what passes through.

import type { Role } from './connection.js'
import type { Negotiated } from './extensions/negotiation.js'
import type { Settings } from './options.js'
import type { DraftVersion } from './protocol/draft-parser.js'
import type { Frame } from './protocol/frame.js'
import type { ReceivedMessage } from './protocol/message-joiner.js'
import { ByteUnwrapper } from './stages/byte-unwrapper.js'
import { ExtensionTransform } from './stages/extension-transform.js'
import { FrameDecoder } from './stages/frame-decoder.js'
import { FrameEncoder, type Written } from './stages/frame-encoder.js'
import type { HandshakeTransform } from './stages/handshake-transform.js'
import { MessageAssembler } from './stages/message-assembler.js'
import { MessageFragmenter } from './stages/message-fragmenter.js'
import { type ErrorListener, link, type Receiver } from './stages/stage.js'
import type { ConnectionStats } from './stats.js'
import { surfacing } from './surfacing.js'
import type { Wire } from './wires/wire.js'

/** The HandshakeTransforms of both chains; removed when the handshake is done. */
export interface HandshakeStages {
  readonly inbound: HandshakeTransform
  readonly outbound: HandshakeTransform
}

/** The ExtensionTransforms of both chains, if an extension was negotiated. */
interface ExtensionStages {
  readonly inbound: ExtensionTransform
  readonly outbound: ExtensionTransform
}

export class Pipeline {
  readonly decoder: FrameDecoder
  readonly encoder: FrameEncoder
  readonly fragmenter: MessageFragmenter
  wire: Wire | null = null
  private extensions: ExtensionStages | null = null

  /**
   *     wire → HandshakeTransform → FrameDecoder → ExtensionTransform → MessageAssembler → delivery → view
   *     wire ← HandshakeTransform ← FrameEncoder ← ExtensionTransform ← MessageFragmenter ← view
   *
   * `extend` adds the ExtensionTransforms if an extension was negotiated; a `deliver` method adds the stages after the inbound one, once
   * the application has chosen how to read.
   * @param handshake - the first stages, joined to the wire
   * @param receiver - takes data frames until then
   */
  constructor(
    role: Role,
    private readonly settings: Settings,
    handshake: HandshakeStages,
    receiver: Receiver<Frame>
  ) {
    const { maxFrameSize, requireMasking, masking, highWaterMark } = settings
    this.decoder = new FrameDecoder({ role, maxFrameSize, requireMasking })
    this.encoder = new FrameEncoder({ role, masking, highWaterMark })
    this.fragmenter = new MessageFragmenter(settings)

    handshake.inbound.pipe(this.decoder)
    link(this.decoder, receiver)
    this.fragmenter.pipe(this.encoder).pipe(handshake.outbound)
  }

  /** Replaces the stages of a handshake that was redirected. */
  rejoin(old: HandshakeStages, next: HandshakeStages): void {
    // the old wire may be ending, which must not end the next one
    old.inbound.next = null
    this.wire = null
    link(next.inbound, this.decoder)
    link(this.encoder, next.outbound)
  }

  /** Connects both chains to the wire. */
  join(wire: Wire, { inbound, outbound }: HandshakeStages): void {
    this.wire = wire
    this.encoder.setWire(wire)
    link<Buffer>(wire, inbound)
    link<Buffer>(outbound, wire)
  }

  /** Reads and writes the framing of a draft. */
  speak(version: DraftVersion): void {
    this.decoder.speak(version)
    this.encoder.speak(version)
  }

  /**
   * Inserts an ExtensionTransform into each chain.
   * @param listener - notified if the peer's data cannot be decoded
   * @param takesInbound - whether the application already reads; otherwise `deliverFrames` links the inbound stage later
   */
  extend({ rsv, incoming, outgoing }: Negotiated, listener: ErrorListener, takesInbound: boolean): void {
    const inbound = new ExtensionTransform({ rsv, codec: incoming })
    const { fragmentSize } = this.settings
    const outbound = new ExtensionTransform({ rsv, codec: outgoing, fragmentSize })
    inbound.listener = outbound.listener = listener
    this.decoder.allowedRsv = rsv
    this.extensions = { inbound, outbound }
    const waiting = this.encoder.takeBack()
    const waiters = this.encoder.takeWaiters()
    // messages are compressed whole and fragmented afterwards: fragmentSize limits the bytes on the wire
    this.fragmenter.cuts = false
    link(this.fragmenter, outbound)
    link(outbound, this.encoder)
    if (waiting.length > 0) outbound.receive(waiting)
    for (const written of waiters) this.whenSent(written)
    if (takesInbound) link(this.decoder, this.deliverFrames(this.decoder.next!))
  }

  /** Passes frames on without encoding or decoding them. */
  passExtensions({ rsv, incoming, outgoing }: Negotiated): void {
    this.decoder.allowedRsv = rsv
    incoming?.close()
    outgoing?.close()
  }

  /**
   * Builds the end of the inbound chain for whole messages: (ExtensionTransform →) MessageAssembler → `delivery`.
   * @returns the stage that takes frames from the decoder
   */
  deliverMessages(delivery: Receiver<ReceivedMessage>, listener: ErrorListener): Receiver<Frame> {
    const assembler = new MessageAssembler({}, this.settings)
    assembler.listener = listener
    link(assembler, delivery)
    return this.deliverFrames(assembler)
  }

  /** The same for the bytes of binary messages: (ExtensionTransform →) ByteUnwrapper → `delivery`. */
  deliverBytes(delivery: Receiver<Buffer>, listener: ErrorListener): Receiver<Frame> {
    const unwrapper = new ByteUnwrapper(this.settings)
    unwrapper.listener = listener
    link(unwrapper, delivery)
    return this.deliverFrames(unwrapper)
  }

  /** The same for the frames of messages, uncompressed: (ExtensionTransform →) `entrance`. */
  deliverFrames(entrance: Receiver<Frame>): Receiver<Frame> {
    if (this.extensions === null) return entrance
    const { inbound } = this.extensions
    link(inbound, entrance)
    return inbound
  }

  /**
   * Removes the ExtensionTransforms: the frames view takes frames as they are on the wire.
   * @param queue - held back until messages that are being compressed have left
   */
  bypassExtensions(queue: { hold(): void; release(): void }): void {
    this.decoder.passesControl = true
    if (this.extensions === null) return
    this.extensions.inbound.stop()
    queue.hold()
    this.behindMessages(() => {
      this.fragmenter.cuts = true
      link(this.fragmenter, this.encoder)
      this.extensions!.outbound.stop()
      this.extensions = null
      queue.release()
    })
  }

  /** Calls `run` when all messages sent before have reached the encoder. */
  behindMessages(run: () => void): void {
    const busy = [this.fragmenter, this.extensions?.outbound].find(stage => stage?.isIdle === false)
    if (busy === undefined) run()
    else busy.whenIdle(() => this.behindMessages(run))
  }

  /** Calls `written` when the wire has written everything sent before, or with the error of an extension that has dropped it. */
  whenSent(written: Written): void {
    this.behindMessages(() => {
      const failure = this.extensions?.outbound.failure ?? null
      if (failure === null) this.encoder.whenWritten(written)
      else surfacing(() => written(failure))
    })
  }

  /** Calls `run` when the data being inflated has been passed on, or waits for a reader; returns false if no data is being inflated. */
  whenInflated(run: () => void): boolean {
    const inbound = this.extensions?.inbound
    if (!inbound?.isWorking) return false
    inbound.whenRested(run)
    return true
  }

  /** Whether an extension is compressing outgoing data. */
  get isCompressing(): boolean {
    return this.extensions?.outbound.isWorking ?? false
  }

  /** No more frames arrive: frees the inbound extensions and calls `run` as soon as no frame waits for them. */
  endInbound(run: () => void): void {
    const inbound = this.extensions?.inbound
    const end = (): void => {
      inbound?.stop()
      run()
    }
    if (inbound === undefined || inbound.isIdle) end()
    else inbound.whenIdle(end)
  }

  /** Drops data that has not been inflated. */
  stopInbound(): void {
    this.extensions?.inbound.stop()
  }

  /** Drops data that has not reached the encoder, which accepts no more. */
  stopOutbound(): void {
    this.encoder.seal()
    this.fragmenter.stop()
    this.extensions?.outbound.stop()
  }

  /** Bytes in the outbound chain, including the wire. */
  get bufferedAmount(): number {
    const { encoder, fragmenter, wire, extensions } = this
    return encoder.size + fragmenter.size + (extensions?.outbound.size ?? 0) + (wire?.bufferedAmount ?? 0)
  }

  stats(bytesReceived: number): ConnectionStats {
    const { decoder, encoder, extensions } = this
    return {
      messagesReceived: decoder.messages,
      messagesSent: encoder.messages,
      framesReceived: decoder.frames,
      framesSent: encoder.frames,
      bytesReceived,
      bytesSent: encoder.bytes,
      compressionReceived: extensions === null ? 1 : 1 / extensions.inbound.ratio,
      compressionSent: extensions?.outbound.ratio ?? 1,
      inputBlocked: decoder.blockedTime?.milliseconds ?? 0,
      outputBlocked: encoder.blockedTime?.milliseconds ?? 0
    }
  }
}
