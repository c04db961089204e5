// The echo of echo.js on streams of one HTTP/2 session (RFC 8441): what HTTP/2 costs beside our own HTTP/1.1, what the WebSocket costs beside
// a bare stream of node:http2 that sends back the bytes it gets, and what another server of RFC 8441 does. No other library for Node
// serves it, so the foreign one is Python's hypercorn, on the hyper-h2 and wsproto libraries.

import { execFileSync } from 'node:child_process'
import { child, column, findPython, label, rounds, row } from '../harness.js'
import { startAll } from '../servers/index.js'
import { turn } from './echo.js'

export const title = 'Echo over HTTP/2'
const FOREIGN = 'hypercorn, HTTP/2'
const http2 = { http2: true }
const secure = { secure: true }
/** How each is asked. */
const ASKED = {
  'ours: event, HTTP/2': http2,
  'ours: messages, pipes, HTTP/2': http2,
  'ours: event, HTTP/2, TLS': { ...http2, ...secure },
  'ours: event, HTTP/1.1': {},
  'ours: event, HTTP/1.1, TLS': secure,
  'bare stream, HTTP/2': { ...http2, raw: true },
  [FOREIGN]: http2
}
export const contestants = Object.keys(ASKED)
export const checked = false

const CASES = [
  { size: 125, count: 1, window: 1 },
  { size: 125, count: 1, window: 100 },
  { size: 125, count: 50, window: 1 },
  { size: 125, count: 50, window: 100 },
  { size: 16384, count: 50, window: 1 },
  { size: 2 ** 20, count: 1, window: 4 }
]

/** The versions of what does not come from npm. */
export function versions() {
  const python = findPython('hypercorn')
  if (python === undefined) return {}
  const program = 'from importlib.metadata import version; print(version("hypercorn"))'
  return { hypercorn: execFileSync(python, ['-c', program], { encoding: 'utf8' }).trim() }
}

function present(names) {
  if (!names.includes(FOREIGN) || findPython('hypercorn') !== undefined) return names
  console.log('hypercorn is left out, since it is not installed: apt-get install python3-hypercorn\n')
  return names.filter(name => name !== FOREIGN)
}

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const servers = await startAll(present(pick), { profile })
  const sample = (request, ms) => server =>
    turn(server, load, { kind: 'binary', ...request, ...ASKED[server.name] }, ms, request.window === 1)
  for (const request of CASES) {
    const { size, count, window } = request
    const name = `${label(size)} binary, ${count} connection${count > 1 ? 's' : ''} on one session, ${window} in flight`
    if (!wanted(name)) continue
    const taken = await rounds(servers, full ? 7 : 3, sample(request, full ? 1000 : 400), sample(request, 250))
    const common = { question: 'http2', name, reference: 'bare stream, HTTP/2' }
    const measure = (measure, better, key) => row({ ...common, measure, better, samples: column(taken, key) })
    yield measure('messages/s', 'more', 'rate')
    yield measure('server CPU seconds per million messages', 'less', 'cpu')
    if (window > 1) continue
    yield measure('p50, ms', 'less', 'p50')
    yield measure('p99, ms', 'less', 'p99')
  }
  for (const each of [...servers, load]) await each.stop()
}
