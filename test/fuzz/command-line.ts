// Reads the arguments of `npm run fuzz`, runs the campaigns, and prints their results.

import { parseArgs } from 'node:util'
import { random } from '../support/frames.js'
import { Campaign, type Result } from './campaign.js'
import { branchesSeen } from './coverage.js'
import { readSeeds } from './seeds.js'
import type { Target } from './targets/target.js'
import { TARGETS } from './targets.js'
import { Watchdog } from './watchdog.js'

const USAGE = `npm run fuzz -- [--minutes N] [--inputs N] [--target NAME,NAME] [--seed N] [--replay HEX]
  --minutes  for all targets together (default 1)
  --inputs   for each target at most (default: no limit)
  --target   some of: ${TARGETS.map(({ name }) => name).join(', ')} (default: all)
  --seed     of the pseudo-random numbers (default: the time of day)
  --replay   one input of one target, in hexadecimal digits`

/** Milliseconds that one input may take. */
const PATIENCE = 5000

interface Wishes {
  targets: readonly Target[]
  minutes: number
  inputs: number
  seed: number
  replay: Buffer | null
}

function readWishes(args: string[]): Wishes {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '1' },
      inputs: { type: 'string', default: 'Infinity' },
      target: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      replay: { type: 'string' }
    }
  })
  const names = values.target?.split(',')
  const targets = names?.map(name => TARGETS.find(target => target.name === name)) ?? TARGETS
  const [minutes, inputs, seed] = [values.minutes, values.inputs, values.seed].map(Number) as [number, number, number]
  if (!targets.every(target => target !== undefined) || !(minutes > 0) || !(inputs > 0) || !Number.isInteger(seed)) {
    throw new TypeError(USAGE)
  }
  const replay = values.replay === undefined ? null : Buffer.from(values.replay, 'hex')
  if (replay !== null && names?.length !== 1) throw new TypeError(USAGE)
  return { targets: targets as Target[], minutes, inputs, seed, replay }
}

/** Returns the exit status: 1 if there was a finding, 2 if the arguments are invalid. */
export async function main(args: string[], seedFolder: string): Promise<number> {
  let wishes: Wishes
  try {
    wishes = readWishes(args)
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
  const { targets, minutes, inputs, seed, replay } = wishes
  if (replay !== null) {
    await targets[0]!.run(replay)
    console.log(`${targets[0]!.name}: nothing was found wrong`)
    return 0
  }
  console.log(`seed ${seed}, ${minutes} minutes, ${targets.length} targets`)
  const watchdog = new Watchdog(PATIENCE)
  const limits = { inputs, milliseconds: (minutes * 60_000) / targets.length }
  let findings = 0
  let total = 0
  for (const target of targets) {
    const seeds = readSeeds(seedFolder, target.name)
    const result = await new Campaign(target, random(seed), watchdog).run(seeds, limits)
    total += result.inputs
    report(target, seeds.length, result)
    if (result.finding !== undefined) findings++
  }
  console.log(`${total} inputs, ${findings} findings`)
  return findings === 0 ? 0 : 1
}

function report({ name }: Target, seeds: number, { inputs, corpus, milliseconds, finding }: Result): void {
  const rate = Math.round((inputs / milliseconds) * 1000)
  const grown = `corpus ${seeds} -> ${corpus.length}, ${branchesSeen()} branches`
  console.log(`${name.padEnd(16)} ${inputs} inputs in ${Math.round(milliseconds)} ms, ${rate}/s, ${grown}`)
  if (finding === undefined) return
  const { error, input } = finding
  console.log(error instanceof Error ? (error.stack ?? error.message) : String(error))
  console.log(`npm run fuzz -- --target ${name} --replay ${input.toString('hex')}`)
}
