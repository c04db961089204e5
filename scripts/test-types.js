// Compiles test/types/consumer like a project that has installed this package: strict, no skipLibCheck, against the declarations in dist.
//
//   node scripts/test-types.js          with the types of each supported line of Node, and the oldest supported TypeScript
//                                       (docs/typescript.md), all from npm
//   node scripts/test-types.js --here   with the installed types and TypeScript only
//
// Prints a line for each project, and the compiler's errors; exits with 1 if there are any.

import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const CONSUMER = join(ROOT, 'test', 'types', 'consumer')
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const LINES = [20, 22, 24, 26]
/** The oldest TypeScript, and the oldest that lets CommonJS require an ES module. */
const OLDEST = ['5.7', '5.8']

const strict = { strict: true, skipLibCheck: false, noEmit: true, types: ['node'] }
/** Common configurations of consumers. */
const PROJECTS = {
  nodenext: { ...strict, target: 'es2022', lib: ['es2023', 'esnext.disposable'], module: 'nodenext' },
  // the default `lib`, which adds the DOM's types to Node's
  bundler: {
    ...strict,
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    exactOptionalPropertyTypes: true
  }
}

/** CommonJS that requires the ES module. */
const COMMON_JS = `import duplex = require('websocket-duplex')
import { WebSocketStream } from 'websocket-duplex'
const ws: WebSocketStream = duplex.WebSocketStream.server({ maxMessageSize: 1 })
export = ws
`

if (!existsSync(join(ROOT, 'dist', 'index.d.ts'))) {
  console.error('dist is missing: npm run build')
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'websocket-duplex-types-'))
try {
  const [first, ...others] = nodeTypes()
  for (const types of [first, ...others]) {
    for (const [name, compilerOptions] of Object.entries(PROJECTS)) await compile(types, name, compilerOptions)
  }
  if (others.length > 0) {
    await compile(first, 'bundler', PROJECTS.bundler, OLDEST[0])
    await compile(first, 'nodenext', PROJECTS.nodenext, OLDEST[1])
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The folders of @types/node to compile with. */
function nodeTypes() {
  if (process.argv.includes('--here')) return [join(ROOT, 'node_modules', '@types', 'node')]
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  const specs = [
    ...LINES.map(line => `node${line}@npm:@types/node@${line}`),
    ...OLDEST.map(version => `typescript-${version}@npm:typescript@~${version}.0`)
  ]
  execFileSync(
    'npm',
    [
      'install',
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--loglevel=error',
      '--no-fund',
      ...specs
    ],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32'
    }
  )
  return LINES.map(line => join(folder, 'node_modules', `node${line}`))
}

/** One project, with the TypeScript that is installed here or with an older one. */
async function compile(types, name, compilerOptions, oldest) {
  const { version } = JSON.parse(readFileSync(join(types, 'package.json'), 'utf8'))
  const title = `${name}, @types/node ${version}${oldest === undefined ? '' : `, TypeScript ${oldest}`}`
  const project = join(folder, `${name}-${version}-${oldest ?? 'here'}`)
  const tsc = oldest === undefined ? TSC : join(folder, 'node_modules', `typescript-${oldest}`, 'bin', 'tsc')
  makeProject(project, types, compilerOptions)
  try {
    await promisify(execFile)(process.execPath, [tsc, '--project', project, '--pretty', 'false'], {
      maxBuffer: 2 ** 24
    })
    console.log(`✔ ${title}`)
  } catch (error) {
    console.log(`✘ ${title}\n${(error.stdout || String(error)).trimEnd().replace(/^/gm, '    ')}`)
    process.exitCode = 1
  }
}

/** A folder as after `npm install`: the package is a copy, so that it resolves only modules that a consumer has. */
function makeProject(project, types, compilerOptions) {
  const installed = join(project, 'node_modules', 'websocket-duplex')
  mkdirSync(installed, { recursive: true })
  cpSync(join(ROOT, 'dist'), join(installed, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'))
  mkdirSync(join(project, 'node_modules', '@types'))
  symlinkSync(types, join(project, 'node_modules', '@types', 'node'), 'junction')
  // a copy finds the types of Node beside it
  cpSync(join(ROOT, 'node_modules', '@types', 'ws'), join(project, 'node_modules', '@types', 'ws'), { recursive: true })
  for (const file of readdirSync(CONSUMER)) {
    // the files import lib, so that an editor shows type errors in them
    const source = readFileSync(join(CONSUMER, file), 'utf8')
      .replaceAll('../../../lib/index.js', 'websocket-duplex')
      .replaceAll(/\.\.\/\.\.\/\.\.\/lib\/compat\/(\w+)\/index\.js/g, 'websocket-duplex/$1')
    writeFileSync(join(project, file), source)
  }
  if (compilerOptions.module === 'nodenext') writeFileSync(join(project, 'common.cts'), COMMON_JS)
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', '*.cts'] }))
}
