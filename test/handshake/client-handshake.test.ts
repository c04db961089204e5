import t from 'tap'
import { ClientHandshake, type Established } from '../../lib/handshake/client-handshake.js'
import { HeadParser, REQUEST } from '../../lib/handshake/head-parser.js'
import { ServerHandshake } from '../../lib/handshake/server-handshake.js'
import type { WebSocketOptions } from '../../lib/options.js'
import { growth, LINEAR, latin1, WAYS } from './feed.js'
import { caught, lines, settings } from './requests.js'

const client = (options: WebSocketOptions = {}, url = 'ws://example.com/chat') =>
  new ClientHandshake(url, settings(options))

const parse = (bytes: Buffer) => new HeadParser(REQUEST, settings()).parse(bytes)!

/** A client and the right response to it, whose fields can be changed: null removes one, an array multiplies it. */
function pair(changes: Record<string, string | string[] | null> = {}, options: WebSocketOptions = {}, offer = '') {
  const side = client(options)
  const server = new ServerHandshake(parse(side.request(offer)), settings())
  const accept = server.accept({ protocol: '' }).headers['sec-websocket-accept'] as string
  const fields = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': accept, ...changes }
  const head = ['HTTP/1.1 101 Switching Protocols']
  for (const [name, value] of Object.entries(fields)) {
    for (const item of value === null ? [] : [value].flat()) head.push(`${name}: ${item}`)
  }
  return { side, response: latin1(`${head.join('\r\n')}\r\n\r\n`) }
}

function received(side: ClientHandshake, chunks: Buffer[]): Established {
  for (const [i, chunk] of chunks.entries()) {
    const established = side.receive(chunk)
    if (established !== null) return { ...established, rest: Buffer.concat([established.rest, ...chunks.slice(i + 1)]) }
  }
  throw new Error('the response has no end')
}

t.test('the request has the fields of RFC 6455 §4.1', async t => {
  const side = client({ protocols: ['a', 'b'], origin: 'http://a', headers: { 'X-A': '1' } })
  const head = parse(side.request('x; y, z'))
  t.match(head, { method: 'GET', url: '/chat', httpVersion: '1.1' })
  const { 'sec-websocket-key': key, ...headers } = head.headers
  t.equal(Buffer.from(key as string, 'base64').length, 16)
  t.same(headers, {
    host: 'example.com',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'a, b',
    'sec-websocket-extensions': 'x; y, z',
    origin: 'http://a',
    'x-a': '1'
  })
})

t.test('no field is sent empty', async t => {
  const text = client().request().toString('latin1')
  t.notMatch(text, /: *\r\n|Protocol|Extensions|Origin|Authorization/)
})

t.test('each request has a fresh key', async t => {
  const side = client()
  const keys = Array.from({ length: 50 }, () => parse(side.request()).headers['sec-websocket-key'])
  t.equal(new Set(keys).size, 50)
})

t.test('versions 8 and 7 have their own field for the origin', async t => {
  for (const version of [8, 7] as const) {
    const { headers } = parse(client({ version, origin: 'http://a' }).request())
    t.match(headers, { 'sec-websocket-version': String(version), 'sec-websocket-origin': 'http://a' })
    t.notOk('origin' in headers)
  }
})

t.test('header fields of the application replace those of the same name', async t => {
  const side = client({ headers: { host: 'other', 'X-A': '1' }, origin: 'http://a' }, 'ws://u:p@example.com/')
  side.setHeader('AUTHORIZATION', 'Bearer x')
  side.setHeader('x-a', ['2', '3'])
  side.setHeader('Origin', 'http://b')
  const { headers, rawHeaders } = parse(side.request())
  t.match(headers, { host: 'other', authorization: 'Bearer x', 'x-a': '2, 3', origin: 'http://b' })
  t.equal(rawHeaders.filter(name => /^(host|authorization|origin)$/i.test(name)).length, 3)
})

t.test('A14: values that would break the head are a TypeError', async t => {
  const side = client()
  t.throws(() => side.setHeader('X', 'a\r\nb'), TypeError)
  t.throws(() => side.setHeader('X\r\n', 'a'), TypeError)
  t.throws(() => side.setHeader('Sec-WebSocket-Key', 'a'), TypeError)
  for (const offer of ['a\r\nb', 'a;', ' ', 'a ', '\x00']) t.throws(() => side.request(offer), TypeError)
  t.throws(() => client({ protocols: ['a\r\nb'] }), TypeError)
  t.throws(() => client({ protocols: () => 'a' }), { name: 'TypeError', message: /must be a string or an array/ })
})

t.test('a valid response opens the connection, in pieces of any size', async t => {
  for (const [way, cut] of Object.entries(WAYS)) {
    for (const frames of ['', '\x81\x01a']) {
      const { side, response } = pair({ 'X-A': 'b' })
      const { headers, rest, ...others } = received(side, cut(Buffer.concat([response, latin1(frames)])))
      const wanted = { status: 101, protocol: '', extensions: '', version: 'hybi-13', url: 'ws://example.com/chat' }
      t.same(others, wanted, way)
      t.equal(headers['x-a'], 'b')
      t.equal(rest.toString('latin1'), frames)
    }
  }
})

t.test('client and server agree in each version', async t => {
  for (const version of [13, 8, 7] as const) {
    const options = { version, protocols: ['a', 'b'], origin: 'http://a' }
    const side = client(options)
    const server = new ServerHandshake(
      parse(side.request('x; y')),
      settings({ protocols: ['b'], origins: ['http://a'] })
    )
    t.match(server, { version: `hybi-${version}`, offeredExtensions: 'x; y', url: side.url })
    const accepted = server.accept({ extensions: 'x' })
    const established = received(side, [accepted.bytes])
    t.match(established, { protocol: 'b', extensions: 'x', version: `hybi-${version}`, status: 101, url: accepted.url })
    t.same(established.headers, accepted.headers)
  }
})

t.test('Upgrade and Connection of a response are case-insensitive', async t => {
  const { side, response } = pair({ Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE' })
  t.ok(side.receive(response))
})

const OFFER = 'x; y, z'
const WRONG: Record<string, Record<string, string | string[] | null>> = {
  'no Upgrade': { Upgrade: null },
  'another Upgrade': { Upgrade: 'h2c' },
  'more than one Upgrade': { Upgrade: 'websocket, h2c' },
  'no Connection': { Connection: null },
  'another Connection': { Connection: 'close' },
  'no accept value': { 'Sec-WebSocket-Accept': null },
  'the accept value of another key': { 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' },
  'a subprotocol that was not offered': { 'Sec-WebSocket-Protocol': 'c' },
  'a subprotocol in another case': { 'Sec-WebSocket-Protocol': 'A' },
  'two subprotocols': { 'Sec-WebSocket-Protocol': 'a, b' },
  'two lines of subprotocols': { 'Sec-WebSocket-Protocol': ['a', 'a'] },
  'an empty subprotocol': { 'Sec-WebSocket-Protocol': '' },
  'an extension that was not offered': { 'Sec-WebSocket-Extensions': 'w' },
  'a second extension that was not offered': { 'Sec-WebSocket-Extensions': ['x', 'constructor'] },
  'an extension __proto__ (A06)': { 'Sec-WebSocket-Extensions': '__proto__' },
  'a parameter __proto__ (A06)': { 'Sec-WebSocket-Extensions': 'x; __proto__' },
  'malformed extensions': { 'Sec-WebSocket-Extensions': 'x;' },
  'backslashes (A05)': { 'Sec-WebSocket-Extensions': `x; y="${'\\'.repeat(4000)}` }
}

t.test('an invalid response is an error that contains it', async t => {
  for (const [what, changes] of Object.entries(WRONG)) {
    const { side, response } = pair({ 'X-A': 'b', ...changes }, { protocols: ['a', 'b'] }, OFFER)
    const error = caught(() => side.receive(response))
    t.match(error, { code: 'WS_ERR_BAD_RESPONSE', status: 101, fault: 'peer', headers: { 'x-a': 'b' } }, what)
  }
})

t.test('the error names the field that is wrong, and an extension that was not offered', async t => {
  const cases: [Record<string, string | string[] | null>, object][] = [
    [{ Upgrade: null }, { field: 'upgrade' }],
    [{ Connection: 'close' }, { field: 'connection' }],
    [{ 'Sec-WebSocket-Accept': null }, { field: 'sec-websocket-accept' }],
    [{ 'Sec-WebSocket-Protocol': 'c' }, { field: 'sec-websocket-protocol' }],
    [{ 'Sec-WebSocket-Protocol': ['a', 'a'] }, { field: 'sec-websocket-protocol' }],
    [{ 'Sec-WebSocket-Extensions': 'x;' }, { field: 'sec-websocket-extensions' }],
    [{ 'Sec-WebSocket-Extensions': 'x, w' }, { field: 'sec-websocket-extensions', extension: 'w' }]
  ]
  for (const [changes, details] of cases) {
    const { side, response } = pair(changes, { protocols: ['a', 'b'] }, OFFER)
    t.same(caught(() => side.receive(response)).details, details)
  }
})

t.test('a second accept value is an error, even an equal one', async t => {
  const { side, response } = pair()
  const line = lines(response).find(text => text.startsWith('Sec-WebSocket-Accept'))
  const twice = latin1(response.toString('latin1').replace(`${line}\r\n`, `${line}\r\n${line}\r\n`))
  t.match(
    caught(() => side.receive(twice)),
    { code: 'WS_ERR_BAD_RESPONSE' }
  )
})

t.test('an extension or subprotocol is an error if none was offered', async t => {
  for (const changes of [{ 'Sec-WebSocket-Extensions': 'x' }, { 'Sec-WebSocket-Protocol': 'a' }]) {
    const { side, response } = pair(changes)
    t.match(
      caught(() => side.receive(response)),
      { code: 'WS_ERR_BAD_RESPONSE', message: /not offered/ }
    )
  }
})

t.test('extensions may be spread over several lines (RFC 6455, erratum 3433)', async t => {
  const { side, response } = pair({ 'Sec-WebSocket-Extensions': ['x;y="1"', 'z'] }, {}, OFFER)
  t.equal(side.receive(response)?.extensions, 'x; y=1, z')
})

t.test('an empty field of extensions chooses none (RFC 9110 §5.6.1.2)', async t => {
  for (const value of ['', ',', ' ,']) {
    const { side, response } = pair({ 'Sec-WebSocket-Extensions': value }, {}, OFFER)
    t.equal(side.receive(response)?.extensions, '', value)
  }
})

t.test('a 101 of HTTP/1.0 is an error', async t => {
  const { side, response } = pair()
  const old = latin1(response.toString('latin1').replace('HTTP/1.1', 'HTTP/1.0'))
  t.match(
    caught(() => side.receive(old)),
    { code: 'WS_ERR_HTTP_VERSION', status: 101 }
  )
})

t.test('A03: malformed and endless responses are errors', async t => {
  t.match(
    caught(() => client().receive(latin1('SSH-2.0-x\r\n'))),
    { code: 'WS_ERR_MALFORMED_HEAD', status: 0 }
  )
  const endless = latin1(`HTTP/1.1 101 Yes\r\nA: ${'b'.repeat(20000)}`)
  t.match(
    caught(() => client().receive(endless)),
    { code: 'WS_ERR_HEAD_TOO_LARGE', status: 0 }
  )
})

t.test('interim responses are skipped, up to the size of 16 heads', async t => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'
  for (const [way, cut] of Object.entries(WAYS)) {
    const { side, response } = pair({}, { maxHeaderSize: 400 })
    const most = Math.floor((16 * 400) / interim.length)
    t.ok(received(side, cut(Buffer.concat([latin1(interim.repeat(most)), response]))), way)
    const endless = client({ maxHeaderSize: 400 })
    const error = caught(() => received(endless, cut(latin1(interim.repeat(most + 1)))))
    t.match(error, { code: 'WS_ERR_HEAD_TOO_LARGE', status: 0, message: /interim/ }, way)
  }
})

t.test('an empty line before a response is skipped, also before an interim one', async t => {
  for (const [way, cut] of Object.entries(WAYS)) {
    const { side, response } = pair()
    const before = latin1('\r\nHTTP/1.1 100 Continue\r\n\r\n\r\n')
    t.ok(received(side, cut(Buffer.concat([before, response]))), way)
  }
  t.match(
    caught(() => client().receive(latin1('\r\n\r\n\r\n'))),
    { code: 'WS_ERR_MALFORMED_HEAD' }
  )
})

t.test('another status is an error with status, fields and body', async t => {
  const response = latin1('HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabcdef')
  for (const [way, cut] of Object.entries(WAYS)) {
    const side = client()
    const error = caught(() => cut(response).map(chunk => side.receive(chunk)))
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 404, fault: 'peer', headers: { 'x-a': 'b' } }, way)
    t.equal(error.message, 'unexpected server response: 404')
    t.equal(error.body.toString(), 'abc')
  }
})

t.test('A22: 200 and 426 followed by bytes open nothing', async t => {
  for (const status of ['200 OK', '426 Upgrade Required', '302 Found']) {
    const side = client()
    const head = `HTTP/1.1 ${status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`
    t.equal(side.receive(latin1(`${head}\x81\x01a`)), null)
    t.equal(caught(() => side.end()).body.toString('latin1'), '\x81\x01a')
  }
})

t.test('A25: an endless body is cut at 64 KiB', async t => {
  const side = client()
  t.equal(side.receive(latin1('HTTP/1.1 500 No\r\n\r\n')), null)
  let count = 0
  const error = caught(() => {
    for (; count < 100; count++) side.receive(Buffer.alloc(1000, 97))
  })
  t.equal(count, 65)
  t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 500 })
  t.equal(error.body.length, 65536)
})

t.test('the end of the wire before the response is an error with what has arrived', async t => {
  t.match(
    caught(() => client().end()),
    { code: 'WS_ERR_BAD_RESPONSE', status: 0, fault: 'peer' }
  )
  const side = client()
  t.same([side.isRefused, side.refused()], [false, null])
  t.equal(side.receive(latin1('HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nabc')), null)
  t.equal(side.isRefused, true)
  t.match(side.refused(), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503, body: Buffer.from('abc') })
  const error = caught(() => side.end())
  t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503, headers: { 'content-length': '10' } })
  t.equal(error.body.toString(), 'abc')
})

t.test('the bytes after a response are a view of their chunk', async t => {
  const { side, response } = pair()
  const chunk = Buffer.concat([response, latin1('frames')])
  t.equal(side.receive(chunk)?.rest.buffer, chunk.buffer)
})

t.test('A16: a response one byte at a time takes linear time', async t => {
  const limits = { maxHeaderSize: Number.POSITIVE_INFINITY, maxHeaders: Number.POSITIVE_INFINITY }
  const feed = (size: number) => () => {
    const side = client(limits)
    const bytes = latin1(`HTTP/1.1 101 Yes\r\nA: ${'b'.repeat(size)}`)
    for (let i = 0; i < bytes.length; i++) side.receive(bytes.subarray(i, i + 1))
  }
  t.ok(growth(feed) < LINEAR)
})
