// How many opening handshakes a second, and how many for each second of the server's CPU? Once with the connection
// reset as soon as it is open, and once with the closing handshake too, as well-behaved clients end. Each server is warmed for longer than
// it is measured: V8 compiles for about two seconds.

import { child, column, rounds, row } from '../harness.js'
import { startAll } from '../servers/index.js'

export const title = 'Handshakes'
const ours = ['ours: event, attach', 'ours: event, attach, raw']
export const contestants = [...ours, 'ws', 'ws: ours', 'websocket-driver', 'faye-websocket', 'websocket', 'bun', 'deno']
export const quick = [...ours, 'ws', 'ws: ours']

async function turn(server, load, close, ms) {
  await load.ask({ do: 'upgrade', port: server.port, ms: ms / 3, width: 20, close })
  const before = await server.ask({ do: 'usage' })
  const { count, seconds } = await load.ask({ do: 'upgrade', port: server.port, ms, width: 20, close })
  const after = await server.ask({ do: 'usage' })
  return { rate: count / seconds, each: count / ((after.cpu - before.cpu) / 1e6) }
}

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const servers = await startAll(pick, { profile })
  for (const close of [false, true]) {
    const name = close ? 'opened and closed in order' : 'opened, then reset'
    if (!wanted(name)) continue
    const warm = server => turn(server, load, close, 2000)
    const taken = await rounds(servers, full ? 7 : 5, server => turn(server, load, close, full ? 1000 : 300), warm)
    yield row({
      question: 'handshakes',
      name,
      measure: 'connections/s',
      better: 'more',
      samples: column(taken, 'rate')
    })
    yield row({
      question: 'handshakes',
      name,
      measure: 'connections per server CPU second',
      better: 'more',
      samples: column(taken, 'each'),
      bars: {
        ...Object.fromEntries(ours.map(name => [name, [{ of: 'ws', atLeast: 1 }]])),
        'ws: ours': [{ of: 'ws', atLeast: 0.9 }]
      }
    })
  }
  for (const each of [...servers, load]) await each.stop()
}
