// A stream at the other end of a pipe into or out of a WebSocketStream. Knows which chunks the pipe itself writes.

import type { NodeDuplex as Duplex } from '../streams.js'
import { ChunkReader, isReading, makesChunks } from './chunk-reader.js'
import { kPiped, type MaybeTaken, type PipeOwner, type PipeSide } from './taken-streams.js'
import type { WireUser } from './wire.js'

export class PipeEnd extends ChunkReader {
  /** `source`: it is piped into the WebSocketStream; `destination`: the WebSocketStream is piped into it */
  source = false
  destination = false
  // the chunk that the source is emitting, and whether nothing else uses its memory
  private chunk: Buffer | null = null
  private isOurs = false
  private onData: ((chunk: Buffer) => void) | null = null

  constructor(
    readonly stream: Duplex,
    private readonly onError: (error: Error) => void,
    private readonly onClose: () => void
  ) {
    super()
    stream.on('error', onError)
    stream.on('close', onClose)
  }

  /** The stream is piped in or out. One that is both is the wire of this connection alone. */
  join(side: PipeSide, wire: PipeOwner): void {
    this[side] = true
    if (this.source && this.destination) (this.stream as MaybeTaken)[kPiped] = wire
    if (side === 'source') this.follow()
  }

  /**
   * Observes the chunks of the stream: a socket's chunks may be unmasked in place, but other chunks written to the WebSocketStream may not.
   */
  private follow(): void {
    const { stream } = this
    if (this.onData !== null || !makesChunks(stream)) return
    this.onData = chunk => {
      this.chunk = chunk
      this.isOurs = this.takes(stream, chunk)
    }
    stream.prependListener('data', this.onData)
    // the pipe's listener and this one
    this.beginsReading(stream, 2)
    stream.on('newListener', this.onNewListener)
  }

  private readonly onNewListener = (event: string | symbol): void => {
    if (isReading(event)) this.isShared = true
  }

  /** The stream is no longer piped in. */
  unfollow(): void {
    if (this.onData === null) return
    this.stream.off('data', this.onData)
    this.stream.off('newListener', this.onNewListener)
    this.onData = null
  }

  /** Whether the stream is emitting this chunk now. */
  gives(chunk: Buffer): boolean {
    return this.source && this.chunk === chunk
  }

  /** Takes the chunk that the stream is emitting; returns whether nothing else uses its memory. */
  takeChunk(): boolean {
    this.chunk = null
    return this.isOurs
  }

  /** Gives the wire the data that Node has read from the kernel, although the stream is destroyed. */
  readRest(wire: Pick<WireUser, 'wireInput'>): void {
    const { source, stream } = this
    if (!source || !stream.destroyed) return
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) wire.wireInput(chunk, false)
  }

  /** Removes all listeners but the one for errors. */
  release(wire: PipeOwner): void {
    const stream: Duplex & MaybeTaken = this.stream
    this.unfollow()
    if (stream[kPiped] === wire) stream[kPiped] = undefined
    stream.off('close', this.onClose)
  }

  /** Removes the listener for errors. */
  ignoreErrors(): void {
    this.stream.off('error', this.onError)
  }
}
