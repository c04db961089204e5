// Checks the package as npm would publish it. Each check prints a line, ✔ or ✘ with the problem; exits with 1 if one fails.
//
//   node scripts/release-check.js           all checks: builds, packs, installs the tarball in a temporary folder, and uses it
//   node scripts/release-check.js --quick   the checks that need neither network nor build, as in `npm test`

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const { resolve } = createRequire(import.meta.url)
const text = path => readFileSync(join(ROOT, path), 'utf8')
const manifest = JSON.parse(text('package.json'))
const lock = JSON.parse(text('package-lock.json'))
const folder = mkdtempSync(join(tmpdir(), 'websocket-duplex-release-'))

/** The files in the tarball besides those built from lib, and the guides. */
const BELONGS = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'benchmarks/README.md',
  'benchmarks/results/ratios.svg',
  'docs/compression.js',
  'package.json'
]
/** Bundles the installed package, as a consumer would. */
const ESBUILD = 'esbuild@0.28'

/** A server and a client; imports or requires are put before it. */
const ECHO = `const server = net.createServer(socket => {
  const ws = duplex.WebSocketStream.server()
  socket.pipe(ws).pipe(socket)
  ws.messages.pipe(ws.messages)
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address()
  const ws = duplex.WebSocketStream.client('ws://127.0.0.1:' + port + '/')
  ws.attach(net.connect(port, '127.0.0.1'))
  ws.text('hello')
  ws.once('message', message => {
    ws.close()
    ws.once('close', ({ code, wasClean }) => {
      console.log(message, code, wasClean)
      server.close()
    })
  })
})
`

/** Each check may return a detail to print, and throws if it fails. */
const quickChecks = {
  'the changelog speaks of this version': checkVersion,
  'package.json holds what npm shows': checkManifest,
  'no address is a placeholder': checkAddresses,
  'the lockfile fits, and holds no download addresses': checkLock,
  'the tarball holds what belongs in it': checkContents,
  publint: checkPublint
}
const slowChecks = {
  'can be published with provenance': checkProvenance,
  'are the types wrong?': checkTypes,
  'installs from its tarball': install,
  'import and an echo over TCP': () =>
    useAs('echo.mjs', "import net from 'node:net'\nimport * as duplex from 'websocket-duplex'"),
  'require and an echo over TCP': () =>
    useAs('echo.cjs', "const net = require('node:net')\nconst duplex = require('websocket-duplex')"),
  'a minified bundle': bundle
}

const quick = process.argv.includes('--quick')
let tarball
try {
  if (!quick) await check('builds', build)
  await check('packs', pack)
  for (const [name, run] of Object.entries(quickChecks)) await check(name, run)
  if (!quick) for (const [name, run] of Object.entries(slowChecks)) await check(name, run)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function check(name, run) {
  try {
    const detail = await run()
    console.log(`✔ ${name}${detail ? `: ${detail}` : ''}`)
  } catch (error) {
    const said = [error.stdout, error.stderr].filter(Boolean).join('\n').trim()
    console.log(`✘ ${name}: ${(said || error.message).replaceAll('\n', '\n    ')}`)
    process.exitCode = 1
  }
}

function expect(condition, wrong) {
  if (!condition) throw new Error(wrong)
}

/** Runs a program with this Node, without a shell; `npm run` sets npm_execpath to its own program. */
function node(args, options) {
  return promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 2 ** 24, ...options })
}

function npm(args, options) {
  const { npm_execpath: path } = process.env
  if (path) return node([path, ...args], options)
  return promisify(execFile)('npm', args, { cwd: ROOT, shell: process.platform === 'win32', ...options })
}

async function build() {
  await node([join(ROOT, 'scripts', 'build.js')])
}

async function pack() {
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder])
  const [packed] = Object.values(JSON.parse(stdout))
  tarball = { ...packed, path: join(folder, packed.filename), names: packed.files.map(({ path }) => path) }
  const kib = bytes => `${(bytes / 1024).toFixed(1)} KiB`
  return `${kib(tarball.size)} packed, ${kib(tarball.unpackedSize)} unpacked, ${tarball.names.length} files`
}

function checkVersion() {
  const { version } = manifest
  expect(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version), `${version} is no version`)
  const [newest] = /(?<=^## )\S+/m.exec(text('CHANGELOG.md')) ?? []
  expect(newest === version, `package.json says ${version}, the newest heading of CHANGELOG.md ${newest}`)
  return version
}

function checkManifest() {
  const missing = ['name', 'description', 'keywords', 'license', 'engines', 'exports', 'types', 'files'].filter(
    name => manifest[name] === undefined
  )
  expect(missing.length === 0, `no ${missing.join(', ')}`)
  expect(manifest.private === undefined, 'it is private')
  // the first versions that let CommonJS require an ES module
  expect(manifest.engines.node === '>=20.19', `engines.node is ${manifest.engines.node}`)
}

function checkAddresses() {
  const names = ['repository', 'bugs', 'homepage', 'author', 'funding']
  const given = names.filter(name => manifest[name] !== undefined)
  const placeholder = /example\.|localhost|127\.0\.0\.1|placeholder|todo|your[-_ ]|<|user\/repo|owner\/|file:|^$/i
  const wrong = given.filter(name => placeholder.test(JSON.stringify(manifest[name]).replaceAll('"', '')))
  expect(wrong.length === 0, `${wrong.join(', ')}: ${wrong.map(name => JSON.stringify(manifest[name]))}`)
  return given.length === 0 ? 'there are none' : given.join(', ')
}

function checkLock() {
  const [, ...packages] = Object.entries(lock.packages)
  const resolved = packages.filter(([, entry]) => /^https?:/.test(entry.resolved ?? '')).map(([path]) => path)
  expect(resolved.length === 0, `addresses for ${resolved.slice(0, 5).join(', ')}, of ${resolved.length} in all`)
  const root = lock.packages['']
  for (const name of ['name', 'version']) expect(root[name] === manifest[name], `its ${name} is ${root[name]}`)
  for (const kind of ['dependencies', 'peerDependencies', 'devDependencies']) {
    const [ours, locked] = [manifest[kind], root[kind]].map(list => JSON.stringify(Object.entries(list ?? {}).sort()))
    expect(ours === locked, `its ${kind} are not those of package.json`)
  }
}

function checkContents() {
  const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts'))
  const declarations = sources.map(path => `dist/${path.slice(0, -3)}.d.ts`)
  const entries = [manifest.exports['.'].browser, ...Object.values(manifest.exports)].map(({ default: path }) => path)
  const programs = [...entries, ...Object.values(manifest.bin)].filter(Boolean).map(path => path.slice(2))
  const guides = readdirSync(join(ROOT, 'docs'))
    .filter(name => /\.(md|svg)$/.test(name))
    .map(name => `docs/${name}`)
  const belongs = new Set([...BELONGS, ...guides, ...declarations, ...programs])
  const extra = tarball.names.filter(name => !belongs.has(name) && !/^dist\/chunks\/[^/]+\.js$/.test(name))
  const missing = [...belongs].filter(name => !tarball.names.includes(name))
  // dist may still contain files built from sources that no longer exist
  expect(extra.length === 0, `does not belong there: ${extra.join(', ')}`)
  expect(missing.length === 0, `is missing: ${missing.join(', ')}`)
}

async function checkPublint() {
  const data = readFileSync(tarball.path)
  const { messages, pkg } = await publint({
    pack: { tarball: data.buffer.slice(data.byteOffset, data.byteOffset + data.length) },
    strict: true
  })
  expect(messages.length === 0, messages.map(message => formatMessage(message, pkg, { color: false })).join('\n'))
}

function checkProvenance() {
  const { access, provenance } = manifest.publishConfig ?? {}
  expect(access === 'public' && provenance === true, 'publishConfig must be { "access": "public", "provenance": true }')
  // the registry compares it with the repository in which the package was built
  return manifest.repository === undefined ? 'as soon as package.json has a repository' : ''
}

async function checkTypes() {
  const attw = join(dirname(resolve('@arethetypeswrong/cli/package.json')), 'dist', 'index.js')
  // each Node that `engines` allows can require an ES module
  await node([
    attw,
    tarball.path,
    '--ignore-rules',
    'cjs-resolves-to-esm',
    // node10 does not know `exports`, and no supported Node resolves like it
    '--profile',
    'node16',
    '--no-color',
    '--no-emoji',
    '--format',
    'ascii'
  ])
}

async function install() {
  const consumer = join(folder, 'consumer')
  mkdirSync(consumer)
  writeFileSync(join(consumer, 'package.json'), '{ "private": true }')
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error']
  await npm(['install', ...options, tarball.path, ESBUILD], { cwd: consumer })
  const installed = readdirSync(join(consumer, 'node_modules')).filter(name => !/^(\.|@?esbuild)/.test(name))
  return `with its dependencies ${installed.length} packages`
}

async function useAs(file, imports) {
  const path = join(folder, 'consumer', file)
  writeFileSync(path, `${imports}\n${ECHO}`)
  const { stdout, stderr } = await node([path], { cwd: dirname(path), timeout: 20_000 })
  expect(stdout === 'hello 1000 true\n', `printed ${stdout}`)
  expect(stderr === '', stderr)
  return `Node ${process.versions.node}`
}

async function bundle() {
  const consumer = join(folder, 'consumer')
  const esbuild = join(consumer, 'node_modules', 'esbuild', 'bin', 'esbuild')
  expect(existsSync(esbuild), 'esbuild is not installed')
  const sizes = []
  for (const [name, external] of [
    ['alone', Object.keys(manifest.dependencies)],
    ['with its dependencies', []]
  ]) {
    const outfile = join(consumer, 'bundle.mjs')
    const out = ['--bundle', '--minify', '--platform=node', '--format=esm', '--log-level=error', `--outfile=${outfile}`]
    const entry = join(consumer, 'node_modules', manifest.name, 'dist', 'index.js')
    await promisify(execFile)(esbuild, [
      entry,
      ...out,
      ...[...external, 'bufferutil'].map(name => `--external:${name}`)
    ])
    const zipped = gzipSync(readFileSync(outfile), { level: 9 }).length
    sizes.push(`${name} ${(statSync(outfile).size / 1024).toFixed(1)} KiB, ${(zipped / 1024).toFixed(1)} with gzip`)
  }
  return sizes.join('; ')
}
