// The opening handshake on HTTP/2 (RFC 8441), both sides, as header fields, without a stream.

import t, { type Test } from 'tap'
import { HandshakeError } from '../../lib/errors.js'
import { type Http2Headers, Http2Request, http2Refusal, toHttp2 } from '../../lib/handshake/http2-fields.js'
import { Http2ClientHandshake, Http2ServerHandshake } from '../../lib/handshake/http2-handshake.js'
import { readOptions, type WebSocketOptions } from '../../lib/options.js'

const REQUEST: Http2Headers = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':authority': 'example.com:8443',
  ':path': '/chat?room=1',
  'sec-websocket-version': '13'
}

/** A valid request with changed fields; undefined removes one. */
const changed = (changes: Http2Headers): Http2Headers =>
  Object.fromEntries(Object.entries({ ...REQUEST, ...changes }).filter(([, value]) => value !== undefined))

function server(changes: Http2Headers = {}, options: WebSocketOptions = {}): Http2ServerHandshake {
  const head = changed(changes)
  return new Http2ServerHandshake(head, new Http2Request(head, undefined), readOptions(options))
}

function client(options: WebSocketOptions = {}, url = 'wss://example.com/chat'): Http2ClientHandshake {
  return new Http2ClientHandshake(url, readOptions(options))
}

function failure(run: () => unknown): HandshakeError {
  try {
    run()
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
  throw new Error('it did not fail')
}

function refused(t: Test, changes: Http2Headers, status: number, options?: WebSocketOptions): void {
  t.equal(failure(() => server(changes, options)).status, status, JSON.stringify(changes))
}

t.test('a server', async t => {
  t.test('reads the request of a client', async t => {
    const handshake = server({
      'sec-websocket-protocol': 'chat, superchat',
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits="15" , __proto__'
    })
    t.equal(handshake.version, 'rfc8441')
    t.equal(handshake.url, 'wss://example.com:8443/chat?room=1')
    t.strictSame(handshake.offeredProtocols, ['chat', 'superchat'])
    t.equal(handshake.offeredExtensions, 'permessage-deflate; client_max_window_bits=15')
    t.equal(server({ ':scheme': 'http' }).url, 'ws://example.com:8443/chat?room=1')
    t.strictSame(server().offeredProtocols, [])
    t.equal(server().offeredExtensions, '')
  })

  t.test('accepts the name of the protocol in upper and lower case', async t => {
    t.equal(server({ ':protocol': 'WebSocket' }).version, 'rfc8441')
  })

  t.test('needs no key, and ignores one', async t => {
    t.notOk('sec-websocket-accept' in server({ 'sec-websocket-key': 'nonsense' }).accept().head)
  })

  t.test('refuses a request that is not an extended CONNECT with 405', async t => {
    refused(t, { ':method': 'GET' }, 405)
    refused(t, { ':protocol': undefined }, 405)
    refused(t, { ':method': undefined }, 405)
  })

  t.test('refuses an unknown :protocol with 501', async t => {
    for (const name of ['connect-udp', 'websocket2', 'web', '']) refused(t, { ':protocol': name }, 501)
  })

  t.test('refuses a request without one of its pseudo-header fields with 400', async t => {
    for (const name of [':scheme', ':path', ':authority']) {
      refused(t, { [name]: undefined }, 400)
      refused(t, { [name]: '' }, 400)
    }
  })

  t.test('A04: refuses malformed pseudo-header fields with 400, and never throws anything else', async t => {
    for (const scheme of ['wss', 'HTTPS', 'ftp']) refused(t, { ':scheme': scheme }, 400)
    for (const path of ['chat', '*', 'https://example.com/', '//\0', '/a b', '/#', '/ä', '/\r\n']) {
      refused(t, { ':path': path }, 400)
    }
    for (const authority of ['a b', 'user@example.com', 'example.com:99999', '[::1', 'a/b', '\0', '%zz:x']) {
      refused(t, { ':authority': authority }, 400)
    }
    refused(t, { host: 'other.example' }, 400)
    t.ok(server({ host: 'example.com:8443' }))
  })

  t.test('A07: refuses a request without fields', async t => {
    const empty = (head: Http2Headers) =>
      failure(() => new Http2ServerHandshake(head, new Http2Request(head, undefined), readOptions(undefined)))
    t.equal(empty({}).status, 405)
    t.equal(empty({ ':method': 'CONNECT', ':protocol': 'websocket' }).status, 400)
    refused(t, { 'sec-websocket-version': undefined }, 400)
  })

  t.test('reports the supported version if another was requested, and does not answer 426', async t => {
    for (const version of ['8', '14', '13, 13', '', 'x']) {
      const { status, headers, code } = failure(() => server({ 'sec-websocket-version': version }))
      t.equal(code, 'WS_ERR_UNSUPPORTED_VERSION')
      t.equal(status, 400)
      t.equal(headers['sec-websocket-version'], '13')
      t.notOk('upgrade' in headers)
    }
  })

  t.test('refuses malformed lists, and a request with a body', async t => {
    for (const list of ['', ',', 'a b', 'a, a', 'a;b']) refused(t, { 'sec-websocket-protocol': list }, 400)
    for (const list of [';', 'a; b=', 'a; b="c d"', 'x'.repeat(5000)]) {
      refused(t, { 'sec-websocket-extensions': list }, 400)
    }
    for (const length of ['5', '0, 0', '-1', '']) refused(t, { 'content-length': length }, 400)
    t.ok(server({ 'content-length': '0' }))
    refused(t, { 'sec-websocket-version': 13 }, 400)
  })

  t.test('A20: refuses a page of a forbidden origin with 403', async t => {
    const options = { origins: ['https://example.com'] }
    t.ok(server({ origin: 'https://example.com' }, options))
    const others = ['null', 'https://example.com:8443', 'HTTPS://example.com', 'https://example.com.evil.test', '']
    others.push('https://evil-example.com', 'http://example.com', 'https://example.com, https://evil.test')
    for (const origin of [...others, undefined]) refused(t, { origin }, 403, options)
    refused(t, { origin: 'https://example.com' }, 403, { origins: async () => true } as never)
    const asked: unknown[] = []
    server({ origin: 'x' }, { origins: (origin, { url, headers }) => asked.push(origin, url, headers['host']) > 0 })
    t.strictSame(asked, ['x', '/chat?room=1', 'example.com:8443'])
  })

  t.test('answers 200, with what was chosen', async t => {
    const handshake = server({ 'sec-websocket-protocol': 'a, b' }, { protocols: ['b'], headers: { 'X-One': '1' } })
    handshake.setHeader('Set-Cookie', ['a=1', 'b=2'])
    handshake.setHeader('X-Two', 'two')
    const { head, ...agreed } = handshake.accept({ extensions: 'permessage-deflate' })
    const headers = {
      'sec-websocket-protocol': 'b',
      'sec-websocket-extensions': 'permessage-deflate',
      'x-one': '1',
      'set-cookie': ['a=1', 'b=2'],
      'x-two': 'two'
    }
    t.same(head, { ':status': 200, ...headers })
    t.same(agreed, {
      status: 200,
      headers,
      protocol: 'b',
      version: 'rfc8441',
      url: 'wss://example.com:8443/chat?room=1'
    })
  })

  t.test('sends no field that is empty or that HTTP/2 does not allow', async t => {
    const handshake = server({}, { headers: { 'Keep-Alive': 'timeout=5', TE: 'gzip', 'Proxy-Connection': 'close' } })
    const { head } = handshake.accept({ headers: { 'HTTP2-Settings': 'x', 'X-A': 'a' } })
    t.same(head, { ':status': 200, 'x-a': 'a' })
  })

  t.test('chooses no subprotocol that was not offered', async t => {
    t.equal(server({ 'sec-websocket-protocol': 'a' }, { protocols: ['b'] }).accept().protocol, '')
    t.equal(server({ 'sec-websocket-protocol': 'a' }).accept({ protocol: 'a' }).protocol, 'a')
    t.throws(() => server({ 'sec-websocket-protocol': 'a' }).accept({ protocol: 'b' }), TypeError)
  })

  t.test('A14: sends no line breaks, and no pseudo-header field of the application', async t => {
    const bad: [string, string][] = [
      ['X-A', 'a\r\nb'],
      ['X-A', 'a\0'],
      ['X\r\n', 'a'],
      [':status', '500'],
      ['Sec-WebSocket-Protocol', 'a']
    ]
    for (const [name, value] of bad) {
      t.throws(() => server().setHeader(name, value), TypeError)
      t.throws(() => server().accept({ headers: { [name]: value } }), TypeError)
      t.throws(() => http2Refusal(403, { headers: { [name]: value } }), TypeError)
      t.throws(() => client().setHeader(name, value), TypeError)
    }
    t.throws(() => server().accept({ extensions: 'a\r\nb' }), TypeError)
  })
})

t.test('an HTTP/2 request looks like an HTTP/1.1 request', async t => {
  const socket = {}
  const session = { destroyed: false, socket }
  const head = changed({ 'x-a': 'a', __proto__: 'b' } as Http2Headers)
  const request = new Http2Request(head, { session })
  t.match(request, { method: 'CONNECT', url: '/chat?room=1', httpVersion: '2.0', scheme: 'https' })
  t.same(request.headers, { host: 'example.com:8443', 'sec-websocket-version': '13', 'x-a': 'a' })
  t.equal(request.socket, socket)
  session.destroyed = true
  t.equal(request.socket, undefined)
  t.equal(new Http2Request({}, {}).socket, undefined)
  t.equal(new Http2Request({ ':path': ['a'] }, undefined).url, '')
})

t.test('A06: names of properties are ordinary names', async t => {
  const head = { ...REQUEST, ...JSON.parse('{"__proto__": "a", "constructor": "b"}') }
  const { headers } = new Http2Request(head, undefined)
  t.equal(headers['constructor'], 'b')
  t.equal(Object.getPrototypeOf(headers), null)
  t.strictSame(Object.entries(toHttp2([['__proto__', 'a']])), [['__proto__', 'a']])
})

t.test('a response that refuses', async t => {
  t.test('has a status, a body, and no connection-specific field', async t => {
    const { head, status, headers, body } = http2Refusal(404)
    t.same(head, { ':status': 404, 'content-type': 'text/plain; charset=utf-8', 'content-length': '9' })
    t.equal(status, 404)
    t.notOk('connection' in headers)
    t.equal(String(body), 'Not Found')
    t.notOk('upgrade' in http2Refusal(426).head)
  })

  t.test('has the content that the application sets', async t => {
    const { head, body } = http2Refusal(401, { headers: { 'WWW-Authenticate': 'Basic' }, body: Buffer.from('who?') })
    t.match(head, { ':status': 401, 'www-authenticate': 'Basic', 'content-length': '4' })
    t.equal(String(body), 'who?')
    t.throws(() => http2Refusal(200), RangeError, 'which would accept')
  })

  t.test('names the allowed method', async t => {
    t.equal(http2Refusal(405).head['allow'], 'CONNECT')
    t.equal(http2Refusal(405, { headers: { Allow: 'POST' } }).head['allow'], 'POST')
  })
})

t.test('a client', async t => {
  t.test('requests what its options say', async t => {
    t.same(client().request(), {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':authority': 'example.com',
      ':path': '/chat',
      'sec-websocket-version': '13'
    })
    const full = client(
      { protocols: ['a', 'b'], origin: 'https://o.test', headers: { 'X-A': 'a', Connection2: 'c', TE: 'x' } },
      'ws://user:secret@example.com:8080/chat?x'
    )
    full.setHeader('X-B', 'b')
    t.same(full.request('permessage-deflate'), {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': 'example.com:8080',
      ':path': '/chat?x',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'a, b',
      'sec-websocket-extensions': 'permessage-deflate',
      origin: 'https://o.test',
      authorization: 'Basic dXNlcjpzZWNyZXQ=',
      'x-a': 'a',
      connection2: 'c',
      'x-b': 'b'
    })
    t.equal(full.url, 'ws://example.com:8080/chat?x')
  })

  t.test('uses the Host of the application as its authority', async t => {
    const head = client({ headers: { Host: 'other.test' } }).request()
    t.equal(head[':authority'], 'other.test')
    t.notOk('host' in head)
  })

  t.test('A14: sends no line breaks', async t => {
    t.throws(() => client({}, 'wss://example.com/\r\n'), TypeError)
    t.throws(() => client().request('a\r\nb'), TypeError)
    t.throws(() => client().request(';'), TypeError)
    t.throws(() => client({ protocols: () => 'a' }), TypeError)
    t.throws(() => client({}, 'ftp://example.com/'), SyntaxError)
  })

  t.test('accepts a valid 200', async t => {
    const handshake = client({ protocols: ['a', 'b'] })
    handshake.request('permessage-deflate, x-y')
    const head = { ':status': 200, 'sec-websocket-protocol': 'b', 'sec-websocket-extensions': 'x-y; a="b"' }
    t.match(handshake.take(head), {
      status: 200,
      protocol: 'b',
      extensions: 'x-y; a=b',
      version: 'rfc8441',
      url: 'wss://example.com/chat',
      headers: { 'sec-websocket-protocol': 'b' }
    })
    t.match(client().take({ ':status': 200 }), { protocol: '', extensions: '' })
    t.match(client().take({ ':status': 200, 'sec-websocket-extensions': ' ,' }), { extensions: '' })
  })

  t.test('refuses a response with something that was not offered', async t => {
    const wrong = (fields: Http2Headers): void => {
      const handshake = client({ protocols: ['a', 'b'] })
      handshake.request('permessage-deflate')
      const error = failure(() => handshake.take({ ':status': 200, ...fields }))
      t.match(error, { code: 'WS_ERR_BAD_RESPONSE', status: 200 }, JSON.stringify(fields))
    }
    for (const name of ['c', '', 'a, b', 'A']) wrong({ 'sec-websocket-protocol': name })
    wrong({ 'sec-websocket-protocol': ['a', 'b'] })
    for (const list of ['x', ';', 'permessage-deflate; __proto__']) wrong({ 'sec-websocket-extensions': list })
  })

  t.test('keeps the body of any other response, up to a limit', async t => {
    for (const status of [101, 204, 302, 403, 500]) {
      const handshake = client()
      t.equal(handshake.take({ ':status': status, 'x-a': 'a' }), null)
      handshake.takeBody(Buffer.from('no, '))
      handshake.takeBody(Buffer.from('thanks'))
      const error = failure(() => handshake.end())
      t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status, headers: { 'x-a': 'a' } })
      t.equal(String(error.body), 'no, thanks')
    }
    // A25
    const endless = client()
    endless.take({ ':status': 500 })
    endless.takeBody(Buffer.alloc(65535))
    t.equal(failure(() => endless.takeBody(Buffer.alloc(100))).body.length, 65536)
  })

  t.test('fails if the stream ends without a response', async t => {
    t.match(
      failure(() => client().end()),
      { code: 'WS_ERR_BAD_RESPONSE', status: 0 }
    )
  })
})
