// An echo over loopback, server and load in processes of their own: how many messages a second, how much of the
// server's CPU for a million, and how long one alone takes. The CPU is the steadier figure: the load's share of the
// machine, and everybody else's, is not in it.

import { child, column, label, rounds, row, sleep } from '../harness.js'
import { startAll } from '../servers/index.js'

export const title = 'Echo over loopback'
const ours = ['ours: event, attach', 'ours: messages, attach', 'ours: messages, pipes']
export const contestants = [...ours, 'ws', 'ws: ours', 'bun', 'deno', 'websocket-driver', 'faye-websocket', 'websocket']
export const quick = [...ours, 'ws', 'ws: ours', 'bun']

/** Few connections with large messages, of which several are in flight. */
const SOME_IN_FLIGHT = [
  { size: 16384, count: 1, window: 20, kind: 'binary' },
  { size: 2 ** 20, count: 1, window: 8, kind: 'binary' }
]

function* cases(full) {
  const sizes = [20, 125, 1024, 16384, 65536, 2 ** 20]
  for (const size of sizes) {
    for (const count of [1, 50]) {
      for (const window of [1, 100]) {
        if (window * size > 2 ** 24) continue
        if (!full && size !== 125 && (window > 1 || count === 1)) continue
        yield { size, count, window, kind: 'binary' }
      }
    }
  }
  yield* SOME_IN_FLIGHT
  for (const kind of ['ascii', 'mixed']) {
    for (const [count, window] of full
      ? [
          [1, 1],
          [50, 1],
          [50, 100]
        ]
      : [[50, 100]]) {
      for (const size of full ? [20, 125, 1024, 65536] : [125]) yield { size, count, window, kind }
    }
  }
}

/** How many times as many messages as ws for the same CPU: by kind, size, connections and messages in flight. */
const CPU_BARS = {
  'binary 125 1 1': 1.1,
  'binary 125 50 1': 1.2,
  'binary 125 1 100': 13,
  'binary 125 50 100': 20,
  'mixed 125 50 100': 10,
  'binary 16384 50 1': 1.1,
  'binary 16384 1 20': 1.1,
  'binary 65536 50 1': 1.1
}

/** What is to be reached: CPU, messages a second with many in flight, and the slowest of a hundred answers. */
function bars({ kind, size, count, window }) {
  const cpu = CPU_BARS[`${kind} ${size} ${count} ${window}`] ?? (size > 1024 ? 1 : undefined)
  const many = size <= 125 && window === 100
  return {
    cpu: cpu && [{ of: 'ws', atLeast: cpu }],
    rate: many
      ? [
          { of: 'ws', atLeast: 10 },
          { of: 'bun', atLeast: 0.8 }
        ]
      : size > 1024 && [{ of: 'ws', atLeast: 1 }],
    p99: size === 16384 && [{ of: 'ws', atLeast: 1 }]
  }
}

/** One contestant's turn: open, warm, measure, check, close. */
export async function turn(server, load, request, ms, times) {
  await load.ask({ do: 'open', port: server.port, ...request })
  await load.ask({ do: 'go', times })
  await sleep(ms / 3)
  const [cpu, mark] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await sleep(ms)
  const [cpuAfter, markAfter] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  const latency = await load.ask({ do: 'finish' })
  const messages = markAfter.messages - mark.messages
  return {
    rate: messages / ((markAfter.at - mark.at) / 1000),
    cpu: (cpuAfter.cpu - cpu.cpu) / messages, // microseconds a message are seconds a million
    ...latency
  }
}

/** Every server, and the load, is compiled before the first figure is taken. */
export async function warm(servers, load) {
  for (const window of [1, 100]) {
    await rounds(servers, 1, server => turn(server, load, { count: 50, window, size: 125, kind: 'binary' }, 250, false))
  }
}

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const servers = await startAll(pick, { profile })
  await warm(servers, load)
  for (const request of cases(full)) {
    const { size, count, window, kind } = request
    const name = `${label(size)} ${kind}, ${count} connection${count > 1 ? 's' : ''}, ${window} in flight`
    if (!wanted(name)) continue
    const times = window === 1
    const taken = await rounds(servers, full ? 7 : 3, server => turn(server, load, request, full ? 1000 : 250, times))
    const mine = bars(request)
    const measure = (measure, better, key) =>
      row({
        question: 'echo',
        name,
        measure,
        better,
        samples: column(taken, key),
        bars: mine[key] ? Object.fromEntries(ours.map(name => [name, mine[key]])) : {}
      })
    yield measure('messages/s', 'more', 'rate')
    yield measure('server CPU seconds per million messages', 'less', 'cpu')
    if (!times) continue
    yield measure('p50, ms', 'less', 'p50')
    yield measure('p99, ms', 'less', 'p99')
  }
  for (const each of [...servers, load]) await each.stop()
}
