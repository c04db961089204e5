// The program that `npm run test:runtimes` runs on other runtimes runs on this one.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'echo-and-client.js')

t.test('an echo server and a client work on this runtime, without a test runner', async t => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM], { encoding: 'utf8' })
  for (const line of stdout.split(/^(?=ok |not ok |# )/m)) t.notMatch(line, /^not ok/, line.trimEnd())
  t.equal(status, 0, stderr)
})
