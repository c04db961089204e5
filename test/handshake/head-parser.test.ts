import t from 'tap'
import { HandshakeError } from '../../lib/errors.js'
import { HeadParser, REQUEST, RESPONSE, type RequestHead, type ResponseHead } from '../../lib/handshake/head-parser.js'
import { growth, LINEAR, latin1, WAYS } from './feed.js'

const LIMITS = { maxHeaderSize: 16384, maxHeaders: 100 }
const NO_LIMITS = { maxHeaderSize: Number.POSITIVE_INFINITY, maxHeaders: Number.POSITIVE_INFINITY }

const TRAILERS = {
  'and nothing behind it': '',
  'and a frame behind it': '\x81\x02\r\n',
  'and blanks behind it': ' \t '
}

/** The head in `text`, which the last chunk must complete, and the bytes after it. */
function read<T extends RequestHead | ResponseHead>(parser: HeadParser<T>, chunks: Buffer[]): [T, Buffer] {
  for (const [i, chunk] of chunks.entries()) {
    const head = parser.parse(chunk)
    if (head !== null) return [head, Buffer.concat([parser.rest, ...chunks.slice(i + 1)])]
  }
  throw new Error('the head has no end')
}

function failure(parser: HeadParser<RequestHead> | HeadParser<ResponseHead>, chunks: Buffer[]): HandshakeError {
  try {
    for (const chunk of chunks) parser.parse(chunk)
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
  throw new Error('nothing was wrong')
}

t.test('a request head is read in pieces of any size', async t => {
  const head =
    'GET /chat?a=b HTTP/1.1\r\nHost: example.com\r\nX-Two:  a b \t\r\nx-two:c\r\nEmpty:\r\nBlank: \t \r\n\r\n'
  for (const [way, cut] of Object.entries(WAYS)) {
    for (const [where, behind] of Object.entries(TRAILERS)) {
      t.test(`${way}, ${where}`, async t => {
        const [request, rest] = read(new HeadParser(REQUEST, LIMITS), cut(latin1(head + behind)))
        t.equal(request.method, 'GET')
        t.equal(request.url, '/chat?a=b')
        t.equal(request.httpVersion, '1.1')
        t.same({ ...request.headers }, { host: 'example.com', 'x-two': 'a b, c', empty: '', blank: '' })
        t.same(request.rawHeaders, ['Host', 'example.com', 'X-Two', 'a b', 'x-two', 'c', 'Empty', '', 'Blank', ''])
        t.equal(rest.toString('latin1'), behind)
      })
    }
  }
})

t.test('a response head is read in pieces of any size', async t => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
  for (const [way, cut] of Object.entries(WAYS)) {
    for (const [where, behind] of Object.entries(TRAILERS)) {
      t.test(`${way}, ${where}`, async t => {
        const [response, rest] = read(new HeadParser(RESPONSE, LIMITS), cut(latin1(head + behind)))
        t.equal(response.status, 101)
        t.equal(response.statusText, 'Switching Protocols')
        t.equal(response.httpVersion, '1.1')
        t.same({ ...response.headers }, { upgrade: 'websocket' })
        t.same(response.rawHeaders, ['Upgrade', 'websocket'])
        t.equal(rest.toString('latin1'), behind)
      })
    }
  }
})

t.test('rare but valid heads', async t => {
  const request = (text: string) => read(new HeadParser(REQUEST, LIMITS), [latin1(text)])[0]
  const response = (text: string) => read(new HeadParser(RESPONSE, LIMITS), [latin1(text)])[0]

  t.equal(request('\r\nGET / HTTP/1.1\r\n\r\n').url, '/', 'one empty line in front of a request (RFC 9112 §2.2)')
  t.equal(request('GET * HTTP/1.9\r\n\r\n').httpVersion, '1.9', 'a later minor version')
  t.equal(request("!#$%&'*+-.^_`|~9aZ / HTTP/1.1\r\n\r\n").method, "!#$%&'*+-.^_`|~9aZ", 'any token as a method')
  t.equal(request('GET / HTTP/1.1\r\nA: \xa0\xe9\xa0\r\n\r\n').headers['a'], '\xa0\xe9\xa0', 'obs-text is latin1')
  t.equal(request('GET / HTTP/1.1\r\nA: b\tc: d\r\n\r\n').headers['a'], 'b\tc: d', 'tabs and colons within a value')
  t.equal(response('\r\nHTTP/1.1 200 OK\r\n\r\n').status, 200, 'and one in front of a response')
  t.equal(response('HTTP/1.1 200\r\n\r\n').statusText, '', 'no reason, and no space before it')
  t.equal(response('HTTP/1.1 200 \r\n\r\n').statusText, '', 'no reason')
  t.equal(response('HTTP/1.1 200 \xe9 a\r\n\r\n').statusText, '\xe9 a', 'a reason in latin1')
  t.equal(response('HTTP/1.0 407 No\r\n\r\n').httpVersion, '1.0', 'a response of HTTP/1.0')
})

t.test('repeated fields are joined as node:http does', async t => {
  const lines = ['Set-Cookie: a', 'set-cookie: b', 'Cookie: c', 'Cookie: d', 'Host: e', 'Host: f', 'Via: g', 'VIA: h']
  const [head] = read(new HeadParser(REQUEST, LIMITS), [latin1(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)])
  t.same({ ...head.headers }, { 'set-cookie': ['a', 'b'], cookie: 'c; d', host: 'e', via: 'g, h' })
  t.equal(head.rawHeaders.length, 16, 'and the raw list has them all')
})

t.test('A06: names of object properties are ordinary names', async t => {
  const text = 'GET / HTTP/1.1\r\n__proto__: a\r\nconstructor: b\r\nhasOwnProperty: c\r\n__proto__: d\r\n\r\n'
  const [{ headers }] = read(new HeadParser(REQUEST, LIMITS), [latin1(text)])
  t.equal(Object.getPrototypeOf(headers), null)
  t.same(Object.entries(headers), [
    ['__proto__', 'a, d'],
    ['constructor', 'b'],
    ['hasownproperty', 'c']
  ])
})

const MALFORMED_REQUESTS: Record<string, string> = {
  'a bare LF at the end of the request line': 'GET / HTTP/1.1\n',
  'a bare LF in front': '\n',
  'a bare LF at the end of a field': 'GET / HTTP/1.1\r\nA: b\n',
  'a bare LF in place of the empty line': 'GET / HTTP/1.1\r\nA: b\r\n\n',
  'a bare CR in the request line': 'GET /\r HTTP/1.1\r\n',
  'a bare CR in a field': 'GET / HTTP/1.1\r\nA: b\rC: d\r\n',
  'a doubled CR': 'GET / HTTP/1.1\r\nA: b\r\r\n',
  'a bare CR before the empty line': 'GET / HTTP/1.1\r\n\r\r\n',
  'a space before the colon': 'GET / HTTP/1.1\r\nA : b\r\n',
  'a tab before the colon': 'GET / HTTP/1.1\r\nA\t: b\r\n',
  'a folded line': 'GET / HTTP/1.1\r\nA: b\r\n c\r\n',
  'a line folded with a tab': 'GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n',
  'a folded line in the first place': 'GET / HTTP/1.1\r\n A: b\r\n',
  'NUL in a value': 'GET / HTTP/1.1\r\nA: b\x00c\r\n',
  'NUL in a name': 'GET / HTTP/1.1\r\nA\x00: b\r\n',
  'NUL in the target': 'GET /\x00 HTTP/1.1\r\n',
  'a control character in a value': 'GET / HTTP/1.1\r\nA: b\x1b\r\n',
  'DEL in a value': 'GET / HTTP/1.1\r\nA: \x7f\r\n',
  'a vertical tab as white space': 'GET / HTTP/1.1\r\nA:\x0bb\r\n',
  'no name': 'GET / HTTP/1.1\r\n: b\r\n',
  'no colon': 'GET / HTTP/1.1\r\nab\r\n',
  'a name that is no token': 'GET / HTTP/1.1\r\nA(b): c\r\n',
  'a name in latin1': 'GET / HTTP/1.1\r\n\xe9: c\r\n',
  'two spaces behind the method': 'GET  / HTTP/1.1\r\n',
  'two spaces behind the target': 'GET /  HTTP/1.1\r\n',
  'a tab in the request line': 'GET\t/ HTTP/1.1\r\n',
  'a space in front of the method': ' GET / HTTP/1.1\r\n',
  'a space behind the version': 'GET / HTTP/1.1 \r\n',
  'no version': 'GET /\r\n',
  'no target': 'GET HTTP/1.1\r\n',
  'a version without a minor one': 'GET / HTTP/2\r\n',
  'a version of two digits': 'GET / HTTP/1.10\r\n',
  'a version in lower case': 'GET / http/1.1\r\n',
  'a method that is no token': 'G@T / HTTP/1.1\r\n',
  'latin1 in the target': 'GET /\xe9 HTTP/1.1\r\n',
  'two empty lines in front': '\r\n\r\n'
}

t.test('A15: a malformed request head is refused at the end of the invalid line', async t => {
  for (const [what, text] of Object.entries(MALFORMED_REQUESTS)) {
    for (const [way, cut] of Object.entries(WAYS)) {
      for (const behind of ['', 'X: y\r\n\r\n\x81']) {
        const error = failure(new HeadParser(REQUEST, LIMITS), cut(latin1(text + behind)))
        t.match(error, { code: 'WS_ERR_MALFORMED_HEAD', status: 400, fault: 'peer' }, `${what}, ${way}`)
      }
    }
  }
})

const MALFORMED_RESPONSES: Record<string, string> = {
  'two empty lines in front': '\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 99 No\r\n',
  'a status of four digits': 'HTTP/1.1 1010 No\r\n',
  'a status of 600': 'HTTP/1.1 600 No\r\n',
  'a status of 000': 'HTTP/1.1 000 No\r\n',
  'no status': 'HTTP/1.1\r\n',
  'two spaces before the status': 'HTTP/1.1  200 OK\r\n',
  'another protocol': 'ICY 200 OK\r\n',
  'a version without a minor one': 'HTTP/2 200 OK\r\n',
  'NUL in the reason': 'HTTP/1.1 200 O\x00K\r\n',
  'a bare CR in the reason': 'HTTP/1.1 200 O\rK\r\n',
  'a folded line': 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nA : b\r\n',
  'a bare LF': 'HTTP/1.1 200 OK\n'
}

t.test('A15: a malformed response head is refused at the end of the invalid line', async t => {
  for (const [what, text] of Object.entries(MALFORMED_RESPONSES)) {
    for (const [way, cut] of Object.entries(WAYS)) {
      const error = failure(new HeadParser(RESPONSE, LIMITS), cut(latin1(text)))
      t.match(error, { code: 'WS_ERR_MALFORMED_HEAD', status: 0, fault: 'peer' }, `${what}, ${way}`)
    }
  }
})

t.test('a request with a version other than HTTP/1 gets 505', async t => {
  for (const version of ['0.9', '2.0', '3.1']) {
    const error = failure(new HeadParser(REQUEST, LIMITS), [latin1(`PRI * HTTP/${version}\r\n`)])
    t.match(error, { code: 'WS_ERR_HTTP_VERSION', status: 505 }, version)
  }
  const old = new HeadParser(REQUEST, LIMITS).parse(latin1('GET / HTTP/1.0\r\n\r\n'))
  t.equal(old?.httpVersion, '1.0', 'which an application may answer')
})

t.test('a response with a version other than HTTP/1 is an error', async t => {
  const error = failure(new HeadParser(RESPONSE, LIMITS), [latin1('HTTP/2.0 200 OK\r\n')])
  t.match(error, { code: 'WS_ERR_HTTP_VERSION', status: 0 })
})

t.test('A03: the size of a head is limited', async t => {
  const head = latin1(`GET / HTTP/1.1\r\nA: ${'b'.repeat(2000)}\r\n\r\n`)
  const exact = { maxHeaderSize: head.length, maxHeaders: 100 }
  const less = { maxHeaderSize: head.length - 1, maxHeaders: 100 }
  for (const [way, cut] of Object.entries(WAYS)) {
    const frames = cut(Buffer.concat([head, Buffer.alloc(5000)]))
    t.equal(read(new HeadParser(REQUEST, exact), frames)[1].length, 5000, `exactly the limit, ${way}`)
    t.match(
      failure(new HeadParser(REQUEST, less), frames),
      { code: 'WS_ERR_HEAD_TOO_LARGE', status: 431 },
      `one byte more, ${way}`
    )
  }
  const bytes = latin1(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(2000)}`)
  t.match(failure(new HeadParser(RESPONSE, { ...LIMITS, maxHeaderSize: 2000 }), [bytes]), {
    code: 'WS_ERR_HEAD_TOO_LARGE',
    status: 0
  })
})

t.test('A03: an endless first line is stopped at the limit', async t => {
  for (const [way, cut] of Object.entries(WAYS)) {
    const request = cut(latin1(`GET /${'a'.repeat(100)}`))
    t.match(
      failure(new HeadParser(REQUEST, { ...LIMITS, maxHeaderSize: 64 }), request),
      { code: 'WS_ERR_TARGET_TOO_LONG', status: 414 },
      `request, ${way}`
    )
    const response = cut(latin1(`HTTP/1.1 200 ${'a'.repeat(100)}`))
    t.match(
      failure(new HeadParser(RESPONSE, { ...LIMITS, maxHeaderSize: 64 }), response),
      { code: 'WS_ERR_HEAD_TOO_LARGE', status: 0 },
      `response, ${way}`
    )
  }
})

t.test('A03: the number of fields is limited', async t => {
  const limits = { maxHeaderSize: 16384, maxHeaders: 3 }
  const head = (count: number) => latin1(`GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(count)}\r\n`)
  for (const [way, cut] of Object.entries(WAYS)) {
    t.equal(read(new HeadParser(REQUEST, limits), cut(head(3)))[0].rawHeaders.length, 6, `at the limit, ${way}`)
    t.match(
      failure(new HeadParser(REQUEST, limits), cut(head(4))),
      { code: 'WS_ERR_HEAD_TOO_LARGE', status: 431 },
      `over it, ${way}`
    )
  }
})

t.test('Infinity removes both limits', async t => {
  const head = latin1(`GET / HTTP/1.1\r\n${`A: ${'b'.repeat(200)}\r\n`.repeat(2000)}\r\n`)
  t.equal(read(new HeadParser(REQUEST, NO_LIMITS), [head])[0].rawHeaders.length, 4000)
})

t.test('a parser reads one head after another, each with its own limits', async t => {
  const parser = new HeadParser(RESPONSE, { maxHeaderSize: 40, maxHeaders: 1 })
  const head = latin1('HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n')
  t.equal(parser.parse(Buffer.concat([head, head]))?.status, 103)
  t.equal(parser.parse(parser.rest)?.status, 103)
  t.equal(parser.rest.length, 0)
  t.equal(parser.parse(Buffer.alloc(0)), null)
})

t.test('the bytes after a head are a view of the chunk', async t => {
  const parser = new HeadParser(REQUEST, LIMITS)
  const chunk = latin1('GET / HTTP/1.1\r\n\r\nframes')
  t.ok(parser.parse(chunk))
  t.equal(parser.rest.buffer, chunk.buffer)
})

t.test('an unfinished line does not keep its chunk alive', async t => {
  const parser = new HeadParser(REQUEST, LIMITS)
  const chunk = latin1('GET / HT')
  t.equal(parser.parse(chunk), null)
  chunk.fill(0)
  t.equal(parser.parse(latin1('TP/1.1\r\n\r\n'))?.url, '/')
})

t.test('A16: one byte at a time takes linear time, however the lines are split', async t => {
  const feed = (text: string) => () => {
    const parser = new HeadParser(REQUEST, NO_LIMITS)
    const bytes = latin1(text)
    for (let i = 0; i < bytes.length; i++) parser.parse(bytes.subarray(i, i + 1))
  }
  const start = 'GET / HTTP/1.1\r\n'
  t.ok(growth(size => feed(`${start}A: ${'b'.repeat(size)}\r\n`)) < LINEAR, 'one long value')
  t.ok(growth(size => feed(`${start}A:${' '.repeat(size)}\r\n`)) < LINEAR, 'one long run of spaces')
  t.ok(growth(size => feed(`${start}${'A'.repeat(size)}: b\r\n`)) < LINEAR, 'one long name')
  t.ok(growth(size => feed(`${start}${'A: b\r\n'.repeat(size / 6)}`)) < LINEAR, 'many fields')
  t.ok(growth(size => feed(`GET /${'a'.repeat(size)}`)) < LINEAR, 'a long target')
})

t.test('A05: a head of spaces takes linear time', async t => {
  const feed = (text: string) => () => new HeadParser(REQUEST, NO_LIMITS).parse(latin1(text))
  t.ok(growth(size => feed(`GET / HTTP/1.1\r\nA: ${' b'.repeat(size / 2)}${' '.repeat(size)}\r\n\r\n`)) < LINEAR)
})
