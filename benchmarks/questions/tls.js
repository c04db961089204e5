// The echo of echo.js over TLS: how many messages a second, how much of the server's CPU for a million, and how long one alone takes.

import { child, column, label, rounds, row } from '../harness.js'
import { startAll } from '../servers/index.js'
import { turn } from './echo.js'

export const title = 'Echo over TLS'
export const contestants = ['ours: event, attach, TLS', 'ours: messages, pipes, TLS', 'ws, TLS']
export const checked = false

const CASES = [
  { size: 125, count: 50, window: 1 },
  { size: 125, count: 50, window: 100 },
  { size: 16384, count: 50, window: 1 },
  { size: 2 ** 20, count: 1, window: 8 }
]

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const servers = await startAll(pick, { profile })
  for (const { size, count, window } of CASES) {
    const name = `${label(size)} binary over TLS, ${count} connection${count > 1 ? 's' : ''}, ${window} in flight`
    if (!wanted(name)) continue
    const request = { size, count, window, kind: 'binary', secure: true }
    const times = window === 1
    const taken = await rounds(servers, full ? 7 : 3, server => turn(server, load, request, full ? 1000 : 400, times))
    const common = { question: 'tls', name, reference: 'ws, TLS' }
    const measure = (measure, better, key) => row({ ...common, measure, better, samples: column(taken, key) })
    yield measure('messages/s', 'more', 'rate')
    yield measure('server CPU seconds per million messages', 'less', 'cpu')
    if (!times) continue
    yield measure('p50, ms', 'less', 'p50')
    yield measure('p99, ms', 'less', 'p99')
  }
  for (const each of [...servers, load]) await each.stop()
}
