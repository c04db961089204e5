// node benchmarks/profile.js FILE.cpuprofile [COUNT]: where the time of a --profile run went, the functions that took most of it
// themselves first.
// node benchmarks/profile.js --by part FILE.cpuprofile ...: the share of each part of the server.
// node benchmarks/profile.js --by part [--case TEXT] [--write]: the same of the echo's cases, which are run for it, a minute and a half;
// --write puts the table into benchmarks/README.md.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { child, label, put, short, sleep } from './harness.js'
import { PARTS, shares } from './parts.js'
import { startAll } from './servers/index.js'

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
/** For how long each is warmed, and then profiled. */
const WARM = 500
const PROFILED = 1500

/** One server's turn at one case, profiled once it is warm. */
async function turn(server, load, request, file) {
  await load.ask({ do: 'open', port: server.port, ...request })
  await load.ask({ do: 'go' })
  await sleep(WARM)
  await server.ask({ do: 'profile' })
  const [usage, mark] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await sleep(PROFILED)
  const [usageAfter, markAfter] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await server.ask({ do: 'profiled', file })
  await load.ask({ do: 'finish' })
  const cpu = usageAfter.cpu - usage.cpu
  const others = usageAfter.others === undefined ? Number.NaN : (usageAfter.others - usage.others) / cpu
  return {
    micros: cpu / (markAfter.messages - mark.messages),
    system: (usageAfter.system - usage.system) / cpu,
    others,
    parts: shares(read(file))
  }
}

const HEAD = ['case', 'server', 'µs of CPU', 'in the kernel', 'other threads', ...Object.keys(PARTS)]
const percent = share => (Number.isNaN(share) ? '' : `${Math.round(100 * share)}`)

/** The case, the server and what it used; then the parts, which are shares of the main thread, and come to 100. */
function line(name, server, { micros, system, others, parts }) {
  const cells = [name, server, short(micros), percent(system), percent(others), ...Object.values(parts).map(percent)]
  return `| ${cells.join(' | ')} |`
}

async function tableOfCases() {
  const folder = mkdtempSync(join(tmpdir(), 'profile-'))
  const load = child('load', './workers/load.js')
  const servers = await startAll(SERVERS)
  const lines = [`| ${HEAD.join(' | ')} |`, `|---|---|${'--:|'.repeat(HEAD.length - 2)}`]
  for (const request of CASES) {
    const { size, count, window, kind = 'binary' } = request
    const name = `${label(size)} ${kind}, ${count} × ${window}`
    if (options.case && !name.includes(options.case)) continue
    for (const server of servers) {
      const found = await turn(server, load, { ...request, kind }, join(folder, 'one.cpuprofile'))
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
