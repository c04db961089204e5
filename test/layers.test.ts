// Imports run one way (the README draws it). Each layer is a folder of lib, or a file at its top; the table lists what it may
// import. Anything else is an error.

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

interface Layer {
  /** Layers that it may import from, besides itself. */
  knows: readonly string[]
  /** Layers, or files of them, from which it may import types. */
  types?: readonly string[]
  /** Modules from outside that it may import. */
  uses?: readonly string[]
}

/** From the bottom up: no layer imports one below it in this table, except types and single files. */
const LAYERS: Record<string, Layer> = {
  // functions that Node and browsers implement differently
  runtime: {
    knows: [],
    uses: [...['node:async_hooks', 'node:buffer'], ...['buffer/index.js', 'process/browser.js']]
  },
  errors: { knows: ['runtime/node'] },
  checks: { knows: [] },
  deferred: { knows: [] },
  'is-promise': { knows: [] },
  'http2-codes': { knows: [] },
  surfacing: { knows: ['runtime/node'] },
  'abort-signals': { knows: ['surfacing'] },
  streams: { knows: ['surfacing'], uses: ['readable-stream', 'node:events'] },
  protocol: { knows: ['runtime/node', 'errors'] },
  options: {
    knows: ['checks', 'errors', 'handshake/fields', 'handshake/origin-list'],
    types: ['handshake', 'extensions']
  },
  handshake: { knows: ['runtime/node', 'errors', 'options', 'protocol'] },
  extensions: {
    knows: ['runtime/node', 'runtime/builtin', 'checks', 'errors', 'options', 'protocol'],
    uses: ['websocket-extensions', 'node:zlib']
  },
  stats: { knows: [] },
  diagnostics: { knows: [], types: ['protocol'], uses: ['node:diagnostics_channel'] },
  stages: {
    knows: ['runtime/node', 'surfacing', 'checks', 'errors', 'streams', 'protocol', 'stats', 'diagnostics'],
    types: ['extensions']
  },
  views: {
    knows: ['runtime/node', 'surfacing', 'errors', 'is-promise', 'streams', 'protocol', 'stages'],
    types: ['options', 'outbound']
  },
  'patient-timer': { knows: ['runtime/node'] },
  keepalive: { knows: ['patient-timer'] },
  'pending-pings': { knows: ['runtime/node', 'deferred', 'errors'] },
  pings: { knows: ['runtime/node', 'keepalive', 'pending-pings', 'protocol'] },
  'connection-phase': { knows: [] },
  'closing-facts': { knows: ['errors', 'protocol'], types: ['runtime/node'] },
  connection: {
    knows: ['errors', 'protocol', 'patient-timer', 'pings', 'connection-phase', 'closing-facts'],
    types: ['runtime/node', 'options']
  },
  'event-hints': { knows: ['runtime/node', 'checks'] },
  events: { knows: [], types: ['closing-facts', 'connection', 'handshake', 'options', 'protocol'] },
  'typed-duplex': { knows: [], types: ['events', 'streams'] },
  'hand-over': { knows: [], types: ['streams'] },
  'received-request': { knows: ['runtime/node', 'errors', 'streams', 'handshake'], types: ['options', 'stages'] },
  'refusal-grace': { knows: ['runtime/node'] },
  drivers: {
    knows: [
      'runtime/node',
      'errors',
      'options',
      'handshake',
      'extensions',
      'hand-over',
      'http2-codes',
      'received-request',
      'refusal-grace'
    ],
    types: ['stages']
  },
  wires: { knows: ['runtime/node', 'errors', 'http2-codes', 'stages', 'streams'] },
  emitting: { knows: ['surfacing', 'streams'], uses: ['node:events'] },
  lifecycle: {
    knows: ['runtime/node', 'deferred', 'diagnostics', 'emitting', 'protocol'],
    types: ['errors', 'closing-facts', 'connection', 'handshake', 'options', 'stats']
  },
  pipeline: {
    knows: ['surfacing', 'stages'],
    types: ['runtime/node', 'extensions', 'connection', 'options', 'protocol', 'stats', 'wires']
  },
  inbound: {
    knows: ['runtime/node', 'errors', 'protocol', 'stages', 'views'],
    types: ['options']
  },
  outbound: {
    knows: ['runtime/node', 'errors', 'protocol', 'views'],
    types: ['connection', 'inbound', 'lifecycle', 'options', 'pipeline', 'stages']
  },
  'handshake-phase': {
    knows: ['runtime/node', 'errors', 'hand-over', 'protocol', 'stages'],
    types: ['connection', 'drivers', 'extensions', 'handshake', 'inbound', 'lifecycle', 'options', 'pipeline']
  },
  endpoint: {
    knows: [
      ...['runtime/node', 'surfacing', 'abort-signals', 'errors', 'connection', 'lifecycle', 'pipeline', 'outbound'],
      ...['handshake-phase', 'inbound', 'wires']
    ],
    types: ['closing-facts', 'drivers', 'emitting', 'handshake', 'options', 'protocol', 'stages', 'stats', 'views']
  },
  'wire-stream': {
    knows: [
      ...['runtime/node', 'surfacing', 'emitting', 'errors', 'event-hints', 'events', 'streams', 'wires'],
      'endpoint'
    ],
    types: ['typed-duplex']
  },
  'send-arguments': { knows: ['runtime/node', 'checks', 'protocol'] },
  'messaging-stream': {
    knows: ['runtime/node', 'surfacing', 'errors', 'protocol', 'endpoint', 'wire-stream', 'send-arguments'],
    types: ['views']
  },
  'websocket-stream': {
    knows: ['runtime/node', 'errors', 'options', 'protocol', 'drivers', 'wires', 'endpoint', 'messaging-stream'],
    types: [
      'handshake',
      'extensions',
      'closing-facts',
      'connection',
      'connection-phase',
      'stats',
      'hand-over',
      'streams'
    ],
    uses: ['node:http2', 'node:stream']
  },
  'json-messages': { knows: ['surfacing', 'checks', 'endpoint', 'views', 'websocket-stream'], types: ['errors'] },
  net: {
    knows: [
      'runtime/builtin',
      'abort-signals',
      'event-hints',
      'checks',
      'deferred',
      'is-promise',
      'http2-codes',
      'errors',
      'streams',
      'options',
      'protocol',
      'refusal-grace',
      'handshake',
      'stages',
      'endpoint',
      'drivers',
      'wires',
      'websocket-stream'
    ],
    types: ['closing-facts', 'connection', 'views'],
    uses: [
      'node:net',
      'node:tls',
      'node:http',
      'node:https',
      'node:http2',
      'node:events',
      'node:stream',
      'node:stream/web'
    ]
  },
  // everything public, from any layer: in every environment, and on Node
  browser: {
    knows: ['errors', 'options', 'protocol', 'handshake', 'stages', 'views', 'websocket-stream', 'json-messages'],
    types: [
      'send-arguments',
      'closing-facts',
      'connection',
      'connection-phase',
      'events',
      'extensions',
      'hand-over',
      'stats'
    ]
  },
  index: { knows: ['browser', 'extensions', 'net'] },
  // the interfaces of other packages, made with the public one, and internal functions that save memory
  compat: {
    knows: ['index', 'options', 'endpoint', 'streams', 'handshake/accept-key', 'handshake/fields'],
    uses: [
      ...[
        'node:events',
        'node:http',
        'node:https',
        'node:net',
        'node:querystring',
        'node:stream',
        'node:tls',
        'node:util',
        'node:zlib'
      ]
    ]
  },
  // knows the public library, and an internal method that sends a command's output ahead of the answer to a Close
  cli: {
    knows: ['index', 'endpoint', 'checks'],
    uses: [
      'node:util',
      'node:diagnostics_channel',
      'node:readline',
      'node:fs',
      'node:http',
      'node:https',
      'node:http2',
      'node:child_process',
      'node:stream',
      'node:tty',
      'node:process',
      'node:path',
      'node:events',
      'node:net',
      'node:tls',
      'node:module',
      'node:os',
      'node:url',
      'node:timers/promises',
      'node:stream/promises',
      'node:fs/promises'
    ]
  }
}

/** The only layers that deal with streams; the others may not import even the types. */
const STREAMING = [
  'streams',
  'stages',
  'views',
  'wires',
  'wire-stream',
  'emitting',
  'endpoint',
  'messaging-stream',
  'websocket-stream',
  'pipeline',
  'net',
  'cli',
  'compat',
  'options',
  'events',
  'received-request'
]

/** Modules that no layer may import as values, except lib/streams.ts, which exports readable-stream. */
const STREAM_MODULES = ['node:stream', 'stream', 'node:stream/promises', 'readable-stream']

interface Import {
  /** A path in lib without its extension, or the name of a module. */
  from: string
  isLocal: boolean
  /** Whether nothing of it remains when the types are removed. */
  typeOnly: boolean
}

type Files = Map<string, Import[]>

const LIB = join(dirname(fileURLToPath(import.meta.url)), '..', 'lib')

const layerOf = (file: string): string => file.split('/')[0]!
const covers = (allowed: readonly string[], file: string): boolean =>
  allowed.includes(file) || allowed.includes(layerOf(file))

/** What a file imports, re-exports, imports dynamically, and names in types. */
function importsOf(file: string, source: string): Import[] {
  const imports: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const isLocal = specifier.text.startsWith('.')
    const from = isLocal ? join(dirname(file), specifier.text).replace(/\.js$/, '') : specifier.text
    imports.push({ from, isLocal, typeOnly })
  }
  const onlyTypes = (elements: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier>): boolean =>
    elements.length > 0 && elements.every(element => element.isTypeOnly)
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const { importClause } = node
      const bindings = importClause?.namedBindings
      const named = bindings !== undefined && ts.isNamedImports(bindings) && onlyTypes(bindings.elements)
      const typeOnly = importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      add(node.moduleSpecifier, typeOnly || (named && importClause?.name === undefined))
    } else if (ts.isExportDeclaration(node)) {
      const { exportClause } = node
      const named = exportClause !== undefined && ts.isNamedExports(exportClause) && onlyTypes(exportClause.elements)
      add(node.moduleSpecifier, node.isTypeOnly || named)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    } else if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest))
  return imports
}

/** One line for each import that the table does not allow. */
function violations(files: Files): string[] {
  const found: string[] = []
  for (const [file, imports] of files) {
    const name = layerOf(file)
    const layer = LAYERS[name]
    if (layer === undefined) {
      found.push(`${file} is in no layer`)
      continue
    }
    for (const { from, isLocal, typeOnly } of imports) {
      const allowed = isLocal
        ? layerOf(from) === name || covers(layer.knows, from) || (typeOnly && covers(layer.types ?? [], from))
        : (layer.uses ?? []).includes(from) || (typeOnly && from === 'node:stream' && STREAMING.includes(name))
      if (!allowed) found.push(`${file} imports ${typeOnly ? 'a type of ' : ''}${from}`)
    }
  }
  return found
}

/** Cycles of imports that remain when the types are removed. */
function circles(files: Files): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' > '))
    if (path.includes(file) || done.has(file)) return
    for (const { from, isLocal, typeOnly } of files.get(file) ?? []) {
      if (isLocal && !typeOnly) visit(from, [...path, file])
    }
    done.add(file)
  }
  for (const file of files.keys()) visit(file, [])
  return found
}

/** Layers that belong to Node, or may use it. */
const NODES_OWN = ['runtime', 'net', 'compat', 'cli']

const isNodes = (from: string): boolean => from.startsWith('node:') || isBuiltin(from)

/** Names that runtime exports, if a file uses them as globals: a browser would not have them. */
function globalsOf(file: string, source: string): string[] {
  const found = new Set<string>()
  const imported = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isImportSpecifier(node)) imported.add(node.name.text)
    else if (ts.isIdentifier(node) && isValue(node)) {
      const { text, parent } = node
      if (text === 'Buffer' || text === 'setImmediate') found.add(text)
      const isTick = ts.isPropertyAccessExpression(parent) && parent.name.text === 'nextTick'
      if (text === 'process' && isTick) found.add('process.nextTick')
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true))
  return [...found].filter(name => !imported.has(name)).sort()
}

function isValue(node: ts.Identifier): boolean {
  const { parent } = node
  const isMember = ts.isPropertyAccessExpression(parent) && parent.name === node
  return !isMember && !ts.isTypeReferenceNode(parent) && !ts.isImportSpecifier(parent)
}

/** Everything that a bundler for browsers reaches from a file, according to package.json: files of lib, and external modules. */
function bundleOf(entry: string): { local: Set<string>; modules: Set<string> } {
  const local = new Set<string>()
  const modules = new Set<string>()
  const visit = (file: string): void => {
    if (local.has(file)) return
    local.add(file)
    for (const { from, isLocal, typeOnly } of files.get(file)!) {
      if (typeOnly) continue
      if (!isLocal) modules.add(from)
      else visit(from === 'runtime/node' ? 'runtime/browser' : from)
    }
  }
  visit(entry)
  return { local, modules }
}

const files: Files = new Map(
  readdirSync(LIB, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map(path => [path.replace(/\.ts$/, ''), importsOf(path, readFileSync(join(LIB, path), 'utf8'))])
)

const fake = (sources: Record<string, string>): Files =>
  new Map(Object.entries(sources).map(([file, source]) => [file, importsOf(file, source)]))

t.test('every file of lib imports only from layers that it may know', async t => {
  t.ok(files.size > 30, `${files.size} files in ${relative(process.cwd(), LIB)}`)
  t.same(violations(files), [])
})

t.test('every local import names an existing file', async t => {
  const missing = [...files].flatMap(([file, imports]) =>
    imports.filter(({ from, isLocal }) => isLocal && !files.has(from)).map(({ from }) => `${file}: ${from}`)
  )
  t.same(missing, [])
})

t.test('imports of values have no cycles', async t => {
  t.same(circles(files), [])
})

t.test('only the command line and the compatibility entries import index', async t => {
  const importers = [...files].filter(([, imports]) => imports.some(({ from, isLocal }) => isLocal && from === 'index'))
  t.same(
    importers.map(([file]) => file).filter(file => !['cli', 'compat'].includes(layerOf(file))),
    []
  )
})

t.test('the codecs know no streams, sockets or timers: only each other, errors, buffers and masks', async t => {
  for (const [file, imports] of files) {
    if (layerOf(file) !== 'protocol') continue
    const others = imports.map(({ from }) => from).filter(from => layerOf(from) !== 'protocol' && from !== 'errors')
    t.ok(
      others.every(from => from === 'runtime/node'),
      `${file}: ${others}`
    )
    const source = readFileSync(join(LIB, `${file}.ts`), 'utf8')
    t.notMatch(source, /\b(setTimeout|setInterval|setImmediate|nextTick|queueMicrotask)\b/, `${file} waits for nothing`)
  }
})

t.test('HandshakeTransform knows no codec', async t => {
  const local = files.get('stages/handshake-transform')!.filter(({ isLocal }) => isLocal)
  t.same(local.map(({ from }) => from).sort(), ['errors', 'runtime/node', 'stages/stage'])
})

t.test(
  'only stages, views, wires and WebSocketStream use streams, and only streams.ts uses readable-stream',
  async t => {
    const users = (from: (name: string) => boolean, typesToo: boolean): string[] => [
      ...new Set(
        [...files]
          .filter(([, imports]) => imports.some(i => from(i.from) && (typesToo || !i.typeOnly)))
          .map(([file]) => layerOf(file))
      )
    ]
    const isStream = (from: string): boolean => from === 'streams' || STREAM_MODULES.includes(from)
    const streaming = [
      'streams',
      'stages',
      'views',
      'wires',
      'wire-stream',
      'emitting',
      'websocket-stream',
      'net',
      'received-request',
      'compat'
    ]
    t.same(
      users(isStream, false).filter(layer => !streaming.includes(layer)),
      []
    )
    t.same(
      users(from => from === 'readable-stream', true),
      ['streams']
    )
    t.same(
      users(from => STREAM_MODULES.includes(from) && from !== 'readable-stream', false).filter(
        layer => layer !== 'net' && layer !== 'compat'
      ),
      []
    )
  }
)

t.test('only net, the command line and compat open or hold sockets', async t => {
  const sockets = ['net', 'tls', 'http', 'https', 'http2', 'dgram'].flatMap(name => [name, `node:${name}`])
  const users = [...files].filter(([, imports]) =>
    imports.some(({ from, typeOnly }) => !typeOnly && sockets.includes(from))
  )
  t.same(
    users.map(([file]) => file).filter(file => !['net', 'compat', 'cli'].includes(layerOf(file))),
    []
  )
})

t.test("only runtime, net and the command line import Node's modules", async t => {
  const users = [...files].filter(([, imports]) =>
    imports.some(({ from, isLocal, typeOnly }) => !isLocal && isNodes(from) && !typeOnly)
  )
  t.same(
    users.map(([file]) => file).filter(file => !NODES_OWN.includes(layerOf(file))),
    []
  )
})

t.test('platform functions that differ in a browser are imported from runtime, not used as globals', async t => {
  for (const file of files.keys()) {
    if (NODES_OWN.includes(layerOf(file))) continue
    t.same(globalsOf(file, readFileSync(join(LIB, `${file}.ts`), 'utf8')), [], file)
  }
})

t.test('a bundle for browsers contains nothing of Node', async t => {
  const { exports } = JSON.parse(readFileSync(join(LIB, '..', 'package.json'), 'utf8'))
  t.match(exports['.'].browser, { types: './dist/browser.d.ts', default: './dist/browser.js' })
  const { local, modules } = bundleOf('browser')
  t.ok(local.has('runtime/browser') && local.has('websocket-stream'), `${local.size} files`)
  t.same([...modules].sort(), ['buffer/index.js', 'process/browser.js', 'readable-stream', 'websocket-extensions'])
})

t.test('the table itself is ordered: no layer knows one below it', async t => {
  const order = Object.keys(LAYERS)
  const backwards = order.flatMap((name, i) =>
    LAYERS[name]!.knows.filter(known => !known.includes('/') && order.indexOf(known) >= i).map(
      known => `${name}: ${known}`
    )
  )
  t.same(backwards, [])
})

t.test('violations are found, in any form of import', async t => {
  const broken = fake({
    'protocol/a': "import { Transform } from 'node:stream'",
    'protocol/b': "import type { Duplex } from 'node:stream'",
    'protocol/c': "export { Stage } from '../stages/stage.js'",
    'protocol/d': "export async function f() { return import('../connection.js') }",
    'protocol/e': "let x: import('../views/messages-view.js').MessagesView",
    'protocol/f': "import { isUtf8 } from 'node:buffer'",
    'protocol/g': "import { Buffer } from '../runtime/browser.js'",
    'handshake/a': "import '../pipeline.js'",
    'handshake/b': "export * from '../wire.js'",
    'stages/a': "import { MessagesView } from '../views/messages-view.js'",
    'stages/b': "import { Transform } from 'readable-stream'",
    'stages/c': "import { type Duplex, Transform } from 'node:stream'",
    'drivers/handshake-driver': "import { Stage } from '../stages/stage.js'",
    options: "import { x } from './handshake/server-handshake.js'",
    connection: "import * as stage from './stages/stage.js'",
    views: "import x, { type Y } from './pipeline.js'",
    'unknown/a': ''
  })
  t.same(violations(broken), [
    'protocol/a imports node:stream',
    'protocol/b imports a type of node:stream',
    'protocol/c imports stages/stage',
    'protocol/d imports connection',
    'protocol/e imports a type of views/messages-view',
    'protocol/f imports node:buffer',
    'protocol/g imports runtime/browser',
    'handshake/a imports pipeline',
    'handshake/b imports wire',
    'stages/a imports views/messages-view',
    'stages/b imports readable-stream',
    'stages/c imports node:stream',
    'drivers/handshake-driver imports stages/stage',
    'options imports handshake/server-handshake',
    'connection imports stages/stage',
    'views imports pipeline',
    'unknown/a is in no layer'
  ])
})

t.test('valid imports are not reported', async t => {
  const right = fake({
    'protocol/a':
      "import { isUtf8 } from '../runtime/node.js'\nimport { WebSocketError } from '../errors.js'\nexport { x } from './b.js'",
    'stages/a': "import type { Duplex } from 'node:stream'\nimport { type A, type B } from 'node:stream'",
    options:
      "import type { X } from './handshake/server-handshake.js'\nimport { checkField } from './handshake/fields.js'",
    'drivers/handshake-driver': "import { type HandshakeReader } from '../stages/handshake-transform.js'",
    browser: "export type { A } from './events.js'\nexport { type B } from './connection.js'\nexport const c = 1"
  })
  t.same(violations(right), [])
})

t.test('globals of Node are found, but not types and members of the same names', async t => {
  const source = `import { nextTick } from './runtime/node.js'
    const a: Buffer = Buffer.alloc(1)
    process.nextTick(() => setImmediate(f))
    nextTick(() => this.setImmediate(Buffer))
    globalThis.process?.nextTick`
  t.same(globalsOf('a', source), ['Buffer', 'process.nextTick', 'setImmediate'])
  const right =
    "import { Buffer, setImmediate } from './runtime/node.js'\nlet b: Buffer = Buffer.alloc(1)\nsetImmediate(f)"
  t.same(globalsOf('b', right), [])
})

t.test('a cycle is found, but not one of types', async t => {
  const sources = {
    'protocol/a': "import './b.js'",
    'protocol/b': "import { c } from './c.js'",
    'protocol/c': "export * from './a.js'"
  }
  t.same(circles(fake(sources)), ['protocol/a > protocol/b > protocol/c > protocol/a'])
  t.same(circles(fake({ ...sources, 'protocol/c': "export type * from './a.js'" })), [])
})
