// A call between pipes: stdin goes out as messages, messages that arrive go to stdout. Neither is held: who is slow slows the other.

import type { MessageStream } from '../index.js'
import type { Call } from './call.js'
import { BrokenOutput, put, whenStill } from './io.js'
import { lengthOf, linesOf, recordsOf, sizedRecordsOf } from './lines.js'
import { printable } from './terminal.js'

/** What a message is: a line, a record that ends with NUL or has its length before it, a chunk of one stream of bytes, or all of stdin. */
export type Unit = 'line' | 'null' | 'sized' | 'chunk' | 'whole'

const SPLITTERS = { line: linesOf, null: recordsOf, sized: sizedRecordsOf, chunk: inBatches }
/** What follows a message. */
const ENDS = { line: '\n', null: '\0', whole: '\n' }

export interface PipedSettings {
  readonly unit: Unit
  /** Messages to send in place of stdin; none: stdin is sent. */
  readonly execute: readonly string[]
  /** Whether what arrives is dropped. */
  readonly sendOnly: boolean
  /** Whether stdin is not read. */
  readonly receiveOnly: boolean
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
    const { unit, execute, receiveOnly } = this.settings
    const isSent = receiveOnly || (unit === 'whole' ? await this.sendWhole() : await this.sendItems(unit, execute))
    if (isSent) this.inputEnded()
  }

  /** False where the connection takes no more. */
  private async sendItems(unit: Exclude<Unit, 'whole'>, execute: readonly string[]): Promise<boolean> {
    const { io, ws } = this.call
    const { streams } = ws
    const { binary } = this.settings
    const batches = execute.length > 0 ? [execute.map(text => Buffer.from(text))] : SPLITTERS[unit](io.stdin)
    for await (const items of batches) {
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
    const { wait, once, patience, receiveOnly } = this.settings
    if (!wait && !receiveOnly && once === undefined) {
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
        if (this.hasEnough || this.isUnread || this.settings.sendOnly) continue
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
    if (unit === 'sized') return this.showSized(message)
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
    if (isLine) await put(stdout, ENDS[unit])
  }

  /** The length goes before the message, which is held for it. */
  private async showSized(message: MessageStream): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of message as AsyncIterable<string | Buffer>) {
      this.pieces++
      pieces.push(Buffer.from(piece as string))
    }
    this.pieces++
    const bytes = Buffer.concat(pieces)
    await put(this.call.io.stdout, Buffer.concat([lengthOf(bytes), bytes]))
  }
}

async function* inBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  for await (const chunk of chunks) yield [chunk]
}
