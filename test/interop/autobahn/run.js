// Runs the Autobahn suite against this library in both roles, with wstest if it is installed, otherwise with its container image in docker or
// podman, and summarises the reports. Without either it says how to get one.
//
//   node test/interop/autobahn/run.js            both roles
//   node test/interop/autobahn/run.js server     our server
//   node test/interop/autobahn/run.js client     our client

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { summaryOf } from './summary.js'

const HERE = dirname(fileURLToPath(import.meta.url))
const IMAGE = 'crossbario/autobahn-testsuite'
const SUITE_PORT = 9002
const HELP = `Neither wstest, docker nor podman is here. One of them is needed:
  docker pull ${IMAGE}
  pip install autobahntestsuite     (Python 2)
`

const RUNS = { server: testServer, client: testClient }

const roles = process.argv.slice(2)
const unknown = roles.filter(role => RUNS[role] === undefined)
const suite = findSuite()
if (unknown.length > 0) fail(`no such role: ${unknown}; there are server and client\n`)
if (!existsSync(join(HERE, '../../../dist/index.js'))) fail('dist is missing: npm run build\n')
if (suite === undefined) fail(HELP)

let isRight = true
for (const role of roles.length > 0 ? roles : Object.keys(RUNS)) {
  await RUNS[role]()
  const summary = summaryOf(readFileSync(join(HERE, 'reports', `${role}s`, 'index.json'), 'utf8'))
  console.log(`our ${role}: ${summary.text}`)
  isRight &&= summary.isRight
}
process.exitCode = isRight ? 0 : 1

async function testServer() {
  const server = start(process.execPath, [join(HERE, 'server.js'), '9001'], ['ignore', 'pipe', 'inherit'])
  await once(createInterface({ input: server.child.stdout }), 'line')
  try {
    await start(...suite('fuzzingclient'), 'inherit').ended
  } finally {
    server.child.kill()
  }
}

async function testClient() {
  const [command, args, stop] = suite('fuzzingserver')
  const fuzzer = start(command, args, ['ignore', 'ignore', 'inherit'])
  try {
    await listening(SUITE_PORT, fuzzer.ended)
    await start(process.execPath, [join(HERE, 'client.js'), `ws://127.0.0.1:${SUITE_PORT}`], 'inherit').ended
  } finally {
    stop?.()
    fuzzer.child.kill()
    await fuzzer.ended
  }
}

/** The command that starts the suite in a mode, and the one that ends it if a signal does not. */
function findSuite() {
  if (runs('wstest', ['--help'])) return mode => ['wstest', ['-m', mode, '-s', join(HERE, `${mode}.json`)]]
  const engine = ['docker', 'podman'].find(name => runs(name, ['info']))
  if (engine === undefined) return undefined
  return mode => {
    const name = `autobahn-${process.pid}-${mode}`
    const args = ['run', '--rm', '--name', name, '--network', 'host', '-v', `${HERE}:/suite`, '-w', '/suite', IMAGE]
    const stop = () => spawnSync(engine, ['stop', name], { stdio: 'ignore' })
    return [engine, [...args, 'wstest', '-m', mode, '-s', `/suite/${mode}.json`], stop]
  }
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** In the folder of the configuration, to which the paths of the reports are relative. */
function start(command, args, ...rest) {
  const child = spawn(command, args, { cwd: HERE, stdio: rest.at(-1) ?? 'inherit' })
  return { child, ended: once(child, 'close') }
}

async function listening(port, ended) {
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  while (!isOver) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false)
    ]).catch(() => false)
    socket.destroy()
    if (isThere) return
    await pause(200)
  }
  fail('the suite ended before it listened\n')
}

function fail(words) {
  process.stderr.write(words)
  process.exit(1)
}
