// The command line: many seeds, or one with a log, or the shortest schedule with which it fails.

import { inspect, parseArgs } from 'node:util'
import { FEATURES, type Feature, scenarioOf } from './choices.js'
import { run } from './play.js'

const USAGE = `node test/random/run.js [--seeds 2000] [--from 0] [--without ${FEATURES.join(',')}]
node test/random/run.js --seed N [--verbose] [--shrink]
`
/** Failures whose first violation is shown; the others are counted. */
const TOLD = 20

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '0' },
      seed: { type: 'string' },
      without: { type: 'string', default: '' },
      verbose: { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  const without = new Set(values.without.split(',').filter(name => name !== '') as Feature[])
  const unknown = [...without].filter(feature => !FEATURES.includes(feature))
  if (values.help || unknown.length > 0) {
    console.log(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n${USAGE}` : USAGE)
    return values.help ? 0 : 2
  }
  if (values.seed === undefined) return runMany(Number(values.from), Number(values.seeds), without)
  const seed = Number(values.seed)
  return values.shrink ? shrink(seed, without) : runOne(seed, without, values.verbose)
}

/** Prints events; consecutive bytes, and times at which nothing happens, are joined to one line. */
class Story {
  private mover = ''
  private sizes: string[] = []

  add(line: string): void {
    const [, mover, size] = /^(the wire to the \w+ brings|time:) (\d+)$/.exec(line) ?? []
    if (mover !== this.mover) this.end()
    if (mover === undefined) console.log(line)
    else this.sizes.push(size!)
    this.mover = mover ?? ''
  }

  end(): void {
    const { sizes } = this
    this.sizes = []
    const text =
      this.mover !== 'time:' && sizes.length > 12
        ? `${sizes.length} pieces, ${sizes.reduce((sum, size) => sum + Number(size), 0)} bytes`
        : sizes.join(', ')
    if (sizes.length > 0) console.log(`${this.mover} ${text}`)
  }
}

/** Runs one seed, with a log if requested. */
async function runOne(seed: number, without: Set<Feature>, verbose: boolean, steps?: number): Promise<number> {
  if (verbose) console.log(inspect(scenarioOf(seed, without), { depth: 4, breakLength: 140 }))
  const limit = steps === undefined ? {} : { steps }
  const story = new Story()
  const { violations } = await run(seed, { without, ...limit, say: verbose ? line => story.add(line) : null })
  story.end()
  for (const violation of violations) console.log(`✘ ${violation}`)
  if (violations.length === 0) console.log(`✔ seed ${seed}`)
  return violations.length === 0 ? 0 : 1
}

async function runMany(from: number, count: number, without: Set<Feature>): Promise<number> {
  const kinds = new Map<string, number[]>()
  let failed = 0
  const since = performance.now()
  for (let seed = from; seed < from + count; seed++) {
    const { violations } = await run(seed, { without })
    if (violations.length === 0) continue
    if (++failed <= TOLD) console.log(`seed ${seed}: ${violations.join('; ').slice(0, 500)}`)
    for (const violation of violations) {
      const kind = violation
        .split('\n')[0]!
        .replace(/^(client|server)/, 'side')
        .replace(/\d+/g, 'N')
      kinds.set(kind, [...(kinds.get(kind) ?? []), seed])
    }
  }
  const seconds = (performance.now() - since) / 1000
  const byNumber = [...kinds].sort(([, one], [, two]) => two.length - one.length)
  for (const [kind, seeds] of byNumber) console.log(`${seeds.length} × ${kind}: ${seeds.slice(0, 6).join(', ')}`)
  console.log(`${count} seeds, ${failed} failed, ${Math.round(count / seconds)} a second`)
  return failed === 0 ? 0 : 1
}

/** Finds the fewest choices after which the rest, without further choices, still fails; and shows them. */
async function shrink(seed: number, without: Set<Feature>): Promise<number> {
  const { violations, steps: most } = await run(seed, { without })
  if (violations.length === 0) {
    console.log(`seed ${seed} does not fail`)
    return 0
  }
  for (let steps = 0; steps < most; steps++) {
    const shorter = await run(seed, { without, steps })
    if (shorter.violations.length === 0) continue
    console.log(`seed ${seed} fails after ${steps} of ${most} choices`)
    return runOne(seed, without, true, steps)
  }
  return runOne(seed, without, true)
}
