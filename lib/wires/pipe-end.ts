// A stream at the other end of a pipe into or out of a WebSocketStream, and which of the chunks that it gives come from the pipe itself.

import type { NodeDuplex as Duplex } from '../streams.js'
import { makesChunks } from './wire.js'

export class PipeEnd {
  /** Whether it is piped into the WebSocketStream, and whether that is piped into it. */
  source = false
  destination = false
  // the chunk that the source is giving out, and bytes of it that came before the pipe
  private chunk: unknown = undefined
  private foreign = 0
  private onData: ((chunk: unknown) => void) | null = null

  constructor(
    readonly stream: Duplex,
    private readonly onError: (error: Error) => void,
    private readonly onClose: () => void
  ) {
    stream.on('error', onError)
    stream.on('close', onClose)
  }

  /** Looks at the chunks that the stream gives: those of a socket may be written to, and anyone may write a chunk into the WebSocketStream. */
  follow(): void {
    const { stream } = this
    if (this.onData !== null || !makesChunks(stream)) return
    this.foreign = stream.readableLength
    this.onData = chunk => {
      this.chunk = chunk
    }
    stream.prependListener('data', this.onData)
  }

  /** The stream is no longer piped in. */
  unfollow(): void {
    if (this.onData === null) return
    this.stream.off('data', this.onData)
    this.onData = null
  }

  /** Whether the stream is giving out this chunk. */
  gives(chunk: Buffer): boolean {
    return this.source && this.chunk === chunk
  }

  /** Whether the memory of the chunk that it gives is no one else's. */
  takeChunk(chunk: Buffer): boolean {
    this.chunk = undefined
    if (this.foreign > 0) {
      this.foreign -= chunk.length
      return false
    }
    // the pipe, and `follow`
    return this.stream.listenerCount('data') === 2
  }

  /** Listens to nothing more but errors. */
  release(): void {
    this.stream.off('close', this.onClose)
  }

  /** Listens to no errors either. */
  ignoreErrors(): void {
    this.stream.off('error', this.onError)
  }
}
