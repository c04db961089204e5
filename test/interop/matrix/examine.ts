// Tests one peer in one role; returns the result of each check. Starts the peer's program, gives it a new connection for
// each check, and ends it. README.md describes such programs; the callers interpret the results.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../../lib/index.js'
import { Inbox } from '../../support/inbox.js'
import { startPeer, type TestLike } from '../../support/peers.js'
import { CHECK_NAMES, CHECKS, type Check, type CheckName, OFFERED, type PeerReport, PROTOCOL } from './checks.js'

export type PeerRole = 'client' | 'server'

/** How a peer's program is started: `serve`, or `connect` and URLs, follow `args`. */
export interface Program {
  command: string
  args: readonly string[]
}

/** `undefined` for a check that passed, otherwise what was wrong. */
export type Outcomes = Partial<Record<CheckName, string | undefined>>

export interface Examination {
  version: string
  outcomes: Outcomes
}

type Line = PeerReport & { version?: string; port?: number }

const PATIENCE = 10_000
const GRACE = 1000
const PATIENCE_WITH_START = 60_000

/** A peer's program, and how to get one of its connections. */
interface Running {
  version: string
  reports: Reports
  open(name: CheckName): Promise<Arrival>
}

/**
 * Runs checks with one peer. After a check that fails, the peer is restarted.
 * @param names - the checks that this peer supports
 */
export async function examine(
  t: TestLike,
  program: Program,
  role: PeerRole,
  names: readonly CheckName[] = CHECK_NAMES
): Promise<Examination> {
  const outcomes: Outcomes = {}
  let version = ''
  for (let rest = [...names]; rest.length > 0; ) {
    const closing: (() => unknown)[] = []
    const own: TestLike = { pass() {}, fail() {}, teardown: fn => closing.unshift(fn) }
    const stop = async () => {
      for (const fn of closing.splice(0)) await fn()
    }
    t.teardown(stop)
    try {
      const peer = await (role === 'server' ? startServer(own, program) : startClient(own, program, rest))
      version = peer.version
      rest = rest.slice(await check(peer, rest, outcomes))
    } finally {
      await stop()
    }
  }
  return { version, outcomes }
}

/** Runs checks one after the other, up to one that fails; returns their number. */
async function check(peer: Running, names: readonly CheckName[], outcomes: Outcomes): Promise<number> {
  for (const [i, name] of names.entries()) {
    outcomes[name] = await outcomeOf(peer, name)
    if (outcomes[name] !== undefined) return i + 1
  }
  return names.length
}

async function startServer(t: TestLike, { command, args }: Program): Promise<Running> {
  const peer = startPeer<Line>(t, command, [...args, 'serve'])
  const { port = 0, version = '' } = await within(PATIENCE_WITH_START, peer.next(), 'it did not say its port')
  return {
    version,
    reports: new Reports(peer.next),
    async open(name) {
      const ws = WebSocketStream.client(`ws://127.0.0.1:${port}/${name}`, optionsFor(name, OFFERED))
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      return { ws: ws.attach(socket), socket }
    }
  }
}

async function startClient(t: TestLike, { command, args }: Program, names: readonly CheckName[]): Promise<Running> {
  const arrivals = new Map(names.map(name => [`/${name}`, new Inbox<Arrival>()]))
  const server = createServer((_request, response) => response.writeHead(404).end())
  server.on('upgrade', (request, socket: Socket, head) => {
    const name = request.url!.slice(1) as CheckName
    const arrival = arrivals.get(`/${name}`)
    if (arrival === undefined) socket.destroy()
    else arrival.put({ ws: WebSocketStream.http(request, head, optionsFor(name)).attach(socket), socket })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const urls = names.map(name => `ws://127.0.0.1:${port}/${name}`)
  const peer = startPeer<Line>(t, command, [...args, 'connect', ...urls])
  const { version = '' } = await within(PATIENCE_WITH_START, peer.next(), 'it said nothing')
  return {
    version,
    reports: new Reports(peer.next),
    open: async name => (await arrivals.get(`/${name}`)!.take())!
  }
}

interface Arrival {
  ws: WebSocketStream
  socket: Socket
}

function optionsFor(name: CheckName, protocols = [PROTOCOL]): WebSocketOptions {
  const { compression }: Check = CHECKS[name]
  if (compression === undefined) return { protocols }
  const contextTakeover = compression === 'with context'
  return { protocols, extensions: [permessageDeflate({ contextTakeover, peerContextTakeover: contextTakeover })] }
}

async function outcomeOf({ reports, open }: Running, name: CheckName): Promise<string | undefined> {
  let arrival: Arrival | undefined
  let fault: Error | undefined
  try {
    await within(PATIENCE, Promise.race([talk(), reports.over]), `nothing came of it in ${PATIENCE / 1000} s`)
    return undefined
  } catch (error) {
    // the error of the wire says more than a timeout
    const { message } = fault ?? (error as Error)
    return message.split('\n')[0]!
  } finally {
    arrival?.ws.destroy()
    arrival?.socket.destroy()
  }

  async function talk() {
    arrival = await within(PATIENCE, open(name), 'it did not connect')
    const { ws } = arrival
    ws.on('error', error => {
      fault ??= error
    })
    await ws.opened
    const incoming = ws.messages[Symbol.asyncIterator]()
    await CHECKS[name].run({
      ws,
      async next() {
        const { value, done } = await incoming.next()
        if (done) throw new Error(`they closed with ${ws.closeInfo?.code} where a message was due`)
        return value
      },
      report: () => reports.of(`/${name}`)
    })
  }
}

/** The peer's reports on its connections, by path. */
class Reports {
  /** Rejects when its program has ended, since there are no more reports. */
  readonly over: Promise<never>
  private readonly boxes = new Map<string, Inbox<PeerReport>>()

  constructor(next: () => Promise<Line>) {
    this.over = this.collect(next)
    this.over.catch(() => {})
  }

  async of(path: string): Promise<PeerReport> {
    const report = await within(PATIENCE, this.box(path).take(), 'they did not notice the end')
    if (report === undefined) throw new Error('their program ended')
    return report
  }

  private async collect(next: () => Promise<Line>): Promise<never> {
    for (;;) {
      try {
        const line = await next()
        this.box(line.path).put(line)
      } catch {
        // the last bytes of its connections may still be in flight
        await new Promise(resolve => setTimeout(resolve, GRACE))
        for (const box of this.boxes.values()) box.end()
        throw new Error('their program ended')
      }
    }
  }

  private box(path: string): Inbox<PeerReport> {
    const box = this.boxes.get(path) ?? new Inbox<PeerReport>()
    this.boxes.set(path, box)
    return box
  }
}

/** A promise that must settle within this many milliseconds, or rejects with this text. */
async function within<T>(milliseconds: number, promise: Promise<T>, words: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(words)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
