// The command `bench`: measures how many messages an echo server sends back, and how fast.

import { connect, type WebSocketStream } from '../index.js'
import { CLIENT_OPTIONS, checked, checkUrl, clientOptions } from './client-options.js'
import { ExitCode, Failure, type Io, UsageError, whenAborted, whenStill } from './io.js'
import { Load } from './load.js'
import { type Command, flag, number, type Values } from './options.js'
import { bar, describeError, formatNumber, Notes, ProgressLine, table } from './terminal.js'

const OPTIONS = {
  connections: number('N', 'number of connections (default: 10)', { least: 1, most: 100_000 }, 10),
  messages: number('N', 'total number of messages, instead of a duration', { least: 1 }),
  duration: number('SECONDS', 'how long to run (default: 5)', { least: 0.01, fraction: true }),
  size: number('BYTES', 'size of each message (default: 125)', { least: 0, most: 2 ** 26 - 1 }, 125),
  'in-flight': number('N', 'unanswered messages of each connection (default: 1)', { least: 1 }, 1),
  text: flag('text messages (default)'),
  binary: flag('binary messages'),
  json: flag('write the result as JSON'),
  timeout: number('SECONDS', 'how long the server may be silent (default: 10)', { least: 0.01, fraction: true }, 10),
  ...CLIENT_OPTIONS
}

export const benchCommand: Command<typeof OPTIONS> = {
  name: 'bench',
  summary: 'Measures the round trips of messages to an echo server.',
  operands: ['URL'],
  options: OPTIONS,
  about: [
    'Each connection keeps --in-flight messages unanswered, and sends the next one for each answer. Answered messages are counted; MB are 10^6 bytes of messages in each direction. `websocket-duplex serve` is an echo server.'
  ],
  run
}

type Settings = Values<typeof OPTIONS>

const PROGRESS_INTERVAL = 100
const DEFAULT_DURATION = 5

async function run(values: Settings, [url]: readonly string[], io: Io): Promise<ExitCode> {
  if (values.messages !== undefined && values.duration !== undefined) {
    throw new UsageError('--messages and --duration exclude each other')
  }
  if (values.text && values.binary) throw new UsageError('--text and --binary exclude each other')
  const notes = new Notes(io)
  const connections = openAll(checkUrl(url!), values, notes)
  try {
    await allOpen(connections, io.signal)
    const load = new Load(connections, {
      message: messageOf(values),
      inFlight: values['in-flight'],
      messages: values.messages ?? Number.POSITIVE_INFINITY
    })
    await drive(load, values, io)
    io.stdout.write(values.json ? toJson(load, url!, values) : toText(load, values))
    return ExitCode.Ok
  } finally {
    await closeAll(connections)
  }
}

// Connections

function openAll(url: string, values: Settings, notes: Notes): WebSocketStream[] {
  const timeout = values.timeout * 1000
  const options = { ...clientOptions(values, notes), handshakeTimeout: timeout, closeTimeout: Math.min(timeout, 2000) }
  return Array.from({ length: values.connections }, () => checked(() => connect(url, options)))
}

async function allOpen(connections: readonly WebSocketStream[], signal: AbortSignal): Promise<void> {
  const forget = whenAborted(signal, () => {
    for (const ws of connections) ws.destroy()
  })
  try {
    await Promise.all(connections.map(ws => ws.opened))
  } catch (error) {
    throw new Failure(describeError(error as Error))
  } finally {
    forget()
  }
}

async function closeAll(connections: readonly WebSocketStream[]): Promise<void> {
  for (const ws of connections) {
    if (ws.readyState === 'connecting') ws.destroy()
    else ws.close()
  }
  await Promise.all(connections.map(ws => ws.whenClosed()))
}

/** Letters that compress about as well as text. */
function messageOf({ size, binary }: Settings): string | Buffer {
  const words = 'the quick brown fox jumps over the lazy dog 0123456789 {"id":1,"ok":true} '
  const bytes = Buffer.alloc(size, words)
  return binary ? bytes : bytes.toString('latin1')
}

// The run

async function drive(load: Load, values: Settings, io: Io): Promise<void> {
  const { messages, duration = DEFAULT_DURATION, timeout } = values
  const progress = new ProgressLine(io.stderr)
  const show = (): void => {
    const part = messages === undefined ? load.milliseconds / 1000 / duration : load.answered / messages
    progress.show(part, `${formatNumber(Math.round(rateOf(load)))} messages/s`)
  }
  const ticker = setInterval(show, PROGRESS_INTERVAL)
  const timer = messages === undefined ? setTimeout(() => load.stop(), duration * 1000) : undefined
  let seen = -1
  const isMoving = (): boolean => {
    const before = seen
    seen = load.answered
    return seen !== before
  }
  const silence = `the server has sent nothing back for ${timeout} seconds: this needs an echo server`
  const calm = whenStill(isMoving, timeout * 1000, () => load.fail(new Failure(silence)))
  const forget = whenAborted(io.signal, () => load.stop())
  try {
    await load.run()
  } finally {
    forget()
    calm()
    clearTimeout(timer)
    clearInterval(ticker)
    progress.clear()
  }
}

/** Messages per second. */
function rateOf({ answered, milliseconds }: Load): number {
  // the clock may not have advanced
  return (answered / Math.max(milliseconds, 0.001)) * 1000
}

// The result

const ROWS = 16
const BAR_WIDTH = 40

function toJson(load: Load, url: string, values: Settings): string {
  const rate = rateOf(load)
  const { connections, size } = values
  const result = {
    url,
    connections,
    inFlight: values['in-flight'],
    size,
    kind: values.binary ? 'binary' : 'text',
    compress: values.compress,
    messages: load.answered,
    seconds: load.milliseconds / 1000,
    messagesPerSecond: rate,
    megabytesPerSecond: (rate * size) / 1e6,
    latency: load.latencies.quantiles,
    histogram: load.latencies.histogram(ROWS)
  }
  return `${JSON.stringify(result, null, 2)}\n`
}

function toText(load: Load, values: Settings): string {
  const { connections, size, binary } = values
  const rate = rateOf(load)
  const { min, p50, p90, p99, max } = load.latencies.quantiles
  const seconds = `${formatNumber(load.milliseconds / 1000)} s`
  const heads = ['messages', 'time', 'messages/s', 'MB/s', 'min', 'p50', 'p90', 'p99', 'max']
  const cells = [rate, (rate * size) / 1e6, min, p50, p90, p99, max].map(formatNumber)
  const rows = [heads, [formatNumber(load.answered), seconds, ...cells]]
  const how = `${formatNumber(connections)} × ${formatNumber(values['in-flight'])} in flight`
  const lines = [`${how}, ${formatNumber(size)} bytes of ${binary ? 'binary' : 'text'}; latency in ms`, '']
  return `${[...lines, ...table(rows), '', ...histogramLines(load)].join('\n')}\n`
}

function histogramLines({ latencies }: Load): string[] {
  const rows = latencies.histogram(ROWS)
  const most = Math.max(...rows.map(row => row.count))
  const names = table(rows.map(({ from, to, count }) => ['', from.toFixed(3), '–', to.toFixed(3), formatNumber(count)]))
  return rows.map(({ count }, i) => `${names[i]} ${bar(count / most, BAR_WIDTH)}`.trimEnd())
}
