// The platform functions for browsers, compared with those for Node: the same input gives the same output.

import t from 'tap'
import * as browser from '../../lib/runtime/browser.js'
import * as node from '../../lib/runtime/node.js'

// for TypeScript: each has the type of the other
const runtimes: (typeof node)[] = [node, browser as typeof node]
const [theirs, ours] = runtimes as [typeof node, typeof node]

type Slices = Buffer & { ucs2Slice(start?: number, end?: number): string }

/** The same bytes as a Buffer of each kind. */
const both = (bytes: Iterable<number>): [Slices, Slices] =>
  runtimes.map(({ Buffer }) => Buffer.from(Uint8Array.from(bytes).buffer)) as [Slices, Slices]

const TEXTS = {
  empty: '',
  ASCII: 'hello',
  'of two bytes': 'Grüße\u0080\u07ff',
  'of three bytes': '世界\u0800\uffff',
  'of four bytes': '😀\u{10000}\u{10ffff}',
  'with a mark': '\ufeffmarked',
  'with a lone first half': 'a\ud800b',
  'with a lone first half at its end': 'a\ud800',
  'with a lone second half': 'a\udc00b',
  'with halves the wrong way round': '\udc00\ud800',
  'with a first half before a pair': '\ud83d😀',
  long: 'x'.repeat(10_000),
  'long and mixed': 'aü世😀'.repeat(3000)
}

const WRONG = {
  'a byte that never stands': [0x61, 0xff],
  'a continuation alone': [0x80],
  'a character cut off': [0xe4, 0xb8],
  'an overlong form': [0xc0, 0x80],
  'a surrogate': [0xed, 0xa0, 0x80],
  'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80]
}

t.test('both runtimes have the same exports', async t => {
  t.same(Object.keys(browser).sort(), Object.keys(node).sort())
})

t.test('text is converted to the same bytes as in Node', async t => {
  for (const [name, text] of Object.entries(TEXTS)) {
    for (const encoding of [undefined, 'utf8', 'utf-8', 'latin1', 'utf16le'] as const) {
      const expected = theirs.Buffer.from(text, encoding)
      t.same([...ours.Buffer.from(text, encoding)], [...expected], `${name}, ${encoding}`)
      t.equal(ours.Buffer.byteLength(text, encoding), expected.length, `${name}, length, ${encoding}`)
    }
  }
})

t.test('bytes are converted to the same text as in Node', async t => {
  const samples = {
    ...WRONG,
    ...Object.fromEntries(Object.entries(TEXTS).map(([name, text]) => [name, Buffer.from(text)]))
  }
  for (const [name, bytes] of Object.entries({ ...samples, 'every byte': [...Array(256).keys()] })) {
    const [theirBytes, ourBytes] = both(bytes)
    for (const method of ['latin1Slice', 'utf8Slice', 'ucs2Slice'] as const) {
      t.equal(ourBytes[method](), theirBytes[method](), `${method} of ${name}`)
    }
  }
  const [theirBytes, ourBytes] = both(Buffer.from('abcdefghij'))
  for (const method of ['latin1Slice', 'utf8Slice', 'ucs2Slice'] as const) {
    t.equal(ourBytes[method](2, 8), theirBytes[method](2, 8), `${method} of a part`)
    t.equal(ourBytes[method](4), theirBytes[method](4), `${method} from the middle on`)
  }
})

t.test('text is written as in Node, and no further', async t => {
  for (const [name, text] of Object.entries({ ...TEXTS, 'high latin1': 'ÿ\u0100é' })) {
    for (const rest of [[], [3], [3, 6]]) {
      for (const method of ['latin1Write', 'utf8Write'] as const) {
        const [theirBytes, ourBytes] = both(Array(64).fill(1))
        const part = text.slice(0, 15)
        t.equal(ourBytes[method](part, ...rest), theirBytes[method](part, ...rest), `${method} of ${name} at ${rest}`)
        t.same([...ourBytes], [...theirBytes], `${method} of ${name} at ${rest}, bytes`)
      }
    }
  }
})

t.test('all Buffers are of one class', async t => {
  const { Buffer } = ours
  const memory = Uint8Array.from([1, 2, 3, 4]).buffer
  const Species = (
    Buffer as unknown as { [Symbol.species]: new (memory: ArrayBuffer, at: number, size: number) => Buffer }
  )[Symbol.species]
  const made = {
    'of text': Buffer.from('abc'),
    'of memory': Buffer.from(memory, 1, 2),
    'of numbers': Buffer.from([1, 2]),
    'of nothing': Buffer.alloc(3),
    'of several': Buffer.concat([Buffer.from('a'), Uint8Array.of(2)]),
    'of a part': Buffer.from('abc').subarray(1),
    'by its species': new Species(memory, 1, 2)
  }
  for (const [name, bytes] of Object.entries(made)) {
    t.ok(bytes instanceof Buffer && bytes instanceof Uint8Array, name)
    t.equal(typeof bytes.utf8Slice(), 'string', name)
  }
  t.same([...made['by its species']], [2, 3])
  t.equal(made['of memory'].buffer, memory, 'memory is not copied')
  t.equal(Buffer.byteLength(memory), 4)
})

t.test('isAscii and isUtf8 see what Node sees', async t => {
  const samples: Record<string, Iterable<number>> = { ...WRONG, 'every byte': [...Array(256).keys()] }
  for (const [name, text] of Object.entries(TEXTS)) samples[name] = Buffer.from(text)
  for (const [name, values] of Object.entries(samples)) {
    const bytes = Uint8Array.from(values)
    t.equal(ours.isAscii(bytes), theirs.isAscii(bytes), `isAscii, ${name}`)
    t.equal(ours.isUtf8(bytes), theirs.isUtf8(bytes), `isUtf8, ${name}`)
  }
})

t.test('digests are those of Node', async t => {
  // RFC 6455 §1.3
  const key = 'dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  t.equal(ours.sha1(key), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  t.equal(ours.sha1(key), theirs.sha1(key))
  const bytes = Buffer.from('a body of hixie-76')
  t.ok(ours.md5(bytes) instanceof ours.Buffer)
  t.equal(ours.md5(bytes).toString('hex'), theirs.md5(bytes).toString('hex'))
})

t.test('random bytes fill bytes and words', async t => {
  const bytes = ours.Buffer.alloc(1024)
  ours.fillRandom(bytes)
  t.ok(new Set(bytes).size > 100)
  const words = new Int32Array(2048)
  ours.fillRandom(words)
  t.ok(new Set(words).size > 2000)
})

t.test('ticks run in order, with their arguments, and before setImmediate', async t => {
  const order: string[] = []
  const note = (...words: string[]): number => order.push(words.join(' '))
  await new Promise<void>(resolve => {
    ours.setImmediate(() => {
      note('later')
      resolve()
    })
    ours.nextTick(() => {
      note('first')
      ours.nextTick(note, 'third')
    })
    ours.nextTick(note, 'second', 'with arguments')
    note('now')
  })
  t.same(order, ['now', 'first', 'second with arguments', 'third', 'later'])
})

t.test('there are no modules to load', async t => {
  t.equal(ours.loadOptional('tap'), null)
})

t.test('memory cannot be marked as shared, and there are no contexts', async t => {
  t.equal(ours.markAsShared(new ArrayBuffer(8)), false)
  const run = () => {}
  t.equal(ours.bindContext(run), run)
  t.equal(
    ours.outsideContexts(() => 1),
    1
  )
})

t.test('a warning is printed on the console; in Node the process emits it', async t => {
  const { warn } = console
  const lines: string[] = []
  console.warn = (line: string) => lines.push(line)
  t.teardown(() => {
    console.warn = warn
  })
  ours.warn('no connection', 'WS_TEST')
  t.same(lines, ['[WS_TEST] WebSocketWarning: no connection'])
  const warned = new Promise(resolve => process.once('warning', resolve))
  theirs.warn('no connection', 'WS_TEST')
  t.match(await warned, { name: 'WebSocketWarning', code: 'WS_TEST', message: 'no connection' })
})

t.test('a browser tells nothing of its heap, and no memory in it is freed by hand', async t => {
  t.equal(ours.youngCapacity(), 0)
  t.equal(ours.heapLimit(), 0)
  const memory = new ArrayBuffer(8)
  t.equal(ours.freeMemory(memory), false)
  t.equal(memory.byteLength, 8)
  t.equal(ours.decodesUtf8Fast, false)
})
