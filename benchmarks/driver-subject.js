// What stands in the place of websocket-driver: of the library under test, or of the build that BENCH_SUBJECT names.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { BENCH_SUBJECT: subject } = process.env
const entry =
  subject === undefined
    ? pathToFileURL(createRequire(new URL('../package.json', import.meta.url)).resolve('websocket-duplex/driver'))
    : new URL('./compat/driver/index.js', pathToFileURL(subject))

const { default: driver } = await import(entry)
export default driver

/** Has whoever requires websocket-driver from here on get it. */
export function putIn() {
  const require = createRequire(import.meta.url)
  const path = require.resolve('websocket-driver')
  require.cache[path] = { id: path, filename: path, loaded: true, children: [], paths: [], exports: driver }
}
