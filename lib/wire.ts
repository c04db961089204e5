// The two ends at which the pipeline meets the outside: a stream that is attached, or the pipes in and out of a WebSocketStream.

import type { Duplex } from 'node:stream'
import { nextTick } from './runtime/node.js'
import type { Batch, Receiver, Sender } from './stages/stage.js'

/** What a wire tells its connection. */
export interface WireUser {
  /** Bytes arrived; false asks for no more until `proceed`. */
  wireInput(chunk: Buffer): boolean
  /** The peer ended its side. */
  wireEnded(): void
  /** The wire broke. */
  wireLost(cause?: unknown): void
  /**
   * All bytes of this side have been taken, its end included.
   * @param isSent - whether they are on their way, where that is known
   * @param tells - whether now is the time to tell of an error
   */
  outputEnded(isSent: true | undefined, tells?: boolean): void
  /** Nothing more will come or go. */
  wireClosed(): void
}

/** Both ends of the pipeline: the sender of what arrives, the receiver of what goes out. */
export interface Wire extends Sender<Buffer>, Receiver<Buffer> {
  prev: Sender<Buffer> | null
  /** Bytes that were handed to it and are not sent. */
  readonly bufferedAmount: number
  /** Gives the wire up at once. */
  drop(): void
  /** The end of input has been dealt with. */
  inputDone(): void
  /**
   * Lets go of the stream, which nothing else is done to, and gives it with what was read from it and not taken.
   * @throws TypeError where it is not one stream, which is then not let go of
   */
  detach(): { stream: Duplex; unread: Uint8Array[] }
}

const kWire = Symbol('wire')
type Attached = Duplex & { [kWire]?: AttachedWire }
type MaybeSocket = Duplex & {
  _handle?: unknown
  setNoDelay?(on: boolean): void
  setTimeout?(milliseconds: number): void
}

/** A stream that belongs to the connection: its data, errors and end are carried both ways, without any piping. */
export class AttachedWire implements Wire {
  next: Receiver<Buffer> | null = null
  prev: Sender<Buffer> | null = null
  // there at the end only (benchmarks/questions/idle.js)
  declare private inputEnded: boolean

  static {
    AttachedWire.prototype.inputEnded = false
  }

  constructor(
    private readonly user: WireUser,
    private readonly duplex: Duplex
  ) {
    ;(duplex as Attached)[kWire] = this
    const socket = duplex as MaybeSocket
    // small frames should not wait for an acknowledgement, and idle connections are the keepalive's affair
    socket.setNoDelay?.(true)
    socket.setTimeout?.(0)
    // plain functions, which find the wire through the stream: a connection then costs no closures (benchmarks/questions/idle.js)
    duplex.on('data', onData)
    duplex.on('end', onEnd)
    duplex.on('error', onError)
    duplex.on('close', onClose)
    if (duplex.destroyed) nextTick(onClose.bind(duplex))
    else if (duplex.readableEnded) nextTick(onEnd.bind(duplex))
  }

  get bufferedAmount(): number {
    return this.duplex.writableLength
  }

  /** Whether the stream is a socket: it keeps nothing of what it has written. */
  get isSocket(): boolean {
    const { _handle: handle, setNoDelay } = this.duplex as MaybeSocket
    return typeof handle === 'object' && handle !== null && typeof setNoDelay === 'function'
  }

  /** Whether the stream is one of many of an HTTP/2 session. */
  get isMultiplexed(): boolean {
    return (this.duplex as Duplex & { rstCode?: number }).rstCode !== undefined
  }

  get hasWrittenAll(): boolean {
    return this.duplex.writableLength === 0
  }

  receive(buffers: Batch<Buffer>): boolean {
    const { duplex } = this
    if (!duplex.writable) return true
    let more = true
    if (buffers.length === 1) {
      more = duplex.write(buffers[0])
    } else {
      duplex.cork()
      for (const bytes of buffers) more = duplex.write(bytes)
      duplex.uncork()
    }
    if (!more) duplex.once('drain', onDrain)
    return more
  }

  finish(): void {
    const { duplex } = this
    if (duplex.writableEnded || duplex.destroyed) this.user.outputEnded(undefined)
    // a peer that resets the wire may have had all before
    else duplex.end((error?: Error | null) => this.user.outputEnded(error ? undefined : true))
  }

  proceed(): void {
    this.duplex.resume()
  }

  drop(): void {
    giveUp(this.duplex)
    // a stream that does not say that it is closed is not waited for
    nextTick(onClose.bind(this.duplex))
  }

  inputDone(): void {}

  /** Gives the stream up for another one: nothing more is heard of it. */
  release(): void {
    const { duplex } = this
    this.forget()
    giveUp(duplex)
  }

  detach(): { stream: Duplex; unread: Uint8Array[] } {
    const { duplex } = this
    this.forget()
    duplex.off('error', onError)
    return { stream: duplex, unread: [] }
  }

  data(chunk: Buffer): void {
    if (!this.user.wireInput(chunk)) this.duplex.pause()
  }

  ended(): void {
    this.inputEnded = true
    this.user.wireEnded()
  }

  broke(error: Error): void {
    this.user.wireLost(error)
  }

  // errors are still listened for, and are nobody's business
  private forget(): void {
    const { duplex } = this
    duplex.off('data', onData)
    duplex.off('end', onEnd)
    duplex.off('close', onClose)
    duplex.off('drain', onDrain)
    ;(duplex as Attached)[kWire] = undefined as never
  }

  closed(): void {
    this.forget()
    if (!this.inputEnded) this.user.wireLost()
    this.user.wireClosed()
  }
}

function onData(this: Attached, chunk: Buffer): void {
  this[kWire]!.data(chunk)
}

function onEnd(this: Attached): void {
  this[kWire]!.ended()
}

function onError(this: Attached, error: Error): void {
  // after the end as well: then it is nobody's business any more
  this[kWire]?.broke(error)
}

function onClose(this: Attached): void {
  this[kWire]?.closed()
}

function onDrain(this: Attached): void {
  this[kWire]?.prev?.proceed()
}

/** RFC 8441 §5: CANCEL is to a stream of HTTP/2 what a reset is to TCP; `destroy` by itself would say that nothing is wrong. */
function giveUp(stream: Duplex): void {
  const { rstCode } = stream as Duplex & { rstCode?: number }
  if (rstCode !== undefined) (stream as Duplex & { close(code: number): void }).close(CANCEL)
  stream.destroy()
}

/** RFC 9113 §7 */
const CANCEL = 8

/** The streams that are piped into and out of a WebSocketStream: nobody else tells it when one of them breaks. */
export class PipedWire implements Wire {
  next: Receiver<Buffer> | null = null
  prev: Sender<Buffer> | null = null
  private ends: PipeEnd[] = []
  private waiting: (() => void) | null = null
  private ending: (() => void) | null = null
  private outputEnded = false

  constructor(
    private readonly user: WireUser,
    private readonly stream: Duplex,
    private readonly destroyStream: () => void
  ) {}

  get bufferedAmount(): number {
    let amount = this.stream.readableLength
    for (const { stream, destination } of this.ends) if (destination) amount += stream.writableLength
    return amount
  }

  receive(buffers: Batch<Buffer>): boolean {
    if (this.outputEnded || this.stream.destroyed) return true
    if (buffers.length === 1) return this.stream.push(buffers[0])
    let more = true
    // a header and its payload leave as one write (benchmarks/questions/echo.js, 16 KiB through pipes)
    const destinations = this.ends.filter(end => end.destination)
    for (const { stream } of destinations) stream.cork()
    for (const bytes of buffers) more = this.stream.push(bytes)
    for (const { stream } of destinations) stream.uncork()
    return more
  }

  finish(): void {
    if (this.outputEnded) return
    this.outputEnded = true
    // a pipe stops at the first error it hears of, and the end of input would go unseen: then it is told at the very end
    this.stream.once('end', () => this.user.outputEnded(true, !this.isFed))
    this.stream.push(null)
  }

  /** A chunk was written into the stream. */
  write(chunk: Buffer, callback: () => void): void {
    let more = true
    try {
      more = this.user.wireInput(chunk)
    } finally {
      // an exception of a listener's surfaces, and the pipe goes on
      if (more) callback()
      else this.waiting = callback
    }
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

  /** The stream was ended; the callback comes when all of its input has been seen. */
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
    this.destroyStream()
    for (const { stream } of this.ends) giveUp(stream)
  }

  /** Watches a stream at the other end of a pipe. */
  watch(stream: NodeJS.EventEmitter, side: 'source' | 'destination'): void {
    const known = this.ends.find(end => end.stream === stream)
    if (known !== undefined) {
      known[side] = true
      return
    }
    const onError = (error: Error): void => this.user.wireLost(error)
    const onClose = (): void => this.closed(end)
    const end: PipeEnd = { stream: stream as Duplex, source: false, destination: false, onError, onClose }
    end[side] = true
    this.ends = [...this.ends, end]
    stream.on('error', onError)
    stream.on('close', onClose)
  }

  private closed(end: PipeEnd): void {
    this.forget(end)
    const { readableEnded, writableFinished } = end.stream
    const isDone = writableFinished && this.stream.readableEnded
    if ((end.source && !readableEnded) || (end.destination && !isDone)) this.broken()
  }

  private forget(end: PipeEnd): void {
    this.ends = this.ends.filter(other => other !== end)
    end.stream.off('close', end.onClose)
  }

  detach(): { stream: Duplex; unread: Uint8Array[] } {
    const [end, other] = this.ends
    if (end === undefined || other !== undefined || !end.source) {
      throw new TypeError('only one stream that is piped in and out can be handed over')
    }
    const { stream } = end
    this.forget(end)
    stream.off('error', end.onError)
    stream.unpipe(this.stream)
    this.stream.unpipe(stream)
    const { writableBuffer } = this.stream as Duplex & { writableBuffer: { chunk: Uint8Array }[] }
    return { stream, unread: writableBuffer.map(({ chunk }) => chunk) }
  }

  private get isFed(): boolean {
    return this.ends.some(end => end.source)
  }

  private broken(): void {
    this.user.wireLost()
    this.destroyStream()
  }
}

interface PipeEnd {
  readonly stream: Duplex
  source: boolean
  destination: boolean
  readonly onError: (error: Error) => void
  readonly onClose: () => void
}
