// node benchmarks/profile.js FILE.cpuprofile [COUNT]: where the time of a --profile run went, the functions that took most of it
// themselves first.
// node benchmarks/profile.js --by part FILE.cpuprofile ...: the share of each part of the server.
// node benchmarks/profile.js --by part [--case TEXT] [--write]: the same of the echo's cases, which are run for it, two minutes;
// --write puts the table into benchmarks/README.md.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { child, label, put, short, sleep } from './harness.js'
import { PARTS, shares } from './parts.js'
import { startAll } from './servers/index.js'
import { canSeeSystemCalls, watchSystemCalls } from './system-calls.js'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { by: { type: 'string' }, case: { type: 'string' }, write: { type: 'boolean', default: false } }
})
if (options.by !== undefined && options.by !== 'part') throw new Error('--by takes: part')
const read = file => JSON.parse(readFileSync(file, 'utf8'))

// ---- by function ------------------------------------------------------------------------------------------------

function printFunctions([file, count = '15']) {
  const { nodes, samples, timeDeltas } = read(file)
  const byId = new Map(nodes.map(node => [node.id, node]))
  const own = new Map()
  let total = 0
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame
    const place = url.replace(/^.*\/(?=[^/]+\/[^/]+$)/, '')
    const name = `${functionName || '(anonymous)'}${place ? `  ${place}:${lineNumber + 1}` : ''}`
    if (functionName === '(idle)') return
    own.set(name, (own.get(name) ?? 0) + timeDeltas[i])
    total += timeDeltas[i]
  })
  const top = [...own].sort((a, b) => b[1] - a[1]).slice(0, Number(count))
  for (const [name, time] of top) console.log(`${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`)
}

// ---- by part ----------------------------------------------------------------------------------------------------

const SERVERS = ['ours: event, attach', 'ours: messages, pipes', 'ws']
const CASES = [
  { size: 125, count: 1, window: 1 },
  { size: 125, count: 50, window: 1 },
  { size: 125, count: 1, window: 100 },
  { size: 125, count: 50, window: 100 },
  { size: 125, count: 50, window: 100, kind: 'mixed' },
  { size: 16384, count: 50, window: 1 },
  { size: 16384, count: 1, window: 20 },
  { size: 65536, count: 50, window: 1 },
  { size: 2 ** 20, count: 1, window: 8 }
]
/** For how many milliseconds each is warmed, measured, and profiled, which itself costs CPU. */
const WARM = 500
const MEASURED = 1000
const PROFILED = 1500

/** What one server uses for each message. */
async function measure(server, load) {
  const look = () => Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  const [usage, mark] = await look()
  await sleep(MEASURED)
  const [usageAfter, markAfter] = await look()
  const cpu = usageAfter.cpu - usage.cpu
  return {
    micros: cpu / (markAfter.messages - mark.messages),
    others: usageAfter.others === undefined ? Number.NaN : (usageAfter.others - usage.others) / cpu,
    system: (usageAfter.system - usage.system) / cpu
  }
}

/** One server's turn at one case: warmed, measured, profiled. */
async function turn(server, load, request, folder, hasPerf) {
  const file = join(folder, 'one.cpuprofile')
  await load.ask({ do: 'open', port: server.port, ...request })
  await load.ask({ do: 'go' })
  await sleep(WARM)
  const used = await measure(server, load)
  const calls = hasPerf ? await watchSystemCalls(server.pid, MEASURED, join(folder, 'perf.data')) : {}
  await server.ask({ do: 'profile' })
  await sleep(PROFILED)
  await server.ask({ do: 'profiled', file })
  await load.ask({ do: 'finish' })
  return { ...used, calls, parts: shares(read(file)) }
}

const HEAD = [
  'case',
  'server',
  'µs of CPU',
  'other threads',
  'in the kernel',
  'write(2)',
  'read(2)',
  ...Object.keys(PARTS)
]
const percent = (share = Number.NaN) => (Number.isNaN(share) ? '' : `${Math.round(100 * share)}`)

/**
 * The case, the server, and its CPU for a message; what of that is not the main thread's, the kernel's, and of two system calls; then the
 * parts, which are shares of the main thread, and come to 100.
 */
function line(name, server, { micros, system, others, calls, parts }) {
  const ofProcess = [others, system, calls.write, calls.read].map(percent)
  return `| ${[name, server, short(micros), ...ofProcess, ...Object.values(parts).map(percent)].join(' | ')} |`
}

async function tableOfCases() {
  const folder = mkdtempSync(join(tmpdir(), 'profile-'))
  const hasPerf = canSeeSystemCalls()
  const load = child('load', './workers/load.js')
  const servers = await startAll(SERVERS)
  const lines = [`| ${HEAD.join(' | ')} |`, `|---|---|${'--:|'.repeat(HEAD.length - 2)}`]
  for (const request of CASES) {
    const { size, count, window, kind = 'binary' } = request
    const name = `${label(size)} ${kind}, ${count} × ${window}`
    if (options.case && !name.includes(options.case)) continue
    for (const server of servers) {
      const found = await turn(server, load, { ...request, kind }, folder, hasPerf)
      const [, shown] = /^(?:ours: )?(.*)$/.exec(server.name)
      lines.push(line(server === servers[0] || lines.length === 2 ? name : '', shown, found))
      console.error(lines.at(-1))
    }
  }
  for (const each of [...servers, load]) await each.stop()
  rmSync(folder, { recursive: true })
  return lines.join('\n')
}

if (options.by === undefined) printFunctions(positionals)
else if (positionals.length) {
  for (const file of positionals) {
    console.log(file)
    for (const [part, share] of Object.entries(shares(read(file)))) {
      console.log(`${(100 * share).toFixed(1).padStart(5)} %  ${part.padEnd(16)} ${PARTS[part]}`)
    }
  }
} else {
  const about = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}.`
  const text = `${about}\n\n${await tableOfCases()}`
  if (options.write) put('./README.md', text, 'parts')
  else console.log(text)
}
