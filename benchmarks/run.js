// node benchmarks/run.js [question ...] [--nodes 24,26] [--full] [--check] [--case TEXT] [--only NAME,NAME] [--profile FOLDER] [--out FILE]
// Runs the questions, prints each figure beside ws's and the bar it is to reach, and writes results/MAJOR/latest.json, MAJOR being the line
// of Node that it runs on, and a file of its own for each question that is not in the short form. With --nodes all of that on each of these
// lines of Node, one after the other.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { binaryOf, install, RUNTIMES } from '../scripts/runtimes.js'
import { at, barText, circumstances, failures, LONG, show } from './harness.js'

const questions = [
  'decode',
  'encode',
  'echo',
  'tls',
  'http2',
  'clients',
  'handshakes',
  'imports',
  'idle',
  'stages',
  'growth',
  'compression',
  'relay',
  'broadcast',
  'scale',
  'processes',
  'driver'
]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string' },
    full: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    case: { type: 'string' },
    only: { type: 'string' },
    profile: { type: 'string' },
    out: { type: 'string' }
  }
})
for (const name of positionals) {
  if (!questions.includes(name)) throw new Error(`no such question: ${name}; there are ${questions.join(', ')}`)
}

if (!existsSync(at('./node_modules'))) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefix', at('.')], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (options.nodes) process.exit(await onEach(options.nodes.split(',')))

/** Starts this program on each of these lines of Node. Returns the exit code: that of the last that failed, 0 if all went well. */
async function onEach(lines) {
  const names = lines.map(line => `node${line.trim()}`)
  const unknown = names.filter(name => !RUNTIMES[name]?.suite)
  if (unknown.length) throw new Error(`no such line of Node: ${unknown}; there are ${Object.keys(RUNTIMES).join(', ')}`)
  await install(names)
  const rest = process.argv.slice(2).filter((arg, i, all) => !arg.startsWith('--nodes') && all[i - 1] !== '--nodes')
  const codes = names.map(name => {
    const { status } = spawnSync(binaryOf(name), [at('./run.js'), ...rest], { stdio: 'inherit' })
    return status ?? 1
  })
  return codes.findLast(code => code !== 0) ?? 0
}

/** Who takes part: all or the short list of a question, `--only` by part of the name; `--check` puts ws against ws. */
function pickFrom({ contestants, quick = contestants, checked = true }) {
  if (options.check) return checked ? ['ws', 'ws again'] : []
  const parts = options.only?.split(',').map(part => part.trim())
  if (parts) return contestants.filter(name => name === 'ws' || parts.some(part => name.includes(part)))
  return options.full ? contestants : quick
}

const began = Date.now()
const results = []
const givenUp = []
const profile = options.profile ? resolve(options.profile) : undefined
const about = circumstances()
const versions = Object.entries(about.versions).map(pair => pair.join(' '))
console.log(`${about.date}, ${about.cpus} CPUs, ${about.model}\n${versions.join(', ')}`)

const asked = positionals.length ? positionals : questions.filter(name => options.full || !LONG.includes(name))
for (const name of questions.filter(name => asked.includes(name))) {
  const question = await import(`./questions/${name}.js`)
  const pick = pickFrom(question)
  if (!pick.length) continue
  Object.assign(about.versions, question.versions?.())
  console.log(`\n# ${question.title} (${name})\n`)
  const started = Date.now()
  const wanted = text => !options.case || text.includes(options.case)
  try {
    for await (const result of question.run({ full: options.full, check: options.check, pick, wanted, profile })) {
      results.push(result)
      console.log(show(result))
    }
  } catch (error) {
    failures.push(`${name} was given up`)
    givenUp.push(name)
    console.error(error.stack)
  }
  console.log(`(${((Date.now() - started) / 1000).toFixed(0)} s)`)
}

const missed = results.flatMap(result =>
  Object.entries(result.figures).flatMap(([contestant, figure]) =>
    (figure.bars ?? [])
      .filter(bar => !bar.met)
      .map(bar => `${result.question}: ${result.name}: ${result.measure}: ${contestant} ${barText(bar)}`)
  )
)
const judged = results.flatMap(({ figures }) => Object.values(figures)).flatMap(({ bars }) => bars ?? []).length
if (judged)
  console.log(
    `\n${judged - missed.length} of ${judged} bars reached.${missed.map(text => `\n  missed  ${text}`).join('')}`
  )

function write(file, results) {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...about, full: options.full, results }, null, 2)}\n`)
}

// Whole questions are what the README shows; a part of one, or a check, goes beside them and disturbs nothing.
const whole =
  !options.out && !process.env.BENCH_SUBJECT && !['check', 'case', 'only', 'profile'].some(name => options[name])
const isLong = ({ question }) => LONG.includes(question)
const [line] = process.versions.node.split('.')
if (whole && !positionals.length) {
  write(
    at(`./results/${line}/latest.json`),
    results.filter(result => !isLong(result))
  )
} else write(options.out ? resolve(options.out) : at('./results/part.json'), results)
for (const name of whole ? LONG.filter(name => asked.includes(name) && !givenUp.includes(name)) : []) {
  write(
    at(`./results/${line}/${name}.json`),
    results.filter(({ question }) => question === name)
  )
}
console.log(`\n${((Date.now() - began) / 1000).toFixed(0)} s in all`)
for (const failure of failures) console.error(`FAILED ${failure}`)
process.exit(failures.length ? 1 : 0)
