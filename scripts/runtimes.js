// The other runtimes that tests and benchmarks run on. They come from npm, 1 GB in all, and stay in node_modules/.cache/runtimes, with the
// logs of the runs.

import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
export const CACHE = join(ROOT, 'node_modules', '.cache', 'runtimes')

// npm's package `node` installs one of these; under aliases, all lines of Node fit into one folder
const system = process.platform === 'win32' ? 'win' : process.platform
const nodePackage = `node-${system}-${process.arch}`
const machine = `${process.platform}-${process.arch}`
const exe = process.platform === 'win32' ? '.exe' : ''

/** The package to install, the possible paths of its binary, and the arguments before a file. */
export const RUNTIMES = {
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
  // install scripts of both move the binary; without them it stays in the package of this machine
  bun: { spec: 'bun', binaries: [`@oven/bun-${machine}/bin/bun${exe}`, 'bun/bin/bun.exe'], args: ['run'] },
  // without this option Deno does not look for dependencies in node_modules
  deno: {
    spec: 'deno',
    binaries: [`@deno/${machine}-glibc/deno`, `@deno/${machine}/deno${exe}`],
    args: ['run', '-A', '--no-lock', '--no-check', '--node-modules-dir=manual']
  }
}

/** Installs or refreshes these runtimes with npm; without a network, uses those that are installed. */
export async function install(names) {
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n')
  // npm removes packages that it is not told to install
  const wanted = Object.keys(RUNTIMES).filter(name => names.includes(name) || binaryOf(name) !== undefined)
  const specs = wanted.map(name => RUNTIMES[name].spec)
  console.log(`installing ${specs.length} runtimes`)
  const npm = ['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', CACHE, ...specs]
  // Windows needs a shell to start a .cmd
  const { code } = await run('npm', npm, { log: 'install', cwd: CACHE, shell: process.platform === 'win32' })
  const missing = names.filter(name => binaryOf(name) === undefined)
  if (missing.length > 0) fail(`npm did not install ${missing}: see ${join(CACHE, 'install.log')}`)
  if (code !== 0) console.log('npm could not refresh them; using the installed ones')
}

/** The binary of a runtime; undefined if it is not installed. */
export function binaryOf(name) {
  const paths = RUNTIMES[name].binaries.map(binary => join(CACHE, 'node_modules', binary))
  return paths.find(path => existsSync(path))
}

/** Runs a program to its end; writes its output to a log file, and returns it. */
export function run(command, args, { log, ...options }) {
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

export function fail(message) {
  console.error(message)
  process.exit(1)
}
