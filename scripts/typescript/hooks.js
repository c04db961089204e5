// Loader hooks that compile TypeScript modules, with source maps. Compiled files are cached in node_modules/.cache, so that 270 test
// processes do not compile the library 270 times. Types are not checked here.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const TYPESCRIPT = /^file:[^?]*(?<!\.d)\.ts(\?|$)/
const OPTIONS = {
  target: 'es2022',
  module: 'esnext',
  verbatimModuleSyntax: true,
  useDefineForClassFields: false,
  inlineSourceMap: true,
  inlineSources: true
}
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/websocket-duplex/', import.meta.url))
const VERSION = JSON.stringify([require('typescript/package.json').version, OPTIONS])

mkdirSync(CACHE, { recursive: true })

/** As in TypeScript, './frame.js' refers to frame.ts. */
export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('.') || !specifier.endsWith('.js') || !TYPESCRIPT.test(context.parentURL ?? ''))
    return next(specifier, context)
  try {
    return await next(`${specifier.slice(0, -'.js'.length)}.ts`, context)
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return next(specifier, context)
  }
}

export async function load(url, context, next) {
  if (!TYPESCRIPT.test(url)) return next(url, context)
  // passed on in the context, so that the next hook, which records tap's coverage, gets the source map too
  return next(url, { ...context, format: 'module', source: compiled(fileURLToPath(url)) })
}

/** Each TypeScript file has one file in the cache, which ends with a hash of its source, the options and the compiler's version. */
function compiled(file) {
  const source = readFileSync(file, 'utf8')
  const made = `\n// ${sha256(VERSION + source)}\n`
  const path = join(CACHE, `${sha256(file)}.js`)
  try {
    const text = readFileSync(path, 'utf8')
    if (text.endsWith(made)) return text
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  const { outputText } = require('typescript').transpileModule(source, {
    fileName: basename(file),
    compilerOptions: OPTIONS
  })
  const text = outputText + made
  // renamed, so that no other process reads a part of it
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text)
  renameSync(draft, path)
  return text
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex')
}
