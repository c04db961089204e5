// Measures the memory that objects hold.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Frees all that is no longer referenced. */
export const collectGarbage = runInNewContext('gc') as () => void

function used(): number {
  // the memory of a Buffer is freed one collection after the Buffer
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The bytes that the result of `make` keeps alive: the median of three measurements, since other objects come and go. */
export function held(make: () => unknown): number {
  make()
  const sizes = Array.from({ length: 3 }, () => {
    const before = used()
    const kept = [make()]
    const after = used()
    kept.length = 0
    return after - before
  })
  return sizes.sort((a, b) => a - b)[1]!
}
