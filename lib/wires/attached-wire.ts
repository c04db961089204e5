// An attached stream as the wire: transfers data, errors and the end in both directions without pipes.

import { nextTick, setImmediate } from '../runtime/node.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'
import type { NodeDuplex as Duplex } from '../streams.js'
import { ChunkReader, isReading } from './chunk-reader.js'
import { checkFree, kAttached } from './taken-streams.js'
import {
  alwaysCloses,
  asBuffer,
  cannotWrite,
  checkDuplex,
  checkGivesBytes,
  giveUp,
  isHttp2Stream,
  isSocket,
  type Wire,
  type WireUser,
  type Written
} from './wire.js'

type Attached = Duplex & { [kAttached]?: AttachedWire | undefined }
type SocketSettings = { setNoDelay?(on: boolean): void; setTimeout?(milliseconds: number): void }

export class AttachedWire extends ChunkReader implements Wire {
  next: Receiver<Buffer> | null = null
  prev: Sender<Buffer> | null = null
  private inputEnded = false
  private outputEnded = false
  onWritten: Written | null = null
  private expectsWritten = false

  /** @throws TypeError if it is not a Duplex, has an encoding set, or is the wire of another connection */
  constructor(
    private readonly user: WireUser,
    private readonly duplex: Duplex
  ) {
    super()
    checkDuplex(duplex)
    checkGivesBytes(duplex)
    checkFree(duplex as Attached, this)
    ;(duplex as Attached)[kAttached] = this
    const socket = duplex as SocketSettings
    // disable Nagle's algorithm and the idle timeout: keepalive detects idle connections
    socket.setNoDelay?.(true)
    socket.setTimeout?.(0)
    // plain functions that find the wire through the stream, to save a closure for each connection (benchmarks/questions/idle.js)
    duplex.on('data', onData)
    duplex.on('end', onEnd)
    duplex.on('error', onError)
    duplex.on('close', onClose)
    this.beginsReading(duplex, 1)
    duplex.on('newListener', onNewListener)
    // a 'data' listener does not resume a paused stream
    if (duplex.isPaused()) duplex.resume()
    if (duplex.destroyed) nextTick(onClose.bind(duplex))
    else if (duplex.readableEnded) nextTick(onEnd.bind(duplex))
  }

  get bufferedAmount(): number {
    return this.duplex.writableLength
  }

  get isSocket(): boolean {
    return isSocket(this.duplex)
  }

  /** Whether the stream belongs to an HTTP/2 session. */
  get isMultiplexed(): boolean {
    return isHttp2Stream(this.duplex)
  }

  get hasWrittenAll(): boolean {
    return this.duplex.writableLength === 0
  }

  expectWritten(): void {
    this.expectsWritten = true
  }

  receive(buffers: Batch<Buffer>): boolean {
    const { duplex } = this
    const written = this.expectsWritten ? this.onWritten : null
    this.expectsWritten = false
    if (!duplex.writable) return cannotWrite(written)
    const last = buffers.length - 1
    if (last > 0) duplex.cork()
    for (let i = 0; i < last; i++) duplex.write(buffers[i])
    const more = written === null ? duplex.write(buffers[last]) : duplex.write(buffers[last], written)
    if (last > 0) duplex.uncork()
    if (!more) duplex.once('drain', onDrain)
    return more
  }

  finish(): void {
    const { duplex } = this
    if (duplex.writableEnded || duplex.destroyed) {
      if (duplex.writableFinished) this.outputEnded = true
      this.closeIfSilent()
      this.user.outputEnded('unknown')
      return
    }
    duplex.end((error?: Error | null) => {
      this.outputEnded = true
      this.closeIfSilent()
      // a peer that resets the connection may have received everything before
      this.user.outputEnded(error ? 'unknown' : 'sent')
    })
  }

  proceed(): void {
    this.duplex.resume()
  }

  drop(): void {
    giveUp(this.duplex)
    // do not wait for 'close' if the stream does not emit it
    nextTick(onClose.bind(this.duplex))
  }

  inputDone(): void {}

  /** Destroys the stream without reporting its end or its errors. */
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

  data(chunk: unknown): void {
    const bytes = asBuffer(chunk)
    if (bytes === null) {
      this.user.wireLost(new TypeError(`the attached stream must give bytes, not ${typeof chunk}`))
      this.drop()
      return
    }
    if (!this.user.wireInput(bytes, this.takes(this.duplex, bytes))) this.duplex.pause()
  }

  /** Another listener for 'data' or 'readable' has come. */
  sharesChunks(): void {
    this.isShared = true
  }

  ended(): void {
    this.inputEnded = true
    this.closeIfSilent()
    this.user.wireEnded()
  }

  broke(error: Error): void {
    this.expectClose()
    this.readRest()
    this.user.wireLost(error)
  }

  /** Takes the data that Node has read from the kernel, although the stream is destroyed. */
  private readRest(): void {
    const { duplex } = this
    duplex.off('data', onData)
    for (let chunk = duplex.read(); chunk !== null; chunk = duplex.read()) this.data(chunk)
  }

  private closeIfSilent(): void {
    if (this.inputEnded && this.outputEnded) this.expectClose()
  }

  /** Streams with `autoDestroy: false` or `emitClose: false` may never emit 'close' after both ends or an error; sockets always do. */
  private expectClose(): void {
    if (!alwaysCloses(this.duplex)) setImmediate(() => this.isClosing || onClose.call(this.duplex))
  }

  // destroyed, but 'close' has not been emitted
  private get isClosing(): boolean {
    return this.duplex.destroyed && !this.duplex.closed
  }

  private forget(): void {
    const { duplex } = this
    duplex.off('data', onData)
    duplex.off('end', onEnd)
    duplex.off('close', onClose)
    duplex.off('drain', onDrain)
    duplex.off('newListener', onNewListener)
    ;(duplex as Attached)[kAttached] = undefined
  }

  closed(): void {
    this.readRest()
    this.forget()
    if (!this.inputEnded) this.user.wireLost()
    this.user.wireClosed()
  }
}

function onData(this: Attached, chunk: unknown): void {
  this[kAttached]!.data(chunk)
}

function onNewListener(this: Attached, event: string | symbol): void {
  if (isReading(event)) this[kAttached]!.sharesChunks()
}

function onEnd(this: Attached): void {
  this[kAttached]?.ended()
}

function onError(this: Attached, error: Error): void {
  // errors after the end are ignored
  this[kAttached]?.broke(error)
}

function onClose(this: Attached): void {
  this[kAttached]?.closed()
}

function onDrain(this: Attached): void {
  this[kAttached]?.prev?.proceed()
}
