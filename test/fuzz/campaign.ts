// Runs one target on its seeds and on mutations of them, keeps inputs that reached something new, and stops at a finding,
// which it makes as small as it can.

import { clearHits, clearSeen, takeNews } from './coverage.js'
import { mutate, type Random } from './mutate.js'
import type { Target } from './targets/target.js'
import type { Watchdog } from './watchdog.js'

export interface Result {
  readonly inputs: number
  readonly corpus: readonly Buffer[]
  readonly milliseconds: number
  readonly finding?: { readonly input: Buffer; readonly error: unknown }
}

export interface Limits {
  readonly milliseconds: number
  readonly inputs: number
}

const MAX_LENGTH = 1024
/** Inputs made from one entry of the corpus before the next one is used. */
const CHILDREN = 64
/** Attempts to make a finding smaller. */
const SHRINKING = 2000

export class Campaign {
  private readonly corpus: Buffer[] = []
  private readonly words: readonly Buffer[]
  private readonly maxLength: number
  private inputs = 0
  // an uncaught error while an input ran
  private uncaught: { error: unknown } | null = null

  constructor(
    private readonly target: Target,
    private readonly random: Random,
    private readonly watchdog: Watchdog
  ) {
    this.words = (target.words ?? []).map(word => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word))
    this.maxLength = target.maxLength ?? MAX_LENGTH
  }

  async run(seeds: readonly Buffer[], limits: Limits): Promise<Result> {
    const started = performance.now()
    const note = (error: unknown): void => {
      this.uncaught = { error }
    }
    process.on('uncaughtException', note).on('unhandledRejection', note)
    this.watchdog.begin(this.target.name)
    clearSeen()
    try {
      const failed = (await this.take(seeds)) ?? (await this.explore(started, limits))
      const finding = failed === null ? {} : { finding: await this.shrink(failed) }
      return { inputs: this.inputs, corpus: this.corpus, milliseconds: performance.now() - started, ...finding }
    } finally {
      this.watchdog.end()
      process.off('uncaughtException', note).off('unhandledRejection', note)
    }
  }

  private async take(seeds: readonly Buffer[]): Promise<Buffer | null> {
    for (const seed of seeds) {
      if ((await this.try(seed)) !== null) return seed
      takeNews()
      this.corpus.push(seed)
    }
    return null
  }

  private async explore(started: number, limits: Limits): Promise<Buffer | null> {
    while (this.inputs < limits.inputs && performance.now() - started < limits.milliseconds) {
      const parent = this.pick()
      for (let i = 0; i < CHILDREN; i++) {
        const input = mutate(parent, this.random, this.pick(), this.words, this.maxLength)
        if ((await this.try(input)) !== null) return input
        if (takeNews()) this.corpus.push(Buffer.from(input))
      }
    }
    return null
  }

  // half of the time one of the newest: there is more to find near them
  private pick(): Buffer {
    const { corpus, random } = this
    const last = corpus.length - 1
    const back =
      random() < 0.5 ? Math.floor(random() * Math.min(corpus.length, 16)) : Math.floor(random() * corpus.length)
    return corpus[last - back]!
  }

  /** Null, or what went wrong. Synchronous if the target is. */
  private try(input: Buffer): { error: unknown } | null | Promise<{ error: unknown } | null> {
    this.inputs++
    this.watchdog.look(input)
    clearHits()
    try {
      const running = this.target.run(input)
      if (running === undefined) return null
      return running.then(
        () => this.takeUncaught(),
        (error: unknown) => ({ error })
      )
    } catch (error) {
      return { error }
    }
  }

  private takeUncaught(): { error: unknown } | null {
    const { uncaught } = this
    this.uncaught = null
    return uncaught
  }

  /** Removes parts that the failure does not need. */
  private async shrink(failed: Buffer): Promise<{ input: Buffer; error: unknown }> {
    let input = failed
    let { error } = (await this.try(input)) ?? { error: new Error('fails only now and then') }
    let left = SHRINKING
    for (let size = input.length >> 1; size > 0; size >>= 1) {
      for (let at = 2; at < input.length && left > 0; left--) {
        const smaller = Buffer.concat([input.subarray(0, at), input.subarray(at + size)])
        const result = await this.try(smaller)
        if (result === null || String(result.error) !== String(error)) at += size
        else {
          input = smaller
          error = result.error
        }
      }
    }
    return { input, error }
  }
}
