// node benchmarks/profile.js FILE.cpuprofile [COUNT]: where the time of a --profile run went, the functions that took most of it
// themselves first.
// node benchmarks/profile.js --by part FILE.cpuprofile ...: the share of each part of the server.
// node benchmarks/profile.js --by part [--case TEXT] [--write]: the same, by Linux's perf, of the echo's cases, which are run for it: a
// minute and a half. --write puts the table into benchmarks/README.md.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { child, label, put, short, sleep } from './harness.js'
import { PARTS, sharesOfProfile, sharesOfStacks } from './parts.js'
import { FLAGS, forget, hasPerf, sampleStacks } from './perf.js'
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
/** For how many milliseconds each is warmed, and then sampled. */
const WARM = 700
const SAMPLED = 1500

/** One server's turn at one case: warmed, then sampled while its messages are counted. */
async function turn(server, load, request) {
  const look = () => Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await load.ask({ do: 'open', port: server.port, ...request })
  await load.ask({ do: 'go' })
  await sleep(WARM)
  const [usage, mark] = await look()
  const sampled = sampleStacks(server.pid, SAMPLED)
  await sleep(SAMPLED)
  const [usageAfter, markAfter] = await look()
  await load.ask({ do: 'finish' })
  const micros = (usageAfter.cpu - usage.cpu) / (markAfter.messages - mark.messages)
  const parts = sharesOfStacks(await sampled)
  // no echo is without it
  if (parts['write(2)'] === 0) throw new Error('perf shows no names of the kernel: sysctl kernel.kptr_restrict=0')
  return { micros, parts }
}

const HEAD = ['case', 'server', 'µs of CPU', ...Object.keys(PARTS)]

async function tableOfCases() {
  if (!hasPerf())
    throw new Error(
      'perf is not here, or may not look into the kernel: apt-get install linux-perf, and run this as root'
    )
  const load = child('load', './workers/load.js')
  const servers = await startAll(SERVERS, { flags: FLAGS })
  const lines = [`| ${HEAD.join(' | ')} |`, `|---|---|${'--:|'.repeat(HEAD.length - 2)}`]
  for (const request of CASES) {
    const { size, count, window, kind = 'binary' } = request
    const name = `${label(size)} ${kind}, ${count} connection${count > 1 ? 's' : ''}, ${window} in flight`
    if (options.case && !name.includes(options.case)) continue
    for (const server of servers) {
      const { micros, parts } = await turn(server, load, { ...request, kind })
      const cells = [server === servers[0] ? name : '', server.name.replace('ours: ', ''), short(micros)]
      lines.push(`| ${[...cells, ...Object.values(parts).map(share => Math.round(100 * share))].join(' | ')} |`)
    }
  }
  for (const each of [...servers, load]) await each.stop()
  for (const { pid } of servers) forget(pid)
  return lines.join('\n')
}

if (options.by === undefined) printFunctions(positionals)
else if (positionals.length) {
  for (const file of positionals) {
    console.log(file)
    for (const [part, share] of Object.entries(sharesOfProfile(read(file)))) {
      console.log(`${(100 * share).toFixed(1).padStart(5)} %  ${part.padEnd(16)} ${PARTS[part]}`)
    }
  }
} else {
  const about = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}.`
  const text = `${about}\n\n${await tableOfCases()}`
  if (options.write) put('./README.md', text, 'parts')
  else console.log(text)
}
