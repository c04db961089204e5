// Node's modules that not every program needs. Each is loaded on first use, so that importing this package takes little time and memory
// (benchmarks/questions/imports.js).

const loaded = new Map<string, unknown>()

function load(id: string): unknown {
  let found = loaded.get(id)
  if (found === undefined) {
    // cached, since each call creates the exports anew, which takes microseconds
    found = process.getBuiltinModule(id)
    loaded.set(id, found)
  }
  return found
}

/** The module of Node with this name. */
export const builtin = load as typeof process.getBuiltinModule
