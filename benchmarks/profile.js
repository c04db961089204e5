// node benchmarks/profile.js FILE.cpuprofile [COUNT]: where the time of a --profile run went, the functions that took
// most of it themselves first.

import { readFileSync } from 'node:fs'

const [file, count = '15'] = process.argv.slice(2)
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'))
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
