// FUZZ_SEED and FUZZ_RUNS as in properties.ts; FUZZ_CASE is a case as a failure prints it, and runs only that.

import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { random } from '../support/frames.js'
import { findPython, needPeer } from '../support/peers.js'
import { damagedWire } from './arbitraries.js'
import { explain } from './differences.js'
import { mutate } from './mutate.js'
import { type Case, readWithOurs, readWithWs, type Verdict, WsprotoReader } from './readers.js'
import { readSeeds } from './seeds.js'

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_111_211)
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
t.setTimeout(300_000)

const ONLY = process.env['FUZZ_CASE']
/** Number of cases that are read together. */
const BATCH = 200
/** Number of failures that are shown in full. */
const TOLD = 5

const limits = fc.option(fc.constantFrom({ size: 100, fragments: 3 }, { size: 5000, fragments: 100 }), { freq: 2 })

const seeds = readSeeds(fileURLToPath(new URL('seeds', import.meta.url)), 'frame-parser')

/** Short wires, most of which are headers. */
const mutated = fc
  .tuple(fc.constantFrom(...seeds), fc.constantFrom(...seeds), fc.nat())
  .map(([seed, other, number]) => {
    const bytes = mutate(seed.subarray(2), random(number), other.subarray(2), [], 1000)
    return { bytes, masked: (seed[0]! & 1) === 0 }
  })

const cases: fc.Arbitrary<Case> = fc
  .tuple(fc.oneof(damagedWire, mutated), limits, fc.nat(255))
  .map(([{ bytes, masked }, limits, cut]) => ({ bytes, isServer: masked, limits, cut }))

function* batches(withLimits: boolean): Generator<Case[]> {
  if (ONLY !== undefined) {
    const { bytes, ...rest } = JSON.parse(ONLY) as Omit<Case, 'bytes'> & { bytes: string }
    yield [{ ...rest, bytes: Buffer.from(bytes, 'hex') }]
    return
  }
  for (let done = 0; done < RUNS; done += BATCH) {
    const batch = fc.sample(cases, { seed: SEED + done, numRuns: Math.min(BATCH, RUNS - done) })
    yield withLimits ? batch : batch.map(one => ({ ...one, limits: null }))
  }
}

/** The form of a case in the environment. */
const spelled = ({ bytes, ...rest }: Case): string => JSON.stringify({ ...rest, bytes: bytes.toString('hex') })

async function compare(
  t: Test,
  peer: 'ws' | 'wsproto',
  read: (cases: readonly Case[]) => Verdict[] | Promise<Verdict[]>
): Promise<void> {
  const known = new Map<string, number>()
  let failed = 0
  let same = 0
  for (const batch of batches(peer === 'ws')) {
    const theirs = await read(batch)
    for (const [i, given] of batch.entries()) {
      const ours = await readWithOurs(given)
      const difference = explain(peer, ours, theirs[i]!, given)
      if (difference === null) same++
      else if (difference !== undefined) known.set(difference.says, (known.get(difference.says) ?? 0) + 1)
      else if (++failed <= TOLD) {
        t.fail(`FUZZ_CASE='${spelled(given)}' npx tap test/fuzz/differential.test.ts`, { ours, theirs: theirs[i] })
      }
    }
  }
  for (const [says, times] of known) t.comment(`${times} times: ${says}`)
  t.equal(failed, 0, `${same} wires read alike, seed ${SEED}`)
}

t.test('we read a wire like ws: the same messages, control frames and codes, except for known differences', async t => {
  await compare(t, 'ws', cases => cases.map(readWithWs))
})

t.test(
  'we read a wire like wsproto: the same messages, control frames and codes, except for known differences',
  async t => {
    const python = needPeer(t, findPython('wsproto'), 'python3-wsproto')
    if (python === undefined) return
    const reader = new WsprotoReader(t, python)
    await compare(t, 'wsproto', cases => reader.read(cases))
  }
)
