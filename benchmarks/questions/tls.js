// The echo of echo.js over TLS: how many messages a second, and how much of the server's CPU for a million.

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
    const taken = await rounds(servers, full ? 7 : 3, server => turn(server, load, request, full ? 1000 : 400, false))
    const common = { question: 'tls', name, reference: 'ws, TLS' }
    yield row({ ...common, measure: 'messages/s', better: 'more', samples: column(taken, 'rate') })
    yield row({
      ...common,
      measure: 'server CPU seconds per million messages',
      better: 'less',
      samples: column(taken, 'cpu')
    })
  }
  for (const each of [...servers, load]) await each.stop()
}
