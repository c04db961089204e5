// A connection and a command come in: the command runs as a process of its own, as long as the connection, with its stdin and stdout
// in place of messages.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { kEndpoint } from '../endpoint.js'
import { CloseCode, type WebSocketStream } from '../index.js'
import { put, whenStill } from './io.js'
import { linesOf } from './lines.js'

export interface ProcessSettings {
  /** The program and its arguments, or for a shell the line that it reads. */
  readonly words: readonly string[]
  readonly shell: boolean
  /** Whether stdin and stdout are streams of bytes, and not lines. */
  readonly stream: boolean
  /** Whether the system has groups of processes, which end as a whole. */
  readonly groups: boolean
  /** Milliseconds of silence after the peer's Close that a process has to end by itself. */
  readonly linger: number
  /** Milliseconds after which a process that was asked to end is killed. */
  readonly grace: number
  /** Milliseconds that the peer has for its Close when the process is over. The connection's own `closeTimeout` is Infinity. */
  readonly farewell: number
  readonly env: { readonly [name: string]: string | undefined }
  /** Takes what the process writes to its stderr. */
  readonly complain: (chunk: Buffer) => unknown
}

/**
 * Runs until both are over. A Close of the peer's ends the process's stdin; it is answered behind all that the process writes after that.
 * A process that then writes nothing for `linger` and does not end, or whose connection is lost, is asked to (SIGTERM), with whatever it has started, and is
 * killed after `grace`. The connection ends with it, by 1000 where its exit code was 0, else by 1011.
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
  /** Messages that the process has said, and how many there were when that was last looked at. */
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
    this.child.stdin.on('error', ignore)
    this.child.stderr.on('data', settings.complain)
    this.child.once('exit', () => this.signal('SIGTERM'))
    this.child.once('error', error => {
      this.problem = `could not be started: ${error.message}`
    })
  }

  async run(): Promise<string | null> {
    const { child, ws, settings } = this
    // a Close is answered by `close` below, when there is no more output
    ws[kEndpoint].connection.relaysClose = true
    const gone = new Promise(resolve => child.once('close', resolve).once('error', resolve))
    void ws.whenClosed().then(() => this.stop())
    const read = this.fromPeer()
    // also where the process reads nothing, so that the messages before the Close do not get to it
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

  /** Whether it need not end yet: the peer has not closed, or there is still output for it. */
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
      else for await (const message of each(this.ws.messages)) await put(stdin, toLine(message))
    } catch {
      // the connection has ended, and says itself how
    }
    stdin.end()
  }

  private async streamTo(stdin: NodeJS.WritableStream): Promise<void> {
    for await (const message of each(this.ws.streams)) {
      for await (const piece of message) await put(stdin as never, piece)
    }
  }

  private stop(): void {
    // the number of a process that is gone may be another's
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
      // it is gone with all that it started, or was never there
    }
  }

  private describe(): string | null {
    const { exitCode, signalCode } = this.child
    if (this.problem !== null || this.isStopped) return this.problem
    if (signalCode !== null) return `was ended by ${signalCode}`
    return exitCode === 0 ? null : `ended with exit code ${exitCode}`
  }
}

/** As much of a text as a Close frame has room for (RFC 6455 §5.5). */
function reasonOf(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(123))
  return text.slice(0, read)
}

/** What a view gives to read; at its end the other direction is still in use. */
function each<T>(view: AsyncIterable<T> & { iterator(options: object): AsyncIterable<T> }): AsyncIterable<T> {
  return view.iterator({ destroyOnReturn: false })
}

function toLine(message: string | Buffer): string | Buffer {
  return typeof message === 'string' ? `${message}\n` : Buffer.concat([message, Buffer.from('\n')])
}

function ignore(): void {}
