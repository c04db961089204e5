// The two streams of a driver, `io` and `messages`, in the form of Node 0.8, whose `write` and `data` happen in the turn of the call.
// What they do with bytes and messages is the driver's affair.

import { Stream } from 'node:stream'

/** What stands behind both streams. */
export interface StreamsOwner {
  /** Takes bytes of the peer. */
  parse(chunk: Uint8Array | string): boolean
  /** The peer has ended its side. */
  inputEnded(): void
  /** Output may go on. */
  outputResumed(): void
  /** Sends a message. */
  sendMessage(message: string | Uint8Array | readonly number[]): void
  /** Whether what is sent now has to wait. */
  readonly isFull: boolean
  /** Has `drain` emitted when there is room again. */
  awaitRoom(): void
  /** A listener threw. */
  caught(error: unknown): void
}

/** The wire: write to it what the peer sent, and send the peer what its `data` events carry. */
export class IO extends Stream {
  /** Whether it emits data. */
  readable = true
  /** Whether it takes data. */
  writable = true
  /** Whether output waits for `resume`. @internal */
  isPaused = false
  /** Whether `messages` wants no more input. @internal */
  isInputPaused = false
  private waits = false

  /** @internal */
  constructor(private readonly owner: StreamsOwner) {
    super()
  }

  /** Output waits from now on, as when the socket behind a pipe is full. */
  pause(): void {
    this.isPaused = true
  }

  /** Output goes on. */
  resume(): void {
    this.isPaused = false
    this.owner.outputResumed()
    this.emit('drain')
  }

  /**
   * Takes bytes of the peer.
   * @returns false where the next ones should wait for `drain`
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

  /** As `end()`. */
  destroy(): void {
    this.end()
  }

  /** Bytes for the peer. @internal */
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

/** The messages: `data` events carry those that arrive, and what is written is sent. */
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
    // what a peer does wrong need not be handled
    this.on('error', () => {})
  }

  /** The wire is asked to send no more. Messages of bytes that have been written to `io` are emitted all the same. */
  pause(): void {
    this.io.isInputPaused = true
  }

  /** The wire may go on. */
  resume(): void {
    this.io.isInputPaused = false
    this.io.emit('drain')
  }

  /**
   * Sends a message: text for a string, binary for bytes.
   * @returns false where the next one should wait for `drain`
   */
  write(message: string | Uint8Array | readonly number[]): boolean {
    if (!this.writable) return false
    this.owner.sendMessage(message)
    if (!this.owner.isFull) return !this.io.isPaused
    this.owner.awaitRoom()
    return false
  }

  /** Sends a last message, where there is one. The connection stays open: other streams may be piped into it. */
  end(message?: string | Uint8Array | readonly number[] | (() => void)): this {
    if (message !== undefined && typeof message !== 'function') this.write(message)
    return this
  }

  /** Does nothing. */
  destroy(): void {}

  /** No more comes or goes. @internal */
  over(): void {
    if (!this.readable) return
    this.readable = this.writable = false
    this.emit('end')
  }
}
