// Holds back all bytes until the handshake is done, then passes them on. Inbound it feeds the handshake's codec and keeps what arrives
// after the head; outbound it writes the head. When the handshake is done it leaves the pipeline.

import { HandshakeError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { type Batch, type ErrorListener, Stage } from './stage.js'

/** The reading half of a handshake. */
export interface HandshakeReader {
  /** Whether it takes no more bytes for now; it then calls `HandshakeTransform.resumeInput`. Default: false. */
  readonly isFull?: boolean
  /**
   * Takes the next bytes of the peer's head; returns the bytes after it once it is complete, null until then.
   * @throws HandshakeError if the head is invalid
   */
  receive(chunk: Buffer): Buffer | null
  /** Called once, after `receive` returned the bytes after the head. Exceptions are not caught. */
  complete(): void
  /**
   * The wire ended before the head was complete.
   * @throws HandshakeError
   */
  end(): void
}

/** Holds back one direction of the wire until the handshake is done (RFC 6455 §4). */
export class HandshakeTransform extends Stage<Buffer, Buffer> {
  /** @internal */
  listener: ErrorListener | null = null

  private reader: HandshakeReader | null
  private state: 'shut' | 'open' | 'dropped' = 'shut'
  private readonly limit: number
  private held: Buffer[] = []
  private heldSize = 0
  // whether upstream waits for `proceed`
  private pausesInput = false
  // whether downstream wanted more after the buffered bytes
  private more = true
  private ended = false

  /**
   * @param reader - parses the peer's head; without one, all input is held until `open`
   * @param limit - bytes after the head that are buffered before input pauses. The end of the wire is noticed only while it is not paused.
   * Default: 0
   */
  constructor(reader: HandshakeReader | null = null, limit = 0) {
    super()
    this.reader = reader
    this.limit = limit
  }

  protected override get readsBatches(): boolean {
    return false
  }

  protected override get writesBatches(): boolean {
    return false
  }

  protected override get holdsInput(): boolean {
    return this.state === 'shut' && this.isFull
  }

  // a call in between may have changed the state, which TypeScript does not expect
  private is(state: HandshakeTransform['state']): boolean {
    return this.state === state
  }

  private get isFull(): boolean {
    return this.reader === null ? this.heldSize >= this.limit : this.reader.isFull === true
  }

  receive(chunks: Batch<Buffer>): boolean {
    if (this.state === 'open') return this.hand(chunks)
    if (this.state === 'dropped') return true
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    if (this.reader === null) this.hold(bytes)
    else this.readHead(this.reader, bytes)
    if (this.is('open')) return this.more
    if (this.is('dropped') || !this.isFull) return true
    this.pausesInput = true
    return false
  }

  private readHead(reader: HandshakeReader, chunk: Buffer): void {
    let rest: Buffer | null
    try {
      rest = reader.receive(chunk)
    } catch (error) {
      this.fail(error)
      return
    }
    if (rest === null) return
    this.reader = null
    this.hold(rest)
    reader.complete()
  }

  // copied: the memory of these bytes may be reused before they are read
  private hold(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.held.push(Buffer.from(bytes))
    this.heldSize += bytes.length
  }

  /** Passes buffered and further bytes to another reader: for a part of the handshake that follows the head. */
  readOn(reader: HandshakeReader): void {
    this.reader = reader
    const held = this.takeHeld()
    if (held.length > 0) this.readHead(reader, Buffer.concat(held))
    if (this.reader === null) return
    if (this.ended) this.endHead(reader)
    else this.resumeInput()
  }

  /** Asks for more input if there is room again. */
  resumeInput(): void {
    if (!this.pausesInput || this.isFull) return
    this.pausesInput = false
    this.askForMore()
  }

  /** The head has been read, here or elsewhere: further bytes are kept until `open`. */
  headIsDone(): void {
    this.reader = null
  }

  /** Keeps bytes that arrived after a head that another parser has read. */
  keep(bytes: Buffer): void {
    this.hold(bytes)
  }

  /** Returns the buffered bytes and removes them. */
  takeHeld(): Buffer[] {
    const { held } = this
    this.held = []
    this.heldSize = 0
    return held
  }

  /** Writes bytes of the handshake itself, which are not held back. */
  send(bytes: Buffer): boolean {
    return this.hand([bytes])
  }

  /** Passes everything on, buffered bytes first, and leaves the pipeline. */
  open(): void {
    if (this.state !== 'shut') return
    this.state = 'open'
    this.reader = null
    const { prev, next } = this
    const held = this.takeHeld()
    if (next !== null && prev !== null) this.leave()
    if (held.length > 0) this.more = next === null ? this.hand(held) : next.receive(held)
    if (this.ended) {
      if (next !== null) next.finish()
      else this.finishNext()
    } else if (this.more) {
      if (prev === null) this.askForMore()
      // outbound nothing is buffered: the encoder waits for the handshake
      else if (this.pausesInput || held.length === 0) prev.proceed()
    }
  }

  /** Drops all further input. */
  discard(): void {
    this.state = 'dropped'
    this.reader = null
    this.takeHeld()
    if (!this.pausesInput) return
    this.pausesInput = false
    this.askForMore()
  }

  override finish(): void {
    if (this.state === 'shut' && !this.ended) {
      this.ended = true
      if (this.reader !== null) this.endHead(this.reader)
      // the head has been read: the end waits for the buffered bytes
      if (this.is('shut')) return
    }
    this.finishNext()
  }

  override proceed(): void {
    if (this.state !== 'shut') this.askForMore()
  }

  private endHead(reader: HandshakeReader): void {
    try {
      reader.end()
    } catch (error) {
      this.fail(error)
    }
  }

  private fail(error: unknown): void {
    if (!(error instanceof HandshakeError)) throw error
    this.discard()
    if (this.listener !== null) this.listener.fail(error)
    else this.destroy(error)
  }
}
