// Runs programs that depend on websocket-driver or ws twice: with that package, and with ours, which npm's overrides install instead from
// packed tarballs. Both runs must write the same log. Writes the results to docs/ecosystem.md.
//
//   node scripts/ecosystem/run.js                    all scenarios; writes the table
//   node scripts/ecosystem/run.js --quick            the quick scenarios, as in CI; writes no table
//   node scripts/ecosystem/run.js faye sockjs-raw    these scenarios; writes no table
//   node scripts/ecosystem/run.js --write faye       this scenario; writes its row of the table
//
// A scenario is a file in scenarios/ (see its README.md). Packages are installed in a temporary folder, or in ECOSYSTEM_FOLDER, which is kept.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
const ROOT = join(HERE, '..', '..')
const PACKAGES = join(ROOT, 'packages')

const args = process.argv.slice(2)
const names = args.filter(arg => !arg.startsWith('--'))
const isQuick = args.includes('--quick')
const writes = args.includes('--write') || (!isQuick && names.length === 0)
const kept = process.env.ECOSYSTEM_FOLDER
const folder = kept ?? mkdtempSync(join(tmpdir(), 'ecosystem-'))

try {
  process.exitCode = await main()
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true })
}

async function main() {
  const scenarios = await loadScenarios()
  mkdirSync(folder, { recursive: true })
  const tarballs = pack()
  const groups = groupBy(scenarios, ({ putIn }) => Object.keys(putIn).sort().join('+'))
  for (const [group, members] of groups) install(group, members, tarballs)
  const results = []
  for (const [group, members] of groups) {
    for (const scenario of members) results.push(await compare(group, scenario))
  }
  if (writes) writeTable(results)
  const failed = results.filter(({ problem }) => problem !== null)
  console.log(`${results.length - failed.length} of ${results.length} scenarios are the same`)
  return failed.length === 0 ? 0 : 1
}

async function loadScenarios() {
  const files = readdirSync(join(HERE, 'scenarios')).filter(file => file.endsWith('.js'))
  const known = files.map(file => file.slice(0, -3))
  const unknown = names.filter(name => !known.includes(name))
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}; there are ${known.join(', ')}`)
  const all = await Promise.all(
    known.map(async name => ({ name, ...(await import(`./scenarios/${name}.js`)).default }))
  )
  return all.filter(({ name, quick }) => (names.length > 0 ? names.includes(name) : !isQuick || quick))
}

/** Each package of ours as npm would publish it: its name, and the path of its tarball. */
function pack() {
  const tarballs = {}
  const folders = readdirSync(PACKAGES).map(name => join(PACKAGES, name))
  for (const path of [ROOT, ...folders]) {
    const output = npm(path, ['pack', '--json', '--pack-destination', folder])
    const [{ name, filename }] = JSON.parse(output.slice(output.indexOf('[')))
    // named by content, so that npm in a kept folder does not take a new tarball for the old one
    const hash = createHash('sha1')
      .update(readFileSync(join(folder, filename)))
      .digest('hex')
    tarballs[name] = join(folder, `${name}-${hash.slice(0, 8)}.tgz`)
    renameSync(join(folder, filename), tarballs[name])
  }
  return tarballs
}

/** Two folders with the same packages: `theirs`, and `ours`, which has the overrides. */
function install(group, scenarios, tarballs) {
  const dependencies = {}
  const overrides = { 'websocket-duplex': `file:${tarballs['websocket-duplex']}` }
  for (const { name, packages, putIn } of scenarios) {
    for (const [dependency, version] of Object.entries(packages)) {
      const other = dependencies[dependency]
      if (other !== undefined && other !== version) throw new Error(`${name} wants another version of ${dependency}`)
      dependencies[dependency] = version
    }
    for (const [theirs, ours] of Object.entries(putIn)) overrides[theirs] = `file:${tarballs[ours]}`
  }
  for (const side of ['theirs', 'ours']) {
    const path = join(folder, side, group)
    mkdirSync(path, { recursive: true })
    const isOurs = side === 'ours'
    const manifest = { private: true, dependencies: { ...dependencies }, ...(isOurs && { overrides }) }
    // npm refuses an override that differs from a direct dependency
    if (isOurs) for (const name in dependencies) if (name in overrides) manifest.dependencies[name] = overrides[name]
    writeFileSync(join(path, 'package.json'), JSON.stringify(manifest, null, 2))
    console.log(`installing ${Object.keys(dependencies).join(' ')} (${side})`)
    npm(path, ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--prefer-offline'])
  }
}

function npm(cwd, npmArgs) {
  const { status, stdout, stderr } = spawnSync('npm', npmArgs, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ${npmArgs.join(' ')} failed in ${cwd}:\n${stderr}${stdout}`)
  return stdout
}

async function compare(group, scenario) {
  const theirs = await play(join(folder, 'theirs', group), scenario)
  const ours = await play(join(folder, 'ours', group), scenario)
  const problem =
    theirs.problem === null && ours.problem === null
      ? (wrongPackage(join(folder, 'ours', group), scenario) ?? difference(theirs.log, ours.log))
      : (theirs.problem ?? `ours: ${ours.problem}`)
  console.log(`${problem === null ? 'same' : 'DIFFERS'}  ${scenario.name} (${ours.log.length} lines)`)
  if (problem !== null) console.log(problem.replace(/^/gm, '    '))
  if (process.env.ECOSYSTEM_SHOW) console.log(ours.log.join('\n').replace(/^/gm, '    '))
  const versions = Object.keys(scenario.packages).map(name => `${name} ${versionOf(folder, group, name)}`)
  const { usage: before } = theirs
  const { usage: after } = ours
  if (before && after) console.log(`      ${usageOf(before, after)}`)
  return {
    ...scenario,
    versions,
    lines: ours.log.length,
    problem,
    usage: before && after ? usageOf(before, after) : ''
  }
}

/** Runs a scenario in a process of its own, which writes its log to stdout, a line of JSON for each entry. */
async function play(cwd, { name, timeout = 30_000 }) {
  const child = spawn(process.execPath, [join(HERE, 'play.js'), name], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => (stdout += chunk))
  child.stderr.on('data', chunk => (stderr += chunk))
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
  const [code, signal] = await new Promise(resolve => child.on('close', (...ended) => resolve(ended)))
  clearTimeout(timer)
  const log = stdout.split('\n').filter(line => line !== '')
  const usage = JSON.parse(/#usage (.*)/.exec(stderr)?.[1] ?? 'null')
  if (code === 0) return { log, problem: null, usage }
  const how = signal === null ? `exit ${code}` : `not done within ${timeout} ms`
  return { log, problem: `${how} in ${cwd}\n${stderr}${log.slice(-5).join('\n')}` }
}

/** A problem if the program resolves another package than ours. */
function wrongPackage(path, { putIn, packages }) {
  for (const [theirs, ours] of Object.entries(putIn)) {
    const program = Object.keys(packages)[0]
    const from = createRequire(join(path, 'node_modules', program, 'package.json'))
    const manifest = findManifest(from.resolve(theirs))
    if (manifest.name !== ours) return `${theirs} is ${manifest.name}, and not ${ours}`
  }
  return null
}

function findManifest(file) {
  for (let path = dirname(file); ; path = dirname(path)) {
    try {
      const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      if (manifest.name !== undefined) return manifest
    } catch {
      if (path === dirname(path)) throw new Error(`no package.json above ${file}`)
    }
  }
}

function versionOf(base, group, name) {
  const manifest = join(base, 'theirs', group, 'node_modules', name, 'package.json')
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}

function difference(theirs, ours) {
  const at = theirs.findIndex((line, index) => line !== ours[index])
  const index = at < 0 ? theirs.length : at
  if (at < 0 && ours.length === theirs.length) return null
  return `line ${index + 1}\ntheirs: ${theirs[index] ?? '(end)'}\nours:   ${ours[index] ?? '(end)'}`
}

/** CPU seconds and peak MiB: with their package, and with ours. */
function usageOf(theirs, ours) {
  const pair = (key, digits) => `${theirs[key].toFixed(digits)} → ${ours[key].toFixed(digits)}`
  return `${pair('cpu', 2)} s, ${pair('memory', 0)} MiB`
}

function groupBy(items, keyOf) {
  const groups = new Map()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

function writeTable(results) {
  const path = join(ROOT, 'docs', 'ecosystem.md')
  const rows = results.map(({ what, versions, putIn, instead, lines, problem, usage }) => {
    const places = instead ?? Object.keys(putIn).join(', ')
    return `| ${versions.join(', ')} | ${what} | ${places} | ${problem === null ? `same, ${lines} line${lines === 1 ? '' : 's'}` : 'differs'} | ${usage} |`
  })
  const text = readFileSync(path, 'utf8')
  const marked = /(<!-- ecosystem -->\n)([\s\S]*?)(\n<!-- \/ecosystem -->)/
  const heads = ['| program | what it does | in the place of | log | CPU and memory |', '|---|---|---|---|---|']
  // if only some scenarios ran, keep the rows of the others
  const before = names.length > 0 ? marked.exec(text)[2].split('\n').slice(heads.length) : []
  const all = new Map([...before, ...rows].map(row => [row.split('|')[2], row]))
  const table = [...heads, ...all.values()].join('\n')
  writeFileSync(
    path,
    text.replace(marked, (_whole, begin, _old, end) => `${begin}${table}${end}`)
  )
}
