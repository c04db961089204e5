// The processes of the broker example, each ended with its test: nats-server with its own folder, the servers, haproxy, many clients.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { stopChild } from '../support/peers.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/broker/', import.meta.url))
const LIMIT = 60_000

/** The response of a server at /health. */
export interface Health {
  isHealthy: boolean
  connections: number
  rooms: number
  behind: number
  mostHeld: number
}

export interface Running {
  child: ChildProcess
  /** The next matching line of its output; rejects if the process ends first, or takes too long. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves with its exit status, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

/** Resolves with its address. Its streams are in a folder that is removed with the test. */
export async function startNats(t: Test, command: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'websocket-duplex-nats-'))
  const nats = run(t, command, ['-js', '-a', '127.0.0.1', '-p', '-1', '-sd', folder])
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [, address] = await nats.line(/Listening for client connections on (\S+)/)
  await nats.line(/Server is ready/)
  return address!
}

/** Resolves when the servers can be reached through it; the variables are those of the example's configuration. */
export async function startHaproxy(t: Test, command: string, env: { BIND: string; ONE: string; TWO: string }) {
  const haproxy = run(t, command, ['-db', '-f', join(EXAMPLE, 'haproxy.cfg')], env)
  const answers = async (): Promise<boolean> =>
    fetch(`http://${env.BIND}/health`).then(
      ({ ok }) => ok,
      () => false
    )
  // it prints nothing if all is well
  while (haproxy.child.exitCode === null && !(await answers())) await sleep(20)
}

export interface RoomServer extends Running {
  port: number
  health(): Promise<Health>
}

export async function startServer(t: Test, nats: string, port = 0): Promise<RoomServer> {
  const server = runExample(t, 'server.js', [], { NATS: nats, PORT: `${port}` })
  const [, found] = await server.line(/^rooms: ws:\/\/127\.0\.0\.1:(\d+)\//)
  const health = async (): Promise<Health> =>
    (await fetch(`http://127.0.0.1:${found}/health`)).json() as Promise<Health>
  return { ...server, port: Number(found), health }
}

/** A program of the example, started as its readers would. */
export function runExample(t: Test, file: string, args: string[], env: Record<string, string>): Running {
  return run(t, process.execPath, [join(EXAMPLE, file), ...args], env)
}

function run(t: Test, command: string, args: string[], env: Record<string, string> = {}): Running {
  // without the environment that tap gives its children: the example and the build are not part of the coverage
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close').then(([status, signal]) => status ?? signal)
  ended.catch(() => {})
  t.teardown(() => stopChild(child, ended))

  const said: string[] = []
  const unread: string[] = []
  let look = (): void => {}
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', line => {
      said.push(line)
      unread.push(line)
      look()
    })
  }
  const line = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const { promise, resolve } = withResolvers<RegExpExecArray>()
    look = () => {
      for (let next = unread.shift(); next !== undefined; next = unread.shift()) {
        const found = pattern.exec(next)
        if (found === null) continue
        // what arrives now is for the next call
        look = () => {}
        return resolve(found)
      }
    }
    look()
    const { promise: late, resolve: giveUp } = withResolvers<null>()
    const timer = setTimeout(giveUp, LIMIT, null)
    const found = await Promise.race([promise, late, ended.then(() => null)])
    clearTimeout(timer)
    if (found === null) throw new Error(`${command} does not say ${pattern}, but:\n${said.join('\n')}`)
    return found
  }
  return { child, line, ended }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}
