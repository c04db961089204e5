// Runs one seed: two applications on a lossy wire, until all is over; returns the rules that were broken. The same seed always makes the
// same run: only one thing moves at a time, in an order that the seed decides, and time passes only when nothing else can happen.

import { permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import type { Application } from './application.js'
import { type Feature, type Options, type Random, randomFrom, type Scenario, scenarioOf } from './choices.js'
import { type Outcome, violations } from './model.js'
import { OurApplication } from './ours.js'
import { TheirApplication } from './theirs.js'
import { VirtualTime } from './virtual-time.js'
import { Direction, Wire, type WireEnd } from './wire.js'
import * as zlibInTurn from './zlib-in-turn.js'

/** A run with more steps than this counts as endless. */
const MOST_STEPS = 20_000
/** Idle turns of the event loop before time passes. */
const IDLE_TURNS = 12
/** Milliseconds within which a connection that ends at all has ended. */
const LONGEST_TIME = 600_000

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export interface RunOptions {
  readonly without?: ReadonlySet<Feature>
  /** Choices after which the applications only read and end. */
  readonly steps?: number
  readonly say?: ((line: string) => void) | null
}

export interface Run {
  readonly violations: readonly string[]
  /** The number of choices made. */
  readonly steps: number
}

export async function run(seed: number, { without = new Set(), steps, say = null }: RunOptions = {}): Promise<Run> {
  const scenario = scenarioOf(seed, without)
  const clock = new VirtualTime()
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.setUncaughtExceptionCaptureCallback(note)
  zlibInTurn.install()
  clock.install()
  try {
    const play = new Play(seed, scenario, without, clock, note, say)
    const isOver = await play.toTheEnd(steps ?? Number.POSITIVE_INFINITY)
    const { wire, applications, overAt } = play
    const outcome: Outcome = { scenario, wire, applications, overAt, clock, isOver, uncaught }
    return { violations: violations(outcome), steps: play.steps }
  } finally {
    clock.uninstall()
    zlibInTurn.uninstall()
    process.setUncaughtExceptionCaptureCallback(null)
  }
}

class Play {
  readonly wire: Wire
  readonly applications: readonly [Application, Application]
  overAt = 0
  steps = 0
  private readonly random: Random
  private readonly enders: (0 | 1)[]

  constructor(
    seed: number,
    private readonly scenario: Scenario,
    private readonly without: ReadonlySet<Feature>,
    private readonly clock: VirtualTime,
    private readonly note: (error: unknown) => void,
    private readonly say: ((line: string) => void) | null
  ) {
    this.random = randomFrom(seed ^ 0x5eed)
    this.enders = [...scenario.enders]
    this.wire = new Wire({ ...scenario, random: this.random })
    for (const end of this.wire.ends) end.on('error', () => {})
    // the server listens first
    const server = this.make(1)
    this.applications = [this.make(0), server]
  }

  private make(i: 0 | 1): Application {
    const { kinds, plans, options, joins } = this.scenario
    const name = i === 0 ? 'client' : 'server'
    const end = this.wire.ends[i]
    if (kinds[i] === 'ws') return new TheirApplication(name, end, plans[i], options[i], this.random, this.say)
    const abort = new AbortController()
    const settings = { ...optionsOf(options[i], kinds[1 - i] === 'ws'), signal: abort.signal }
    const { version, ...serverSettings } = settings
    const ws = i === 0 ? WebSocketStream.client('ws://a/', settings) : WebSocketStream.server(serverSettings)
    const application = new OurApplication(name, ws, end, plans[i], this.random, this.without, abort, this.say)
    joinTo(ws, end, joins[i]!)
    return application
  }

  private get isOver(): boolean {
    return this.applications.every(({ isOver }) => isOver)
  }

  /** Runs to the end; false if there is none. */
  async toTheEnd(limit: number): Promise<boolean> {
    for (let idle = 0, turns = 0; turns < MOST_STEPS; turns++) {
      await nextTurn()
      if (!this.isOver) this.overAt = this.clock.now
      if (this.steps === limit) this.settle()
      if (this.step(this.steps >= limit)) {
        idle = 0
        continue
      }
      // work of this turn of the event loop comes before timers
      if (zlibInTurn.pending > 0) idle = 0
      if (++idle < IDLE_TURNS) continue
      idle = 0
      const ender = this.enders.shift()
      if (ender !== undefined) this.end(ender)
      else if (this.isOver || !this.passTime()) break
    }
    for (let i = 0; i < IDLE_TURNS; i++) await nextTurn()
    while (this.isOver && this.passTime()) await nextTurn()
    return this.isOver
  }

  /** From here on the seed decides nothing. */
  private settle(): void {
    for (const application of this.applications) application.settle()
    for (const direction of this.wire.directions) direction.isPlain = true
  }

  private passTime(): boolean {
    // a connection that keepalive keeps open for ever does not end
    if (this.clock.now > LONGEST_TIME) return false
    const passed = this.guard(() => this.clock.advance())
    if (passed) this.say?.(`time: ${this.clock.now}`)
    return passed !== false
  }

  private end(i: 0 | 1): void {
    this.guard(() => this.applications[i].finish())
  }

  /** Makes one step; false if there is nothing to do. */
  private step(isPlain: boolean): boolean {
    // sometimes a side ends while others are still writing
    if (!isPlain && this.enders.length > 0 && this.random() < 0.02) {
      this.steps++
      this.end(this.enders.shift()!)
      return true
    }
    const actors = [...this.wire.directions, ...this.applications].filter(({ isBusy }) => isBusy)
    const actor = actors[Math.floor(this.random() * actors.length)]
    if (actor === undefined) return false
    this.steps++
    this.guard(() => (actor instanceof Direction ? this.move(actor) : actor.step()))
    return true
  }

  private move(direction: Direction): void {
    const what = direction.step()
    this.say?.(`the wire to the ${direction === this.wire.directions[0] ? 'server' : 'client'} ${what}`)
  }

  /** Catches what a listener throws, which comes out of the call that moved the wire. */
  private guard<T>(run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      this.note(error)
      return undefined
    }
  }
}

function joinTo(ws: WebSocketStream, end: WireEnd, join: 'attach' | 'pipe'): void {
  if (join === 'attach') ws.attach(end)
  else end.pipe(ws).pipe(end)
}

function optionsOf(options: Options, isForWs: boolean): WebSocketOptions & { version: 13 | 8 | 7 } {
  const { highWaterMark, fragmentSize, keepalive, compresses, version } = options
  return {
    highWaterMark,
    fragmentSize,
    // ws does not support version 7
    version: isForWs && version === 7 ? 13 : version,
    keepalive: keepalive && { interval: 1000 },
    extensions: compresses ? [permessageDeflate({ threshold: 0 })] : []
  }
}
