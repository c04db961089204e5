// Takes batches of frames and writes buffers. The frames of one turn of the event loop are written together; Pings and Pongs go before
// waiting messages, a Close after them.

import { checkNumber, checkRole } from '../checks.js'
import { channels } from '../diagnostics.js'
import { WebSocketError } from '../errors.js'
import type { DraftVersion } from '../protocol/draft-parser.js'
import { DraftWriter, noBinary } from '../protocol/draft-writer.js'
import { Frame } from '../protocol/frame.js'
import { FrameWriter } from '../protocol/frame-writer.js'
import { Opcode } from '../protocol/opcode.js'
import { dropLent, giveBack } from '../protocol/output-memory.js'
import { nextTick } from '../runtime/node.js'
import { BlockedTime } from '../stats.js'
import { surfacing } from '../surfacing.js'
import { type Batch, Stage } from './stage.js'

/** The Endpoint, which is notified about the wire. */
export interface EncoderListener {
  /** The memory of a message was lost: it and all after it were dropped. */
  fail(error: WebSocketError): void
  /** A wire that was full has taken some data. */
  progressed(): void
  /** The wire takes bytes again. */
  drained(): void
  /** Reports a frame to diagnostics_channel; called only if it has subscribers. */
  saw?(direction: 'received' | 'sent', frame: Frame): void
}

/** The options of a FrameEncoder. */
export interface FrameEncoderOptions {
  /** Which side this is: a client masks its frames (RFC 6455 §5.3). Default: `'server'`. */
  role?: 'server' | 'client'
  /** Whether frames are masked. Default: true for a client, false for a server. */
  masking?: boolean | undefined
  /** Bytes buffered while the wire is full before the encoder asks for no more. Default: 65536. */
  highWaterMark?: number
}

/** Number of buffered bytes that are written without waiting for the end of the turn. */
const FLUSH_FROM = 65536

/** Called once: when the bytes have been written, or with an error if they cannot be. */
export type Written = (error?: Error | null) => void

/** The wire as the encoder sees it. */
interface EncoderWire {
  readonly hasWrittenAll: boolean
  readonly isSocket: boolean
  onWritten: Written | null
  expectWritten(): void
}

/** A callback, and the number of the last data frame, or of the write, that it waits for. */
interface Waiter {
  readonly after: number
  readonly callback: Written
}

/** Encodes frames (RFC 6455 §5.2). */
export class FrameEncoder extends Stage<Frame, Buffer> {
  /** Notified when the wire takes bytes again. @internal */
  listener: EncoderListener | null = null

  /** Bytes passed to the wire. @internal */
  bytes = 0
  private wire: EncoderWire | null = null
  /** How long the wire was full; null if it never was. @internal */
  blockedTime: BlockedTime | null = null
  private writer: FrameWriter | DraftWriter
  private readonly highWaterMark: number
  private blocked = false
  private full = false
  private held = false
  private scheduled = false
  private sealed = false
  // what is dropped: `all` after the Close; on a draft `binary`, until a text follows
  private drops: 'nothing' | 'binary' | 'all' = 'nothing'
  private ending = false
  private pong: Frame | null = null
  // `waiters`: callbacks of data buffered here; `outstanding`: callbacks of writes in progress; both in order
  private waiters: Waiter[] | null = null
  private outstanding: Waiter[] | null = null
  // writes made, and writes that the wire has finished
  private writes = 0
  private written = 0

  constructor(options: FrameEncoderOptions = {}) {
    super()
    const { role = 'server', highWaterMark = 65536, masking } = options
    const isClient = checkRole(role) === 'client'
    this.writer = new FrameWriter(masking ?? isClient)
    this.highWaterMark = checkNumber(highWaterMark, 'highWaterMark', 0)
  }

  /** Switches to the framing of a draft, for buffered frames too. @internal */
  speak(version: DraftVersion): void {
    const old = this.writer as FrameWriter
    const waiters = this.waiters ?? []
    this.waiters = null
    this.writer = new DraftWriter(version, isSent => {
      this.drops = isSent ? 'nothing' : 'binary'
    })
    // each callback waits for the same frame, which has another number here
    let number = old.dataTaken
    for (const frame of old.takeFrames()) {
      this.writer.add(frame)
      if (!frame.urgent) number++
      while (waiters.length > 0 && waiters[0]!.after <= number) this.tellLater(waiters.shift()!.callback)
    }
  }

  /** Returns the buffered frames and removes them. @internal */
  takeBack(): Frame[] {
    const writer = this.writer as FrameWriter
    this.writer = new FrameWriter(writer.masked)
    return writer.takeFrames()
  }

  /** Sets the wire that the bytes go to. @internal */
  setWire(wire: EncoderWire): void {
    this.wire = wire
  }

  /**
   * Calls back when the wire has written all data taken before, or with an error if it cannot.
   * @internal
   */
  whenWritten(callback: Written): void {
    if (this.drops === 'all') surfacing(() => callback(new WebSocketError('WS_ERR_NOT_OPEN')))
    else if (this.drops === 'binary') this.tellLater(callback)
    else if (!this.keep(callback)) surfacing(() => callback(null))
  }

  /** Keeps a callback until all data taken before is written; false if nothing waits. */
  private keep(callback: Written): boolean {
    if (this.writer.size > 0) (this.waiters ??= []).push({ after: this.writer.dataAdded, callback })
    else if (this.writes > this.written) (this.outstanding ??= []).push({ after: this.writes, callback })
    else return false
    return true
  }

  /** Like `whenWritten`, but never at once; with an error if the last message was binary on a draft. */
  private tellLater(callback: Written): void {
    const isDropped = this.drops === 'binary'
    const tell: Written = error => callback(error ?? (isDropped ? noBinary() : null))
    if (!this.keep(tell)) nextTick(tell, null)
  }

  /** Returns the callbacks that wait for data to be written and removes them, as `takeBack` does with frames. @internal */
  takeWaiters(): Written[] {
    const { waiters } = this
    this.waiters = null
    return waiters?.map(({ callback }) => callback) ?? []
  }

  /** Accepts no more data: further data is dropped, and its callbacks get an error. @internal */
  seal(): void {
    this.sealed = true
    this.drops = 'all'
  }

  /** Nothing can be written any more: all callbacks get this error, which is made only if there are any. @internal */
  failWaiters(makeError: () => Error): void {
    const { waiters, outstanding } = this
    if (waiters === null && outstanding === null) return
    this.waiters = this.outstanding = null
    const error = makeError()
    if (outstanding !== null) callEach(outstanding, error)
    // their frames were dropped, for example by a failed handshake
    if (waiters !== null) callEach(waiters, error)
  }

  /** Bytes buffered here. @internal */
  get size(): number {
    return this.writer.size
  }

  /** Number of frames taken. @internal */
  get frames(): number {
    return this.writer.count
  }

  /** Number of messages whose last frame was taken. @internal */
  get messages(): number {
    return this.writer.messages
  }

  /** Whether the wire takes no more at present. @internal */
  get isBlocked(): boolean {
    return this.blocked
  }

  /** Whether the encoder wants no more until the wire takes bytes again. @internal */
  get isFull(): boolean {
    return this.full
  }

  protected override get readsBatches(): boolean {
    return false
  }

  protected override get holdsInput(): boolean {
    return this.full
  }

  receive(frames: Batch<Frame>): boolean {
    for (const frame of frames) {
      // RFC 6455 §5.5.1: nothing follows a Close frame; the Close itself waits for the end of a frame sent in parts
      if (!this.sealed || this.writer.isMidFrame) this.writer.add(frame)
      else this.drops = 'all'
      if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    }
    this.schedule()
    if (this.blocked && this.writer.size >= this.highWaterMark) this.full = true
    return !this.full
  }

  /**
   * Sends a Ping or a Pong. False if it replaced an answer that still waited for the wire (§5.5.3).
   * @param isAnswer - whether it answers a Ping of the peer
   * @internal
   */
  control(opcode: Opcode, payload: Buffer, isAnswer = false): boolean {
    if (this.sealed) return true
    const frame = new Frame(opcode, payload)
    if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    const replaced = this.pong !== null && isAnswer && this.writer.replace(this.pong, frame)
    if (this.blocked && isAnswer) this.pong = frame
    if (!replaced) this.writer.addUrgent(frame)
    this.schedule()
    return !replaced
  }

  /** Sends a Close after all buffered data and accepts nothing after it; false if this version has no Close frame. @internal */
  close(payload: Buffer): boolean {
    if (this.sealed) return true
    if (this.writer instanceof DraftWriter && !this.writer.canClose) return false
    const frame = new Frame(Opcode.Close, payload)
    if (channels.frame.hasSubscribers) this.listener?.saw?.('sent', frame)
    this.writer.addLast(frame)
    this.schedule()
    this.sealed = true
    return true
  }

  /** Ends the wire after all buffered data. @internal */
  override finish(): void {
    this.sealed = true
    this.ending = true
    this.flush()
    if (this.writer.size === 0 && this.ending) this.endWire()
  }

  /** Buffers output until `release()`. @internal */
  hold(): void {
    this.held = true
  }

  /** @internal */
  release(): void {
    this.held = false
    this.flush()
  }

  /** Writes nothing until `proceed`. @internal */
  block(): void {
    this.blocked = true
  }

  override proceed(): void {
    const { blocked: wasBlocked } = this
    this.blocked = false
    this.blockedTime?.stop()
    if (wasBlocked) this.listener?.progressed()
    this.flush()
    if (this.blocked) return
    if (wasBlocked) this.listener?.drained()
    if (!this.full) return
    this.full = false
    // after 'drain' the application may reuse the memory of its messages
    this.whenWritten(() => this.askForMore())
  }

  private schedule(): void {
    if (this.blocked) return
    if (this.next === null || this.writer.size >= FLUSH_FROM) {
      this.flush()
    } else if (!this.held && !this.scheduled) {
      this.scheduled = true
      nextTick(flushLater, this)
    }
  }

  /** @internal */
  flushNow(): void {
    this.scheduled = false
    if (!this.held) this.flush()
  }

  /** Writes all buffered data to the wire now, unless the wire is full. @internal */
  flush(): void {
    const { writer } = this
    if (this.blocked || writer.size === 0) return
    let hasThrown = true
    try {
      do this.writeSome(writer)
      while (writer.size > 0 && !this.blocked)
      hasThrown = false
    } finally {
      if (hasThrown) dropLent()
    }
    if (this.blocked) (this.blockedTime ??= new BlockedTime()).start()
    if (writer.failure !== null) this.failFor(writer)
    if (writer.size > 0) return
    if (this.pong !== null) this.pong = null
    if (this.ending) this.endWire()
  }

  private writeSome(writer: FrameWriter | DraftWriter): void {
    const { wire } = this
    if (wire !== null) writer.toSocket = wire.isSocket
    const { size } = writer
    const buffers = writer.take()
    // the memory of the first frame is lost
    if (buffers.length === 0) return
    this.bytes += size - writer.size
    this.writes++
    if (this.waiters !== null) this.expect(writer.dataTaken)
    if (wire !== null) {
      wire.onWritten ??= error => this.wrote(error)
      wire.expectWritten()
    }
    if (!this.hand(buffers)) this.blocked = true
    if (wire === null) {
      this.wrote(null)
      return
    }
    const { hasWrittenAll } = wire
    giveBack(buffers[0]!, hasWrittenAll)
    // a full socket, or one that encrypts, would keep a reference to the memory
    writer.borrows = writer.toSocket && hasWrittenAll
  }

  private failFor(writer: FrameWriter | DraftWriter): void {
    const error = writer.failure!
    const { waiters } = this
    writer.failure = this.waiters = null
    dropLent()
    if (this.listener === null) this.destroy(error)
    else this.listener.fail(error)
    if (waiters !== null) callEach(waiters, error)
  }

  /** Moves callbacks that wait for data to the write that contains that data. */
  private expect(taken: number): void {
    const waiters = this.waiters!
    const waiting = waiters.findIndex(({ after }) => after > taken)
    if (waiting === 0) return
    const due = waiting < 0 ? waiters : waiters.slice(0, waiting)
    this.waiters = waiting < 0 ? null : waiters.slice(waiting)
    this.outstanding ??= []
    for (const { callback } of due) this.outstanding.push({ after: this.writes, callback })
  }

  private wrote(error: Error | null | undefined): void {
    // the wire is lost: callbacks get their error when the connection ends
    if (error) return
    this.written++
    const { outstanding, written } = this
    if (outstanding === null) return
    const waiting = outstanding.findIndex(({ after }) => after > written)
    if (waiting === 0) return
    this.outstanding = waiting < 0 ? null : outstanding.slice(waiting)
    callEach(waiting < 0 ? outstanding : outstanding.slice(0, waiting), null)
  }

  private endWire(): void {
    this.ending = false
    this.finishNext()
  }
}

function flushLater(encoder: FrameEncoder): void {
  encoder.flushNow()
}

function callEach(waiters: readonly Waiter[], error: Error | null): void {
  for (const { callback } of waiters) surfacing(() => callback(error))
}
