// Does the cost of one message stay what it is, as connections grow from 100 to 10,000, and does the cost of one byte,
// as messages grow from 16 B to 64 MiB? Each line is compared with ws at the same place; down the lines is the growth.

import { child, column, label, rounds, row } from '../harness.js'
import { startAll } from '../servers/index.js'
import { turn, warm } from './echo.js'

export const title = 'Growth'
export const contestants = ['ours: event, attach', 'ours: messages, pipes', 'ws']
export const quick = ['ours: event, attach', 'ws']

const sizes = [16, 256, 4096, 65536, 2 ** 20, 2 ** 23, 2 ** 26]

export async function* run({ full, pick, wanted, profile }) {
  for (const count of full ? [100, 1000, 3000, 10_000] : [100, 1000, 10_000]) {
    const name = `20 B binary, ${count} connections, 1 in flight`
    if (!wanted(name)) continue
    const load = child('load', './workers/load.js')
    const servers = await startAll(pick, { profile })
    await warm(servers, load)
    const request = { count, window: 1, size: 20, kind: 'binary' }
    const taken = await rounds(servers, full ? 5 : 2, server => turn(server, load, request, full ? 2000 : 500))
    const measure = 'server CPU seconds per million messages'
    yield row({ question: 'growth', name, measure, better: 'less', samples: column(taken, 'cpu') })
    for (const each of [...servers, load]) await each.stop()
  }

  const decoders = {
    'ours: event, attach': 'ours by attach',
    'ours: messages, pipes': 'ours by write',
    ws: 'ws',
    'ws again': 'ws again'
  }
  for (const size of full ? sizes : sizes.filter((_, i) => i % 2 === 0)) {
    const name = `decoding ${label(size)} binary, masked`
    if (!wanted(name)) continue
    const children = pick.map(name =>
      child(name, './workers/decode.js', [decoders[name]], { flags: ['--single-threaded-gc'], profile })
    )
    const total = Math.max(size, size < 4096 ? 2 ** 22 : 2 ** 24)
    const ready = async each => {
      await each.ask({ do: 'prepare', role: 'server', kind: 'binary', size, total })
      await each.ask({ do: 'sample', ms: 200 }) // warm
    }
    const taken = await rounds(children, full ? 7 : 3, each => each.ask({ do: 'sample', ms: full ? 300 : 100 }), ready)
    const samples = Object.fromEntries(
      Object.entries(taken).map(([name, list]) => [name, list.map(rate => (rate * size) / 2 ** 20)])
    )
    yield row({ question: 'growth', name, measure: 'MiB per CPU second', better: 'more', samples })
    for (const each of children) await each.stop()
  }
}
