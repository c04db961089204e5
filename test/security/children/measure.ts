// For the processes that measure: CPU time and memory of a piece of code, and the results as one line of JSON.

import { collectGarbage } from '../../protocol/memory.js'

/** The part of a tap test that such a process needs; it ends by itself. */
export const nobody = {
  teardown: () => {},
  pass: () => {},
  fail: () => {}
}

export function say(result: unknown): void {
  process.stdout.write(JSON.stringify(result))
  process.exit()
}

/** Microseconds of CPU time of the fastest run, since other processes slow down the others. */
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

/** How many times longer an input takes that is `factor` times as long; about `factor` if the cost is linear. */
export async function growth(run: (size: number) => unknown, size: number, factor: number): Promise<number> {
  // compiled, and with a heap that has grown
  await run(size * factor)
  const small = await cost(() => run(size))
  const large = await cost(() => run(size * factor), 3)
  return large / Math.max(small, 1)
}

/** Bytes by which the peak size of this process grew while `run` was running. */
export async function peak(run: () => unknown): Promise<number> {
  const before = process.resourceUsage().maxRSS
  await run()
  return (process.resourceUsage().maxRSS - before) * 1024
}

/** Bytes on and off the heap in use after `run`, minus those before; its result is kept alive until then. */
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
