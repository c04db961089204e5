// The library under test, found as its users find it: by name, through the exports of its package.json. (The benchmarks
// have a package.json of their own, so a plain import would not see it.) BENCH_SUBJECT names another build to compare.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const entry =
  process.env.BENCH_SUBJECT ?? createRequire(new URL('../package.json', import.meta.url)).resolve('websocket-duplex')

export default await import(pathToFileURL(entry))
