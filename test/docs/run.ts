// Runs a block that is a whole program; returns what went wrong. Every program is a process of its own, with
// loopback.js loaded; none is left running.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { type Block, findServer } from './blocks.js'

const LOOPBACK = pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), 'loopback.js')).href
const LIMIT = 20_000

/** A port that a program named, and the real one. */
type Ports = Record<string, number>

interface Program {
  child: ChildProcess
  /** What it has printed, errors included. */
  output: () => string
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

/** Runs a block, together with the servers that it needs. */
export async function run(folder: string, block: Block, blocks: readonly Block[]): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  const servers: Program[] = []
  const ports: Ports = {}
  try {
    for (const port of block.run!.servers) {
      const server = start(folder, findServer(block, port, blocks), {})
      servers.push(server)
      const problem = await listens(server, ports)
      if (problem !== null) return [`the server above ${problem}`]
    }
    return await outcome(start(folder, block, ports), block)
  } finally {
    for (const server of servers) await stop(server)
  }
}

async function outcome(program: Program, block: Block): Promise<string[]> {
  const { isServer, prints } = block.run!
  try {
    if (isServer) {
      const problem = await listens(program, {})
      if (problem !== null) return [problem]
    } else {
      const code = await inTime(program.ended)
      if (code !== 0) return [`exit code ${code ?? `none within ${LIMIT} ms`}:\n${program.output()}`]
    }
  } finally {
    await stop(program)
  }
  const lines = program.output().split('\n')
  return prints
    .filter(text => !lines.some(line => patternOf(text).test(line)))
    .map(text => `does not print "${text}", but:\n${program.output()}`)
}

function patternOf(text: string): RegExp {
  const parts = text.split('…').map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}

function start(folder: string, block: Block, ports: Ports): Program {
  const file = join(folder, `line-${block.line}.js`)
  const { outputText } = ts.transpileModule(block.code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  })
  writeFileSync(file, block.isTypeScript ? outputText : block.code)
  const env: NodeJS.ProcessEnv = { ...process.env, LOOPBACK_PORTS: JSON.stringify(ports), NO_COLOR: '1' }
  // tap's own hook, which watches the files that a test loads
  delete env['NODE_OPTIONS']
  const child = spawn(process.execPath, ['--import', LOOPBACK, file], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc']
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  return { child, output: () => output, ended }
}

/** Waits until a program listens, and records its ports; returns what is wrong if it does not. */
async function listens({ child, output, ended }: Program, ports: Ports): Promise<string | null> {
  const heard = once(child, 'message').then(([message]) => Object.assign(ports, message as Ports))
  const first = await inTime(Promise.race([heard, ended.then(() => null)]))
  if (first === undefined) return `does not listen within ${LIMIT} ms:\n${output()}`
  return first === null ? `ended before it listened:\n${output()}` : null
}

async function stop({ child, ended }: Program): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

/** Undefined if it takes too long. */
async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, LIMIT, undefined)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
