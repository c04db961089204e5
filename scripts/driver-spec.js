// Runs the specs of websocket-driver and of faye-websocket, from checkouts of their repositories, against websocket-duplex/driver. Keeps
// nothing of them. 20 of websocket-driver's 195 fail on purpose: docs/migrating-from-websocket-driver.md says why.
//
//   node scripts/driver-spec.js FOLDER-OF-websocket-driver-node FOLDER-OF-faye-websocket-node
//
// '-' skips one of them. Needs npm's registry, and a built dist.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const DRIVER = createRequire(import.meta.url).resolve('websocket-duplex/driver')
/** Number of tests that fail on purpose: error texts and reasons, the order of header fields, and other intended differences. */
const EXPECTED = 20

const [driverSpec = '-', fayeSpec = '-'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'driver-spec-'))
try {
  if (driverSpec !== '-') report('websocket-driver', runDriver(driverSpec), EXPECTED)
  if (fayeSpec !== '-') report('faye-websocket', runFaye(fayeSpec), 0)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function report(name, output, expected) {
  const failed = output.match(/^not ok .*$/gm) ?? []
  const passed = output.match(/^ok /gm) ?? []
  console.log(`${name}: ${passed.length} of ${passed.length + failed.length}`)
  for (const line of failed) console.log(`  ${line}`)
  if (passed.length === 0 || failed.length > expected) {
    if (passed.length === 0) console.log(output)
    process.exitCode = 1
  }
}

/** The spec requires files of the package by path: each is replaced by one that makes a driver through entry.js. */
function runDriver(spec) {
  const place = prepare('driver', spec, ['jstest', 'permessage-deflate', 'safe-buffer'])
  const files = join(place, 'lib', 'websocket', 'driver')
  mkdirSync(files, { recursive: true })
  writeFileSync(
    join(files, 'entry.js'),
    `const crypto = require('node:crypto')
const { syncBuiltinESMExports } = require('node:module')
const fill = crypto.randomFillSync
let key = null
// the spec sets the client's key
crypto.randomFillSync = (bytes, ...rest) => {
  if (key === null || bytes.length !== 16) return fill(bytes, ...rest)
  Buffer.from(key, 'base64').copy(bytes)
  return bytes
}
syncBuiltinESMExports()
const driver = require(${JSON.stringify(DRIVER)})
exports.server = allowDrafts =>
  function (request, url, options) {
    const { host, pathname } = new URL(url)
    request.headers.host = host
    request.url = pathname
    return driver.http(request, { requireMasking: false, ...options, allowDrafts })
  }
exports.client = function Client(url, options) {
  const made = driver.client(url, options)
  const start = made.start.bind(made)
  made.start = () => {
    key = Client.generateKey()
    const isSent = start()
    key = null
    return isSent
  }
  return made
}
exports.client.generateKey = () => null
`
  )
  const shims = { hybi: 'server(false)', draft75: 'server(true)', draft76: 'server(true)', client: 'client' }
  for (const [name, made] of Object.entries(shims)) {
    writeFileSync(join(files, `${name}.js`), `module.exports = require('./entry').${made}\n`)
  }
  return jstest(place)
}

/** faye-websocket itself, with our package installed as websocket-driver. Makes a certificate, since OpenSSL refuses that of its repository. */
function runFaye(spec) {
  const place = prepare('faye', spec, ['jstest', 'pace', 'permessage-deflate'])
  cpSync(join(spec, 'lib'), join(place, 'lib'), { recursive: true })
  const put = join(place, 'node_modules', 'websocket-driver')
  rmSync(put, { recursive: true, force: true })
  cpSync(join(ROOT, 'packages', 'websocket-driver'), put, { recursive: true })
  symlinkSync(ROOT, join(place, 'node_modules', 'websocket-duplex'), 'dir')
  const pem = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  const out = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', 'server.key', '-out', 'server.crt']
  spawnSync('openssl', [...pem, ...out], { cwd: join(place, 'spec') })
  return jstest(place)
}

function prepare(name, spec, packages) {
  const place = join(folder, name)
  if (!existsSync(join(spec, 'spec', 'runner.js'))) throw new Error(`there is no spec/runner.js in ${spec}`)
  cpSync(join(spec, 'spec'), join(place, 'spec'), { recursive: true })
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n')
  npm(place, ['install', ...packages])
  return place
}

function npm(cwd, args) {
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline']
  const { status, stderr } = spawnSync('npm', [...args, ...quiet], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

function jstest(cwd) {
  const command = join('node_modules', '.bin', 'jstest')
  return spawnSync(process.execPath, [command, 'spec/runner.js', '--format', 'tap'], { cwd, encoding: 'utf8' }).stdout
}
