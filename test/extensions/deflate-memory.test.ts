// A02, each case in its own process: the memory that a small frame takes which inflates to 256 MiB.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const SCRIPT = fileURLToPath(new URL('deflate-memory.ts', import.meta.url))
const MIB = 2 ** 20

// without coverage, which would add to the memory that is measured
const EXEC_ARGV = process.execArgv.filter(arg => !arg.includes('processinfo'))
const { NODE_OPTIONS: _, ...ENV } = process.env

async function run(what: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...EXEC_ARGV, SCRIPT, what], {
    env: ENV,
    timeout: 60_000
  })
  return stdout
}

interface Result {
  inflated: number
  code?: string
  size: number
  grown: number
}

t.test('A02: inflating stops at the limit, and takes no more memory than that', { timeout: 60_000 }, async t => {
  const { size, inflated, code, grown } = JSON.parse(await run('limit')) as Result
  t.ok(size < 300_000, `${size} bytes on the wire`)
  t.equal(code, 'WS_ERR_MESSAGE_TOO_LARGE')
  t.ok(inflated <= MIB)
  // the whole process is measured: the allocator and the thread pool use some megabytes themselves
  t.ok(grown < 32 * MIB, `${grown} bytes`)
})

t.test('without a limit it takes the memory that the reader keeps', { timeout: 60_000 }, async t => {
  const dropped = JSON.parse(await run('drop')) as Result
  t.equal(dropped.inflated, 256 * MIB)
  t.ok(dropped.grown < 128 * MIB, `${dropped.grown} bytes where each piece is dropped`)
  const kept = JSON.parse(await run('keep')) as Result
  t.equal(kept.inflated, 256 * MIB)
  t.ok(kept.grown > 200 * MIB, `${kept.grown} bytes where all are kept`)
})

t.test('codecs that are not closed do not keep the process alive', { timeout: 60_000 }, async () => {
  await run('linger')
})
