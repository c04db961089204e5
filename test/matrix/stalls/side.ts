// Run as a process: one side of many connections, which the test stalls. Reports how they are.
// Argument: its role.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type WebSocketOptions, WebSocketStream } from '../../../lib/index.js'
import { settle } from '../../websocket-stream/sides.js'
import { type Counts, type Fates, TIMERS } from './timers.js'

const isServer = process.argv[2] === 'server'
/** Whether this side stalls, or answers one that stalls. */
let stalls = true

type Kind = keyof Counts
const KINDS: readonly Kind[] = ['keepalive', 'close', 'handshake']
const kept: Record<Kind, WebSocketStream[]> = { keepalive: [], close: [], handshake: [] }
const faults: string[] = []
/** Lets the handshakes continue that wait for this side. */
const begins: (() => void)[] = []

const say = (kind: string, ...rest: unknown[]): Promise<void> =>
  new Promise(resolve => process.send!([kind, ...rest], () => resolve()))

/** Forgets the connections of the last test. */
function begin(duty: boolean): void {
  stalls = duty
  for (const kind of KINDS) for (const ws of kept[kind].splice(0)) ws.destroy()
  begins.length = faults.length = 0
}

/** Only the side that stalls has timeouts; the other one has all the time that it needs. */
function optionsFor(kind: Kind): WebSocketOptions {
  if (!stalls) return { handshakeTimeout: 60_000, closeTimeout: 60_000 }
  const { interval, timeout } = TIMERS
  return {
    handshakeTimeout: kind === 'handshake' ? timeout : 60_000,
    closeTimeout: timeout,
    keepalive: kind === 'keepalive' && { interval, timeout }
  }
}

function make(kind: Kind): WebSocketStream {
  const ws = isServer ? WebSocketStream.server(optionsFor(kind)) : WebSocketStream.client('ws://a/', optionsFor(kind))
  kept[kind].push(ws)
  ws.on('message', () => {})
  // not those of a test that is over
  ws.on(
    'error',
    error => kept[kind].includes(ws) && faults.push(`${kind}: ${(error as Error & { code: string }).code}`)
  )
  return ws
}

/** Alternates between both ways to join. */
function join(ws: WebSocketStream, socket: Socket, number: number): void {
  if (number % 2 === 0) ws.attach(socket)
  else
    socket
      .on('error', () => {})
      .pipe(ws)
      .pipe(socket)
}

async function listen(kind: Kind): Promise<number> {
  const server = createServer({ noDelay: true }, socket => {
    const ws = make(kind)
    if (kind === 'handshake' && !stalls) ws.on('request', () => begins.push(() => ws.accept()))
    join(ws, socket, kept[kind].length)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 512 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A client's connections of one kind; if the server stalls, the handshake does not begin. */
async function dial(kind: Kind, port: number, count: number): Promise<void> {
  const dialled = Array.from({ length: count }, async (_, i) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const ws = make(kind)
    if (kind !== 'handshake') {
      join(ws, socket, i)
      await ws.opened
    } else if (stalls) join(ws, socket, i)
    else begins.push(() => join(ws, socket, i))
  })
  await Promise.all(dialled)
}

function stall(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Stalls with pings and Closes in flight, and then checks all connections. */
async function stallAndSurvive(milliseconds: number): Promise<void> {
  for (const ws of kept.close) ws.close()
  await settle(2)
  await say('stalls')
  stall(milliseconds)
  const ended = Promise.all(kept.close.map(ws => ws.whenClosed()))
  const opened = Promise.allSettled(kept.handshake.map(ws => ws.opened))
  const [closes, handshakes] = await Promise.all([ended, opened])
  // keepalive has had time to act twice
  await new Promise(resolve => setTimeout(resolve, 2 * TIMERS.interval))
  const fates: Fates = {
    keepalive: kept.keepalive.filter(ws => ws.readyState === 'open').length,
    close: closes.filter(({ code, wasClean }) => code === 1000 && wasClean).length,
    handshake: handshakes.filter(({ status }) => status === 'fulfilled').length,
    faults
  }
  await say('fates', fates)
}

process.on('message', async ([command, ...rest]: [string, ...unknown[]]) => {
  if (command === 'begin') {
    begin(rest[0] as boolean)
    await say('ready')
  } else if (command === 'dial') {
    const [ports, counts] = rest as [number[], Counts]
    for (const [i, kind] of KINDS.entries()) await dial(kind, ports[i]!, counts[kind])
    await say('dialled')
  } else if (command === 'answer') {
    // so that nothing is answered before the other side has stalled
    await say('answers late')
    stall(rest[0] as number)
    for (const goOn of begins.splice(0)) goOn()
  } else if (command === 'stall') {
    await stallAndSurvive(rest[0] as number)
  } else if (command === 'count') {
    const counts = Object.fromEntries(KINDS.map(kind => [kind, kept[kind].length]))
    await say('counts', counts, begins.length)
  }
})

if (isServer) void Promise.all(KINDS.map(listen)).then(all => say('ports', ...all))
else void say('here')
