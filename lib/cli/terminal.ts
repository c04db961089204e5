// Formats colours, sizes, frames, notes, tables and bars as text. Only Notes writes it somewhere.

import { STATUS_CODES } from 'node:http'
import { CloseCode, type CloseInfo, type Frame, HandshakeError, Opcode } from '../index.js'
import type { Io, Output } from './io.js'

// Colours

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39]
} as const

export type Style = keyof typeof STYLES
export type Paint = (style: Style, text: string) => string

/** Colours if the output is a terminal and its user wants them (https://no-color.org). */
export function painter(output: Output, env: Io['env']): Paint {
  if (!output.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return (_, text) => text
  return (style, text) => `\x1b[${STYLES[style][0]}m${text}\x1b[${STYLES[style][1]}m`
}

/** Untrusted text for a terminal: escapes characters that could move the cursor or do worse. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, character => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** Like `printable`, on one line of at most `width` characters. */
export function preview(text: string, width: number): string {
  const line = printable(text.slice(0, width + 1))
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
  return line.length > width ? `${line.slice(0, width - 1)}…` : line
}

// Numbers

export function count(number: number, one: string, many = `${one}s`): string {
  return `${formatNumber(number)} ${number === 1 ? one : many}`
}

/** With thousands separators, and as many decimals as are useful. */
export function formatNumber(number: number): string {
  let maximumFractionDigits = 0
  if (!Number.isInteger(number) && number < 100) maximumFractionDigits = number < 10 ? 2 : 1
  return number.toLocaleString('en-US', { maximumFractionDigits })
}

export function formatTime(milliseconds: number): string {
  return `${formatNumber(milliseconds)} ms`
}

// Connections

const OPCODES: Record<number, string> = Object.fromEntries(
  Object.entries(Opcode).map(([name, opcode]) => [opcode, name.toLowerCase()])
)
const OPCODE_STYLES: Record<number, Style> = {
  [Opcode.Text]: 'green',
  [Opcode.Binary]: 'cyan',
  [Opcode.Continuation]: 'dim',
  [Opcode.Close]: 'red',
  [Opcode.Ping]: 'yellow',
  [Opcode.Pong]: 'yellow'
}
const CLOSE_NAMES: Record<number, string> = Object.fromEntries(
  Object.entries(CloseCode).map(([name, code]) => [code, name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()])
)

// maximum characters shown of a payload
const PREVIEW_WIDTH = 60
const PREVIEW_SIZE = 4096

/** One line with direction, type, size and the readable part of a frame. `arrow` points in the frame's direction. */
export function describeFrame(frame: Frame, arrow: string, paint: Paint): string {
  const { opcode, fin, rsv, length, size } = frame
  const words = [arrow, paint(OPCODE_STYLES[opcode]!, OPCODES[opcode]!.padEnd(12))]
  words.push(count(Math.max(length, size), 'byte').padEnd(14))
  const marks = [fin ? '' : 'more to come', rsv === 0 ? '' : `rsv ${rsv}`].filter(mark => mark !== '')
  const shown = rsv === 0 && frame.complete && size <= PREVIEW_SIZE ? describePayload(frame) : ''
  return [...words, ...marks, paint('dim', shown)].join(' ').trimEnd()
}

function describePayload(frame: Frame): string {
  // copied: the frame is in use elsewhere, and must not change
  const payload = Buffer.alloc(frame.size)
  frame.copy(payload, 0)
  if (frame.opcode === Opcode.Text) return preview(payload.toString(), PREVIEW_WIDTH)
  if (frame.opcode !== Opcode.Close || payload.length < 2) return ''
  return describeClose({ code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) })
}

export function describeClose({ code, reason }: Pick<CloseInfo, 'code' | 'reason'>): string {
  const name = CLOSE_NAMES[code]
  const words = name === undefined ? `${code}` : `${code} (${name})`
  return reason === '' ? words : `${words} '${preview(reason, 123)}'`
}

/** Why there is no connection, including the server's own message. */
export function describeError(error: Error): string {
  if (error instanceof HandshakeError && REFUSERS[error.code] !== undefined && error.status !== 0) {
    return describeRefusal(error)
  }
  const { cause } = error
  const inner = cause instanceof AggregateError ? cause.errors : [cause]
  const causes = inner.filter(cause => cause instanceof Error).map(({ message }) => message)
  const what = error instanceof HandshakeError ? (NOT_CONNECTED[error.code] ?? error.message) : error.message
  return printable([what, ...new Set(causes)].join(': '))
}

const REFUSERS: { readonly [code: string]: string } = {
  WS_ERR_UNEXPECTED_STATUS: 'the server',
  WS_ERR_PROXY: 'the proxy'
}
// errors that have another meaning before the handshake is done
const NOT_CONNECTED: { readonly [code: string]: string } = { WS_ERR_CONNECTION_LOST: 'cannot connect' }
const BODY_SHOWN = 2000

function describeRefusal({ code, status, body }: HandshakeError): string {
  const text = printable(body.toString('utf8', 0, BODY_SHOWN)).trim()
  const rest = body.length > BODY_SHOWN ? `\n… and ${count(body.length - BODY_SHOWN, 'byte')} more` : ''
  const line = `${REFUSERS[code]} answered ${status} ${STATUS_CODES[status] ?? ''}`.trim()
  return text === '' ? line : `${line}\n${text}${rest}`
}

// Notes

/** Writes lines to stderr, or above the prompt if there is one. */
export class Notes {
  readonly paint: Paint
  /** Replaces stderr, if set. */
  above: ((line: string) => void) | null = null

  constructor(private readonly io: Io) {
    this.paint = painter(io.stderr, io.env)
  }

  say(line: string): void {
    if (this.above !== null) this.above(line)
    else this.io.stderr.write(`${line}\n`)
  }

  /** Prefixed with the name of the tool. */
  warn(line: string): void {
    this.say(`${this.paint('yellow', TOOL)}: ${line}`)
  }

  fail(line: string): void {
    this.say(`${this.paint('red', TOOL)}: ${line}`)
  }
}

export const TOOL = 'websocket-duplex'

// Charts

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** @param part - fraction of the width, 0 to 1 */
export function bar(part: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * width * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!
}

/** Rows with the same number of cells: the first column is left-aligned, all others right-aligned. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
  return rows.map(row => row.map(pad).join('  '))
}

/** A line of a terminal that is rewritten again and again; does nothing without a terminal. */
export class ProgressLine {
  private shown = false

  constructor(private readonly output: Output) {}

  show(part: number, text: string): void {
    if (!this.output.isTTY) return
    this.shown = true
    const columns = this.output.columns ?? 80
    const line = `${bar(part, 24).padEnd(24, '·')} ${text}`
    this.output.write(`\r\x1b[K${line.slice(0, columns - 1)}`)
  }

  clear(): void {
    if (this.shown) this.output.write('\r\x1b[K')
    this.shown = false
  }
}
