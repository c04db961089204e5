// Other implementations with which tests talk: where they are on this machine, and how they are started and ended.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** What these helpers need of a tap test. */
export interface TestLike {
  pass(message: string, extra: { skip: string }): unknown
  fail(message: string): unknown
  teardown(fn: () => unknown): unknown
}

/** A Python that can import `module`: the first on PATH, otherwise Debian's own, which alone finds Debian's packages. */
export function findPython(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find(python => {
    try {
      execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore', timeout: 20_000 })
      return true
    } catch {
      return false
    }
  })
}

/** The browser named by `CHROMIUM`, otherwise the first known name on PATH. */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM']
  if (named) return named
  return ['chromium', 'chromium-browser', 'google-chrome'].map(findCommand).find(path => path !== undefined)
}

/** A command on PATH, or in Debian's folders for administrators. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].filter(folder => folder !== '')
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Returns a peer that was found. A missing one skips the test with a line that says how to install it; under `CI`, where
 * every peer must be installed, it fails the test.
 */
export function needPeer(t: TestLike, found: string | undefined, debianPackage: string): string | undefined {
  if (found !== undefined) return found
  const cure = `apt-get install ${debianPackage}`
  if (process.env['CI']) t.fail(`${debianPackage} is missing: ${cure}`)
  else t.pass(`needs ${debianPackage}`, { skip: cure })
  return undefined
}

/** A peer in its own process, which prints what it sees as lines of JSON. */
export interface PeerProcess<Line> {
  /** The next line; rejects if the process ends first. */
  next(): Promise<Line>
  /** Resolves with the exit status once the process is gone. */
  ended: Promise<number | null>
  /** Ends the process: first by ending its stdin, then by a signal. */
  stop(): Promise<void>
}

/** Starts a peer, and ends it with the test. */
export function startPeer<Line>(t: TestLike, command: string, args: readonly string[]): PeerProcess<Line> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close').then(([status]) => status as number | null)
  // a command that cannot be started shows as an end before the first line
  ended.catch(() => {})
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  const stop = () => stopChild(child, ended)
  t.teardown(stop)
  return {
    async next() {
      const { value, done } = await lines.next()
      if (!done) return JSON.parse(value) as Line
      const status = await ended
      throw new Error(`${command} ${args[0]} ended with ${status}: ${complaints.trim() || 'no reason given'}`)
    },
    ended,
    stop
  }
}

/** Ends one child process by its id, first with a signal that it can handle, and waits until it is gone. */
export async function stopChild(child: ChildProcess, ended: Promise<unknown> = once(child, 'close')): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.stdin?.end()
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), 2000)
  await ended.catch(() => {})
  clearTimeout(patience)
}

/** A port of the loopback on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether something listens there. */
export async function takesCalls(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
