// Counts collections of young objects while a FrameParser reads. Run as a process with 'report', it sends the number for
// 500 MiB in chunks of 64 KiB to its parent.

import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { FrameParser } from '../../lib/protocol/frame-parser.js'

/**
 * The number of collections of young objects while a parser reads this many chunks of this size, always from the same memory. `after` is
 * called after each chunk.
 */
export async function collections(count: number, size: number, after = (): void => {}): Promise<number> {
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

if (process.argv[2] === 'report') {
  process.send!(await collections(8000, 65536))
  process.disconnect()
}
