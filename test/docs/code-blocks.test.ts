// The code in README.md, docs/**/*.md and scripts/reference.md: every block marked js or ts (also mjs, javascript, typescript) compiles against the built
// package, and those that are whole programs run. For authors:
//
//   - A block needs no comment: TypeScript checks it, strictly if it is ts, without asking for types if it is js.
//   - A block with an import is a whole module, and imports what it uses. One without is a fragment: all that this package
//     exports, and net, tls, http, https, http2, fs, once, Readable, Writable, Duplex, Transform, PassThrough and pipeline, are
//     imported for it.
//   - Every block may use `socket`, `server`, `request`, `head`, `ws`, `url`, `options`, `signal`, `source`, `sink` and the other names of
//     GIVEN in check.ts, unless it declares them itself.
//
// DOCS=docs/rooms.md,README.md in the environment: only the blocks of these files.
//
// Comments before a block, which readers do not see, say more about it; there may be several, with empty lines between:
//
//   <!-- run -->                    it also runs, in its own process, and must end by itself with exit code 0
//   <!-- run: a server -->          it runs until it listens; the test ends it
//   <!-- run: with server -->       it runs while the nearest block above it that is `a server` runs
//   <!-- run: with server 8081 -->  the same for the nearest one that contains that port; twice for two servers
//   <!-- run: prints "hi …" -->     a line of its output is this, … standing for anything; combine with more of these and any of the above by
//                                   commas: <!-- run: with server, prints "one", prints "two" -->
//   <!-- given: user: string -->    the block uses `user` without declaring it; any type; several names are separated by `;`
//   <!-- skip: why -->              neither compiled nor run, for this reason
//
// Programs may name any port: loopback.js gives each server a free one, and redirects connections to the named port there. Nothing
// leaves the machine: connecting to a port on which no block listens is an error. Files are relative to an empty temporary folder.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Block, readBlocks } from './blocks.js'
import { check } from './check.js'
import { run } from './run.js'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Everything written by hand; docs/api is generated from the comments in lib. */
function documents(): string[] {
  const docs = join(ROOT, 'docs')
  const files = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: 'utf8' }) : []
  const written = files.filter(file => file.endsWith('.md') && !/^api[\\/]/.test(file)).sort()
  const all = ['README.md', join('scripts', 'reference.md'), ...written.map(file => join('docs', file))]
  const wanted = process.env['DOCS']?.split(',')
  return wanted === undefined ? all : all.filter(name => wanted.includes(name))
}

const SAMPLE = [
  '<!-- run: a server -->',
  '```js',
  "import net from 'node:net'",
  "import { WebSocketStream } from 'websocket-duplex'",
  '',
  'net.createServer(socket => {',
  '  const ws = WebSocketStream.server().attach(socket)',
  '  ws.messages.pipe(ws.messages)',
  "}).listen(8080, 'localhost')",
  '```',
  '1. In a list:',
  '',
  '   <!-- run: with server, prints "heard …lo" -->',
  '',
  '   ```ts',
  "   import net from 'node:net'",
  "   import { WebSocketStream } from 'websocket-duplex'",
  '',
  "   const url: string = 'ws://localhost:8080/'",
  "   const ws = WebSocketStream.client(url).attach(net.connect(8080, 'localhost'))",
  "   ws.text('hello')",
  "   ws.on('message', message => {",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
  '     console.log(`heard ${message}`)',
  '     ws.close()',
  '   })',
  '   ```',
  '<!-- given: user: { name: string }; count: number -->',
  '```js',
  "const greeting = 'hello ' + user.name",
  "ws.on('open', () => ws.text(greeting.repeat(count)))",
  'new FrameDecoder({ role: "server" }).pipe(new PassThrough({ objectMode: true }))',
  '```'
].join('\n')

t.test('the code in the documents is correct', async t => {
  if (!existsSync(join(ROOT, 'dist', 'index.d.ts'))) return t.fail('dist is missing: npm run build')
  const blocks = documents().flatMap(name => readBlocks(name, readFileSync(join(ROOT, name), 'utf8')))
  t.ok(blocks.length > 0, `${blocks.length} blocks`)
  await passes(t, blocks)
})

t.test('comments distinguish servers, clients and snippets', async t => {
  const blocks = readBlocks('sample.md', SAMPLE)
  t.same(
    blocks.map(({ name, run }) => [name, run?.isServer, run?.servers, run?.prints]),
    [
      ['sample.md:2', true, [], []],
      ['sample.md:15', false, [null], ['heard …lo']],
      ['sample.md:28', undefined, undefined, undefined]
    ]
  )
  await passes(t, blocks)
})

t.test('errors in a block are found, with their position in the document', async t => {
  const wrong = (code: string, comment = '', language = 'js'): Block[] =>
    readBlocks('wrong.md', `Text.\n\n${comment}\n\`\`\`${language}\n${code}\n\`\`\``)
  const cases: [RegExp | null, Block[]][] = [
    [/^wrong\.md:5: Property 'txt' does not exist/, wrong("ws.txt('a')")],
    [/^wrong\.md:6: Cannot find name 'nobody'/, wrong('\nnobody.knows()')],
    [/^wrong\.md:6: Cannot find name 'FrameDecoder'/, wrong("import 'node:net'\nnew FrameDecoder({ role: 'server' })")],
    [/^wrong\.md:5: .*has no exported member/, wrong("import { Nothing } from 'websocket-duplex'")],
    [/^wrong\.md:5: Parameter 'a' implicitly has an 'any' type/, wrong('export const f = a => a', '', 'ts')],
    [/^wrong\.md:5: .*'string' is not assignable to type 'number'/, wrong("const a: number = 'b'", '', 'ts')],
    [null, wrong('const f = a => a')],
    [/^wrong\.md:5: /, wrong('if (')],
    [null, wrong('nobody.knows()', '<!-- skip: shows what fails -->')]
  ]
  const findings = check(
    t.testdir({}),
    cases.flatMap(([, blocks]) => blocks)
  )
  for (const [expected, [block]] of cases) {
    const [first = null] = findings.get(block!)!
    t.match(first, expected, block!.code)
  }

  const runs = async (code: string, comment: string): Promise<string[]> => {
    const blocks = wrong(code, comment)
    return run(t.testdir({}), blocks[0]!, blocks)
  }
  t.match(await runs("throw new Error('no')", '<!-- run -->'), [/exit code 1[\s\S]*Error: no/])
  t.match(await runs("console.log('b')", '<!-- run: prints "a" -->'), [/does not print "a"[\s\S]*b/])
  t.match(await runs('process.exit(0)', '<!-- run: a server -->'), [/ended before it listened/])
  t.match(await runs("require('node:net')", '<!-- run -->'), [/require is not defined/])
  t.match(await runs("import net from 'node:net'\nnet.connect(80, 'example.com')", '<!-- run -->'), [
    /no block listens on port 80/
  ])
  t.match(await runs("import dns from 'node:dns'\nawait dns.promises.lookup('example.com')", '<!-- run -->'), [
    /names are not looked up/
  ])
})

t.test('an unknown comment is an error, and so is a missing server', async t => {
  const reads = (comment: string) => (): unknown => readBlocks('wrong.md', `${comment}\n\`\`\`js\n\`\`\``)
  t.throws(reads('<!-- rnu -->'), { message: "wrong.md:2: unknown comment 'rnu'" })
  t.throws(reads('<!-- run: fast -->'), { message: "wrong.md:2: unknown way to run: 'fast'" })
  t.throws(reads('<!-- skip -->'), { message: 'wrong.md:2: skip needs a reason' })
  t.throws(reads('<!-- run: with server -->'), { message: 'wrong.md:2: no server above' })
  t.throws(() => readBlocks('wrong.md', '```js\nconst a'), { message: 'wrong.md:1: the block does not end' })
  t.same(readBlocks('right.md', '```sh\nnpm test\n```\n~~~text\n```js\n~~~\n<!-- other -->\n\nText.'), [])
})

async function passes(t: Test, blocks: readonly Block[]): Promise<void> {
  const findings = check(t.testdir({}), blocks)
  for (const block of blocks) {
    const faults = findings.get(block)!
    if (block.skip !== null) t.pass(block.name, { skip: block.skip })
    else t.ok(faults.length === 0, [`${block.name} compiles`, ...faults].join('\n'))
    if (block.run === null || faults.length > 0) continue
    const problems = await run(t.testdir({}), block, blocks)
    t.ok(problems.length === 0, [`${block.name} runs`, ...problems].join('\n'))
  }
}
