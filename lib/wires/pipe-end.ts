// A stream at the other end of a pipe into or out of a WebSocketStream. Knows which chunks the pipe itself writes.

import type { NodeDuplex as Duplex } from '../streams.js'
import { hasOtherReaders, isReading, makesChunks } from './wire.js'

export class PipeEnd {
  /** `source`: it is piped into the WebSocketStream; `destination`: the WebSocketStream is piped into it */
  source = false
  destination = false
  // the chunk that the source is emitting, and the number of bytes that were buffered before the pipe
  private chunk: unknown = undefined
  private foreign = 0
  private onData: ((chunk: unknown) => void) | null = null
  // whether others read the stream, or have read it: a listener may remove itself while it is called
  private isShared = false

  constructor(
    readonly stream: Duplex,
    private readonly onError: (error: Error) => void,
    private readonly onClose: () => void
  ) {
    stream.on('error', onError)
    stream.on('close', onClose)
  }

  /**
   * Observes the chunks of the stream: a socket's chunks may be unmasked in place, but other chunks written to the WebSocketStream may not.
   */
  follow(): void {
    const { stream } = this
    if (this.onData !== null || !makesChunks(stream)) return
    this.foreign = stream.readableLength
    this.onData = chunk => {
      this.chunk = chunk
    }
    stream.prependListener('data', this.onData)
    // the pipe's listener and this one
    this.isShared = hasOtherReaders(stream, 2)
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

  /** Whether nothing else uses the memory of the chunk that it is emitting. */
  takeChunk(chunk: Buffer): boolean {
    this.chunk = undefined
    if (this.foreign > 0) {
      this.foreign -= chunk.length
      return false
    }
    return !this.isShared && makesChunks(this.stream)
  }

  /** Removes all listeners but that for errors. */
  release(): void {
    this.stream.off('close', this.onClose)
  }

  /** Removes the error listener too. */
  ignoreErrors(): void {
    this.stream.off('error', this.onError)
  }
}
