// Runs the command in the arguments, or prints help, and returns an exit code; reports errors.

import { readFileSync } from 'node:fs'
import { benchCommand } from './bench.js'
import { connectCommand } from './connect.js'
import { BrokenOutput, ExitCode, Failure, type Io, type Output, UsageError } from './io.js'
import { type Command, entryLines, flag, helpFor, nearest, type Options, optionLines, parse } from './options.js'
import { relayCommand } from './relay.js'
import { serveCommand } from './serve.js'
import { Notes, TOOL } from './terminal.js'

export const COMMANDS: readonly Command[] = [connectCommand, serveCommand, relayCommand, benchCommand]

const HELP = { help: flag('this text', 'h') }
const GLOBAL = { ...HELP, version: flag('the version') }

/** Runs one command line to its end; throws only on a bug in this program. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const output = new WatchedOutput(io)
  const code = await dispatch(args, { ...io, signal: output.signal }).catch(error => explain(error, new Notes(io)))
  output.forget()
  return output.verdict(code)
}

function explain(error: unknown, notes: Notes): ExitCode {
  if (!(error instanceof UsageError || error instanceof Failure)) throw error
  notes.fail(error.message)
  return error instanceof UsageError ? ExitCode.Usage : ExitCode.Failed
}

async function dispatch(args: readonly string[], io: Io): Promise<ExitCode> {
  const [name = '', ...rest] = args
  const command = COMMANDS.find(command => command.name === name)
  if (command !== undefined) return runCommand(command, rest, io)
  if (name !== '' && !name.startsWith('-')) throw unknownCommand(name)
  const { values } = parse(GLOBAL, args)
  if (values.version) io.stdout.write(`${version()}\n`)
  else if (values.help) io.stdout.write(help())
  else io.stderr.write(help())
  return values.version || values.help ? ExitCode.Ok : ExitCode.Usage
}

async function runCommand(command: Command, args: readonly string[], io: Io): Promise<ExitCode> {
  const options: Options = { ...command.options, ...HELP }
  const { values, operands } = parse(options, args)
  if (values['help'] === true) {
    io.stdout.write(helpFor(TOOL, { ...command, options }))
    return ExitCode.Ok
  }
  const needed = command.operands.filter(operand => !operand.startsWith('['))
  if (operands.length < needed.length) throw new UsageError(`${command.name} needs ${needed.join(' and ')}`)
  const extra = operands[command.operands.length]
  if (extra !== undefined) throw new UsageError(`${command.name} does not know what to do with '${extra}'`)
  return command.run(values, operands, io)
}

function unknownCommand(name: string): UsageError {
  if (/^wss?:/i.test(name)) return new UsageError(`did you mean ${TOOL} connect ${name} ?`)
  const near = nearest(
    name,
    COMMANDS.map(command => command.name)
  )
  const hint = near === undefined ? `${TOOL} --help lists all commands` : `did you mean ${near}?`
  return new UsageError(`unknown command ${name}; ${hint}`)
}

export function help(): string {
  const lines = [`${TOOL} COMMAND [OPTIONS]`, '', 'Commands']
  for (const { name, summary, operands } of COMMANDS) lines.push(...entryLines([name, ...operands].join(' '), summary))
  lines.push('', 'Options', ...optionLines(GLOBAL))
  lines.push('', `${TOOL} COMMAND --help says more about each. Exit codes: 0 success, and each connection`)
  lines.push('was closed in order; 1 failure; 2 the command line is wrong.')
  return `${lines.join('\n')}\n`
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return version
}

/** Watches stdout and stderr: a reader that goes away ends the command without an error. */
class WatchedOutput {
  private readonly end = new AbortController()
  private error: (Error & { code?: string }) | null = null
  private readonly abort = (): void => this.end.abort()
  private readonly outputs: readonly Output[]

  constructor(private readonly io: Io) {
    this.outputs = [io.stdout, io.stderr]
    for (const output of this.outputs) output.on('error', this.broken)
    if (io.signal.aborted) this.abort()
    io.signal.addEventListener('abort', this.abort)
  }

  /** Aborted like the signal of `io`, and when an output fails. */
  get signal(): AbortSignal {
    return this.end.signal
  }

  /** The exit code, considering failed outputs. */
  verdict(code: ExitCode): ExitCode {
    if (this.error === null) return code
    if (this.error.code === 'EPIPE') return ExitCode.Ok
    new Notes(this.io).fail(`cannot write: ${this.error.message}`)
    return ExitCode.Failed
  }

  forget(): void {
    this.io.signal.removeEventListener('abort', this.abort)
  }

  private readonly broken = (error: Error): void => {
    this.error ??= error
    this.end.abort(new BrokenOutput(error.message))
  }
}
