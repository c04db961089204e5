// Rounds, medians, children, tables: what every question needs and none decides for itself.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

const here = new URL('.', import.meta.url)
const require = createRequire(import.meta.url)
export const at = path => fileURLToPath(new URL(path, here))
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** The questions that would make the short form longer than five minutes: by name, or with --full. */
export const LONG = ['compression', 'driver', 'growth', 'http2', 'processes', 'relay', 'scale', 'tls']

// ---- children ---------------------------------------------------------------------------------------------------

const children = new Set()

/** A child process at the other end of control.js. Requests are answered in order, one at a time. */
export class Child {
  #process
  #waiting = []
  #text = ''

  /** `command` is a binary, and `args` its arguments. With `profile`, Node writes a CPU profile there when it ends. */
  constructor(name, command, args, { profile } = {}) {
    this.name = name
    if (profile && command === process.execPath) {
      const file = `${name.replace(/[^a-z0-9]+/gi, '-')}.cpuprofile`
      args = ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${file}`, ...args]
    }
    const env = { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', DO_NOT_TRACK: '1' }
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: at('.'), env })
    this.#process.stdout.setEncoding('utf8').on('data', text => this.#read(text))
    this.#process.stdin.on('error', () => {})
    this.#process.once('error', error => this.#fail(error))
    this.#process.once('exit', (code, signal) => this.#fail(new Error(`${name} ended with ${signal ?? code}`)))
    children.add(this)
  }

  get pid() {
    return this.#process.pid
  }

  ask(request, timeout = 120_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: no answer to ${request.do}`)), timeout)
      const settle = done => value => {
        clearTimeout(timer)
        done(value)
      }
      if (!children.has(this)) return settle(reject)(new Error(`${this.name} is not running`))
      this.#waiting.push({ resolve: settle(resolve), reject: settle(reject) })
      this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    })
  }

  /** Lets it end by itself, which is when Node writes a profile; ended by its own id where it does not. */
  async stop() {
    if (!children.has(this)) return
    const over = new Promise(resolve => this.#process.once('exit', resolve))
    this.#process.stdin.end()
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000)
    await over
    clearTimeout(timer)
  }

  kill() {
    this.#process.kill('SIGKILL')
  }

  #read(text) {
    this.#text += text
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 1)
      if (!line.startsWith('{')) {
        process.stderr.write(`${this.name}: ${line}\n`)
        continue
      }
      const reply = JSON.parse(line)
      const { resolve, reject } = this.#waiting.shift()
      if ('error' in reply) reject(new Error(`${this.name}: ${reply.error}`))
      else resolve(reply.ok)
    }
  }

  #fail(error) {
    children.delete(this)
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

process.once('exit', () => {
  for (const child of children) child.kill()
})

// Bun puts its binary in place when it is installed; where scripts may not run, it is still in the package it came in.
// Deno's is taken from that package at once, since not every platform's is to be had everywhere.
const platform = `${process.platform}-${process.arch}`
const binaries = {
  node: () => process.execPath,
  bun: () => {
    const placed = at('./node_modules/bun/bin/bun.exe')
    return existsSync(placed) ? placed : require.resolve(`@oven/bun-${platform}/bin/bun`)
  },
  deno: () => require.resolve(`@deno/${platform}-glibc/deno`),
  hypercorn: () => findPython('hypercorn')
}
const runtimeArgs = {
  node: [],
  bun: ['run'],
  deno: ['run', '-A', '--no-config', '--no-lock', '--no-check'],
  hypercorn: ['-B']
}

/** A Python that can import `module`: the first on PATH, else Debian's own, which alone sees Debian's packages. */
export function findPython(module) {
  return ['python3', '/usr/bin/python3'].find(python => {
    try {
      execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

/** A child running one of our files: by Node, unless `runtime` says otherwise. */
export function child(name, file, args = [], { runtime = 'node', flags = [], profile } = {}) {
  return new Child(name, binaries[runtime](), [...runtimeArgs[runtime], ...flags, at(file), ...args], { profile })
}

// ---- figures ----------------------------------------------------------------------------------------------------

export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort()
  const place = (sorted.length - 1) * q
  const low = Math.floor(place)
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low])
}
export const median = values => quantile(values, 0.5)

/** Whoever broke off, gave a wrong answer or none: told at the end, and the run fails. */
export const failures = []

/** What `job(contestant)` gives for each, those left out for whom it throws. */
async function each(contestants, job) {
  const able = []
  for (const contestant of contestants) {
    try {
      if ((await job(contestant)) !== false) able.push(contestant)
    } catch (error) {
      failures.push(`${contestant.name}: ${error.message.split('\n', 3).join(' ')}`)
      console.error(`FAILED ${failures.at(-1)}`)
    }
  }
  return able
}

/**
 * Runs `sample(contestant)` in rounds: everyone once, then everyone once more, the order turned round every time, so
 * that a slow minute of the machine is shared by all. `ready(contestant)` comes once before; false leaves one out. Gives
 * `{ name: [figure, ...] }`, `figure` being what `sample` gave.
 */
export async function rounds(contestants, count, sample, ready = () => {}) {
  let able = await each(contestants, ready)
  const taken = Object.fromEntries(able.map(({ name }) => [name, []]))
  for (let round = 0; round < count; round++) {
    const order = round % 2 ? [...able].reverse() : able
    const left = await each(order, async contestant => {
      taken[contestant.name].push(await sample(contestant))
    })
    able = able.filter(contestant => left.includes(contestant))
  }
  return Object.fromEntries(able.map(({ name }) => [name, taken[name]]))
}

/** One figure of several that `rounds` gave: `{ name: [number, ...] }`. */
export function column(taken, key) {
  return Object.fromEntries(Object.entries(taken).map(([name, list]) => [name, list.map(one => one[key])]))
}

/** A size as people write it. */
export function label(size) {
  return size < 1024 ? `${size} B` : size < 2 ** 20 ? `${size / 1024} KiB` : `${size / 2 ** 20} MiB`
}

/**
 * One line of a result. `samples` is `{ contestant: [number, ...] }`, one number for each round. Ratios to `reference`
 * are taken round by round and then the median of those, so that drift cancels out. They say how many times as *good*
 * a contestant is; with `plain` how many times as *much* it takes, which is what a limit on memory is about.
 */
export function row({ question, name, measure, better, samples, reference = 'ws', bars = {}, plain = false }) {
  const figures = {}
  for (const [contestant, values] of Object.entries(samples)) {
    figures[contestant] = { median: median(values), low: Math.min(...values), high: Math.max(...values) }
    for (const other of new Set([reference, ...(bars[contestant] ?? []).map(bar => bar.of)])) {
      if (!samples[other]) continue
      const each = values.map((value, i) => {
        const quotient = value / samples[other][Math.min(i, samples[other].length - 1)]
        return plain || better === 'more' ? quotient : 1 / quotient
      })
      const key = other === reference ? 'ratio' : `ratio to ${other}`
      figures[contestant][key] = median(each)
      if (other === reference) {
        figures[contestant].ratioLow = Math.min(...each)
        figures[contestant].ratioHigh = Math.max(...each)
      }
    }
    const verdicts = (bars[contestant] ?? [])
      .filter(bar => samples[bar.of])
      .map(bar => {
        const ratio = figures[contestant][bar.of === reference ? 'ratio' : `ratio to ${bar.of}`]
        return { ...bar, met: bar.atMost === undefined ? ratio >= bar.atLeast : ratio <= bar.atMost }
      })
    if (verdicts.length) figures[contestant].bars = verdicts
  }
  return { question, name, measure, better, reference, figures }
}

// ---- showing ----------------------------------------------------------------------------------------------------

/** Three digits that say something, with a unit of thousands or millions. */
export function short(value) {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  if (size >= 1e9) return `${(value / 1e9).toPrecision(3)}G`
  if (size >= 999.5e3) return `${(value / 1e6).toPrecision(3)}M`
  if (size >= 9995) return `${(value / 1e3).toPrecision(3)}k`
  return size >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

export function barText(bar) {
  const of = bar.of === 'ws' ? '' : ` of ${bar.of}`
  return bar.atMost === undefined ? `≥ ${bar.atLeast}${of}` : `≤ ${bar.atMost}${of}`
}

const line = (cells, widths) =>
  cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')

/** The lines of one row, for a terminal. */
export function show(result) {
  const cells = Object.entries(result.figures).map(([contestant, figure]) => {
    const bars = figure.bars ?? []
    const ratios = [
      figure.ratio?.toFixed(2) ?? '-',
      ...bars
        .filter(b => b.of !== result.reference)
        .map(b => [figure[`ratio to ${b.of}`].toFixed(2), 'of', b.of].join(' '))
    ]
    const ratioSpread =
      figure.ratioLow === undefined ? '' : `${figure.ratioLow.toFixed(2)}–${figure.ratioHigh.toFixed(2)}`
    return [
      '',
      contestant,
      short(figure.median),
      `${short(figure.low)}–${short(figure.high)}`,
      ratios.join(', '),
      ratioSpread,
      bars.map(bar => `${barText(bar)} ${bar.met ? 'met' : 'MISSED'}`).join(', ')
    ]
  })
  const widths = [2, 30, 8, 15, 6, 11, 10]
  return [`${result.name}: ${result.measure}`, ...cells.map(row => line(row, widths).trimEnd())].join('\n')
}

/** Puts `text` between the two comments that `name` stands in, in a file of Markdown. */
export function put(file, text, name) {
  const begin = `<!-- ${name}:begin -->`
  const end = `<!-- ${name}:end -->`
  const [before, rest] = readFileSync(at(file), 'utf8').split(begin)
  if (rest === undefined || !rest.includes(end)) throw new Error(`${file} has no ${begin} … ${end}`)
  writeFileSync(at(file), `${before}${begin}\n${text}\n${end}${rest.split(end)[1]}`)
}

// ---- what ran where ---------------------------------------------------------------------------------------------

const versionOf = path => {
  try {
    return JSON.parse(readFileSync(at(path), 'utf8')).version
  } catch {
    return 'none'
  }
}

/** Exact versions and the kind of machine; nothing that names it. */
export function circumstances() {
  const versions = { 'websocket-duplex': versionOf('../package.json'), node: process.versions.node }
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(at('./package.json'), 'utf8'))
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    versions[name.replace(/^@deno\/.*/, 'deno')] = versionOf(`./node_modules/${name}/package.json`)
  }
  const [{ model }] = cpus()
  return { date: new Date().toISOString().slice(0, 10), cpus: cpus().length, model: model.trim(), versions }
}
