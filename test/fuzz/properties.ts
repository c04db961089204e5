// Checks properties with a fixed seed, which is printed, so that every run of the tests is the same; another seed, more runs,
// or the path to one failure come from the environment:
//
//     FUZZ_SEED=7 FUZZ_RUNS=10000 npx tap test/fuzz/protocol.test.ts
//     FUZZ_SEED=7 FUZZ_PATH=12:3 npx tap test/fuzz/protocol.test.ts

import fc, { type IAsyncProperty, type IProperty, type Parameters } from 'fast-check'
import type { Test } from 'tap'

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_111_211)
const RUNS = process.env['FUZZ_RUNS']
const PATH = process.env['FUZZ_PATH']

/** Checks one property; `runs` is how often by default. */
export async function holds<T>(t: Test, property: IProperty<T> | IAsyncProperty<T>, runs: number): Promise<void> {
  const numRuns = RUNS === undefined ? runs : Number(RUNS)
  const parameters: Parameters<T> = { seed: SEED, numRuns, ...(PATH === undefined ? {} : { path: PATH }) }
  const details = await fc.check(property as IAsyncProperty<T>, parameters)
  const { failed, counterexamplePath } = details
  if (failed) t.fail(`FUZZ_SEED=${SEED} FUZZ_PATH=${counterexamplePath}`, { report: fc.defaultReportMessage(details) })
  else t.pass(`${details.numRuns} runs, seed ${SEED}`)
}
