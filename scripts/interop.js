// Tests this library against every other implementation that is installed, as client and as server, and writes the results to
// docs/interop.md.
//
//   node scripts/interop.js                  all of them
//   node scripts/interop.js ws Firefox       only these; writes no table
//
// Installs npm packages that are not dependencies into node_modules/.cache/interop, about 400 MB with Bun and Deno. Debian packages must be
// installed before; the output names the command for each missing one. Exits with 1 on a failure that is not a known one.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const CACHE = join(ROOT, 'node_modules', '.cache', 'interop')
const BUILT = join(CACHE, 'built')

compile()
const { chosen, main } = await import(pathToFileURL(join(BUILT, 'test/interop/matrix/command-line.js')).href)
const names = process.argv.slice(2)
try {
  install(chosen(names))
  process.env.INTEROP_PACKAGES = CACHE
  const programs = join(ROOT, 'test', 'interop', 'matrix', 'peers')
  process.exitCode = await main(names, ROOT, { programs, cache: CACHE })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

/** Compiles the library and the matrix to JavaScript, without checking types. */
function compile() {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ES2022,
    useDefineForClassFields: false,
    verbatimModuleSyntax: true
  }
  for (const folder of ['lib', 'test/support', 'test/interop', 'test/interop/matrix']) {
    const isTree = folder === 'lib'
    for (const name of readdirSync(join(ROOT, folder), { recursive: isTree, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts') || name.endsWith('.test.ts')) continue
      const target = join(BUILT, folder, name.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(target), { recursive: true })
      const source = readFileSync(join(ROOT, folder, name), 'utf8')
      writeFileSync(target, ts.transpileModule(source, { fileName: name, compilerOptions }).outputText)
    }
  }
}

/** Installs or refreshes the packages with npm; without a network, uses those that are installed. */
function install(peers) {
  const specs = [...new Set(peers.flatMap(({ npm = [] }) => npm))]
  if (specs.length === 0) return
  // npm saves them in this package.json, so that it keeps those of other peers
  if (!existsSync(join(CACHE, 'package.json'))) writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n')
  console.log(`installing ${specs.join(' ')}`)
  const options = ['--no-package-lock', '--no-audit', '--no-fund', '--prefix', CACHE]
  const { status } = spawnSync('npm', ['install', ...options, ...specs], {
    cwd: CACHE,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  if (status !== 0) console.log('npm could not refresh them; using the installed ones')
}
