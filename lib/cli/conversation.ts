// A call at a terminal: each typed line is a message, and received messages are printed above the line being typed.

import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import type { Message } from '../index.js'
import type { Call, CloseWords } from './call.js'
import { type Output, UsageError } from './io.js'
import { count, describeError, formatTime, type Paint, painter, preview, printable } from './terminal.js'

export interface ConversationSettings {
  /** Whether lines are sent as binary messages. */
  readonly binary: boolean
  readonly once: number | undefined
  /** Parses the arguments of `/close`. @throws UsageError */
  readClose(words: string): CloseWords
}

const HELP = `/ping             measures the round-trip time
/binary HEX       sends bytes
/close [CODE[:REASON]]
//text            sends a line that begins with a slash
Ctrl-D, Ctrl-C    closes`

/** Runs until the connection has ended. */
export async function converse(call: Call, settings: ConversationSettings): Promise<void> {
  const conversation = new Conversation(call, settings)
  await conversation.run()
}

class Conversation {
  private readonly prompt: Prompt
  private readonly paint: Paint
  private received = 0

  constructor(
    private readonly call: Call,
    private readonly settings: ConversationSettings
  ) {
    const { io, notes } = call
    this.paint = painter(io.stdout, io.env)
    const lines = createInterface({ input: io.stdin, output: io.stdout, prompt: '> ', terminal: true })
    this.prompt = new Prompt(lines, io.stdout)
    lines.on('line', line => {
      this.take(line)
      lines.prompt()
    })
    lines.on('SIGINT', () => call.hangUp())
    lines.on('close', () => call.hangUp())
    notes.above = line => this.prompt.above(line)
  }

  async run(): Promise<void> {
    const { ws, notes, io } = this.call
    this.prompt.begin()
    try {
      for await (const message of ws.messages) {
        this.prompt.above(this.describe(message))
        if (++this.received === this.settings.once) this.call.hangUp()
      }
    } catch {
      // the connection has ended, and reports how
    }
    const { once } = this.settings
    // not if the user has ended it
    if (once !== undefined && !this.call.isHungUp) this.call.unfinished = `${this.received} of ${once} messages came`
    this.prompt.end()
    notes.above = null
    io.stdin.destroy()
  }

  private describe(message: Message): string {
    const mark = this.paint('cyan', '<')
    if (typeof message === 'string') return `${mark} ${printable(message)}`
    return `${mark} ${count(message.length, 'byte')} ${this.paint('dim', preview(message.toString('hex', 0, 256), 120))}`
  }

  private take(line: string): void {
    if (line.startsWith('/') && !line.startsWith('//')) this.obey(line.slice(1))
    else if (line !== '') this.send(line.replace(/^\/\//, '/'))
  }

  private send(line: string): void {
    const { ws } = this.call
    if (this.settings.binary) ws.binary(Buffer.from(line))
    else ws.text(line)
  }

  private obey(words: string): void {
    const [, name, rest] = /^(\S*)\s*(.*)$/.exec(words)!
    try {
      this.execute(name!, rest!)
    } catch (error) {
      this.call.notes.fail((error as UsageError).message)
    }
  }

  private execute(name: string, rest: string): void {
    const { call } = this
    if (name === 'ping') void this.ping()
    else if (name === 'binary') call.ws.binary(readHex(rest))
    else if (name === 'close') call.hangUp(rest === '' ? undefined : this.settings.readClose(rest))
    else call.notes.say(HELP)
  }

  private async ping(): Promise<void> {
    const { ws, notes } = this.call
    try {
      notes.say(`pong after ${formatTime(await ws.ping())}`)
    } catch (error) {
      notes.fail(describeError(error as Error))
    }
  }
}

function readHex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '')
  if (/^(?:[\da-f]{2})*$/i.test(digits)) return Buffer.from(digits, 'hex')
  throw new UsageError('/binary needs pairs of hexadecimal digits')
}

/** The line being typed, and the output above it. */
class Prompt {
  private isShown = false

  constructor(
    private readonly lines: Interface,
    private readonly output: Output
  ) {
    lines.on('close', () => {
      this.isShown = false
    })
  }

  begin(): void {
    this.isShown = true
    this.lines.prompt()
  }

  above(text: string): void {
    if (!this.isShown) {
      this.output.write(`${text}\n`)
      return
    }
    this.wipe()
    this.output.write(`${text}\n`)
    this.lines.prompt(true)
  }

  end(): void {
    if (this.isShown) this.wipe()
    this.isShown = false
    this.lines.close()
  }

  private wipe(): void {
    moveCursor(this.output, 0, -this.lines.getCursorPos().rows)
    cursorTo(this.output, 0)
    clearScreenDown(this.output)
    // otherwise readline would move up again by the old number of rows
    ;(this.lines as unknown as { prevRows: number }).prevRows = 0
  }
}
