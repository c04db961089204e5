// The command `connect`: its options, and what it does with them. Decides whether input is typed or piped.

import { type ConnectOptions, connect, reconnect, type WebSocketStream } from '../index.js'
import { Call, type CloseWords } from './call.js'
import { CLIENT_OPTIONS, checked, checkUrl, clientOptions } from './client-options.js'
import { converse } from './conversation.js'
import { watchFramesOf } from './frames.js'
import { ExitCode, type Io, UsageError, whenAborted } from './io.js'
import { type Command, flag, list, number, optionalNumber, text, type Values } from './options.js'
import { carry, Progress, type Unit } from './piped.js'
import { describeError, describeFrame, formatTime, Notes } from './terminal.js'
import { carryBytes, forward, readEndpoint } from './tunnel.js'

const OPTIONS = {
  stream: flag(
    'one stream of bytes in both directions: each chunk of stdin is sent as a binary message, and received messages are joined'
  ),
  bytes: flag(
    'like --stream, through ws.bytes: each read is sent as one binary message, and a text message fails the connection'
  ),
  message: flag('send all of stdin as one message, in fragments as it is read'),
  null: flag('messages end with NUL instead of a line end in both directions, as for xargs -0', '0'),
  'length-prefixed': flag('each message follows its length in both directions: 4 bytes, big-endian'),
  execute: list('MESSAGE', 'send this instead of stdin', 'x'),
  'send-only': flag('drop what the server sends', 'u'),
  'receive-only': flag('do not read stdin: stay until the server closes', 'U'),
  listen: text(
    'HOST:PORT',
    'listen there, or on the unix socket PATH, and open a WebSocket for each connection: bytes in both directions',
    readEndpoint
  ),
  binary: flag(
    'binary messages in both directions: as bytes instead of hexadecimal digits, and with --message without a line end'
  ),
  ...CLIENT_OPTIONS,
  ping: optionalNumber('SECONDS', 'send a Ping every second, or at this interval, and show the round trip time', 1, {
    least: 0.01,
    fraction: true
  }),
  show: flag('show each frame on stderr'),
  reconnect: flag('connect again if the connection ends before stdin does; with --wait, always'),
  wait: flag('stay after the end of stdin, until the server closes'),
  once: optionalNumber('N', 'close after one received message, or N', 1, { least: 1 }),
  close: text('CODE[:REASON]', 'the content of the Close frame (default: 1000)', readClose),
  timeout: number(
    'SECONDS',
    'how long to wait for the server: for its handshake and its Close (default: 10), and with --wait or --once for each message (default: no limit)',
    { least: 0.01, fraction: true }
  )
}

export const connectCommand: Command<typeof OPTIONS> = {
  name: 'connect',
  summary: 'Connects to a server: sends stdin to it, and writes its messages to stdout.',
  operands: ['URL'],
  options: OPTIONS,
  about: [
    'URL is ws:, wss:, http:, https:, or ws+unix:///path/to.sock:/target. Each line of stdin is sent as a text message, and each received message is a line of stdout, a binary one in hexadecimal digits. At the end of stdin the connection is closed. At a terminal there is a prompt; /help lists its commands.'
  ],
  run
}

type Settings = Values<typeof OPTIONS>

async function run(values: Settings, [url]: readonly string[], io: Io): Promise<ExitCode> {
  const notes = new Notes(io)
  const unit = unitOf(values)
  if (values.listen !== undefined)
    return forward(values.listen, checkUrl(url!), clientOptions(values, notes), io, notes)
  const isPiped = values.bytes || values.execute.length > 0 || values['send-only'] || values['receive-only']
  if (values.reconnect) return reconnecting(checkUrl(url!), unit, values, io, notes)
  const isTalk = unit === 'line' && !isPiped && io.stdin.isTTY === true && io.stdout.isTTY === true
  const options = connectOptions(values, notes, isTalk || unit === 'sized')
  const ws = checked(() => connect(checkUrl(url!), options))
  const call = callOn(ws, values, io, notes)
  const forget = whenAborted(io.signal, () => call.hangUp())
  if (await greet(ws, notes, isTalk)) {
    if (values.ping !== undefined) pingEvery(values.ping, ws, notes)
    const { binary, wait, once } = values
    if (isTalk) await converse(call, { binary, once, readClose })
    else if (values.bytes) await carryBytes(call, wait)
    else await carry(call, pipedSettings(unit, values))
  }
  forget()
  return call.exitCode(isTalk)
}

const DEFAULT_PATIENCE = 10_000

function callOn(ws: WebSocketStream, { timeout, close, show: isShown }: Settings, io: Io, notes: Notes): Call {
  if (isShown) show(ws, notes)
  const patience = timeout === undefined ? DEFAULT_PATIENCE : timeout * 1000
  return new Call(ws, io, notes, { close: close ?? { code: 1000, reason: '' }, patience })
}

function pipedSettings(unit: Unit, values: Settings): Parameters<typeof carry>[1] {
  const { execute, 'send-only': sendOnly, 'receive-only': receiveOnly, binary, wait, once, timeout } = values
  const patience = timeout === undefined ? undefined : timeout * 1000
  return { unit, execute, sendOnly, receiveOnly, binary, wait, once, patience }
}

/** Opens one connection after the other, until everything is done, or another attempt is pointless. */
async function reconnecting(url: string, unit: Unit, values: Settings, io: Io, notes: Notes): Promise<ExitCode> {
  const settings = pipedSettings(unit, values)
  const progress = new Progress(io.stdin, settings)
  const stop = new AbortController()
  const onRetry = ({ error, delay }: { error: Error; delay: number }): void => {
    notes.say(`${describeError(error)}; connecting again in ${formatTime(delay)}`)
  }
  const options = { ...connectOptions(values, notes, unit === 'sized'), signal: stop.signal, onRetry }
  const connections = checked(() => reconnect(url, options))
  let call: Call | null = null
  const forget = whenAborted(io.signal, () => (call === null ? stop.abort() : call.hangUp()))
  const followAll = async (): Promise<ExitCode> => {
    for await (const ws of connections) {
      call = callOn(ws, values, io, notes)
      if (values.ping !== undefined) pingEvery(values.ping, ws, notes)
      if (await carry(call, settings, progress)) return call.exitCode(false)
      call = null
    }
    // the user ended the command while there was no connection
    return ExitCode.Failed
  }
  const code = await followAll().catch(error => {
    notes.fail(describeError(error))
    return ExitCode.Failed
  })
  forget()
  io.stdin.destroy()
  return code
}

/** @throws UsageError if options cannot be combined */
function unitOf(values: Settings): Unit {
  const { stream, message, binary, bytes, once, execute, null: isNull, 'length-prefixed': isSized } = values
  const isOneWay = values['send-only'] || values['receive-only']
  if ((bytes || values.listen !== undefined) && (stream || message || binary || once !== undefined || isOneWay)) {
    throw new UsageError(
      '--bytes and --listen cannot be combined with --stream, --message, --binary, --once, --send-only or --receive-only'
    )
  }
  const units = { chunk: stream, whole: message, null: isNull, sized: isSized }
  const chosen = (Object.keys(units) as (keyof typeof units)[]).filter(unit => units[unit])
  if (chosen.length > 1) throw new UsageError('--stream, --message, --null and --length-prefixed exclude each other')
  if (stream && binary) throw new UsageError('--stream cannot be combined with --binary')
  if (execute.length > 0 && (stream || message || bytes || values['receive-only'])) {
    throw new UsageError('--execute cannot be combined with --stream, --message, --bytes or --receive-only')
  }
  if (values.reconnect && (message || bytes || values.listen !== undefined)) {
    throw new UsageError('--reconnect cannot be combined with --message, --bytes or --listen')
  }
  if (values['send-only'] && values['receive-only']) {
    throw new UsageError('--send-only and --receive-only exclude each other')
  }
  return chosen[0] ?? 'line'
}

/** @param isHeld - whether whole messages are buffered, which needs limits */
function connectOptions(values: Settings, notes: Notes, isHeld: boolean): ConnectOptions {
  const options = clientOptions(values, notes)
  const unlimited = Number.POSITIVE_INFINITY
  // data that goes to a pipe is not buffered, so its size needs no limit
  const limits = isHeld ? {} : { maxMessageSize: unlimited, maxFrameSize: unlimited, maxFragments: unlimited }
  const handshakeTimeout = (values.timeout ?? DEFAULT_PATIENCE / 1000) * 1000
  // Call handles the end: a limit for all of it would cut off data that a slow reader has not read
  return { ...options, ...limits, handshakeTimeout, closeTimeout: unlimited }
}

/** False if the connection could not be opened. */
async function greet(ws: WebSocketStream, notes: Notes, isTalk: boolean): Promise<boolean> {
  const info = await ws.opened.catch(() => null)
  if (info === null) return false
  if (!isTalk) return true
  const { url, version, protocol, extensions } = info
  const agreed = [version, protocol && `subprotocol ${protocol}`, extensions].filter(words => words !== '')
  notes.say(notes.paint('dim', `connected to ${url} (${agreed.join(', ')}); /help for help, Ctrl-D to close`))
  return true
}

function show(ws: WebSocketStream, notes: Notes): void {
  watchFramesOf(ws, ({ frame, direction }) => {
    notes.say(describeFrame(frame, direction === 'sent' ? '→' : '←', notes.paint))
  })
}

function pingEvery(seconds: number, ws: WebSocketStream, notes: Notes): void {
  const ping = (): void => {
    ws.ping().then(
      time => notes.say(`pong after ${formatTime(time)}`),
      () => {}
    )
  }
  ping()
  const timer = setInterval(ping, seconds * 1000)
  ws.once('close', () => clearInterval(timer))
}

/** @throws UsageError if it cannot be sent in a Close frame (RFC 6455 §7.4) */
function readClose(given: string): CloseWords {
  const [, digits, reason = ''] = /^(\d{4})(?::(.*))?$/s.exec(given) ?? []
  const code = Number(digits)
  const isCode = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
  if (!isCode) {
    throw new UsageError(`'${given}' is not CODE[:REASON] with a code of 1000-1003, 1007-1014 or 3000-4999`)
  }
  // RFC 6455 §5.5
  if (Buffer.byteLength(reason) > 123) throw new UsageError('the reason of a Close frame has at most 123 bytes')
  return { code, reason }
}
