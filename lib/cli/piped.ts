// A call without a terminal: sends stdin as messages, and writes received messages to stdout, with backpressure in both directions.

import type { CloseInfo, MessageStream } from '../index.js'
import type { Call } from './call.js'
import { BrokenOutput, put, whenStill } from './io.js'
import { lengthOf, linesOf, recordsOf, sizedRecordsOf } from './lines.js'
import { printable } from './terminal.js'

/** The unit of a message: a line, a record that ends with NUL or follows its length, a chunk of one stream of bytes, or all of stdin. */
export type Unit = 'line' | 'null' | 'sized' | 'chunk' | 'whole'

const SPLITTERS = { line: linesOf, null: recordsOf, sized: sizedRecordsOf, chunk: inBatches }
/** What is written after a message. */
const ENDS = { line: '\n', null: '\0', whole: '\n' }

export interface PipedSettings {
  readonly unit: Unit
  /** Messages to send instead of stdin; if empty, stdin is sent. */
  readonly execute: readonly string[]
  /** Whether received messages are dropped. */
  readonly sendOnly: boolean
  /** Whether stdin is not read. */
  readonly receiveOnly: boolean
  readonly binary: boolean
  /** Whether the end of stdin leaves the connection open. */
  readonly wait: boolean
  /** Number of messages after which the connection is closed. */
  readonly once: number | undefined
  /** Time in ms to wait for a message after the end of stdin. */
  readonly patience: number | undefined
}

/** The rest of stdin, and the number of messages received; kept when another connection follows. */
export class Progress {
  received = 0
  private readonly batches: AsyncIterator<Buffer[]>
  private items: Buffer[] = []
  private next: Promise<boolean> | null = null

  constructor(stdin: AsyncIterable<Buffer>, { unit, execute }: Pick<PipedSettings, 'unit' | 'execute'>) {
    if (execute.length > 0) this.items = execute.map(text => Buffer.from(text)).reverse()
    const rest = execute.length > 0 ? nothing() : SPLITTERS[unit === 'whole' ? 'chunk' : unit](stdin)
    this.batches = rest[Symbol.asyncIterator]()
  }

  /** Whether there is another item; false at the end of stdin. */
  hasMore(): boolean | Promise<boolean> {
    if (this.items.length > 0) return true
    this.next ??= this.batches.next().then(({ done, value }) => {
      this.next = null
      // reversed, since removing from the end costs nothing
      if (!done) this.items = value.reverse()
      return !done
    })
    // stdin may fail while nothing waits for it
    this.next.catch(() => {})
    return this.next
  }

  take(): Buffer {
    return this.items.pop()!
  }
}

/**
 * Transfers messages in both directions until the connection has ended.
 * @param progress - given if another connection may follow: then stdin is not destroyed
 * @returns whether everything is done; otherwise another connection can continue
 */
export function carry(call: Call, settings: PipedSettings, progress?: Progress): Promise<boolean> {
  return new Piped(call, settings, progress ?? new Progress(call.io.stdin, settings), progress !== undefined).run()
}

class Piped {
  private pieces = 0
  private isOver = false
  private isDone = false
  private input: 'open' | 'sent' | 'cut' = 'open'

  constructor(
    private readonly call: Call,
    private readonly settings: PipedSettings,
    private readonly progress: Progress,
    private readonly keepsInput: boolean
  ) {}

  async run(): Promise<boolean> {
    const { ws, io } = this.call
    const received = this.receive()
    const sent = this.send().catch(error => this.isOver || this.call.fail(error.message))
    const [info] = await Promise.all([ws.whenClosed(), received])
    this.isOver = true
    if (!this.keepsInput || this.isDone) {
      const isAsked = this.isClosedByServer(info) && !io.signal.aborted && !this.call.hasFailed
      if (isAsked) this.call.unfinished = await this.unfinished(info.code)
      // no longer needed
      io.stdin.destroy()
    }
    await sent
    return this.isDone || io.signal.aborted || this.call.hasFailed
  }

  /** Also true if our Close could not be sent, because the server does not read a large message before it. */
  private isClosedByServer({ wasClean, code }: CloseInfo): boolean {
    return wasClean || (!this.call.hasError && code !== 1006)
  }

  /** What was left undone when the connection ended with this code; null if nothing. */
  private async unfinished(code: number): Promise<string | null> {
    const { once, receiveOnly, wait } = this.settings
    const { received } = this.progress
    if (once !== undefined) return this.hasEnough ? null : `${received} of ${once} messages came`
    if (receiveOnly) return null
    const isSent = this.input === 'sent' || (this.input === 'open' && (await this.isInputAtRest(code)))
    if (!isSent) return 'stdin was not all sent'
    return wait || this.input === 'open' ? null : this.call.untaken(code)
  }

  /**
   * Whether stdin has ended meanwhile; or had nothing to send for some time, as at a terminal, when the server closed without a problem.
   */
  private async isInputAtRest(code: number): Promise<boolean> {
    if (this.settings.unit === 'whole') return false
    const pause = new Promise<null>(resolve => setTimeout(resolve, REST, null))
    const hasMore = await Promise.race([this.progress.hasMore(), pause]).catch(() => false)
    if (hasMore === false) this.input = 'sent'
    return hasMore === false || (hasMore === null && ORDERLY.has(code))
  }

  // Sending

  private async send(): Promise<void> {
    const { unit, receiveOnly } = this.settings
    const isSent = receiveOnly || (unit === 'whole' ? await this.sendWhole() : await this.sendItems(unit))
    if (isSent) this.inputEnded()
  }

  private readonly written = (error?: Error | null): void => {
    if (error) this.input = 'cut'
  }

  /** False if the connection accepts no more messages. */
  private async sendItems(unit: Exclude<Unit, 'whole'>): Promise<boolean> {
    const { progress } = this
    const { ws } = this.call
    const { streams } = ws
    const isBinary = this.settings.binary || unit === 'chunk'
    const ended = ws.whenClosed().then(() => null)
    for (;;) {
      let hasMore: boolean | null | Promise<boolean> = progress.hasMore()
      if (typeof hasMore !== 'boolean') hasMore = await Promise.race([hasMore, ended])
      if (hasMore === false) return true
      if (hasMore === null || !streams.writable) return false
      const item = progress.take()
      const full = put(streams, isBinary ? item : item.toString(), this.written)
      if (full !== undefined) await full
    }
  }

  private async sendWhole(): Promise<boolean> {
    const { ws, io } = this.call
    const writer = ws.createMessage(this.settings.binary ? 'binary' : 'text')
    const ended = new Promise<boolean>(resolve => {
      writer.once('finish', () => resolve(true)).once('close', () => resolve(false))
    })
    writer.once('error', (error: Error & { code?: string }) => {
      // the end of the connection is reported elsewhere
      if (error.code !== 'WS_ERR_NOT_OPEN') this.call.fail(error.message)
    })
    for await (const chunk of io.stdin) {
      const full = put(writer, chunk)
      if (full !== undefined) await full
      /* c8 ignore next - only if the connection ends between two chunks, which a test cannot time */
      if (!writer.writable) return false
    }
    writer.end()
    return ended
  }

  private inputEnded(): void {
    const { call } = this
    const { wait, once, patience, receiveOnly } = this.settings
    if (this.input === 'open') this.input = 'sent'
    if (!wait && !receiveOnly && once === undefined) {
      this.isDone = true
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

  // Receiving

  private async receive(): Promise<void> {
    const { call } = this
    try {
      for await (const message of call.ws.streams) {
        // leaving the loop drops the rest, which is cheaper than skipping each message
        if (this.isUnread) break
        if (this.hasEnough || this.settings.sendOnly) continue
        await this.show(message)
        this.progress.received++
        if (!this.hasEnough) continue
        this.isDone = true
        call.hangUp()
      }
    } catch {
      // the connection has ended, and reports how
    }
    call.hangUp()
  }

  private get hasEnough(): boolean {
    return this.progress.received === this.settings.once
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
    // an empty message counts as progress too
    this.pieces++
    // a file that is sent back as one message must not grow
    if (isLine && !(unit === 'whole' && binary)) await put(stdout, ENDS[unit])
  }

  /** Buffers the message, since its length comes first. */
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

/** Time in ms without input after which stdin counts as at rest when the server has closed. */
const REST = 250

/** The close codes that report no problem: normal, going away, none. */
const ORDERLY: ReadonlySet<number> = new Set([1000, 1001, 1005])

async function* inBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  for await (const chunk of chunks) yield [chunk]
}

async function* nothing(): AsyncGenerator<Buffer[]> {}
