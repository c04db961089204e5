// The library under test by its interface of ws: from the same build as subject.js.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const entry =
  process.env.BENCH_SUBJECT ?? createRequire(new URL('../package.json', import.meta.url)).resolve('websocket-duplex')

export const { WebSocketServer } = await import(pathToFileURL(join(dirname(entry), 'compat', 'ws', 'index.js')))
