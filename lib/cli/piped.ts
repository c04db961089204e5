// A call between pipes: stdin goes out as messages, messages that arrive go to stdout. Neither is held: who is slow slows the other.

import type { MessageStream } from '../index.js'
import type { Call } from './call.js'
import { BrokenOutput, put, whenStill } from './io.js'
import { linesOf } from './lines.js'
import { printable } from './terminal.js'

export interface PipedSettings {
  /** What a message is: a line, a chunk of one stream of bytes, or all of stdin. */
  readonly unit: 'line' | 'chunk' | 'whole'
  readonly binary: boolean
  /** Whether the end of stdin leaves the connection open. */
  readonly wait: boolean
  /** Messages after which the connection is closed. */
  readonly once: number | undefined
  /** Milliseconds for which a message is waited for after the end of stdin. */
  readonly patience: number | undefined
}

/** Carries both ways until the connection is over. */
export async function carry(call: Call, settings: PipedSettings): Promise<void> {
  await new Piped(call, settings).run()
}

class Piped {
  private received = 0
  private pieces = 0
  private isOver = false

  constructor(
    private readonly call: Call,
    private readonly settings: PipedSettings
  ) {}

  async run(): Promise<void> {
    const { ws, io } = this.call
    const received = this.receive()
    const sent = this.send().catch(error => this.isOver || this.call.fail(error.message))
    await Promise.all([ws.whenClosed(), received])
    this.isOver = true
    // no more of it comes
    io.stdin.destroy()
    await sent
  }

  // Out

  private async send(): Promise<void> {
    const { stdin } = this.call.io
    const isSent = this.settings.unit === 'whole' ? await this.sendWhole() : await this.sendItems(stdin)
    if (isSent) this.inputEnded()
  }

  /** False where the connection takes no more. */
  private async sendItems(stdin: AsyncIterable<Buffer>): Promise<boolean> {
    const { streams } = this.call.ws
    const { unit, binary } = this.settings
    for await (const items of unit === 'chunk' ? inBatches(stdin) : linesOf(stdin)) {
      for (const item of items) {
        const full = put(streams, binary || unit === 'chunk' ? item : item.toString())
        if (full !== undefined) await full
        if (!streams.writable) return false
      }
    }
    return true
  }

  private async sendWhole(): Promise<boolean> {
    const { ws, io } = this.call
    const writer = ws.createMessage(this.settings.binary ? 'binary' : 'text')
    const ended = new Promise<boolean>(resolve => {
      writer.once('finish', () => resolve(true)).once('close', () => resolve(false))
    })
    writer.once('error', (error: Error & { code?: string }) => {
      // that the connection is over says itself
      if (error.code !== 'WS_ERR_NOT_OPEN') this.call.fail(error.message)
    })
    for await (const chunk of io.stdin) {
      const full = put(writer, chunk)
      if (full !== undefined) await full
      /* c8 ignore next - only where the connection ends between two chunks, which a test cannot time */
      if (!writer.writable) return false
    }
    writer.end()
    return ended
  }

  private inputEnded(): void {
    const { call } = this
    const { wait, once, patience } = this.settings
    if (!wait && once === undefined) {
      call.hangUp()
      return
    }
    if (patience === undefined || this.hasEnough) return
    let seen = -1
    const isMoving = (): boolean => {
      const before = seen
      seen = this.pieces
      return seen !== before || call.io.stdout.writableNeedDrain
    }
    const stop = whenStill(isMoving, patience, () => call.fail(`nothing has come for ${patience / 1000} seconds`))
    call.ws.once('close', stop)
  }

  // In

  private async receive(): Promise<void> {
    const { call } = this
    try {
      for await (const message of call.ws.streams) {
        if (this.hasEnough || this.isUnread) continue
        await this.show(message)
        this.received++
        if (this.hasEnough) call.hangUp()
      }
    } catch {
      // the end of the connection, which says itself why it came
    }
    call.hangUp()
  }

  private get hasEnough(): boolean {
    return this.received === this.settings.once
  }

  private get isUnread(): boolean {
    return this.call.io.signal.reason instanceof BrokenOutput
  }

  private async show(message: MessageStream): Promise<void> {
    const { stdout } = this.call.io
    const { unit, binary } = this.settings
    const isLine = unit !== 'chunk'
    const isSafe = stdout.isTTY !== true || !isLine
    for await (const piece of message as AsyncIterable<string | Buffer>) {
      this.pieces++
      const bytes = isLine && !binary && typeof piece !== 'string' ? piece.toString('hex') : piece
      const full = put(stdout, isSafe ? bytes : printable(bytes.toString()))
      if (full !== undefined) await full
    }
    // an empty message moves something too
    this.pieces++
    if (isLine) await put(stdout, '\n')
  }
}

async function* inBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  for await (const chunk of chunks) yield [chunk]
}
