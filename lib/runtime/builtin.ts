// Node's modules that not every program needs. Each is loaded when it is first used, so that importing this package takes little time and
// memory (benchmarks/questions/imports.js).

import { getBuiltinModule } from 'node:process'

const loaded = new Map<string, unknown>()

function load(id: string): unknown {
  let found = loaded.get(id)
  if (found === undefined) {
    // it makes the exports anew on each call, which takes some microseconds
    found = getBuiltinModule(id)
    loaded.set(id, found)
  }
  return found
}

/** The module of Node that has this name. */
export const builtin = load as typeof getBuiltinModule
