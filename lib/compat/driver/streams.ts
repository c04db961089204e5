// The two streams of a driver, `io` and `messages`, in the form of Node 0.8, where `write` and `data` are synchronous. The driver processes
// the bytes and messages.

import { Stream } from 'node:stream'

/** The driver as its streams see it. */
export interface StreamsOwner {
  /** Takes bytes of the peer. */
  parse(chunk: Uint8Array | string): boolean
  /** The peer has ended its side. */
  inputEnded(): void
  /** Output may continue. */
  outputResumed(): void
  /** Sends a message. */
  sendMessage(message: string | Uint8Array | readonly number[]): void
  /** Whether data sent now has to wait. */
  readonly isFull: boolean
  /** Emits `drain` when there is room again. */
  awaitRoom(): void
  /** A listener threw. */
  caught(error: unknown): void
}

/** The wire: write the peer's bytes to it, and send the data of its `data` events to the peer. */
export class IO extends Stream {
  /** Whether it emits data. */
  readable = true
  /** Whether it takes data. */
  writable = true
  /** Whether output waits for `resume`. @internal */
  isPaused = false
  /** Whether `messages` applies backpressure. @internal */
  isInputPaused = false
  private waits = false

  /** @internal */
  constructor(private readonly owner: StreamsOwner) {
    super()
  }

  /** Output waits from now on, for example because the socket behind a pipe is full. */
  pause(): void {
    this.isPaused = true
  }

  /** Output continues. */
  resume(): void {
    this.isPaused = false
    this.owner.outputResumed()
    this.emit('drain')
  }

  /**
   * Takes bytes of the peer.
   * @returns false if the next chunk should wait for `drain`
   */
  write(chunk: Uint8Array | string): boolean {
    if (!this.writable) return false
    if (!this.owner.parse(chunk)) this.waits = true
    return !this.waits && !this.isPaused && !this.isInputPaused
  }

  /** The peer has ended its side of the wire: `messages` ends. */
  end(chunk?: Uint8Array | string | (() => void)): this {
    if (!this.writable) return this
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk)
    this.writable = false
    this.owner.inputEnded()
    return this
  }

  /** The same as `end()`. */
  destroy(): void {
    this.end()
  }

  /** Emits bytes for the peer. @internal */
  give(chunk: Buffer): void {
    if (!this.readable) return
    try {
      this.emit('data', chunk)
    } catch (error) {
      this.owner.caught(error)
    }
  }

  /** The driver takes input again. @internal */
  inputDrained(): void {
    if (!this.waits) return
    this.waits = false
    this.emit('drain')
  }
}

/** The messages: `data` events carry received messages, and written messages are sent. */
export class Messages extends Stream {
  /** Whether it emits messages. */
  readable = true
  /** Whether it takes messages. */
  writable = true

  /** @internal */
  constructor(
    private readonly owner: StreamsOwner,
    private readonly io: IO
  ) {
    super()
    // the application need not listen for errors of the peer
    this.on('error', () => {})
  }

  /** Applies backpressure to the wire. Binary messages in bytes already written to `io` are still emitted. */
  pause(): void {
    this.io.isInputPaused = true
  }

  /** Ends the backpressure. */
  resume(): void {
    this.io.isInputPaused = false
    this.io.emit('drain')
  }

  /**
   * Sends a message: text for a string, binary for bytes.
   * @returns false if the next message should wait for `drain`
   */
  write(message: string | Uint8Array | readonly number[]): boolean {
    if (!this.writable) return false
    this.owner.sendMessage(message)
    if (!this.owner.isFull) return !this.io.isPaused
    this.owner.awaitRoom()
    return false
  }

  /** Sends a last message, if given. The connection stays open: other streams may be piped into it. */
  end(message?: string | Uint8Array | readonly number[] | (() => void)): this {
    if (message !== undefined && typeof message !== 'function') this.write(message)
    return this
  }

  /** Does nothing. */
  destroy(): void {}

  /** The connection has ended. @internal */
  over(): void {
    if (!this.readable) return
    this.readable = this.writable = false
    this.emit('end')
  }
}
