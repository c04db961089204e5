// What does it cost to load the package? A process for each sample: the time of `import`, and the heap behind it when all garbage is
// collected. `node:http` is loaded before the clock starts, since every server of WebSockets has it.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { at, column, rounds, row } from '../harness.js'

export const title = 'Importing the package'
export const contestants = ['ours', 'ours, as ws', 'ws', 'undici', 'websocket-driver', 'faye-websocket', 'websocket']
export const quick = ['ours', 'ours, as ws', 'ws', 'websocket-driver']
export const checked = false

const MODULES = { ours: 'websocket-duplex', 'ours, as ws': 'websocket-duplex/ws' }

const PROGRAM = `
import 'node:http'
gc()
const heap = process.memoryUsage().heapUsed
const began = performance.now()
const cpu = process.cpuUsage()
await import(process.argv[1])
const { user, system } = process.cpuUsage(cpu)
const time = performance.now() - began
gc()
console.log(JSON.stringify({ time, cpu: (user + system) / 1000, heap: process.memoryUsage().heapUsed - heap }))
`

async function measure(name) {
  const args = ['--expose-gc', '--input-type=module', '--eval', PROGRAM, MODULES[name] ?? name]
  // our own package is found by its name from within it
  const cwd = at(MODULES[name] === undefined ? '.' : '..')
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd })
  return JSON.parse(stdout)
}

export async function* run({ full, pick, wanted }) {
  const name = 'import of the package'
  if (!wanted(name)) return
  const contestants = pick.map(name => ({ name }))
  const taken = await rounds(contestants, full ? 21 : 9, ({ name }) => measure(name))
  const common = { question: 'imports', name, better: 'less', plain: true }
  yield row({ ...common, measure: 'ms', samples: column(taken, 'time') })
  yield row({ ...common, measure: 'ms of CPU', samples: column(taken, 'cpu') })
  yield row({ ...common, measure: 'bytes of heap', samples: column(taken, 'heap') })
}
