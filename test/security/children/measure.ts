// For the processes that measure: processor time and memory by what was done, and one line of JSON at the end.

import { collectGarbage } from '../../protocol/memory.js'

/** A test whose process ends by itself. */
export const nobody = {
  teardown: () => {},
  pass: () => {},
  fail: () => {}
}

export function say(result: unknown): void {
  process.stdout.write(JSON.stringify(result))
  process.exit()
}

/** Microseconds of processor time that `run` takes at best: whatever else happens on the machine adds to it. */
export async function cost(run: () => unknown, times = 5): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < times; i++) {
    const before = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

/** How many times as much an input costs that is `factor` times as long; the same as `factor` where cost is linear. */
export async function growth(run: (size: number) => unknown, size: number, factor: number): Promise<number> {
  // compiled, and with the heap that it needs
  await run(size * factor)
  const small = await cost(() => run(size))
  const large = await cost(() => run(size * factor), 3)
  return large / Math.max(small, 1)
}

/** Bytes by which this process was larger than ever before while `run` went on. */
export async function peak(run: () => unknown): Promise<number> {
  const before = process.resourceUsage().maxRSS
  await run()
  return (process.resourceUsage().maxRSS - before) * 1024
}

/** Bytes on and off the heap that are in use after `run`, more than before it; what it answers is kept until then. */
export async function kept(run: () => unknown): Promise<number> {
  const before = await used()
  const result = [await run()]
  const after = await used()
  result.length = 0
  return after - before
}

async function used(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
