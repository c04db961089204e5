// Runs commands in this process, on streams of the test, and waits for their output.

import { PassThrough } from 'node:stream'
import { run } from '../../lib/cli/command-line.js'
import type { ExitCode, Io, Output } from '../../lib/cli/io.js'

export interface TestLike {
  teardown(fn: () => unknown): unknown
}

export interface Setup {
  /** The content of stdin; null leaves it open. Default: empty. */
  input?: string | Buffer | null
  /** Which streams are terminals. */
  tty?: { stdin?: boolean; stdout?: boolean; stderr?: boolean }
  env?: Record<string, string>
}

/** Everything written to a stream so far. */
export class Written {
  readonly stream: PassThrough & Output = new PassThrough()
  private chunks: Buffer[] = []
  private readonly waiting = new Set<() => void>()

  constructor(isTTY = false) {
    if (isTTY) this.stream.isTTY = true
    this.stream.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk)
      for (const look of this.waiting) look()
    })
  }

  get bytes(): Buffer {
    this.chunks = [Buffer.concat(this.chunks)]
    return this.chunks[0]!
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Resolves with the match as soon as the output contains it. */
  saw(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise(resolve => {
      const look = (): void => {
        const match = pattern.exec(this.text)
        if (match === null) return
        this.waiting.delete(look)
        resolve(match)
      }
      this.waiting.add(look)
      look()
    })
  }
}

export interface Running {
  stdin: PassThrough
  stdout: Written
  stderr: Written
  code: Promise<ExitCode>
  /** Like Ctrl-C. */
  interrupt(): void
}

export function makeIo({ input = '', tty = {}, env = {} }: Setup = {}): {
  io: Io
  stdin: PassThrough
  stdout: Written
  stderr: Written
  interrupt: () => void
} {
  const stdin = new PassThrough()
  if (tty.stdin) Object.assign(stdin, { isTTY: true })
  if (input !== null) stdin.end(input)
  const stdout = new Written(tty.stdout)
  const stderr = new Written(tty.stderr)
  const end = new AbortController()
  const io = { stdin, stdout: stdout.stream, stderr: stderr.stream, env, signal: end.signal }
  return { io, stdin, stdout, stderr, interrupt: () => end.abort() }
}

/** Starts a command, and interrupts it at the end of the test if it is still running. */
export function start(t: TestLike, args: readonly string[], setup: Setup = {}): Running {
  const { io, ...streams } = makeIo(setup)
  const code = run(args, io)
  t.teardown(() => {
    streams.interrupt()
    streams.stdin.destroy()
    return code
  })
  return { ...streams, code }
}

export interface Ended {
  code: ExitCode
  out: string
  err: string
}

/** Runs a command until it ends. */
export async function finish(t: TestLike, args: readonly string[], setup: Setup = {}): Promise<Ended> {
  const { code, stdout, stderr } = start(t, args, setup)
  return { code: await code, out: stdout.text, err: stderr.text }
}

/** The server of a `serve` or `relay` command, and its URL. */
export async function startServer(t: TestLike, args: readonly string[], setup: Setup = {}) {
  const running = start(t, args, setup)
  const failed = running.code.then(() => {
    throw new Error(`it does not run: ${running.stderr.text}`)
  })
  const [line] = await Promise.race([running.stdout.saw(/^.*(?=\n)/), failed])
  failed.catch(() => {})
  return { ...running, url: line }
}
