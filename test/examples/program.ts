// An example, started as its readers would: plain JavaScript, the package by its name, in its own process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stopChild, type TestLike } from '../support/peers.js'

export interface Program {
  /** The address in its first line. */
  url: string
  /** The next line of its output. */
  line(): Promise<string>
  /** Asks it to end; resolves with its exit status. */
  stop(): Promise<number | null>
}

export async function start(
  t: TestLike,
  example: string,
  args: string[] = [],
  env: Record<string, string> = {}
): Promise<Program> {
  const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
  if (!existsSync(built)) throw new Error('needs dist: npm run build')
  const file = fileURLToPath(new URL(`../../examples/${example}`, import.meta.url))
  // `env -i` removes the environment that tap gives its children: examples and the build are not part of the coverage
  const pairs = Object.entries({ PORT: '0', ...env }).map(([name, value]) => `${name}=${value}`)
  const child = spawn('env', ['-i', ...pairs, process.execPath, file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([status]) => status as number | null)
  t.teardown(() => stopChild(child, ended))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${example} has ended with ${await ended}`)
    return value
  }
  const [url] = /\b(?:ws|http):\/\/\S+/.exec(await line()) ?? []
  if (url === undefined) throw new Error(`${example} does not say where it is`)
  return {
    url,
    line,
    async stop() {
      child.kill('SIGTERM')
      return ended
    }
  }
}
