// Large messages trigger collections of young objects, although they create few of these themselves.

import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { bytesFreed } from '../../lib/protocol/collector-pace.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'

/**
 * The number of collections of young objects while a parser reads this many chunks of this size, always from the same memory. `after` is
 * called after each chunk.
 */
async function collections(count: number, size: number, after = (): void => {}): Promise<number> {
  let found = 0
  const observer = new PerformanceObserver(list => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) found++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  const parser = new FrameParser({ masked: false, maxFrameSize: Number.POSITIVE_INFINITY })
  const chunk = Buffer.alloc(size)
  const header = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  header.writeUIntBE(count * size, 4, 6)
  parser.push(header, true)
  parser.next()
  for (let i = 0; i < count; i++) {
    parser.push(chunk, true)
    parser.next()
    after()
  }
  await setImmediate()
  for (const { detail } of observer.takeRecords() as unknown as { detail: { kind: number } }[]) {
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) found++
  }
  observer.disconnect()
  return found
}

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
