// The command `serve`: a server that echoes, broadcasts, or runs a command for each connection; also serves the files of a folder.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import {
  type Acceptor,
  type AcceptorOptions,
  type AcceptorRequest,
  acceptWebSockets,
  CloseCode,
  type ConnectionHandler,
  permessageDeflate,
  type WebServer,
  type WebSocketStream
} from '../index.js'
import { checked, readFile } from './client-options.js'
import { runFor } from './command-process.js'
import { watchFramesOf } from './frames.js'
import { ExitCode, type Io, put, UsageError } from './io.js'
import {
  askForUpgrade,
  describeRequest,
  FAREWELL,
  LISTENING_OPTIONS,
  Listening,
  PORT_RANGE,
  untilAborted
} from './listening.js'
import { type Command, flag, list, number, pair, text, type Values } from './options.js'
import { StaticFiles } from './static-files.js'
import { describeClose, describeFrame, Notes, printable } from './terminal.js'
import { readTarget, tunnelTo } from './tunnel.js'
import { splitWords } from './words.js'

const OPTIONS = {
  port: number('PORT', 'the port to listen on (default: 8080); 0 picks a free one', PORT_RANGE, 8080),
  host: LISTENING_OPTIONS.host,
  path: text('PATH', 'accept only WebSockets for this path', readPath),
  echo: flag('send every message back (the default without the next three options)'),
  broadcast: flag('send every message to all other connections'),
  command: text(
    'COMMAND',
    'run this for each connection: messages are lines of its stdin, and lines of its stdout are sent as messages'
  ),
  tcp: text(
    'HOST:PORT',
    'connect to this, or to the unix socket PATH, for each connection: bytes of binary messages in both directions',
    readTarget
  ),
  shell: flag('run COMMAND in a shell'),
  stream: flag("COMMAND's stdin and stdout are streams of bytes, each chunk of stdout a binary message"),
  origin: LISTENING_OPTIONS.origin,
  protocol: list('NAME', 'a subprotocol to choose if it is offered'),
  tls: pair('KEY', 'CERT', 'TLS with these files (PEM)'),
  http2: flag('HTTP/2 (RFC 8441) besides HTTP/1.1; needs --tls'),
  compress: flag('permessage-deflate (RFC 7692) if it is offered'),
  'max-connections': number('N', 'maximum number of connections (default: 1000, with --command 100)', { least: 1 }),
  'max-size': number('BYTES', 'maximum size of one message (default: 67108863)', { least: 1 }),
  show: flag('show each frame on stderr')
}

export const serveCommand: Command<typeof OPTIONS> = {
  name: 'serve',
  summary: 'Serves WebSockets, and the files of DIR if it is given.',
  operands: ['[DIR]'],
  options: OPTIONS,
  about: [
    'The URL is written to stdout, everything else to stderr. Files whose names begin with a dot are not served, and folders are not listed: their index.html is served if there is one. SIGINT closes all connections with 1001 and ends the server.'
  ],
  run
}

type Settings = Values<typeof OPTIONS>

/** Maximum bytes that wait for a connection besides the current message; a slower connection is closed. */
const MAX_BEHIND = 2 ** 24
/** `LINGER`: time in ms without output after which a command is asked to end; `GRACE`: time in ms that it then has. */
const LINGER = 5000
const GRACE = 2000

async function run(values: Settings, [folder]: readonly string[], io: Io): Promise<ExitCode> {
  const notes = new Notes(io)
  const server = makeServer(values)
  const listening = new Listening(server, values.host, values.tls !== undefined)
  const files = folder === undefined ? null : await StaticFiles.open(folder)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (files === null) askForUpgrade(request, response)
    else void files.answer(request, response)
  })
  const busy = new Set<Promise<unknown>>()
  const acceptor = accept(server, values, listening, notes, handlerFor(values, io, notes, busy))
  await listening.begin(values.port, notes)
  io.stdout.write(`${listening.url('ws')}${values.path ?? '/'}\n`)
  if (files !== null) notes.say(`files of ${folder} at ${listening.url('http')}/`)
  await untilAborted(io.signal)
  await acceptor.close({ code: CloseCode.GoingAway, timeout: FAREWELL })
  listening.end()
  await Promise.all(busy)
  return ExitCode.Ok
}

type AnyServer = WebServer & ConstructorParameters<typeof Listening>[0]

/** @throws UsageError if key and certificate are unusable */
function makeServer({ tls, http2 }: Settings): AnyServer {
  if (tls === undefined) {
    if (http2) throw new UsageError('--http2 needs --tls, since clients choose HTTP/2 during the TLS handshake')
    return createServer()
  }
  const options = { key: readFile(tls[0]), cert: readFile(tls[1]) }
  try {
    return http2 ? createSecureServer({ ...options, allowHTTP1: true }) : createTlsServer(options)
  } catch (error) {
    throw new UsageError(`${tls.join(' and ')} are not a certificate and its key: ${(error as Error).message}`)
  }
}

function accept(
  server: WebServer,
  values: Settings,
  listening: Listening,
  notes: Notes,
  handler: (acceptor: Acceptor) => ConnectionHandler<undefined>
): Acceptor {
  const options: AcceptorOptions = {
    path: values.path,
    origins: listening.originCheck(values.origin),
    protocols: values.protocol,
    extensions: values.compress ? [permessageDeflate()] : [],
    maxConnections: values['max-connections'] ?? (values.command === undefined ? 1000 : 100),
    maxMessageSize: values['max-size'],
    // a Close is answered after the last output of a command, however long that takes
    closeTimeout: values.command === undefined ? FAREWELL : Number.POSITIVE_INFINITY
  }
  const acceptor: Acceptor = checked(() =>
    acceptWebSockets(server, options, (ws, request, context) => {
      log(ws, request, values.show, notes)
      return handle(ws, request, context)
    })
  )
  const handle = handler(acceptor)
  acceptor.on('refused', (error, request) => {
    const { origin } = request.headers
    const hint = error.code === 'WS_ERR_FORBIDDEN_ORIGIN' ? ` (--origin ${origin} allows it)` : ''
    notes.say(`refused: ${describeRequest(request)}: ${printable(`${error.message}${hint}`)}`)
  })
  acceptor.on('error', error => notes.fail(error.message))
  return acceptor
}

let connections = 0

function log(ws: WebSocketStream, request: AcceptorRequest, showsFrames: boolean, notes: Notes): void {
  const name = `#${++connections}`
  notes.say(`${name} open: ${describeRequest(request)}`)
  ws.once('close', info => notes.say(`${name} closed: ${describeClose(info)}`))
  if (!showsFrames) return
  watchFramesOf(ws, ({ frame, direction }) => {
    notes.say(`${name} ${describeFrame(frame, direction === 'sent' ? '→' : '←', notes.paint)}`)
  })
}

type HandlerMaker = (acceptor: Acceptor) => ConnectionHandler<undefined>

/** @throws UsageError if options cannot be combined */
function handlerFor(values: Settings, io: Io, notes: Notes, busy: Set<Promise<unknown>>): HandlerMaker {
  const { echo, broadcast, command, shell, stream, tcp } = values
  if ([echo, broadcast, command !== undefined, tcp !== undefined].filter(Boolean).length > 1) {
    throw new UsageError('--echo, --broadcast, --command and --tcp exclude each other')
  }
  if (command === undefined && (shell || stream)) throw new UsageError('--shell and --stream go with --command')
  if (command !== undefined) return () => runCommand(command, values, io, notes, busy)
  if (tcp !== undefined) return () => tunnelTo(tcp, notes, busy)
  return broadcast ? passAround : () => sendBack
}

async function sendBack(ws: WebSocketStream): Promise<void> {
  for await (const message of ws.messages) await put(ws.messages, message)
}

function passAround(acceptor: Acceptor): ConnectionHandler<undefined> {
  return ws => {
    ws.on('message', message => {
      acceptor.broadcast(message, { except: ws, limit: MAX_BEHIND + 2 * Buffer.byteLength(message) })
    })
  }
}

function runCommand(
  command: string,
  { shell, stream }: Settings,
  io: Io,
  notes: Notes,
  busy: Set<Promise<unknown>>
): ConnectionHandler<undefined> {
  const words = shell ? [command] : splitWords(command)
  const complain = (chunk: Buffer): unknown => io.stderr.write(chunk)
  return async (ws, request) => {
    const env = { ...io.env, WEBSOCKET_TARGET: request.url, WEBSOCKET_CLIENT: request.socket?.remoteAddress }
    const groups = process.platform !== 'win32'
    const running = runFor(ws, {
      words,
      shell,
      stream,
      groups,
      linger: LINGER,
      grace: GRACE,
      farewell: FAREWELL,
      env,
      complain
    })
    busy.add(running)
    const outcome = await running
    busy.delete(running)
    if (outcome !== null) notes.say(`the command ${outcome}`)
  }
}

/** @throws UsageError if it is not a path */
function readPath(given: string): string {
  if (!/^\/[^?#]*$/.test(given))
    throw new UsageError(`--path must begin with '/' and contain nothing but the path: '${given}'`)
  return given
}
