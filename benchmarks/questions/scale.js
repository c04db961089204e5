// One process, more and more idle connections: memory for each, and how long one message to all of them takes, by `prepareMessage`. The limit
// is what the machine allows a process: each connection is an open file of the server's, and one of the receivers'.

import { execFileSync } from 'node:child_process'
import { child, row } from '../harness.js'

export const title = 'From 100 to as many connections as a process may have'
export const contestants = ['ours: prepared', 'ws']
export const checked = false

const COUNTS = [100, 1000, 10_000, 50_000, 100_000, 200_000]
/** Open files of a process besides its connections. */
const SPARE = 200

/** How many connections a process may have, and how many ports there are to connect from. */
function most() {
  const files = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).replace('unlimited', '1e9'))
  return Math.min(files - SPARE, 28_000)
}

async function grow(name, counts) {
  const how = name.replace('ours: ', '')
  const server = child(name, './workers/broadcast.js', [how], { flags: ['--expose-gc'] })
  const receivers = child(`receivers of ${name}`, './workers/receivers.js')
  const port = await server.ask({ do: 'listen' })
  await receivers.ask({ do: 'hold', port, count: counts[0] })
  // what is loaded when it is first used is no connection's
  await broadcast(server, receivers)
  let held = counts[0]
  const found = []
  const first = await server.ask({ do: 'settle' })
  for (const count of counts) {
    await receivers.ask({ do: 'hold', port, count: count - held }, 600_000)
    held = count
    const now = await server.ask({ do: 'settle' }, 600_000)
    const added = count - counts[0]
    const times = []
    for (let i = 0; i < 5; i++) times.push(await broadcast(server, receivers))
    found.push({
      count,
      heap: added === 0 ? Number.NaN : (now.heapUsed - first.heapUsed) / added,
      rss: added === 0 ? Number.NaN : (now.rss - first.rss) / added,
      cpu: times.map(({ cpu }) => cpu / 1000),
      wall: times.map(({ wall }) => wall)
    })
  }
  await receivers.stop()
  await server.stop()
  return found
}

async function broadcast(server, receivers) {
  const text = 'broadcast '.repeat(13).slice(0, 125)
  await receivers.ask({ do: 'expect', text, count: 1 })
  const began = performance.now()
  const before = await server.ask({ do: 'usage' })
  await server.ask({ do: 'broadcast', text, count: 1 })
  await receivers.ask({ do: 'received' })
  const after = await server.ask({ do: 'usage' })
  return { cpu: after.cpu - before.cpu, wall: performance.now() - began }
}

export async function* run({ pick, wanted }) {
  const limit = most()
  const counts = [...COUNTS.filter(count => count < limit), limit]
  const taken = {}
  for (const name of pick) taken[name] = await grow(name, counts)
  for (const [i, count] of counts.entries()) {
    const name = `${count} idle connections in one process`
    if (!wanted(name)) continue
    const samples = key => Object.fromEntries(pick.map(each => [each, [taken[each][i][key]].flat()]))
    const common = { question: 'scale', name, better: 'less' }
    if (i > 0) {
      yield row({ ...common, plain: true, measure: 'bytes of heap a connection', samples: samples('heap') })
      yield row({ ...common, plain: true, measure: 'bytes of resident memory a connection', samples: samples('rss') })
    }
    yield row({ ...common, measure: 'ms until all have a message of 125 B', samples: samples('wall') })
    yield row({ ...common, measure: 'ms of server CPU for that', samples: samples('cpu') })
  }
}
