// How many messages a second does the sending half encode, the kernel left out?

import { child, column, rounds, row } from '../harness.js'

export const title = 'Encoding in process'
export const contestants = ['ours by attach', 'ws', 'websocket-driver', 'empty loop']
export const quick = ['ours by attach', 'ws']

// On a busy machine a collector with helper threads waits for cores that others use; with one thread it only costs.
const flags = ['--single-threaded-gc']

const sizes = [
  [16, '16 B', 1.5],
  [125, '125 B', 1.5],
  [1024, '1 KiB', 1],
  [16384, '16 KiB', 1],
  [2 ** 20, '1 MiB', 1]
]

/** Everything in full; the short form leaves out what the rest already tells. */
function isQuick({ role, size, kind, perTurn, sink }) {
  if (perTurn === 1) return kind === 'binary' && size === 125 && sink === 'stream'
  if (sink === 'bare') return kind === 'binary' && size === 125 && role === 'server'
  return kind === 'binary'
    ? size !== 16384 || role === 'server'
    : size === 125 && (role === 'server' || kind === 'ascii')
}

/**
 * Into a stream without a kernel behind it; and into a bare stub, where writes are free and so are payloads passed on
 * unread: shown for comparison, and no bar hangs on that.
 */
function* cases(full) {
  for (const role of ['server', 'client']) {
    for (const [size, text, bar] of sizes) {
      for (const perTurn of [1, size > 65536 ? 8 : 100]) {
        for (const kind of ['binary', 'ascii', 'mixed']) {
          for (const sink of ['stream', 'bare']) {
            const request = { role, size, kind, perTurn, sink }
            const masked = role === 'client' ? 'masked' : 'unmasked'
            const name = `${text} ${kind}, ${masked}, ${perTurn} a turn, as a ${role} sends${sink === 'bare' ? ', into a bare stub' : ''}`
            const atLeast = sink === 'bare' ? undefined : role === 'client' ? 1 : bar
            if (full || isQuick(request)) yield { name, request, atLeast }
          }
        }
      }
    }
  }
}

export async function* run({ full, pick, wanted, profile }) {
  for (const { name, request, atLeast } of cases(full)) {
    if (!wanted(name)) continue
    const children = pick.map(name => child(name, './workers/encode.js', [name], { flags, profile }))
    const ready = async each => {
      const { skip } = await each.ask({ do: 'prepare', ...request })
      if (skip) return false
      await each.ask({ do: 'sample', ms: full ? 500 : 200 }) // warm
    }
    const sample = each => each.ask({ do: 'sample', ms: full ? 300 : 80 })
    const taken = await rounds(children, full ? 9 : 5, sample, ready)
    for (const each of children) await each.stop()
    const judged = atLeast ? pick.filter(name => name.startsWith('ours')) : []
    const bars = Object.fromEntries(judged.map(name => [name, [{ of: 'ws', atLeast }]]))
    const measure = 'messages per CPU second'
    yield row({ question: 'encode', name, measure, better: 'more', samples: column(taken, 'rate'), bars })
  }
}
