// Runs one seed: two WebSocketStreams on a faulty wire, with an application on either side, until all is over; returns the rules that
// were broken. The same seed always makes the same run.

import type { WebSocketOptions } from '../../lib/index.js'
import { WebSocketStream } from '../../lib/websocket-stream.js'
import { random as randomFrom } from '../support/frames.js'
import { Application, type Plan, type Reader } from './application.js'
import { VirtualClock } from './clock.js'
import { type Outcome, violations } from './invariants.js'
import { KNOWN } from './known.js'
import { type Fault, type Random, Transport } from './transport.js'

/** The choices for a run. */
export interface Scenario {
  readonly faults: readonly [Fault | null, Fault | null]
  readonly capacity: number
  readonly largest: number
  readonly allowHalfOpen: boolean
  /** How the client and the server are joined to the wire. */
  readonly joins: readonly ['attach' | 'pipe', 'attach' | 'pipe']
  readonly plans: readonly [Plan, Plan]
  readonly options: readonly [WebSocketOptions, WebSocketOptions]
  /** Which of them end the connection themselves, in this order. */
  readonly enders: readonly (0 | 1)[]
}

/** A run with more steps than this counts as endless. */
const MOST_STEPS = 20000

const pick = <T>(random: Random, ...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!

export function scenarioOf(seed: number): Scenario {
  const random = randomFrom(seed)
  const isFaulty = random() < 0.5
  const fault = (): Fault => {
    // the handshake takes some 150 bytes each way
    const after = Math.floor(random() < 0.4 ? random() * 200 : random() ** 2 * 5000)
    return { kind: pick(random, 'reset', 'end', 'stall'), after }
  }
  const one = random() < 0.7
  const first = one && random() < 0.5
  const faults = [isFaulty && (!one || first) ? fault() : null, isFaulty && (!one || !first) ? fault() : null] as const
  const order = random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const)
  const plans = [planOf(random), planOf(random)] as const
  // a connection with a broken wire, or with a side that does not read, is ended by both
  const needsBoth = isFaulty || plans.some(({ reader }) => reader === 'nobody')
  return {
    faults,
    capacity: pick(random, 1, 100, 16384, 65536),
    largest: pick(random, 1, 10, 1000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
    allowHalfOpen: random() < 0.5,
    joins: [pick(random, 'attach', 'pipe'), pick(random, 'attach', 'pipe')],
    plans,
    options: [optionsOf(random), optionsOf(random)],
    enders: needsBoth || random() < 0.5 ? order : order.slice(0, 1)
  }
}

function planOf(random: Random): Plan {
  const reader = pick<Reader>(random, 'listener', 'listener', 'view', 'pausing', 'iterator', 'nobody')
  const endings: Plan['ending'][] = ['close', 'close', 'close', 'end', 'destroy', 'destroy-view']
  return {
    reader,
    actions: Math.floor(random() ** 2 * 20),
    ending: reader === 'iterator' && random() < 0.3 ? 'leave-loop' : pick(random, ...endings),
    usesView: random() < 0.5
  }
}

function optionsOf(random: Random): WebSocketOptions {
  return {
    highWaterMark: pick(random, undefined, undefined, 0, 1, 1000),
    fragmentSize: pick(random, undefined, undefined, 1000, 50),
    keepalive: pick(random, undefined, undefined, { interval: 1000 })
  }
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export interface Run {
  readonly seed: number
  /** The rules that were broken. */
  readonly violations: readonly string[]
  /** The number of known violations. */
  readonly knownViolations: number
  /** What happened, step by step. */
  readonly log: readonly string[]
  readonly applications: readonly [Application, Application]
}

/** Runs the choices of `seed`, with those of `scenario` in their place. */
export async function run(seed: number, scenario = scenarioOf(seed)): Promise<Run> {
  const log: string[] = []
  const clock = new VirtualClock()
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', note).on('unhandledRejection', note)
  clock.install()
  try {
    const play = new Play(seed, scenario, clock, log)
    const isOver = await play.toTheEnd()
    const outcome: Outcome = { ...play, scenario, clock, isOver, uncaught }
    const all = violations(outcome)
    const unknown = all.filter(violation => !KNOWN.some(({ explains }) => explains(violation, outcome)))
    return {
      seed,
      log,
      violations: unknown,
      knownViolations: all.length - unknown.length,
      applications: play.applications
    }
  } finally {
    clock.uninstall()
    process.off('uncaughtException', note).off('unhandledRejection', note)
  }
}

class Play {
  readonly transport: Transport
  readonly applications: readonly [Application, Application]
  /** The time when both sides had ended. */
  overAt = 0
  private readonly random: Random
  private readonly enders: (0 | 1)[]

  constructor(
    seed: number,
    { joins, plans, options, enders, ...wire }: Scenario,
    private readonly clock: VirtualClock,
    private readonly log: string[]
  ) {
    this.random = randomFrom(seed ^ 0x5eed)
    this.enders = [...enders]
    this.transport = new Transport({ ...wire, random: this.random })
    const streams = [WebSocketStream.client('ws://a/', options[0]), WebSocketStream.server(options[1])] as const
    const say = (line: string): void => void log.push(line)
    this.applications = [
      new Application('client', streams[0], plans[0], this.random, say),
      new Application('server', streams[1], plans[1], this.random, say)
    ]
    streams.forEach((ws, i) => {
      const end = this.transport.ends[i]!
      end.on('error', () => {})
      if (joins[i] === 'attach') ws.attach(end)
      else end.pipe(ws).pipe(end)
    })
  }

  private get isOver(): boolean {
    return this.applications.every(({ closes }) => closes.length > 0)
  }

  /** False if it does not end. */
  async toTheEnd(): Promise<boolean> {
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      await nextTurn()
      if (!this.isOver) this.overAt = this.clock.now
      else if (!this.isBusy) break
      if (this.step()) continue
      // work of this turn of the event loop comes before timers
      await nextTurn()
      await nextTurn()
      if (this.isBusy) continue
      const ender = this.enders.shift()
      if (ender !== undefined) this.applications[ender].finish()
      else if (!this.passTime()) break
    }
    while (this.passTime()) await nextTurn()
    for (let i = 0; i < 5; i++) await nextTurn()
    return this.isOver
  }

  private passTime(): boolean {
    // a connection that keepalive keeps open for ever does not end
    if (this.clock.now > 100_000_000) return false
    const passed = this.clock.advance()
    if (passed) this.log.push(`time: ${this.clock.now}`)
    return passed
  }

  private get isBusy(): boolean {
    return this.transport.isBusy || this.applications.some(({ isBusy }) => isBusy)
  }

  private step(): boolean {
    // sometimes a side ends while others are still writing
    if (this.enders.length > 0 && this.random() < 0.02) {
      this.applications[this.enders.shift()!].finish()
      return true
    }
    const actors = [this.transport, ...this.applications].filter(({ isBusy }) => isBusy)
    const actor = actors[Math.floor(this.random() * actors.length)]
    actor?.step()
    return actor !== undefined
  }
}
