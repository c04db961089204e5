// The command `relay`: joins each connection to a port to one to the target, and can show the frames that pass.

import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect, type Relay, relay, WebSocketStream } from '../index.js'
import { checked, checkUrl, TARGET_OPTIONS, targetOptions } from './client-options.js'
import { watchFrames } from './frames.js'
import { ExitCode, type Io } from './io.js'
import {
  askForUpgrade,
  describeRequest,
  FAREWELL,
  LISTENING_OPTIONS,
  Listening,
  PORT_RANGE,
  untilAborted
} from './listening.js'
import { type Command, flag, list, readNumber, type Values } from './options.js'
import { count, describeClose, describeError, describeFrame, Notes } from './terminal.js'

const OPTIONS = {
  show: flag('show each frame on stderr: → to the target, ← from it'),
  host: LISTENING_OPTIONS.host,
  origin: LISTENING_OPTIONS.origin,
  path: flag("request the path and query of the client's request from the target"),
  forward: list('NAME', "a header field of the client's request to send to the target, such as Cookie"),
  ...TARGET_OPTIONS
}

export const relayCommand: Command<typeof OPTIONS> = {
  name: 'relay',
  summary: 'Connects each connection to PORT with one to TARGET; frames pass unchanged.',
  operands: ['PORT', 'TARGET'],
  options: OPTIONS,
  about: [
    'The URL is written to stdout, everything else to stderr. Port 0 picks a free one. The target gets the offer of the client: subprotocols and extensions; a Close is passed on, and so is a refusal by the target. SIGINT closes all connections with 1001 and ends the relay.'
  ],
  run
}

type Settings = Values<typeof OPTIONS>

async function run(values: Settings, [port, target]: readonly string[], io: Io): Promise<ExitCode> {
  const notes = new Notes(io)
  const number = readNumber(port!, 'PORT', PORT_RANGE)
  const join = joinerTo(checkUrl(target!), values, notes)
  const server = createServer(askForUpgrade)
  const listening = new Listening(server, values.host, false)
  const origins = listening.originCheck(values.origin)
  const relays = new Set<Relay>()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // nothing is buffered whole, so sizes need no limit
    const ws = WebSocketStream.http(request, head, { origins, maxFrameSize: Number.POSITIVE_INFINITY })
    const joined = join(ws, request)
    relays.add(joined)
    void joined.closed.then(() => relays.delete(joined))
    ws.attach(socket)
  })
  await listening.begin(number, notes)
  io.stdout.write(`${listening.url('ws')}/\n`)
  await untilAborted(io.signal)
  server.close()
  await endAll(relays)
  listening.end()
  return ExitCode.Ok
}

type Joiner = (ws: WebSocketStream, request: IncomingMessage) => Relay

/** @throws UsageError if an option is invalid */
function joinerTo(target: string, values: Settings, notes: Notes): Joiner {
  const options = {
    connect: targetOptions(values, notes),
    forwardPath: values.path,
    forwardHeaders: values.forward
  }
  // report invalid options at once, not with the first client
  checked(() => connect(target, { ...options.connect, signal: AbortSignal.abort() }))
  const probe = WebSocketStream.server().destroy()
  checked(() => relay(probe, target, options))
  let relays = 0
  return (ws, request) => {
    const name = `#${++relays}`
    const joined = relay(ws, target, options)
    tell(joined, name, describeRequest(request), notes)
    if (values.show) showFrames(joined, name, notes)
    return joined
  }
}

function tell(joined: Relay, name: string, request: string, notes: Notes): void {
  joined.opened.then(
    ({ protocol, extensions }) => {
      const agreed = [request, protocol && `subprotocol ${protocol}`, extensions].filter(words => words !== '')
      notes.say(`${name} open: ${agreed.join(', ')}`)
    },
    error => notes.say(`${name} refused: ${request}: ${describeError(error)}`)
  )
  void joined.closed.then(({ client, target }) => {
    const { fromClient, fromTarget } = joined.stats
    const ends = [`client ${describeClose(client)}`, target === null ? '' : `target ${describeClose(target)}`]
    const sizes = `${count(fromClient.bytes, 'byte')} →, ${count(fromTarget.bytes, 'byte')} ←`
    notes.say(`${name} closed: ${ends.filter(end => end !== '').join(', ')}; ${sizes}`)
  })
}

function showFrames(joined: Relay, name: string, notes: Notes): void {
  const stop = watchFrames(({ stream, direction, frame }) => {
    // what is sent to one side was received from the other: show it once
    if (direction === 'sent' || (stream !== joined.client && stream !== joined.target)) return
    const arrow = stream === joined.client ? '→' : '←'
    notes.say(`${name} ${describeFrame(frame, arrow, notes.paint)}`)
  })
  void joined.closed.then(stop)
}

async function endAll(relays: ReadonlySet<Relay>): Promise<void> {
  const all = [...relays]
  for (const joined of all) joined.close()
  const timer = setTimeout(() => {
    for (const joined of all) joined.destroy()
  }, FAREWELL)
  await Promise.all(all.map(joined => joined.closed))
  clearTimeout(timer)
}
