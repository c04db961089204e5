// One port, served by one process or by two: with `reusePort`, where the kernel deals out the connections, and with node:cluster, where its
// primary process does. Messages a second of all processes together, their CPU for a message, and how even the connections were spread.

import { child, column, rounds, row } from '../harness.js'
import { start } from '../servers/index.js'
import { turn } from './echo.js'

export const title = 'One port, two processes'
const ONE = 'one process'
const SHARED = 'two processes, reusePort'
const CLUSTER = 'two processes, cluster'
/** The server of each library, by its name in servers/index.js. */
const LIBRARIES = { ours: 'ours: event, attach', ws: 'ws' }
export const contestants = Object.keys(LIBRARIES).flatMap(library =>
  [ONE, SHARED, CLUSTER].map(how => `${library}: ${how}`)
)
export const checked = false

const CONNECTIONS = 200

/** `reusePort` came with Node 22.12 and 23.1. */
function canSharePort() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}

/** Two children on one port that answer as one. */
async function startShared(name, server, options) {
  const several = [await start(server, { ...options, listen: { reusePort: true } })]
  const [{ port }] = several
  several.push(await start(server, { ...options, listen: { port, reusePort: true } }))
  const answers = {
    usage: all => ({ cpu: all.reduce((sum, { cpu }) => sum + cpu, 0) }),
    connections: all => all.flat()
  }
  return {
    name,
    port,
    ask: async request => answers[request.do](await Promise.all(several.map(each => each.ask(request)))),
    stop: () => Promise.all(several.map(each => each.stop()))
  }
}

async function startOne(name, options) {
  const [library, how] = name.split(': ')
  if (how === CLUSTER) return start(name, options)
  if (how === SHARED) return startShared(name, LIBRARIES[library], options)
  const server = await start(LIBRARIES[library], options)
  return { name, port: server.port, ask: request => server.ask(request), stop: () => server.stop() }
}

/** A turn of the echo, with what the load used and how the connections were spread. */
async function sample(server, load, request, ms) {
  await server.ask({ do: 'connections' })
  const figures = await turn(server, load, request, ms, request.window === 1)
  const counts = await server.ask({ do: 'connections' })
  return { ...figures, busiest: (100 * Math.max(...counts)) / counts.reduce((sum, each) => sum + each) }
}

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const names = pick.filter(name => canSharePort() || !name.endsWith(SHARED))
  if (names.length < pick.length) console.log('without reusePort, which came with Node 22.12 and 23.1\n')
  const servers = []
  for (const name of names) servers.push(await startOne(name, { profile }))
  for (const window of [1, 100]) {
    const request = { size: 125, kind: 'binary', count: CONNECTIONS, window }
    const name = `125 B binary, ${CONNECTIONS} connections, ${window} in flight`
    if (!wanted(name)) continue
    const once = ms => server => sample(server, load, request, ms)
    const taken = await rounds(servers, full ? 9 : 5, once(full ? 1500 : 600), once(300))
    for (const library of Object.keys(LIBRARIES)) {
      const mine = Object.fromEntries(Object.entries(taken).filter(([name]) => name.startsWith(`${library}: `)))
      if (!Object.keys(mine).length) continue
      const common = { question: 'processes', name: `${name}: ${library}`, reference: `${library}: ${ONE}` }
      const measure = (measure, better, key) => row({ ...common, measure, better, samples: column(mine, key) })
      yield measure('messages/s', 'more', 'rate')
      yield measure('CPU seconds of all processes per million messages', 'less', 'cpu')
      if (window === 1) yield measure('p99, ms', 'less', 'p99')
      yield measure('% of the connections on the busiest process', 'less', 'busiest')
    }
  }
  for (const each of [...servers, load]) await each.stop()
}
