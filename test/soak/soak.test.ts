// A short soak: 100 connections that come and go for 5 seconds.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const SOAK = fileURLToPath(new URL('soak.js', import.meta.url))

// without coverage, which would add to the memory that is measured
const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...ENV } = process.env

t.test(
  '100 connections in 5 seconds: memory is flat, and everything sent has arrived',
  { timeout: 110_000 },
  async t => {
    const soak = spawn(process.execPath, [SOAK, '--seconds', '5', '--connections', '100'], { env: ENV })
    t.teardown(() => soak.kill('SIGKILL'))
    let said = ''
    for (const stream of [soak.stdout, soak.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text))
    const [status] = await once(soak, 'close')
    for (const line of said.match(/^(?:ok|NOT OK) - .*$/gm) ?? []) t.match(line, /^ok/, line)
    t.equal(status, 0, said)
    t.match(said, /held for 5 s/)
  }
)

t.test('invalid numbers are refused', { timeout: 60_000 }, async t => {
  const soak = spawn(process.execPath, [SOAK, '--minutes', 'a'], { env: ENV })
  const [status] = await once(soak, 'close')
  t.equal(status, 1)
})
