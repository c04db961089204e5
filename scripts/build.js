// Builds dist: a declaration for each source file, but few JavaScript files, since each file that Node has to find and open makes an import
// slower (benchmarks/questions/imports.js). Chunks hold the code that entries share, so that their classes are the same.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const lib = path => join(ROOT, 'lib', path)

const common = {
  absWorkingDir: ROOT,
  outbase: lib(''),
  outdir: join(ROOT, 'dist'),
  bundle: true,
  format: 'esm',
  target: 'es2022',
  packages: 'external',
  logLevel: 'warning'
}

rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })

const entries = ['index.ts', 'compat/ws/index.ts', 'compat/driver/index.ts', 'cli/main.ts']
await build({
  ...common,
  platform: 'node',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  entryPoints: entries.map(lib)
})

// the bundle for browsers, with runtime/browser.ts instead of runtime/node.ts
const runtime = { from: lib('runtime/node.ts'), to: lib('runtime/browser.ts') }
await build({
  ...common,
  platform: 'neutral',
  entryPoints: [lib('browser.ts')],
  plugins: [
    {
      name: 'runtime of browsers',
      setup({ onResolve }) {
        onResolve({ filter: /\/runtime\/node\.js$|^\.\/node\.js$/ }, ({ path, resolveDir }) =>
          resolve(resolveDir, path).replace(/\.js$/, '.ts') === runtime.from ? { path: runtime.to } : undefined
        )
      }
    }
  ]
})

// Makes comments ASCII, as esbuild does with strings: a single other character makes V8 keep the whole file at two bytes a character
// (benchmarks/questions/imports.js).
const ASCII = { '\u00a7': 'section ', '\u2026': '...', '\u2190': '<-', '\u2192': '->' }
for (const name of readdirSync(join(ROOT, 'dist'), { recursive: true })) {
  if (!name.endsWith('.js')) continue
  const path = join(ROOT, 'dist', name)
  const code = readFileSync(path, 'utf8')
  const ascii = code.replace(/[\u0080-\uffff]/g, character => ASCII[character] ?? '?')
  if (ascii !== code) writeFileSync(path, ascii)
}
