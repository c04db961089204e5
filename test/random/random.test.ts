// Two applications on a lossy wire, ours with ours and ours with `ws`, 1,000 seeds: each side sees what it must. Each failure says how to
// repeat it; RANDOM_SEEDS and RANDOM_FROM select others.

import t from 'tap'
import { run } from './play.js'

const FROM = Number(process.env['RANDOM_FROM'] ?? 0)
const SEEDS = Number(process.env['RANDOM_SEEDS'] ?? 1000)
/** Number of failures that are shown in full. */
const TOLD = 10
t.setTimeout(300_000)

t.test('each side gets what it must, whatever the wire and the applications do', async t => {
  const before = process.getActiveResourcesInfo().sort()
  let failed = 0
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const { violations } = await run(seed)
    if (violations.length === 0) continue
    if (++failed <= TOLD) t.fail(`node test/random/run.js --seed ${seed} --shrink`, { violations })
  }
  t.equal(failed, 0, `of ${SEEDS} seeds`)
  t.same(process.getActiveResourcesInfo().sort(), before, 'nothing is left that keeps the process alive')
})

t.test('the same seed makes the same run', async t => {
  for (let seed = FROM; seed < FROM + 20; seed++) {
    const logs = [[], []] as [string[], string[]]
    for (const log of logs) await run(seed, { say: line => log.push(line) })
    t.same(logs[0], logs[1], `seed ${seed}`)
  }
})
