// FAULT_SEED=n runs one seed and prints what happened; FAULT_RUNS=n and FAULT_FROM=n select other seeds.

import t, { type Test } from 'tap'
import { collectGarbage } from '../protocol/memory.js'
import { type Run, run, scenarioOf } from './scenario.js'
import { sweep } from './sweep.js'

const FROM = Number(process.env['FAULT_FROM'] ?? 1)
const RUNS = Number(process.env['FAULT_RUNS'] ?? 500)
t.setTimeout(300_000)

const ONLY = process.env['FAULT_SEED']
/** Number of failures that are shown in full. */
const TOLD = 5

/** Counts runs, and reports those that broke a rule. */
class Tally {
  runs = 0
  failed = 0

  constructor(private readonly t: Test) {}

  add({ violations, log }: Run, says: string): void {
    this.runs++
    if (violations.length === 0) return
    if (++this.failed <= TOLD) this.t.fail(says, { violations, log: log.slice(-20) })
  }

  end(): void {
    this.t.equal(this.failed, 0, `${this.runs} runs`)
  }
}

async function runAndForget(seed: number): Promise<WeakRef<object>[]> {
  const { applications } = await run(seed)
  return applications.flatMap(application => [new WeakRef<object>(application), new WeakRef<object>(application.ws)])
}

if (ONLY !== undefined) {
  t.test(`the run of seed ${ONLY}`, async t => {
    const { log, violations } = await run(Number(ONLY))
    t.comment(JSON.stringify(scenarioOf(Number(ONLY)), null, 1))
    for (const line of log) t.comment(line)
    t.same(violations, [])
  })
} else {
  t.test('whatever the wire and the applications do, both sides end', async t => {
    const before = process.getActiveResourcesInfo().sort()
    const tally = new Tally(t)
    for (let seed = FROM; seed < FROM + RUNS; seed++) {
      tally.add(await run(seed), `FAULT_SEED=${seed} npx tap test/faults/faults.test.ts`)
    }
    tally.end()
    t.same(process.getActiveResourcesInfo().sort(), before, 'nothing is left that keeps the process alive')
  })

  t.test('whatever byte a fault follows, both sides end', async t => {
    const tally = new Tally(t)
    for await (const { run, says } of sweep()) tally.add(run, says)
    tally.end()
  })

  t.test('the same seed makes the same run', async t => {
    for (const seed of [1, 2, 3]) t.same((await run(seed)).log, (await run(seed)).log)
  })

  t.test('nothing of a connection remains when it has ended', async t => {
    const left: WeakRef<object>[] = []
    for (let seed = FROM; seed < FROM + 40; seed++) left.push(...(await runAndForget(seed)))
    // a WeakRef keeps its target until the end of the turn
    for (let i = 0; i < 3; i++) {
      await new Promise(resolve => setImmediate(resolve))
      collectGarbage()
    }
    t.equal(left.filter(ref => ref.deref() !== undefined).length, 0, `of ${left.length} objects`)
  })
}
