// npm run fuzz -- --minutes 10 [--target frame-parser,whole] [--seed 1] [--inputs 1000000] [--replay <hex> --target <name>]
// Compiles the targets, with counters in lib, and runs the command line.

import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compile } from './instrument.js'

const folder = dirname(fileURLToPath(import.meta.url))
const root = join(folder, '..', '..')
const out = join(root, 'node_modules', '.cache', 'websocket-duplex-fuzz')

compile(root, out)
const { allot } = await import(pathToFileURL(join(out, 'test/fuzz/coverage.js')).href)
globalThis.__fuzz = allot
const { main } = await import(pathToFileURL(join(out, 'test/fuzz/command-line.js')).href)
process.exitCode = await main(process.argv.slice(2), join(folder, 'seeds'))
