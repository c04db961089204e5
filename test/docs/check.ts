// Type-checks blocks of code; returns TypeScript's errors for each. Each block becomes a module in a temporary folder; js is checked
// as JavaScript, where types are optional.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import type { Block } from './blocks.js'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Names that a block may use without declaring them. */
const GIVEN = `import type { IncomingMessage, Server } from 'node:http'
import type { Http2SecureServer, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import type * as duplex from 'websocket-duplex'
declare global {
  var socket: Socket
  var server: Server
  var request: IncomingMessage
  var head: Buffer
  var ws: duplex.WebSocketStream
  var url: string
  var options: duplex.WebSocketOptions
  var signal: AbortSignal
  var source: Readable
  var sink: Writable
  var wire: Duplex
  var stream: ServerHttp2Stream
  var headers: IncomingHttpHeaders
  var secureServer: Http2SecureServer
}
`

/** More names that a block without imports may use, and where they come from. */
const MODULES: Record<string, string> = {
  net: 'net from "node:net"',
  tls: 'tls from "node:tls"',
  http: 'http from "node:http"',
  https: 'https from "node:https"',
  http2: 'http2 from "node:http2"',
  fs: 'fs from "node:fs"',
  once: '{ once } from "node:events"',
  pipeline: '{ pipeline } from "node:stream/promises"',
  ...Object.fromEntries(
    ['Readable', 'Writable', 'Duplex', 'Transform', 'PassThrough'].map(name => [name, `{ ${name} } from "node:stream"`])
  )
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules', '@types')],
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  allowJs: true,
  checkJs: true,
  noEmit: true,
  skipLibCheck: true
}

/** The errors of each block, each with its line in the document. */
export function check(folder: string, blocks: readonly Block[]): Map<Block, string[]> {
  mkdirSync(folder, { recursive: true })
  const given = join(folder, 'given.d.ts')
  writeFileSync(given, GIVEN)
  exported ??= exportsOf(given)
  const files = new Map<string, Block>()
  for (const [i, block] of blocks.entries()) {
    if (block.skip !== null) continue
    const file = join(folder, `${i}.${block.isTypeScript ? 'ts' : 'js'}`)
    // on the first line, so that the lines of the block keep their numbers
    writeFileSync(file, `${importsFor(block, exported)}${givenTo(block)}${block.code}\n`)
    files.set(file, block)
  }
  const findings = new Map(blocks.map(block => [block, [] as string[]]))
  for (const diagnostic of ts.getPreEmitDiagnostics(ts.createProgram([given, ...files.keys()], OPTIONS))) {
    const { file, start = 0, code } = diagnostic
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
    const block = file && files.get(join(file.fileName))
    if (block === undefined) throw new Error(text)
    if (isAboutMissingTypes(code) && (!block.isTypeScript || code === UNTYPED_MODULE)) continue
    const line = block.line + 1 + file!.getLineAndCharacterOfPosition(start).line
    findings.get(block)!.push(`${block.document}:${line}: ${text}`)
  }
  return findings
}

const UNTYPED_MODULE = 7016

/** The errors of `noImplicitAny`. */
function isAboutMissingTypes(code: number): boolean {
  return code >= 7005 && code <= 7057
}

let exported: string[] | undefined

/** The values that the package exports, according to TypeScript. */
function exportsOf(given: string): string[] {
  const program = ts.createProgram([given], OPTIONS)
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(given)!
  const declaration = source.statements.filter(ts.isImportDeclaration).at(-1)!
  const symbol = checker.getSymbolAtLocation(declaration.moduleSpecifier)
  if (symbol === undefined) throw new Error('the built package cannot be resolved')
  const isValue = (name: ts.Symbol): boolean =>
    ((name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name).flags & ts.SymbolFlags.Value) !== 0
  return checker
    .getExportsOfModule(symbol)
    .filter(isValue)
    .map(({ name }) => name)
}

/** Imports for a fragment of a program: everything that it uses and does not declare. */
function importsFor({ code }: Block, exported: readonly string[]): string {
  if (/^\s*import\b/m.test(code)) return ''
  const isMeant = (name: string): boolean =>
    new RegExp(`(?<![.\\w$])${name}\\b`).test(code) &&
    !new RegExp(`\\b(?:const|let|var|function|class)\\s+(?:${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\}\\s*=)`).test(code)
  const ours = exported.filter(isMeant)
  const others = Object.keys(MODULES).filter(name => isMeant(name) && !ours.includes(name))
  const lines = others.map(name => `import ${MODULES[name]}; `)
  if (ours.length > 0) lines.push(`import { ${ours.join(', ')} } from "websocket-duplex"; `)
  return lines.join('')
}

function givenTo({ given, isTypeScript }: Block): string {
  return given
    .map(({ name, type }) =>
      isTypeScript
        ? `declare const ${name}: ${type}; `
        : `const ${name} = /** @type {${type}} */ (/** @type {any} */ (0)); `
    )
    .join('')
}
