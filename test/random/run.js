// node test/random/run.js --seeds 100000 --from 0; --help lists the options. Bundles the program with the lib of this tree, and runs
// the command line.

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = dirname(fileURLToPath(import.meta.url))
const out = mkdtempSync(join(tmpdir(), 'random-'))
process.on('exit', () => rmSync(out, { recursive: true, force: true }))
const outfile = join(out, 'main.cjs')
await build({
  entryPoints: [join(folder, 'main.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  sourcemap: 'inline',
  external: ['bufferutil', 'utf-8-validate'],
  // where the library looks for optional packages
  define: { 'import.meta.url': JSON.stringify(import.meta.url) },
  logLevel: 'error'
})
process.setSourceMapsEnabled(true)
const { main } = createRequire(import.meta.url)(outfile)
process.exitCode = await main(process.argv.slice(2))
