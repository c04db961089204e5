import { type ExecFileException, execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { random } from '../support/frames.js'
import { Campaign } from './campaign.js'
import { main } from './command-line.js'
import { allot } from './coverage.js'
import { readSeeds } from './seeds.js'
import type { Target } from './targets/target.js'
import { TARGETS } from './targets.js'
import { Watchdog } from './watchdog.js'

/** Inputs for each target: all of them together take some seconds. */
const INPUTS = 4000

t.setTimeout(300_000)

const script = fileURLToPath(new URL('run.js', import.meta.url))
const seedFolder = fileURLToPath(new URL('seeds', import.meta.url))

interface Outcome {
  status: number | string | null | undefined
  signal: string | null | undefined
  stdout: string
  stderr: string
}

/** Runs a script in its own Node process, without the environment of the test runner. */
function node(...args: string[]): Promise<Outcome> {
  const { NODE_OPTIONS: _, ...env } = process.env
  return new Promise(resolve => {
    execFile(process.execPath, args, { env }, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ status: error === null ? 0 : error.code, signal: error?.signal, stdout, stderr })
    )
  })
}

t.test('no target has a finding, and each finds more than its seeds do', async t => {
  const { status, stdout, stderr } = await node(script, '--minutes', '4', '--inputs', String(INPUTS), '--seed', '13')
  t.equal(status, 0, stdout + stderr)
  for (const { name } of TARGETS) {
    const [, inputs, before, after, branches] =
      new RegExp(`^${name} +(\\d+) inputs.*corpus (\\d+) -> (\\d+), (\\d+) branches$`, 'm').exec(stdout) ?? []
    t.ok(Number(inputs) >= INPUTS, `${name}: ${inputs} inputs`)
    t.ok(Number(after) > Number(before), `${name}: corpus ${before} -> ${after}`)
    t.ok(Number(branches) > 10, `${name}: ${branches} branches`)
  }
})

t.test('one input can be run again by its digits', async t => {
  const { status, stdout } = await node(script, '--target', 'frame-parser', '--replay', '0600818537fa213d7f9f4d5158')
  t.equal(status, 0)
  t.match(stdout, 'frame-parser: nothing was found wrong')
})

t.test('invalid arguments print the usage', async t => {
  const wrong = [['--target', 'nothing'], ['--minutes', 'soon'], ['--replay', '00'], ['--what']]
  const said: string[] = []
  t.intercept(console, 'error', { value: (line: string) => said.push(line) })
  for (const args of wrong) t.equal(await main(args, seedFolder), 2, args.join(' '))
  t.equal(said.length, wrong.length)
  t.match(said[0], 'npm run fuzz --')
})

/** Fails if the bytes after the first two are BUG, which is found only byte by byte, guided by coverage. */
function planted(): Target {
  const hits = allot('planted', 3)
  return {
    name: 'planted',
    run(input) {
      if (input[2] !== 0x42) return
      hits[0]!++
      if (input[3] !== 0x55) return
      hits[1]!++
      if (input[4] !== 0x47) return
      throw new Error('found')
    }
  }
}

t.test('a finding behind several branches is found, and minimized', async t => {
  const watchdog = new Watchdog(10_000)
  const limits = { inputs: 2_000_000, milliseconds: 60_000 }
  const seeds = [Buffer.from('00000000000000000000', 'hex')]
  const { finding, inputs } = await new Campaign(planted(), random(1), watchdog).run(seeds, limits)
  t.match(finding?.error, { message: 'found' })
  t.equal(finding?.input.toString('latin1', 2), 'BUG', `after ${inputs} inputs`)
})

t.test('an exception outside of the target is a finding, too', async t => {
  const target: Target = {
    name: 'late',
    async run() {
      setImmediate(() => {
        throw new Error('late')
      })
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
  const limits = { inputs: 1, milliseconds: 1000 }
  const { finding } = await new Campaign(target, random(1), new Watchdog(10_000)).run([Buffer.alloc(2)], limits)
  t.match(finding?.error, { message: 'late' })
})

t.test('an input that does not end ends the process, which prints how to repeat it', async t => {
  const compiled = new URL('../../node_modules/.cache/websocket-duplex-fuzz/test/fuzz/watchdog.js', import.meta.url)
  const code = `
    const { Watchdog } = await import(${JSON.stringify(compiled.href)})
    const watchdog = new Watchdog(300)
    watchdog.begin('endless')
    await new Promise(resolve => setTimeout(resolve, 100))
    watchdog.look(Buffer.from('0102ff', 'hex'))
    for (;;);`
  const { signal, stderr } = await node('--input-type=module', '--eval', code)
  t.equal(signal, 'SIGKILL')
  t.match(stderr, 'npm run fuzz -- --target endless --replay 0102ff')
})

t.test('every target has seeds, and no seed is a finding', async t => {
  for (const target of TARGETS) {
    const seeds = readSeeds(seedFolder, target.name)
    t.ok(seeds.length > 0, `${target.name}: ${seeds.length} seeds`)
    for (const seed of seeds) await target.run(seed)
  }
})
