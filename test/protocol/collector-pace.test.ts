// Large messages trigger collections of young objects, although they create few of these themselves.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { bytesFreed } from '../../lib/protocol/collector-pace.js'
import { collections } from './collections.js'

t.test('chunks of 64 KiB are followed by collections of young objects, in proportion to their bytes', async t => {
  const [few, many] = [await collections(2000, 65536), await collections(8000, 65536)]
  t.ok(few >= 1, `${few} for 125 MiB`)
  t.ok(many > few, `${many} for 500 MiB`)
})

/** Lets the young generation grow, as in a process that keeps many objects for a while. */
function keepMany(): void {
  let kept: object[] = []
  for (let i = 0; i < 3_000_000; i++) {
    kept.push({ i, list: [i] })
    if (kept.length === 150_000) kept = []
  }
}

t.test('as often when the young generation has grown', async t => {
  keepMany()
  // the size is looked up once in a while
  await collections(500, 65536)
  const found = await collections(8000, 65536)
  t.ok(found >= 10, `${found} for 500 MiB`)
})

t.test('small chunks are not', async t => {
  const found = await collections(8000, 64)
  t.ok(found <= 1, `${found} for 500 KiB`)
})

t.test('chunks that are freed at once are not', async t => {
  const kept = await collections(8000, 65536)
  const freed = await collections(8000, 65536, () => bytesFreed(65536))
  t.ok(freed < kept / 2, `${freed} in place of ${kept}`)
})

t.test('however much was freed, later chunks are followed by collections', async t => {
  bytesFreed(2 ** 30)
  const found = await collections(8000, 65536)
  t.ok(found >= 5, `${found} for 500 MiB`)
})

t.test('a process with a small heap, which garbage could fill, is left alone', async t => {
  const script = fileURLToPath(new URL('collections.ts', import.meta.url))
  const [small, large] = await Promise.all(
    [64, 1024].map(async size => {
      const child = fork(script, ['report'], { execArgv: [...process.execArgv, `--max-old-space-size=${size}`] })
      t.teardown(() => child.kill('SIGKILL'))
      const exit = once(child, 'exit')
      const [found] = (await once(child, 'message')) as [number]
      // it writes its coverage at the end
      await exit
      return found
    })
  )
  t.ok(small! < large! / 2, `${small} for 500 MiB with 64 MiB, ${large} with 1 GiB`)
})
