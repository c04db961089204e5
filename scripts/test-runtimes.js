// Runs the tests on other runtimes: the whole suite on each line of Node, and an echo server and client on Bun and Deno too.
//
//   node scripts/test-runtimes.js               all of them
//   node scripts/test-runtimes.js node26 deno   these
//   node scripts/test-runtimes.js --quick       the echo server and client only
//   node scripts/test-runtimes.js node24 -- test/views    only these files of the suite
//
// The runtimes come from npm, about 1 GB of them, and stay in node_modules/.cache/runtimes, as do the logs of the last run. Prints a table
// and the failures, and exits with 1 if there are any. Needs a built dist.

import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { binaryOf, CACHE, fail, install, ROOT, RUNTIMES, run } from './runtimes.js'

const ECHO = join('test', 'runtimes', 'echo-and-client.js')
// run.mjs starts every test file with the Node that runs it
const TAP = join('node_modules', 'tap', 'dist', 'esm', 'run.mjs')

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

/** One row of the table. */
async function test(name) {
  const { args, suite } = RUNTIMES[name]
  const binary = binaryOf(name)
  const { output } = await run(binary, ['--version'], { log: `${name}-version` })
  const row = { runtime: name, version: /\d+\.\d+\.\d+/.exec(output)?.[0] ?? '?', failures: [] }
  const echo = await run(binary, [...args, ECHO], { log: `${name}-echo` })
  row.echo = verdict(row, echo, /^# (\d+) passed, (\d+) failed/m.exec(echo.output)?.slice(1))
  if (!suite || quick) return row
  // first on PATH, for tests that start `node`
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  const tap = await run(binary, [TAP, '--disable-coverage', '--reporter=tap', ...files], { log: `${name}-suite`, env })
  const totals = /^# \{ total: .*/m.exec(tap.output)?.[0] ?? ''
  const count = kind => new RegExp(`\\b${kind}: (\\d+)`).exec(totals)?.[1] ?? 0
  row.suite = verdict(row, tap, totals === '' ? undefined : [count('pass'), count('fail')])
  return row
}

/** The result of one run as a cell of the table; adds its failures to the row. */
function verdict(row, { code, output, seconds }, counts) {
  row.failures.push(...failures(output))
  const [passed, failed] = counts ?? [0, 0]
  if (code !== 0 && failures(output).length === 0) row.failures.push(`exit code ${code}, without a test that failed`)
  return `${code === 0 ? '✔' : '✘'} ${passed} passed, ${failed} failed, ${seconds} s`
}

/** The innermost failed tests of TAP output, each with the names of the tests around it. */
function failures(output) {
  const found = []
  const path = []
  for (const line of output.split('\n')) {
    const [, indent, word, text] = /^( *)(# Subtest:|not ok \d*(?: -)?|not ok) (.*)$/.exec(line) ?? []
    // after a crash, each test that did not run is reported
    if (word === undefined || text.startsWith('child test left in queue')) continue
    const depth = indent.length / 4
    path.length = Math.min(path.length, depth)
    if (word === '# Subtest:') {
      path[depth] = text
      continue
    }
    const name = [...path.slice(0, depth), text.replace(/ # time=.*/, '')].filter(Boolean).join(' › ')
    // not a test that failed only because a subtest did
    if (!found.some(inner => inner.startsWith(`${name} › `))) found.push(name)
  }
  return found
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
