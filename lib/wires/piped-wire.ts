// The streams piped into and out of a WebSocketStream as its wire. Detects when one of them breaks, since pipes do not report that. Writes
// output directly to the destinations, without the buffer of a Readable.

import { nextTick, setImmediate } from '../runtime/node.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'
import { type NodeDuplex as Duplex, Duplex as DuplexClass, type NodeWritable as Writable } from '../streams.js'
import { afterAll, Outlet, type OutletOwner } from './outlet.js'
import { PipeEnd } from './pipe-end.js'
import { checkPipe, type PipeOwner, type PipeSide } from './taken-streams.js'
import { alwaysCloses, cannotWrite, giveUp, type Wire, type WireUser, type Written } from './wire.js'

/** The WebSocketStream as this wire sees it. */
export type PipedStream = Pick<
  Duplex,
  'push' | 'destroyed' | 'writable' | 'readableLength' | 'readableFlowing' | 'once' | 'emit' | 'listenerCount'
> & {
  /** Whether the stream state has been built. */
  readonly isBuilt: boolean
}

// the methods of Duplex without the overrides of WebSocketStream
const { destroy, pipe, resume } = DuplexClass.prototype as unknown as Record<
  'destroy' | 'pipe' | 'resume',
  (this: unknown, ...args: unknown[]) => void
>

/** Output that was written while the stream was paused. */
interface HeldOutput {
  readonly buffers: Batch<Buffer>
  readonly written: Written | null
}

// shared by all wires. Lists are replaced, not changed: arrays that grow reserve room for many more (benchmarks/questions/idle.js, pipes)
const NONE: readonly never[] = []

export class PipedWire implements Wire, OutletOwner, PipeOwner {
  next: Receiver<Buffer> | null = null
  prev: Sender<Buffer> | null = null
  private ends: readonly PipeEnd[] = NONE
  private outlets: readonly Outlet[] = NONE
  // the callback of a write whose chunk is not used up, or of the end of the stream
  private waiting: (() => void) | null = null
  private ending: (() => void) | null = null
  private outputEnded = false
  // number of writes in progress, and whether one of them failed
  private writing = 0
  private hasFailed = false
  // whether output was written directly to destinations; whether its end was passed on
  private isDirect = false
  private isEndTold = false
  onWritten: Written | null = null
  private expectsWritten = false
  // callbacks of data that readers have not taken yet
  private unread: readonly Written[] = NONE
  private held: readonly HeldOutput[] = NONE
  private isPaused = false

  constructor(
    private readonly user: WireUser,
    private readonly stream: PipedStream
  ) {}

  get bufferedAmount(): number {
    let amount = this.stream.readableLength
    for (const { buffers } of this.held) for (const { length } of buffers) amount += length
    for (const { stream, destination } of this.ends) if (destination) amount += stream.writableLength
    return amount
  }

  get hasWrittenAll(): boolean {
    return this.bufferedAmount === 0
  }

  get isSocket(): boolean {
    return this.outlets.length === 1 && this.outlets[0]!.isSocket
  }

  expectWritten(): void {
    this.expectsWritten = true
  }

  receive(buffers: Batch<Buffer>): boolean {
    const written = this.expectsWritten ? this.onWritten : null
    this.expectsWritten = false
    if (this.outputEnded || this.stream.destroyed) return cannotWrite(written)
    if (this.outlets.length === 0) return this.push(buffers, written)
    if (this.isPaused) {
      this.held = this.held.concat({ buffers, written })
      return false
    }
    return this.write(buffers, written)
  }

  private write(buffers: Batch<Buffer>, written: Written | null): boolean {
    const { outlets } = this
    this.writing++
    const wrote = written === null ? this.wrote : this.wroteAndReports
    const done = outlets.length === 1 ? wrote : afterAll(outlets.length, wrote)
    let more = true
    for (const outlet of outlets) if (!outlet.write(buffers, done)) more = false
    return more
  }

  private readonly wrote: Written = error => {
    this.writing--
    if (error) this.hasFailed = true
    this.endWhenWritten()
  }

  private readonly wroteAndReports: Written = error => {
    this.onWritten!(error)
    this.wrote(error)
  }

  // to readers and ordinary pipes
  private push(buffers: Batch<Buffer>, written: Written | null): boolean {
    let more = true
    // a header and its payload leave in one write (benchmarks/questions/echo.js, 16 KiB through pipes)
    const destinations = this.ends.filter(end => end.destination)
    for (const { stream } of destinations) stream.cork()
    for (const bytes of buffers) more = this.stream.push(bytes)
    for (const { stream } of destinations) stream.uncork()
    if (written === null) return more
    if (more || this.stream.readableLength === 0) nextTick(written)
    else this.unread = this.unread.concat(written)
    return more
  }

  /** A reader asks for more. */
  readOn(): void {
    const { unread } = this
    this.unread = NONE
    for (const written of unread) nextTick(written)
    this.prev?.proceed()
  }

  // Pipes out of the stream

  /** Pipes the output to a stream, like Readable.pipe. */
  pipeTo(destination: NodeJS.WritableStream, end: boolean): void {
    this.watch(destination, 'destination')
    if (this.isRead) {
      pipe.call(this.stream, destination, { end })
      return
    }
    const outlet = new Outlet(destination as Writable, end, this)
    this.outlets = this.outlets.concat(outlet)
    destination.emit('pipe', this.stream as never)
    // output waited because nothing was piped
    if (this.outlets.length === 1 && !outlet.isBlocked) nextTick(() => this.prev?.proceed())
  }

  /** Removes the pipe to a destination, or all pipes: their end and errors no longer concern the wire. */
  unpipe(destination?: NodeJS.WritableStream): void {
    for (const end of this.ends) {
      const { stream } = end
      if ((destination !== undefined && stream !== destination) || stream.writableFinished) continue
      end.destination = false
      if (!end.source) this.dismiss(end)
    }
    this.remove(destination)
  }

  private remove(destination?: NodeJS.WritableStream): void {
    const leaving = this.outlets.filter(({ stream }) => destination === undefined || stream === destination)
    if (leaving.length === 0) return
    this.outlets = this.outlets.filter(outlet => !leaving.includes(outlet))
    for (const outlet of leaving) {
      outlet.release()
      if (this.outputEnded && !outlet.stream.writableFinished) this.hasFailed = true
      outlet.stream.emit('unpipe', this.stream, { hasUnpiped: false })
    }
    // what was held for the last destination waits for the next one
    if (this.outlets.length === 0) this.pushAll(this.takeHeld())
    this.outletDrained()
    if (!this.isPaused) this.endWhenWritten()
  }

  /** A reader was added: the direct pipes become ordinary ones. */
  pipeOrdinarily(): void {
    const { outlets } = this
    if (outlets.length === 0) return
    this.outlets = NONE
    const held = this.takeHeld()
    for (const outlet of outlets) {
      outlet.release()
      pipe.call(this.stream, outlet.stream, { end: outlet.ends })
    }
    this.pushAll(held)
    this.endWhenWritten()
  }

  private takeHeld(): readonly HeldOutput[] {
    const { held } = this
    this.held = NONE
    return held
  }

  private pushAll(held: readonly HeldOutput[]): void {
    for (const { buffers, written } of held) this.push(buffers, written)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    const held = this.takeHeld()
    let more = this.outlets.every(outlet => !outlet.isBlocked)
    for (const { buffers, written } of held) more = this.write(buffers, written)
    if (this.outputEnded) this.endOutlets()
    else if (more) this.prev?.proceed()
  }

  outletLeft({ stream }: Outlet): void {
    // the stream may have no reader left: endWhenWritten() must resume it to emit 'end'
    this.isDirect = true
    this.remove(stream)
  }

  outletDrained(): void {
    if (!this.isPaused && this.outlets.every(outlet => !outlet.isBlocked)) this.prev?.proceed()
  }

  finish(): void {
    if (this.outputEnded) return
    this.outputEnded = true
    if (this.outlets.length > 0) this.isDirect = true
    if (!this.isPaused) this.endOutlets()
  }

  private endOutlets(): void {
    for (const outlet of this.outlets) if (outlet.ends) outlet.stream.end()
    this.endWhenWritten()
  }

  /** Ends the stream when its destinations have written everything. */
  private endWhenWritten(): void {
    if (!this.outputEnded || this.isEndTold || this.writing > 0 || this.outlets.some(({ ends }) => ends)) return
    this.isEndTold = true
    this.stream.once('end', () => this.user.outputEnded(this.hasFailed ? 'unknown' : 'sent'))
    this.stream.push(null)
    if (this.isDirect) resume.call(this.stream)
  }

  // Pipes into the stream

  /** A chunk was written to the stream. */
  writeInput(chunk: Buffer, callback: () => void): void {
    this.waiting = callback
    const isOurs = this.ends.find(end => end.gives(chunk))?.takeChunk() ?? false
    if (this.user.wireInput(chunk, isOurs)) this.proceed()
  }

  /** Whether the last chunk is not used up. */
  get isBlocked(): boolean {
    return this.waiting !== null
  }

  proceed(): void {
    const { waiting } = this
    this.waiting = null
    waiting?.()
  }

  /** The stream was ended; calls back when all its input has been processed. */
  end(callback: () => void): void {
    this.ending = callback
    this.user.wireEnded()
  }

  inputDone(): void {
    const { ending } = this
    this.ending = null
    ending?.()
  }

  drop(): void {
    destroy.call(this.stream)
    for (const { stream } of this.ends) giveUp(stream)
  }

  /** Watches a stream at the other end of a pipe. @throws TypeError if it cannot be piped: see `checkPipe` */
  watch(stream: NodeJS.EventEmitter, side: PipeSide): void {
    let end = this.ends.find(known => known.stream === stream)
    const isWritten = side === 'destination' || end?.destination === true
    checkPipe(side, stream as Duplex, this.stream as unknown as Duplex, isWritten, this)
    if (end === undefined) {
      end = this.listenTo(stream as Duplex)
      this.ends = this.ends.concat(end)
    }
    end.join(side, this)
  }

  joins(stream: object): boolean {
    return !this.isEndTold && this.ends.some(end => end.stream === stream && end.source && end.destination)
  }

  /** A stream is no longer piped in: its end and errors no longer concern the wire. */
  unwatch(stream: NodeJS.EventEmitter): void {
    const end = this.ends.find(known => known.stream === stream)
    if (end === undefined) return
    end.unfollow()
    // streams also unpipe themselves, when one side has ended
    if (end.stream.readableEnded || !this.stream.writable) return
    end.source = false
    if (!end.destination) this.dismiss(end)
  }

  private listenTo(stream: Duplex): PipeEnd {
    const onError = (error: Error): void => {
      end.readRest(this.user)
      this.user.wireLost(error)
      // streams with `autoDestroy: false` or `emitClose: false` never emit 'close'; sockets always do
      if (!alwaysCloses(stream)) setImmediate(() => (stream.destroyed && !stream.closed) || onClose())
    }
    // One listener for both directions: pipeline() and a TLS socket have nine of their own, and Node warns from eleven on.
    const onClose = (): void => {
      this.closed(end)
      const outlet = this.outlets.find(outlet => outlet.stream === stream)
      if (outlet !== undefined) this.outletLeft(outlet)
    }
    const end = new PipeEnd(stream, onError, onClose)
    return end
  }

  private closed(end: PipeEnd): void {
    if (!this.ends.includes(end)) return
    end.readRest(this.user)
    this.forget(end)
    const { readableEnded, writableFinished } = end.stream
    const isDone = writableFinished && this.outputEnded
    if ((end.source && !readableEnded) || (end.destination && !isDone)) this.broken()
  }

  private forget(end: PipeEnd): void {
    this.ends = this.ends.filter(other => other !== end)
    end.release(this)
  }

  /** Forgets an end whose errors no longer concern the wire either. */
  private dismiss(end: PipeEnd): void {
    this.forget(end)
    end.ignoreErrors()
  }

  detach(): { stream: Duplex; unread: Uint8Array[] } {
    const [end, other] = this.ends
    if (end === undefined || other !== undefined || !end.source) {
      throw new TypeError('a connection can be handed over only if the same stream is piped in and out')
    }
    // pipeline() ends its last stream by a listener for 'end', not by the pipe
    if (this.stream.listenerCount('end') > 0 && this.outlets.some(({ ends }) => !ends)) {
      throw new TypeError('pipeline() would destroy the stream; to hand a connection over, use attach() or pipe()')
    }
    const { stream } = end
    const piped = this.stream as unknown as Duplex
    stream.unpipe(piped)
    piped.unpipe(stream)
    this.dismiss(end)
    const { writableBuffer } = piped as Duplex & { writableBuffer: { chunk: Uint8Array }[] }
    return { stream, unread: writableBuffer.map(({ chunk }) => chunk) }
  }

  /** Whether anything but our own pipes reads the output, or has read it. */
  private get isRead(): boolean {
    const { stream } = this
    if (!stream.isBuilt) return false
    const listeners = stream.listenerCount('data') + stream.listenerCount('readable')
    return stream.readableFlowing !== null || stream.readableLength > 0 || listeners > 0
  }

  /** Whether a stream is piped in. */
  get isFed(): boolean {
    return this.ends.some(end => end.source)
  }

  private broken(): void {
    this.user.wireLost()
    destroy.call(this.stream)
  }
}
