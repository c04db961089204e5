// Starts one side of a connection as its own process, which reports what it sees as lists of values.

import { type ChildProcess, fork } from 'node:child_process'
import { Inbox } from '../support/inbox.js'
import type { TestLike } from '../websocket-stream/sides.js'

// without coverage, mocks and source maps, which would add to the memory that is measured
const EXEC_ARGV = process.execArgv.filter(arg => !arg.includes('tapjs') && arg !== '--enable-source-maps')
const { NODE_OPTIONS: _, ...ENV } = process.env

export interface Child {
  process: ChildProcess
  /** The next line of that kind; others before it are skipped. */
  hear(kind: string): Promise<unknown[]>
}

/** Starts a process that ends with the test. */
export function startChild(
  t: TestLike,
  script: string,
  args: readonly (string | number)[],
  flags: readonly string[] = []
): Child {
  const child = fork(script, args.map(String), { execArgv: [...EXEC_ARGV, ...flags], env: ENV })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = new Inbox<unknown[]>()
  child.on('message', line => lines.put(line as unknown[]))
  child.on('exit', () => lines.end())
  const hear = async (kind: string): Promise<unknown[]> => {
    for (;;) {
      const line = await lines.take()
      if (line === undefined) throw new Error(`${args.join(' ')} ended before it said '${kind}'`)
      if (line[0] === kind) return line.slice(1)
    }
  }
  return { process: child, hear }
}
