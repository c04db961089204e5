// Runs the tests on other runtimes: the whole suite on each line of Node, and an echo server and client on Bun and Deno too.
//
//   node scripts/test-runtimes.js               all of them
//   node scripts/test-runtimes.js node26 deno   these
//   node scripts/test-runtimes.js --quick       the echo server and client only
//   node scripts/test-runtimes.js node24 -- test/views    of the suite, these files
//
// The runtimes come from npm, about 1 GB of them, and stay in node_modules/.cache/runtimes, as do the logs of the last run. It
// prints a table, then what failed, and exits with 1 if anything did. It needs a built dist.

import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const CACHE = join(ROOT, 'node_modules', '.cache', 'runtimes')
const ECHO = join('test', 'runtimes', 'echo-and-client.js')
// run.mjs starts every test file with the Node that runs it
const TAP = join('node_modules', 'tap', 'dist', 'esm', 'run.mjs')

// npm's `node` package fetches one of these when it is installed; as aliases all lines fit into one folder
const system = process.platform === 'win32' ? 'win' : process.platform
const nodePackage = `node-${system}-${process.arch}`
const machine = `${process.platform}-${process.arch}`
const exe = process.platform === 'win32' ? '.exe' : ''

/** What to install, where the binary may be then, and the arguments before a file. */
const RUNTIMES = {
  ...Object.fromEntries(
    [20, 22, 24, 26].map(line => [
      `node${line}`,
      {
        spec: `node${line}@npm:${nodePackage}@${line}`,
        binaries: [`node${line}/bin/node${exe}`],
        args: [],
        suite: true
      }
    ])
  ),
  // both put the binary of this machine in its place when they are installed; where scripts may not run, it stays where it came
  bun: { spec: 'bun', binaries: [`@oven/bun-${machine}/bin/bun${exe}`, 'bun/bin/bun.exe'], args: ['run'] },
  // Deno takes the npm packages of dist from node_modules only where it is told to
  deno: {
    spec: 'deno',
    binaries: [`@deno/${machine}-glibc/deno`, `@deno/${machine}/deno${exe}`],
    args: ['run', '-A', '--no-lock', '--no-check', '--node-modules-dir=manual']
  }
}

const all = process.argv.slice(2)
const [args, files] = all.includes('--')
  ? [all.slice(0, all.indexOf('--')), all.slice(all.indexOf('--') + 1)]
  : [all, []]
const quick = args.includes('--quick')
const named = args.filter(arg => !arg.startsWith('--'))
const unknown = named.filter(name => RUNTIMES[name] === undefined)
if (unknown.length > 0) fail(`no such runtime: ${unknown}; there are ${Object.keys(RUNTIMES).join(', ')}`)
if (!existsSync(join(ROOT, 'dist', 'index.js'))) fail('dist is missing: npm run build')
const names = named.length > 0 ? named : Object.keys(RUNTIMES)

await install(names)
const rows = []
for (const name of names) {
  console.log(`testing on ${name}`)
  rows.push(await test(name))
}
console.log(`\n${table(rows)}`)
const failed = rows.flatMap(row => row.failures.map(failure => `${row.runtime}: ${failure}`))
if (failed.length > 0) console.log(`\nWhat failed:\n${failed.join('\n')}\n\nThe logs are in ${CACHE}`)
process.exitCode = failed.length > 0 ? 1 : 0

/** Has npm install or refresh the runtimes; without a network, those that are there serve. */
async function install(names) {
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n')
  const specs = Object.values(RUNTIMES).map(({ spec }) => spec)
  console.log(`installing ${specs.length} runtimes`)
  const npm = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', CACHE, ...specs]
  // Windows starts a .cmd only by way of a shell
  const { code } = await run('npm', npm, { log: 'install', cwd: CACHE, shell: process.platform === 'win32' })
  const missing = names.filter(name => binaryOf(name) === undefined)
  if (missing.length > 0) fail(`npm did not install ${missing}: see ${join(CACHE, 'install.log')}`)
  if (code !== 0) console.log('npm could not refresh them; those of the last time serve')
}

/** The binary of a runtime, if it is there. */
function binaryOf(name) {
  const paths = RUNTIMES[name].binaries.map(binary => join(CACHE, 'node_modules', binary))
  return paths.find(path => existsSync(path))
}

/** One row of the table. */
async function test(name) {
  const { args, suite } = RUNTIMES[name]
  const binary = binaryOf(name)
  const { output } = await run(binary, ['--version'], { log: `${name}-version` })
  const row = { runtime: name, version: /\d+\.\d+\.\d+/.exec(output)?.[0] ?? '?', failures: [] }
  const echo = await run(binary, [...args, ECHO], { log: `${name}-echo` })
  row.echo = verdict(row, echo, /^# (\d+) passed, (\d+) failed/m.exec(echo.output)?.slice(1))
  if (!suite || quick) return row
  // under `node` on PATH, for tests that start one by its name
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  const tap = await run(binary, [TAP, '--disable-coverage', '--reporter=tap', ...files], { log: `${name}-suite`, env })
  const totals = /^# \{ total: .*/m.exec(tap.output)?.[0] ?? ''
  const count = kind => new RegExp(`\\b${kind}: (\\d+)`).exec(totals)?.[1] ?? 0
  row.suite = verdict(row, tap, totals === '' ? undefined : [count('pass'), count('fail')])
  return row
}

/** How one run went, in a few words; what failed goes to the row. */
function verdict(row, { code, output, seconds }, counts) {
  row.failures.push(...failures(output))
  const [passed, failed] = counts ?? [0, 0]
  if (code !== 0 && failures(output).length === 0) row.failures.push(`exit code ${code}, without a test that failed`)
  return `${code === 0 ? '✔' : '✘'} ${passed} passed, ${failed} failed, ${seconds} s`
}

/** The innermost failed tests of TAP output, each behind the tests that it is part of. */
function failures(output) {
  const found = []
  const path = []
  for (const line of output.split('\n')) {
    const [, indent, word, text] = /^( *)(# Subtest:|not ok \d*(?: -)?|not ok) (.*)$/.exec(line) ?? []
    // those behind a crash say so, one by one
    if (word === undefined || text.startsWith('child test left in queue')) continue
    const depth = indent.length / 4
    path.length = Math.min(path.length, depth)
    if (word === '# Subtest:') {
      path[depth] = text
      continue
    }
    const name = [...path.slice(0, depth), text.replace(/ # time=.*/, '')].filter(Boolean).join(' › ')
    // a test that failed because one within it did
    if (!found.some(inner => inner.startsWith(`${name} › `))) found.push(name)
  }
  return found
}

/** Runs a program to its end; what it says goes to a log file, and is handed back. */
function run(command, args, { log, ...options }) {
  const started = Date.now()
  const file = createWriteStream(join(CACHE, `${log}.log`))
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const stream of [child.stdout, child.stderr]) stream.pipe(file, { end: false })
    child.on('error', reject)
    child.on('close', code =>
      file.end(() => {
        const output = readFileSync(file.path, 'utf8')
        resolve({ code, output, seconds: Math.round((Date.now() - started) / 1000) })
      })
    )
  })
}

function table(rows) {
  const lines = [['runtime', 'version', 'echo and client', 'suite']]
  for (const { runtime, version, echo, suite = '–' } of rows) lines.push([runtime, version, echo, suite])
  const widths = lines[0].map((_, i) => Math.max(...lines.map(line => line[i].length)))
  return lines
    .map(line =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
