// Parses the arguments of a command by its table of options, and formats its help. Knows no command.

import { parseArgs } from 'node:util'
import { distance } from '../checks.js'
import { type ExitCode, type Io, UsageError } from './io.js'

/** One option; `T` is the type of its parsed value. */
export interface Option<T> {
  /** The names of its values in the help; none for a flag. */
  readonly values: readonly string[]
  /** A pattern for a value that may be omitted. */
  readonly optional?: RegExp
  readonly short?: string
  readonly help: string
  /** @param given - its values, for each time that it was given. @throws UsageError */
  readonly read: (given: readonly (readonly string[])[], name: string) => T
}

export interface Options {
  readonly [name: string]: Option<unknown>
}

export type Values<T extends Options> = { readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never }

/** A command: its options and operands, its help, and its function. */
export interface Command<T extends Options = any> {
  readonly name: string
  readonly summary: string
  /** In order; one in brackets may be omitted. */
  readonly operands: readonly string[]
  readonly options: T
  /** Further paragraphs of its help. */
  readonly about: readonly string[]
  run(values: Values<T>, operands: readonly string[], io: Io): Promise<ExitCode>
}

// The kinds of options

export function flag(help: string, short?: string): Option<boolean> {
  return { values: [], help, read: given => given.length > 0, ...(short !== undefined && { short }) }
}

/** If it is given several times, the last one counts. */
export function text<T = string, D = undefined>(
  value: string,
  help: string,
  read: (text: string, name: string) => T = text => text as T,
  fallback: D = undefined as D
): Option<T | D> {
  return { values: [value], help, read: (given, name) => (given.length > 0 ? read(given.at(-1)![0]!, name) : fallback) }
}

/** May be given more than once. */
export function list(value: string, help: string, short?: string): Option<string[]> {
  const read = (given: readonly (readonly string[])[]): string[] => given.map(([text]) => text!)
  return { values: [value], help: `${help}; may be repeated`, read, ...(short !== undefined && { short }) }
}

export interface NumberRange {
  least?: number
  most?: number
  /** Whether it may be a fraction. */
  fraction?: boolean
}

export function number<D = undefined>(
  value: string,
  help: string,
  range: NumberRange = {},
  fallback: D = undefined as D
): Option<number | D> {
  return text(value, help, (given, name) => readNumber(given, name, range), fallback)
}

/** A number that may be omitted. */
export function optionalNumber(
  value: string,
  help: string,
  leftOut: number,
  range: NumberRange = {}
): Option<number | undefined> {
  const read = (given: readonly (readonly string[])[], name: string): number | undefined => {
    const last = given.at(-1)
    return last && (last[0] === undefined ? leftOut : readNumber(last[0], name, range))
  }
  return { values: [value], optional: /^[\d.]+$/, help, read }
}

export function pair(first: string, second: string, help: string): Option<readonly [string, string] | undefined> {
  return { values: [first, second], help, read: given => given.at(-1) as [string, string] | undefined }
}

/** @param name - the name in the error. @throws UsageError */
export function readNumber(given: string, name: string, range: NumberRange = {}): number {
  const { least = 0, most = Number.MAX_SAFE_INTEGER, fraction = false } = range
  const number = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN
  if (number >= least && number <= most && (fraction || Number.isInteger(number))) return number
  const kind = fraction ? 'number' : 'whole number'
  const limits = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new UsageError(`${name} must be a ${kind} ${limits}, not '${given}'`)
}

// Parsing arguments

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]

/** @throws UsageError if an option is unknown, or a value is missing, invalid or unexpected */
export function parse<T extends Options>(
  options: T,
  args: readonly string[]
): { values: Values<T>; operands: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, configOf(option)])),
    // checked here, with more helpful errors than those of parseArgs
    strict: false,
    tokens: true
  })
  const given = new Map<string, string[][]>(Object.keys(options).map(name => [name, []]))
  const operands: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const option = options[token.name]
    const all = given.get(token.name)
    if (option === undefined || all === undefined) throw unknownOption(token.rawName, Object.keys(options))
    const { values, used } = valuesOf(token, option, tokens.slice(i + 1))
    all.push(values)
    i += used
  }
  const values = Object.entries(options).map(([name, option]) => [name, option.read(given.get(name)!, `--${name}`)])
  return { values: Object.fromEntries(values), operands }
}

// parseArgs takes one value; several, or an optional one, are taken from the operands that follow
function configOf({ values, optional, short }: Option<unknown>): { type: 'string' | 'boolean'; short?: string } {
  const type = values.length === 1 && optional === undefined ? 'string' : 'boolean'
  return short === undefined ? { type } : { type, short }
}

function valuesOf(
  token: Token & { kind: 'option' },
  { values, optional }: Option<unknown>,
  following: readonly Token[]
): { values: string[]; used: number } {
  const { rawName, value, inlineValue } = token
  if (values.length === 0 && value !== undefined) throw new UsageError(`${rawName} takes no value`)
  // a value that looks like an option usually means that the value was forgotten
  const isForgotten = value !== undefined && !inlineValue && /^-./.test(value)
  const taken = value === undefined || isForgotten ? [] : [value]
  let used = 0
  while (taken.length < values.length && !isForgotten) {
    const next = following[used]
    if (next?.kind !== 'positional' || optional?.test(next.value) === false) break
    taken.push(next.value)
    used++
  }
  if (taken.length < values.length && optional === undefined) {
    const hint = isForgotten ? `; one that begins with a dash: ${rawName}=${value}` : ''
    throw new UsageError(`${rawName} needs ${values.join(' and ')}${hint}`)
  }
  return { values: taken, used }
}

function unknownOption(rawName: string, names: readonly string[]): UsageError {
  const near = nearest(rawName.replace(/^-+/, ''), names)
  return new UsageError(`unknown option ${rawName}${near === undefined ? '' : `; did you mean --${near}?`}`)
}

/** The most similar name; undefined if none is similar enough. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const distances = names.map(name => ({ name, distance: name.startsWith(given) ? 0 : distance(given, name) }))
  const best = distances.sort((a, b) => a.distance - b.distance)[0]
  const allowed = Math.max(1, Math.floor(given.length / 3))
  return best !== undefined && given.length > 1 && best.distance <= allowed ? best.name : undefined
}

// Help

const HELP_WIDTH = 100
const HELP_COLUMN = 26

export function helpFor(tool: string, command: Command): string {
  const lines = [`${tool} ${[command.name, '[OPTIONS]', ...command.operands].join(' ')}`, '', command.summary]
  for (const paragraph of command.about) lines.push('', ...wrap(paragraph, HELP_WIDTH))
  lines.push('', 'Options', ...optionLines(command.options))
  return `${lines.join('\n')}\n`
}

export function optionLines(options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) => entryLines(synopsis(name, option), option.help))
}

/** A name and its meaning in two columns. */
export function entryLines(name: string, meaning: string): string[] {
  const [first = '', ...others] = wrap(meaning, HELP_WIDTH - HELP_COLUMN)
  const rest = others.map(line => ' '.repeat(HELP_COLUMN) + line)
  const head = `  ${name}`
  if (head.length <= HELP_COLUMN - 2) return [head.padEnd(HELP_COLUMN) + first, ...rest]
  return [head, ' '.repeat(HELP_COLUMN) + first, ...rest]
}

function synopsis(name: string, { values, optional, short }: Option<unknown>): string {
  const named = optional === undefined ? values : values.map(value => `[${value}]`)
  return [short === undefined ? `--${name}` : `-${short}, --${name}`, ...named].join(' ')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
