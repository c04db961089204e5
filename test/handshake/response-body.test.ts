import t from 'tap'
import { HeadParser, RESPONSE } from '../../lib/handshake/head-parser.js'
import { ResponseBody } from '../../lib/handshake/response-body.js'
import { growth, LINEAR, latin1, WAYS } from './feed.js'
import { settings } from './requests.js'

const body = (fields: string[], limit = 100, status = 400): ResponseBody => {
  const head = [`HTTP/1.1 ${status} No`, ...fields, '', ''].join('\r\n')
  return new ResponseBody(new HeadParser(RESPONSE, settings()).parse(latin1(head))!, limit)
}

/** The bytes that are kept of `text`, and whether the body ended with it. */
function read(reader: ResponseBody, chunks: Buffer[]): [string, boolean] {
  for (const chunk of chunks) if (reader.write(chunk)) return [reader.bytes.toString('latin1'), true]
  return [reader.bytes.toString('latin1'), false]
}

const CHUNKED = ['Transfer-Encoding: chunked']

const CASES: Record<string, [fields: string[], wire: string, kept: string, over: boolean]> = {
  'by its length': [['Content-Length: 3'], 'abc', 'abc', true],
  'by its length, with more behind it': [['Content-Length: 3'], 'abcdef', 'abc', true],
  'shorter than its length': [['Content-Length: 4'], 'abc', 'abc', false],
  'to the end of the wire': [[], 'abc', 'abc', false],
  'in chunks': [CHUNKED, '3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n', 'abc0123456789', true],
  'in chunks, with extensions and trailers': [CHUNKED, '3;a="b" \r\nabc\r\n0;c\r\nA: b\r\n\r\n', 'abc', true],
  'in chunks with blanks behind the size': [CHUNKED, '03 \t\r\nabc\r\n000\r\n', 'abc', true],
  'in chunks, with more behind them': [CHUNKED, '1\r\na\r\n0\r\n\r\nbcd', 'a', true],
  'in chunks that end too early': [CHUNKED, '5\r\nabc', 'abc', false],
  'in chunks in any case, behind another coding': [['Transfer-Encoding: gzip, Chunked'], '1\r\na\r\n0\r\n', 'a', true],
  'in another coding alone': [['Transfer-Encoding: gzip'], '1\r\na', '1\r\na', false],
  'in a malformed coding': [['Transfer-Encoding: a b'], '1\r\na', '1\r\na', false],
  'a chunk without a size': [CHUNKED, '\r\nabc', '', true],
  'a chunk with a size that is no number': [CHUNKED, '1\r\na\r\nx\r\nabc', 'a', true],
  'a chunk with a signed size': [CHUNKED, '-1\r\na', '', true],
  'a chunk with a prefixed size': [CHUNKED, '0x1\r\na', '', true],
  'a chunk with a huge size': [CHUNKED, 'FFFFFFFFF\r\na', '', true],
  'a chunk whose line ends in a bare LF': [CHUNKED, '1\na\r\n', '', true],
  'a chunk with a control character in its line': [CHUNKED, '1;\x00\r\na', '', true],
  'a chunk that is longer than it says': [CHUNKED, '1\r\nab\r\n', 'a', true],
  'chunks and a length': [['Content-Length: 3', ...CHUNKED], 'abc', '', true],
  'two lengths': [['Content-Length: 3', 'Content-Length: 4'], 'abc', '', true],
  'a length that is no number': [['Content-Length: +3'], 'abc', '', true],
  'a length that is a list': [['Content-Length: 3, 3'], 'abc', '', true],
  'a length beyond all numbers': [['Content-Length: 99999999999999999999'], 'abc', '', true]
}

t.test('a body is read in pieces of any size', async t => {
  for (const [what, [fields, wire, kept, over]] of Object.entries(CASES)) {
    for (const [way, cut] of Object.entries(WAYS)) {
      t.same(read(body(fields), cut(latin1(wire))), [kept, over], `${what}, ${way}`)
    }
  }
})

t.test('an empty body is complete before any bytes', async t => {
  for (const status of [204, 304]) t.equal(body(['Content-Length: 3'], 100, status).write(Buffer.alloc(0)), true)
  t.equal(body(['Content-Length: 0']).write(Buffer.alloc(0)), true)
  t.equal(body(['Content-Length: 1']).write(Buffer.alloc(0)), false)
  t.equal(body(CHUNKED).write(Buffer.alloc(0)), false)
})

t.test('A25: a body ends at its limit', async t => {
  const wires: [string[], string][] = [
    [[], 'a'.repeat(20)],
    [['Content-Length: 20'], 'a'.repeat(20)],
    [CHUNKED, `14\r\n${'a'.repeat(20)}`],
    [CHUNKED, '2\r\naa\r\n'.repeat(3)]
  ]
  for (const [fields, wire] of wires) {
    for (const [way, cut] of Object.entries(WAYS)) {
      t.same(read(body(fields, 5), cut(latin1(wire))), ['a'.repeat(5), true], `${fields}, ${way}`)
    }
  }
})

t.test('A25: endless chunk extensions end too', async t => {
  const line = `1;${'a'.repeat(2000)}`
  t.same(read(body(CHUNKED, 65536), [latin1(line)]), ['', true], 'in one line')
  const chunk = `1;${'a'.repeat(900)}\r\nb\r\n`
  const [kept, over] = read(body(CHUNKED, 65536), [latin1(chunk.repeat(1000))])
  t.equal(over, true, 'in many')
  t.ok(kept.length < 1000)
})

t.test('the bytes of a body are copied', async t => {
  const reader = body([])
  const chunk = latin1('abc')
  reader.write(chunk)
  const { bytes } = reader
  chunk.fill(0)
  reader.write(latin1('d'))
  t.equal(bytes.toString(), 'abc')
})

t.test('A16: a body one byte at a time takes linear time', async t => {
  const feed = (fields: string[], wire: string) => () => {
    const reader = body(fields, 2 ** 20)
    const bytes = latin1(wire)
    for (let i = 0; i < bytes.length; i++) reader.write(bytes.subarray(i, i + 1))
  }
  t.ok(growth(size => feed([], 'a'.repeat(size))) < LINEAR)
  t.ok(growth(size => feed(CHUNKED, '1\r\na\r\n'.repeat(size / 6))) < LINEAR)
})
