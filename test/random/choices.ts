// What a seed decides: the two implementations, the wire, the options, and what the applications plan to do.

import { random as randomFrom } from '../support/frames.js'
import type { Fault } from './wire.js'

export type Random = () => number

export { randomFrom }

export const pick = <T>(random: Random, ...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!

/** Features that can be disabled in all runs, to see what fails without them. */
export const FEATURES = ['throws', 'reuse', 'faults', 'ws', 'compression', 'pieces', 'sources', 'destroys'] as const
export type Feature = (typeof FEATURES)[number]

export type Reader = 'event' | 'data' | 'pausing' | 'loop' | 'streams' | 'nobody'
export type Ending = 'close' | 'end' | 'destroy' | 'destroy the view' | 'abort'

/** The plan of one application. */
export interface Plan {
  readonly reader: Reader
  /** Number of messages, pings and the like. */
  readonly actions: number
  readonly ending: Ending
  /** This side throws in this call of a listener or callback; 0 for never. */
  readonly throwsAt: number
}

export interface Options {
  readonly highWaterMark: number | undefined
  readonly fragmentSize: number | undefined
  readonly keepalive: boolean
  readonly compresses: boolean
  readonly version: 13 | 8 | 7
}

/** Everything that is decided beforehand. */
export interface Scenario {
  /** Client and server. */
  readonly kinds: readonly ['ours' | 'ws', 'ours' | 'ws']
  readonly joins: readonly ['attach' | 'pipe', 'attach' | 'pipe']
  readonly plans: readonly [Plan, Plan]
  readonly options: readonly [Options, Options]
  readonly faults: readonly [Fault | null, Fault | null]
  readonly capacity: number
  readonly largest: number
  readonly allowHalfOpen: boolean
  /** The sides that end the connection themselves, in this order. */
  readonly enders: readonly (0 | 1)[]
}

const KINDS: readonly Scenario['kinds'][] = [
  ['ours', 'ours'],
  ['ours', 'ours'],
  ['ours', 'ws'],
  ['ws', 'ours']
]

/** The same draws whatever is disabled, so that a seed keeps its meaning. */
export function scenarioOf(seed: number, without: ReadonlySet<Feature> = new Set()): Scenario {
  const random = randomFrom(seed)
  const kinds = pick(random, ...KINDS)
  const faults = faultsOf(random)
  const plans = [planOf(random, without), planOf(random, without)] as const
  const options = [optionsOf(random, without), optionsOf(random, without)] as const
  const order = random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const)
  const isFaulty = faults.some(fault => fault !== null)
  // a connection with a broken wire, or with a side that does not read, is ended by both
  const needsBoth = isFaulty || plans.some(({ reader }) => reader === 'nobody')
  const both = random() < 0.5 || needsBoth
  return {
    kinds: without.has('ws') ? ['ours', 'ours'] : kinds,
    joins: [pick(random, 'attach', 'pipe'), pick(random, 'attach', 'pipe')],
    plans,
    options,
    faults: without.has('faults') ? [null, null] : faults,
    capacity: pick(random, 1, 100, 16384, 65536),
    largest: pick(random, 1, 10, 1000, Infinity, Infinity),
    allowHalfOpen: random() < 0.5,
    enders: both ? order : order.slice(0, 1)
  }
}

function faultsOf(random: Random): [Fault | null, Fault | null] {
  const isFaulty = random() < 0.4
  const where = random()
  const fault = (): Fault => {
    // the handshake takes some 150 bytes each way
    const after = Math.floor(random() < 0.4 ? random() * 250 : random() ** 2 * 5000)
    return { kind: pick(random, 'reset', 'end', 'stall'), after }
  }
  const [there, back] = [fault(), fault()]
  if (!isFaulty) return [null, null]
  return [where < 0.65 ? there : null, where > 0.35 ? back : null]
}

function planOf(random: Random, without: ReadonlySet<Feature>): Plan {
  const reader = pick<Reader>(random, 'event', 'event', 'data', 'pausing', 'loop', 'streams', 'nobody')
  const actions = Math.floor(random() ** 2 * 20)
  const ending = pick<Ending>(random, 'close', 'close', 'close', 'end', 'destroy', 'destroy the view', 'abort')
  const throws = random() < 0.2
  const throwsAt = 1 + Math.floor(random() * 12)
  const destroys = !without.has('destroys')
  return {
    reader: reader === 'nobody' && !destroys ? 'event' : reader,
    actions,
    ending: ending.startsWith('destroy') && !destroys ? 'close' : ending,
    throwsAt: throws && !without.has('throws') ? throwsAt : 0
  }
}

function optionsOf(random: Random, without: ReadonlySet<Feature>): Options {
  const compresses = random() < 0.3
  return {
    highWaterMark: pick(random, undefined, undefined, 0, 1, 1000),
    fragmentSize: pick(random, undefined, undefined, 1000, 50),
    keepalive: random() < 0.3,
    compresses: compresses && !without.has('compression'),
    version: pick(random, 13, 13, 13, 8, 7)
  }
}
