// The upload example: a file arrives unchanged, an interrupted upload leaves nothing, and neither side buffers much of it.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { connect } from '../../lib/index.js'
import { pattern } from '../support/frames.js'
import { start } from './program.js'

const CLIENT = fileURLToPath(new URL('../../examples/upload/client.js', import.meta.url))

t.test('files are stored whole, or not at all', async t => {
  const folder = t.testdir({ sent: {}, stored: {} })
  const stored = join(folder, 'stored')
  const example = await start(t, 'upload/server.js', [stored], { LIMIT: '50000000' })
  const path = join(folder, 'sent', 'file')
  const bytes = pattern(5_000_000)
  writeFileSync(path, bytes)
  const { stdout } = await promisify(execFile)('env', ['-i', process.execPath, CLIENT, example.url, path])
  const [name] = readdirSync(stored)
  t.equal(stdout, `${join(stored, name!)}: 5000000 bytes\n`)
  t.ok(readFileSync(join(stored, name!)).equals(bytes))

  const broken = connect(example.url)
  const writer = broken.createMessage('binary')
  writer.write(Buffer.alloc(1_000_000))
  await broken.opened
  while (readdirSync(stored).length < 2) await new Promise(setImmediate)
  broken.destroy()
  while (readdirSync(stored).length > 1) await new Promise(setImmediate)
  t.same(readdirSync(stored), [name], 'the part is gone')

  writeFileSync(path, Buffer.alloc(60_000_000))
  const error = await promisify(execFile)('env', ['-i', process.execPath, CLIENT, example.url, path]).catch(
    error => error as Error & { stderr: string }
  )
  t.match(error, { stderr: /the peer closed it with 1009 a message is larger than maxMessageSize/ })

  const text = connect(example.url)
  text.text('not a file')
  const [info] = await once(text, 'close')
  t.match(info, { code: 1003, reason: 'files are binary messages' })
  t.same(readdirSync(stored), [name])
  t.equal(await example.stop(), 0)
})
