// How many messages a second does the receiving half decode, the kernel left out?

import { child, rounds, row } from '../harness.js'

export const title = 'Decoding in process'
export const contestants = ['ours by write', 'ours by attach', 'ws', 'websocket-driver']
export const quick = ['ours by write', 'ours by attach', 'ws']

// On a busy machine a collector with helper threads waits for cores that others use; with one thread it only costs.
const flags = ['--single-threaded-gc']

const sizes = [
  [16, '16 B', 2.5],
  [125, '125 B', 2.5],
  [1024, '1 KiB', 1.5],
  [16384, '16 KiB', 1],
  [2 ** 20, '1 MiB', 1]
]
const roles = { server: 'masked, as a server reads', client: 'unmasked, as a client reads' }

/** The short form leaves out what the rest already tells. */
function isQuick(role, size, kind) {
  if (role === 'client') return size === 125 || (size === 2 ** 20 && kind === 'binary')
  return size < 1024 || kind === 'binary'
}

export async function* run({ full, pick, wanted, profile }) {
  for (const role of ['server', 'client']) {
    for (const [size, label, bar] of sizes) {
      for (const kind of ['binary', 'ascii', 'mixed']) {
        const name = `${label} ${kind}, ${roles[role]}`
        if (!wanted(name) || !(full || isQuick(role, size, kind))) continue
        const children = pick.map(name => child(name, './workers/decode.js', [name], { flags, profile }))
        const total = size >= 16384 ? 16 * 2 ** 20 : 4 * 2 ** 20
        const ready = async each => {
          const { skip } = await each.ask({ do: 'prepare', role, kind, size, total })
          if (skip) return false
          await each.ask({ do: 'sample', ms: full ? 500 : 150 }) // warm
        }
        const samples = await rounds(
          children,
          full ? 9 : 5,
          each => each.ask({ do: 'sample', ms: full ? 200 : 60 }),
          ready
        )
        for (const each of children) await each.stop()
        const bars = Object.fromEntries(
          pick.filter(name => name.startsWith('ours')).map(name => [name, [{ of: 'ws', atLeast: bar }]])
        )
        yield row({ question: 'decode', name, measure: 'messages per CPU second', better: 'more', samples, bars })
      }
    }
  }
}
