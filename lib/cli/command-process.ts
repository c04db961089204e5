// Runs a command as a process for one connection, for as long as the connection lasts: messages go to its stdin, and its stdout is sent as
// messages.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { kEndpoint } from '../endpoint.js'
import { CloseCode, type WebSocketStream } from '../index.js'
import { put, whenStill } from './io.js'
import { linesOf } from './lines.js'

export interface ProcessSettings {
  /** The program and its arguments, or the command line for a shell. */
  readonly words: readonly string[]
  readonly shell: boolean
  /** Whether stdin and stdout are streams of bytes instead of lines. */
  readonly stream: boolean
  /** Whether the system has process groups, which can be ended as a whole. */
  readonly groups: boolean
  /** Time in ms that a process may be silent after the peer's Close before it is asked to end. */
  readonly linger: number
  /** Time in ms after which a process that was asked to end is killed. */
  readonly grace: number
  /** Time in ms that the peer has for its Close when the process has ended. The connection's own `closeTimeout` is Infinity. */
  readonly farewell: number
  readonly env: { readonly [name: string]: string | undefined }
  /** Gets the stderr output of the process. */
  readonly complain: (chunk: Buffer) => unknown
}

/**
 * Runs until the process and the connection have ended. The peer's Close ends the stdin of the process, and is answered after all remaining
 * output. A process that then writes nothing for `linger` without ending, or whose connection is lost, gets SIGTERM, together with the
 * processes that it started, and is killed after `grace`. When the process ends, the connection is closed: with 1000 if its exit code
 * was 0, otherwise with 1011.
 * @returns why the process failed; null if it did not
 */
export async function runFor(ws: WebSocketStream, settings: ProcessSettings): Promise<string | null> {
  const connected = new ConnectedProcess(ws, settings)
  return connected.run()
}

class ConnectedProcess {
  private readonly child: ChildProcessWithoutNullStreams
  private problem: string | null = null
  private isStopped = false
  private isGone = false
  /** Number of messages written by the process, now and at the last check. */
  private written = 0
  private looked = 0
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(
    private readonly ws: WebSocketStream,
    private readonly settings: ProcessSettings
  ) {
    const { words, shell, env, groups } = settings
    const [program, ...args] = words
    this.child = spawn(program!, args, { shell, env, detached: groups })
    this.child.stdin.on('error', () => {})
    this.child.stderr.on('data', settings.complain)
    this.child.once('exit', () => this.signal('SIGTERM'))
    this.child.once('error', error => {
      this.problem = `could not be started: ${error.message}`
    })
  }

  async run(): Promise<string | null> {
    const { child, ws, settings } = this
    // `close` below answers the peer's Close, when there is no more output
    ws[kEndpoint].connection.relaysClose = true
    const gone = new Promise(resolve => child.once('close', resolve).once('error', resolve))
    void ws.whenClosed().then(() => this.stop())
    const read = this.fromPeer()
    // also applies to a process that does not read, and so does not get the messages before the Close
    const forget = whenStill(
      () => this.isMoving(),
      settings.linger,
      () => this.stop()
    )
    await Promise.all([this.toPeer(), gone])
    this.isGone = true
    forget()
    clearTimeout(this.timer)
    const outcome = this.describe()
    if (outcome === null) ws.close()
    else ws.close(CloseCode.InternalError, reasonOf(`the command ${outcome}`))
    const late = setTimeout(() => ws.destroy(), settings.farewell)
    await Promise.all([read, ws.whenClosed()])
    clearTimeout(late)
    return outcome
  }

  /** True while the peer has not closed, or if the process has written since the last call: no reason to end it. */
  private isMoving(): boolean {
    const before = this.looked
    this.looked = this.written
    return this.ws.readyState === 'open' || this.written !== before
  }

  private async toPeer(): Promise<void> {
    const { child, ws, settings } = this
    const view = settings.stream ? ws.streams : ws.messages
    try {
      if (settings.stream) {
        for await (const chunk of child.stdout) await this.say(view, chunk)
      } else {
        for await (const lines of linesOf(child.stdout)) for (const line of lines) await this.say(view, line.toString())
      }
    } catch (error) {
      this.problem = `was ended: ${(error as Error).message}`
      this.stop()
    }
  }

  private say(view: Writable, message: string | Buffer): Promise<void> | undefined {
    this.written++
    return put(view, message)
  }

  private async fromPeer(): Promise<void> {
    const { stdin } = this.child
    try {
      if (this.settings.stream) await this.streamTo(stdin)
      else for await (const message of this.ws.messages.iterator(STAY_OPEN)) await put(stdin, toLine(message))
    } catch {
      // the connection has ended, and reports how
    }
    stdin.end()
  }

  private async streamTo(stdin: NodeJS.WritableStream): Promise<void> {
    for await (const message of this.ws.streams.iterator(STAY_OPEN)) {
      for await (const piece of message) await put(stdin as never, piece)
    }
  }

  private stop(): void {
    // the pid of a process that has ended may be in use again
    if (this.isStopped || this.isGone) return
    this.isStopped = true
    this.signal('SIGTERM')
    this.timer = setTimeout(() => this.signal('SIGKILL'), this.settings.grace)
  }

  private signal(name: 'SIGTERM' | 'SIGKILL'): void {
    try {
      if (this.settings.groups) process.kill(-this.child.pid!, name)
      else this.child.kill(name)
    } catch {
      // it has ended with all its processes, or never existed
    }
  }

  private describe(): string | null {
    const { exitCode, signalCode } = this.child
    if (this.problem !== null || this.isStopped) return this.problem
    if (signalCode !== null) return `was ended by ${signalCode}`
    return exitCode === 0 ? null : `ended with exit code ${exitCode}`
  }
}

/** A text, cut to the size that a Close frame has room for (RFC 6455 §5.5). */
function reasonOf(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(123))
  return text.slice(0, read)
}

/** The command may still write when the peer has closed. */
const STAY_OPEN = { destroyOnReturn: false }

function toLine(message: string | Buffer): string | Buffer {
  return typeof message === 'string' ? `${message}\n` : Buffer.concat([message, Buffer.from('\n')])
}
