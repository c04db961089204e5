// What does a connection cost that says nothing? Each server in a process of its own, everything collected before and
// after. A hundred connections come and go beforehand, so that what is loaded on first use is not charged to anybody.
// `messages` is once read by a listener, as ws is, and once piped into itself, which has a price of its own.

import { child, column, rounds, row } from '../harness.js'
import { start } from '../servers/index.js'

export const title = 'Memory of an idle connection'
export const contestants = [
  'ours: event, attach',
  'ours: messages read, attach',
  'ours: messages read, pipes',
  'ours: messages, attach',
  'ours: messages, pipes',
  'ours: event, attach, raw',
  'ws',
  'ws: ours',
  'websocket-driver',
  'faye-websocket',
  'websocket',
  'bare socket'
]
export const quick = contestants.filter(
  name => name.startsWith('ours') || name.startsWith('ws') || name === 'bare socket'
)

const bars = {
  'ours: event, attach': [{ of: 'ws', atMost: 1 }],
  'ours: messages read, attach': [{ of: 'ws', atMost: 1.3 }],
  'ours: messages read, pipes': [{ of: 'ws', atMost: 1.5 }],
  'ws: ours': [{ of: 'ws', atMost: 1.3 }]
}

async function measure(name, count, profile) {
  const server = await start(name, { flags: ['--expose-gc'], profile })
  const load = child('load', './workers/load.js')
  await load.ask({ do: 'hold', port: server.port, count: 100 })
  await load.ask({ do: 'release' })
  const before = await server.ask({ do: 'settle' })
  await load.ask({ do: 'hold', port: server.port, count })
  const after = await server.ask({ do: 'settle' })
  await load.ask({ do: 'release' })
  const released = await server.ask({ do: 'settle' })
  await server.stop()
  await load.stop()
  const each = key => (after[key] - before[key]) / count
  return {
    heap: each('heapUsed'),
    rss: each('rss'),
    left: (released.heapUsed - before.heapUsed) / count
  }
}

export async function* run({ full, pick, wanted, profile }) {
  const count = full ? 5000 : 2000
  const name = `${count} idle connections`
  if (!wanted(name)) return
  const contestants = pick.map(name => ({ name }))
  const taken = await rounds(contestants, full ? 3 : 1, ({ name }) => measure(name, count, profile))
  const common = { question: 'idle', name, better: 'less', plain: true }
  yield row({ ...common, measure: 'bytes of heap a connection', samples: column(taken, 'heap'), bars })
  yield row({ ...common, measure: 'bytes of resident memory a connection', samples: column(taken, 'rss') })
  yield row({
    ...common,
    measure: 'bytes of heap left a connection after all are gone',
    samples: column(taken, 'left')
  })
}
