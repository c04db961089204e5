// The body of a request: whole, byte by byte, and with bytes after it.

import t from 'tap'
import { BodyDecoder, type BodyLength, bodyLength, expectsContinue } from '../../lib/handshake/body-decoder.js'
import { latin1 } from './feed.js'
import { caught, request } from './requests.js'

const lengthOf = (fields: Record<string, string | string[]>, line = 'POST / HTTP/1.1') =>
  bodyLength(request(fields, line))

/** The decoded body, and the bytes after it; null if the body is not complete. */
function decode(length: BodyLength, pieces: readonly Buffer[]): { body: string; rest: string | null } {
  const decoder = new BodyDecoder(length)
  let body = ''
  let rest: string | null = null
  for (const piece of pieces) {
    if (rest !== null) {
      rest += piece.toString('latin1')
      continue
    }
    const behind = decoder.write(piece, data => (body += data.toString('latin1')))
    if (behind !== null) rest = behind.toString('latin1')
  }
  return { body, rest }
}

const whole = (text: string): Buffer[] => [latin1(text)]
const bytes = (text: string): Buffer[] => [...text].map(latin1)

t.test('the header fields determine the length of a body (RFC 9112 §6.3)', async t => {
  t.equal(lengthOf({}), 0)
  t.equal(lengthOf({ 'Content-Length': '0' }), 0)
  t.equal(lengthOf({ 'Content-Length': '123456789012345' }), 123456789012345)
  t.equal(lengthOf({ 'Transfer-Encoding': 'Chunked' }), 'chunked')
  for (const [fields, status] of [
    [{ 'Content-Length': '' }, 400],
    [{ 'Content-Length': '1, 1' }, 400],
    [{ 'Content-Length': '-1' }, 400],
    [{ 'Content-Length': '0x1' }, 400],
    [{ 'Content-Length': '1234567890123456' }, 400],
    [{ 'Content-Length': ['1', '1'] }, 400],
    [{ 'Content-Length': '0', 'Transfer-Encoding': 'chunked' }, 400],
    [{ 'Transfer-Encoding': 'gzip, chunked' }, 501],
    [{ 'Transfer-Encoding': 'chunked, chunked' }, 501],
    [{ 'Transfer-Encoding': 'identity' }, 501],
    [{ 'Transfer-Encoding': '' }, 501]
  ] as const) {
    const error = caught(() => lengthOf({ ...fields } as Record<string, string>))
    t.match(error, { code: 'WS_ERR_BAD_REQUEST', status }, JSON.stringify(fields))
  }
  t.equal(caught(() => lengthOf({ 'Transfer-Encoding': 'chunked' }, 'POST / HTTP/1.0')).status, 400)
})

t.test('a client may expect a 100', async t => {
  t.equal(expectsContinue(request({ Expect: '100-Continue' })), true)
  t.equal(expectsContinue(request()), false)
})

for (const [name, cut] of [
  ['whole', whole],
  ['byte by byte', bytes]
] as const) {
  t.test(`a body with Content-Length, ${name}`, async t => {
    t.same(decode(5, cut('hello')), { body: 'hello', rest: '' })
    t.same(decode(5, cut('helloGET /')), { body: 'hello', rest: 'GET /' })
    t.same(decode(5, cut('hell')), { body: 'hell', rest: null })
    t.same(decode(0, cut('x')), { body: '', rest: 'x' })
  })

  t.test(`a body in chunks, ${name}`, async t => {
    for (const [text, body] of [
      ['0\r\n\r\n', ''],
      ['5\r\nhello\r\n0\r\n\r\n', 'hello'],
      ['5 ;a="b"\r\nhello\r\n00A\r\n\r\n345678\r\n\r\n00000000\r\nX-T: 1\r\nY:\r\n\r\n', 'hello\r\n345678\r\n']
    ] as const) {
      t.same(decode('chunked', cut(text)), { body, rest: '' })
      t.same(decode('chunked', cut(`${text}GET /\r\n`)), { body, rest: 'GET /\r\n' })
      t.equal(decode('chunked', cut(text.slice(0, -1))).rest, null)
    }
  })

  t.test(`malformed chunks are an error, ${name}`, async t => {
    for (const text of [
      '\r\n',
      'g\r\n',
      '-1\r\n',
      '0x1\r\n',
      '123456789\r\n',
      '1;\x00\r\n',
      ' 1\r\n',
      '1\n',
      '1\r\r\n',
      '1\r\nab\r\n',
      '1\r\na\n',
      '0\r\nX T: 1\r\n',
      '0\r\n folded\r\n',
      '0\r\nX: \x00\r\n',
      `1;${'a'.repeat(1100)}`,
      `0\r\n${`X: ${'a'.repeat(1000)}\r\n`.repeat(17)}`,
      `1;${'a'.repeat(1000)}\r\na\r\n`.repeat(17)
    ]) {
      const error = caught(() => decode('chunked', cut(text)))
      t.match(error, { code: 'WS_ERR_MALFORMED_BODY', status: 400 }, JSON.stringify(text.slice(0, 20)))
    }
  })
}
