import t from 'tap'
import { Http2Request } from '../../lib/handshake/http2-fields.js'
import { isWebSocket, ServerHandshake } from '../../lib/handshake/server-handshake.js'
import type { UpgradeRequest } from '../../lib/options.js'
import { ACCEPT, caught, lines, request, settings } from './requests.js'

const handshake = (changes?: Parameters<typeof request>[0], options = {}): ServerHandshake =>
  new ServerHandshake(request(changes), settings(options))

const refused = (changes?: Parameters<typeof request>[0], options = {}, line?: string) =>
  caught(() => new ServerHandshake(request(changes, line), settings(options)))

t.test('a valid request gets 101 and the value of RFC 6455 §1.3', async t => {
  const server = handshake()
  t.match(server, { version: 'hybi-13', url: 'ws://example.com/chat', offeredProtocols: [], offeredExtensions: '' })
  const { bytes, headers, ...rest } = server.accept()
  t.same(lines(bytes), [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${ACCEPT}`,
    '',
    ''
  ])
  t.same(rest, { status: 101, protocol: '', version: 'hybi-13', url: 'ws://example.com/chat' })
  t.same({ ...headers }, { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': ACCEPT })
})

t.test('the versions 13, 8 and 7 are supported', async t => {
  for (const version of ['13', '8', '7']) {
    const server = handshake({ 'Sec-WebSocket-Version': version })
    t.equal(server.version, `hybi-${version}`)
    t.equal(server.accept().version, `hybi-${version}`)
  }
})

t.test('Upgrade and Connection are case-insensitive lists', async t => {
  for (const Connection of ['keep-alive, Upgrade', 'UPGRADE', ['keep-alive', 'upgrade']]) {
    t.ok(handshake({ Connection }), String(Connection))
    t.ok(isWebSocket(request({ Connection })))
  }
  for (const Upgrade of ['WebSocket', 'h2c, websocket', 'HTTP/2.0, websocket']) t.ok(handshake({ Upgrade }), Upgrade)
})

t.test('isWebSocket tells whether a request asks for a WebSocket', async t => {
  t.equal(isWebSocket(request()), true)
  t.equal(isWebSocket(request({}, 'POST / HTTP/1.1')), false)
  t.equal(isWebSocket(request({ Upgrade: 'h2c' })), false)
  t.equal(isWebSocket(request({ Connection: 'close' })), false)
  t.equal(isWebSocket(request({ Upgrade: null })), false)
  t.equal(
    isWebSocket({ method: 'GET', headers: { upgrade: ['a', 'websocket'], connection: 'upgrade' } }),
    true,
    'arrays'
  )
})

const ODD_REQUESTS: unknown[] = [undefined, null, 1, 'GET', {}, [], { method: 'GET' }, { method: 'GET', headers: null }]
ODD_REQUESTS.push({ method: 'GET', headers: 1 }, { method: 'GET', headers: { upgrade: 1, connection: {} } })
ODD_REQUESTS.push({ method: 'GET', headers: { upgrade: [1], connection: [null] } })

t.test('isWebSocket knows an extended CONNECT of HTTP/2, with its pseudo-header fields or without', async t => {
  const headers = {
    ':method': 'CONNECT',
    ':protocol': 'WebSocket',
    ':path': '/',
    ':scheme': 'https',
    ':authority': 'a'
  }
  t.equal(isWebSocket({ method: 'CONNECT', headers }), true, 'as node:http2 has it')
  t.equal(isWebSocket(new Http2Request(headers, undefined)), true)
  t.equal(isWebSocket(new Http2Request({ ...headers, ':protocol': 'connect-udp' }, undefined)), false)
  t.equal(isWebSocket({ method: 'CONNECT', url: 'a:443', headers: { host: 'a' } }), false)
  t.equal(isWebSocket({ method: 'GET', headers: { ':protocol': 'websocket' } }), false)
})

t.test('A07: isWebSocket never throws', async t => {
  for (const odd of ODD_REQUESTS) t.equal(isWebSocket(odd as UpgradeRequest), false)
})

t.test('A07: a request without a required field is refused, and never a TypeError', async t => {
  for (const odd of ODD_REQUESTS) {
    t.match(
      caught(() => new ServerHandshake(odd as UpgradeRequest, settings())),
      { status: 400, fault: 'peer' }
    )
  }
  const whole = { method: 'GET', url: '/', headers: request().headers }
  t.ok(new ServerHandshake(whole, settings()), 'no more than this is needed')
  for (const part of [{ url: undefined }, { url: 5 }, { httpVersion: 5 }, { httpVersion: '' }]) {
    const odd = { ...whole, ...part } as UpgradeRequest
    t.ok(caught(() => new ServerHandshake(odd, settings())).status >= 400, JSON.stringify(part))
  }
  t.equal(caught(() => new ServerHandshake({ ...whole, method: undefined }, settings())).status, 405)
  for (const name of Object.keys(whole.headers)) {
    for (const value of [undefined, '', 5, ['a', 'b'], [5], {}, null]) {
      const headers = { ...whole.headers, [name]: value } as UpgradeRequest['headers']
      t.ok(caught(() => new ServerHandshake({ ...whole, headers }, settings())).status >= 400, `${name} ${value}`)
    }
  }
})

t.test('fields may be arrays of lines', async t => {
  const headers: object = {
    ...request().headers,
    'sec-websocket-protocol': ['a', 'b'],
    connection: ['close', 'upgrade']
  }
  t.same(new ServerHandshake({ method: 'GET', url: '/', headers: { ...headers } }, settings()).offeredProtocols, [
    'a',
    'b'
  ])
})

t.test('the URL has the scheme of the wire and the requested host', async t => {
  const url = (part: Partial<UpgradeRequest>, secure?: boolean) =>
    new ServerHandshake({ ...request(), ...part }, settings(), secure).url
  t.equal(url({ socket: {} }), 'ws://example.com/chat')
  t.equal(url({ socket: { encrypted: true } }), 'wss://example.com/chat')
  t.equal(url({}, true), 'wss://example.com/chat')
  t.equal(url({ url: '/?a=b' }), 'ws://example.com/?a=b')
  t.equal(url({ url: 'http://other:81/x?y' }), 'ws://other:81/x?y', 'an absolute target counts (RFC 9112 §3.2.2)')
  t.equal(url({ url: 'WSS://other' }), 'ws://other/')
  t.equal(url({ url: 'ws://other?y' }), 'ws://other/?y')
})

t.test('A04: a malformed Host is refused', async t => {
  for (const host of ['a.b:80', '127.0.0.1', '[::1]:8080', 'a_b', 'a:', 'xn--bcher-kva.example']) {
    t.equal(handshake({ Host: host }).url, `ws://${host}/chat`)
  }
  const wrong = [
    '',
    'a b',
    'a/b',
    'a@b',
    'a:b',
    'a:99999',
    '[::1',
    '[1:2]',
    '[::1]a',
    '\xe9',
    'a?',
    'a#',
    '1.2.3.4.5',
    '%',
    'a\\b'
  ]
  for (const host of wrong) t.match(refused({ Host: host }), { code: 'WS_ERR_BAD_REQUEST', status: 400 }, host)
  t.match(refused({ Host: null }), { status: 400, message: /Host/ })
})

t.test('A04: a malformed target is refused', async t => {
  const targets = [
    '*',
    'example.com:80',
    '/a#b',
    'chat',
    'ftp://a/',
    'ws:///a',
    'ws://a b/',
    'ws://a@b/',
    'ws://a/#',
    'http://'
  ]
  for (const url of [...targets, '', '/\xe9', '/a b', '/\r\n', 'ws://a/\xe9', 'ws://a/\n']) {
    const error = caught(() => new ServerHandshake({ ...request(), url }, settings()))
    t.match(error, { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /target/ }, JSON.stringify(url))
  }
})

t.test('A15: a field that must not be repeated is refused if it is', async t => {
  const twice: Record<string, string[]> = {
    Host: ['example.com', 'example.com'],
    'Content-Length': ['0', '0'],
    'Transfer-Encoding': ['chunked', 'identity'],
    Origin: ['http://a', 'http://a'],
    'Sec-WebSocket-Origin': ['http://a', 'http://a'],
    'Sec-WebSocket-Key': [request().headers['sec-websocket-key'] as string, 'AAAAAAAAAAAAAAAAAAAAAA=='],
    'Sec-WebSocket-Version': ['13', '8']
  }
  for (const [name, value] of Object.entries(twice)) {
    t.match(refused({ [name]: value }), { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /repeated/ }, name)
    const headers = { ...request().headers, [name.toLowerCase()]: value }
    const bare = { method: 'GET', url: '/', headers }
    t.match(
      caught(() => new ServerHandshake(bare, settings())),
      { status: 400, message: /repeated/ },
      `${name}, as an array`
    )
  }
})

t.test('A15: a request with a body is refused', async t => {
  t.ok(handshake({ 'Content-Length': '0' }))
  for (const length of ['1', '00', '-0', '+0', '', '0, 0', '0x0']) {
    t.match(refused({ 'Content-Length': length }), { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /body/ }, length)
  }
  for (const coding of ['chunked', 'identity', '']) {
    t.match(refused({ 'Transfer-Encoding': coding }), { code: 'WS_ERR_BAD_REQUEST', status: 400 }, coding)
  }
})

t.test('a method other than GET gets 405 with Allow', async t => {
  for (const method of ['POST', 'get', 'HEAD']) {
    const error = refused({}, {}, `${method} / HTTP/1.1`)
    t.match(error, { code: 'WS_ERR_METHOD', status: 405, headers: { allow: 'GET' } }, method)
  }
})

t.test('HTTP/1.0 gets 505', async t => {
  const error = caught(() => new ServerHandshake({ ...request(), httpVersion: '1.0' }, settings()))
  t.match(error, { code: 'WS_ERR_HTTP_VERSION', status: 505 })
})

t.test('a plain request gets 426, and one with half of an upgrade 400', async t => {
  t.match(refused({ Upgrade: null, Connection: 'keep-alive' }), {
    code: 'WS_ERR_UPGRADE_REQUIRED',
    status: 426,
    headers: { upgrade: 'websocket', 'sec-websocket-version': '13, 8, 7' }
  })
  t.match(refused({ Upgrade: null }), { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /Upgrade/ })
  t.match(refused({ Upgrade: 'websockets' }), { code: 'WS_ERR_BAD_REQUEST', status: 400 })
  t.match(refused({ Connection: 'close' }), { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /Connection/ })
})

t.test('another version gets 426 with the supported ones', async t => {
  for (const version of [null, '0', '6', '12', '14', '013', '13, 8', 'x', '']) {
    t.match(
      refused({ 'Sec-WebSocket-Version': version }),
      {
        code: 'WS_ERR_UNSUPPORTED_VERSION',
        status: 426,
        headers: { upgrade: 'websocket', 'sec-websocket-version': '13, 8, 7' }
      },
      String(version)
    )
  }
})

t.test('only the canonical base64 of 16 bytes is a key', async t => {
  const keys = ['', 'a', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ=', 'dGhlIHNhbXBsZSBub25jZR==']
  keys.push('dGhlIHNhbXBsZSBub25j', 'dGhlIHNhbXBsZSBub25jZWE=', 'dGhlIHNhbXBsZSBub25jZQ==a', 'dGhlIHNhbXBsZSBub25j_Q==')
  for (const key of [...keys, null]) {
    const error = refused({ 'Sec-WebSocket-Key': key })
    t.match(error, { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /Key/ }, String(key))
  }
})

t.test('the first error found is reported', async t => {
  const all = { Host: 'a b', Upgrade: null, Connection: null, 'Sec-WebSocket-Version': '9', 'Sec-WebSocket-Key': 'x' }
  const status = (changes: Parameters<typeof request>[0], line?: string) =>
    refused(changes, { origins: [] }, line).status
  t.equal(status(all, 'POST / HTTP/1.1'), 400, 'HTTP')
  t.equal(status({ ...all, Host: 'a' }, 'POST / HTTP/1.1'), 405, 'method')
  t.equal(status({ ...all, Host: 'a' }), 426, 'upgrade')
  t.equal(status({ 'Sec-WebSocket-Version': '9', 'Sec-WebSocket-Key': 'x' }), 426, 'version')
  t.equal(status({ 'Sec-WebSocket-Key': 'x' }), 400, 'key')
  t.equal(status({}), 403, 'origin')
})

t.test('A20: an origin that is not listed gets 403', async t => {
  const options = { origins: ['https://example.com', 'http://localhost:8080'] }
  t.ok(handshake({ Origin: 'https://example.com' }, options))
  t.ok(handshake({ Origin: 'http://localhost:8080' }, options))
  const others = [
    'http://example.com',
    'https://example.com:443',
    'https://EXAMPLE.com',
    'https://example.com.evil.org',
    'null'
  ]
  for (const origin of [
    ...others,
    'https://evil-example.com',
    'https://example.co',
    'https://example.com/',
    '',
    null
  ]) {
    const error = refused({ Origin: origin }, options)
    t.match(error, { code: 'WS_ERR_FORBIDDEN_ORIGIN', status: 403, fault: 'peer' }, String(origin))
  }
  t.ok(handshake({ Origin: 'https://anything' }), 'without the option nothing is checked')
})

t.test('a request without an origin is refused by a list of origins, and the response says so', async t => {
  const message = 'this origin is not allowed: the request has no Origin, and origins is set'
  t.match(refused({}, { origins: ['http://a'] }), { code: 'WS_ERR_FORBIDDEN_ORIGIN', status: 403, message })
  t.equal(refused({ Origin: 'http://b' }, { origins: ['http://a'] }).message, 'this origin is not allowed')
  t.equal(refused({}, { origins: () => false }).message, 'this origin is not allowed', 'a function has its own reasons')
})

t.test('the drafts have their own field for the origin', async t => {
  const options = { origins: 'http://a' }
  for (const version of ['8', '7']) {
    const draft = { 'Sec-WebSocket-Version': version }
    t.ok(handshake({ ...draft, 'Sec-WebSocket-Origin': 'http://a' }, options))
    t.equal(refused({ ...draft, 'Sec-WebSocket-Origin': 'http://b' }, options).status, 403)
    t.equal(refused({ ...draft, Origin: 'http://a' }, options).status, 403, 'and Origin is none')
  }
  t.equal(refused({ 'Sec-WebSocket-Origin': 'http://a' }, options).status, 403, 'which version 13 does not know')
})

t.test('a function may check origins, and only true accepts', async t => {
  const seen: unknown[] = []
  const origins = (origin: string | undefined, asked: UpgradeRequest) => {
    seen.push([origin, asked.url])
    return origin === undefined
  }
  t.ok(handshake({}, { origins }))
  t.equal(refused({ Origin: 'http://a' }, { origins }).status, 403)
  t.same(seen, [
    [undefined, '/chat'],
    ['http://a', '/chat']
  ])
  for (const answer of [undefined, 1, 'yes', Promise.resolve(true)]) {
    t.equal(refused({}, { origins: () => answer as unknown as boolean }).status, 403)
  }
  const fault = new Error('of the application')
  const origin = () => {
    throw fault
  }
  const told = { code: 'WS_ERR_REJECTED', status: 500, cause: fault, message: /: the origins callback threw$/ }
  t.match(
    caught(() => handshake({}, { origins: origin })),
    told
  )
})

t.test("the client's first subprotocol that this side supports is chosen", async t => {
  const offer = { 'Sec-WebSocket-Protocol': 'a, b,c' }
  t.same(handshake(offer).offeredProtocols, ['a', 'b', 'c'])
  t.equal(handshake(offer, { protocols: ['c', 'b'] }).accept().protocol, 'b')
  t.equal(lines(handshake(offer, { protocols: 'c' }).accept().bytes)[4], 'Sec-WebSocket-Protocol: c')
  t.equal(
    handshake({ 'Sec-WebSocket-Protocol': ['a', 'b'] }, { protocols: 'b' }).accept().protocol,
    'b',
    'over two lines'
  )
  for (const options of [{}, { protocols: ['d'] }, { protocols: ['A'] }]) {
    const { protocol, headers } = handshake(offer, options).accept()
    t.equal(protocol, '')
    t.equal(headers['sec-websocket-protocol'], undefined, 'and no empty field is sent')
  }
  t.equal(handshake({}, { protocols: ['a'] }).accept().protocol, '', 'nothing was offered')
})

t.test('a malformed list of subprotocols is refused', async t => {
  for (const value of ['', ',', 'a b', 'a, a', 'a/b', '"a"', ['a', 'a']]) {
    const error = refused({ 'Sec-WebSocket-Protocol': value })
    t.match(error, { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /Protocol/ }, String(value))
  }
  t.ok(handshake({ 'Sec-WebSocket-Protocol': 'a, A' }), 'case counts')
})

t.test('a function may choose the subprotocol', async t => {
  const offer = { 'Sec-WebSocket-Protocol': 'a, b' }
  const choose = (answer: unknown) => handshake(offer, { protocols: () => answer }).accept().protocol
  t.equal(choose('b'), 'b')
  for (const none of [undefined, null, false, '']) t.equal(choose(none), '')
  for (const wrong of ['c', 'B', 1, true, Promise.resolve('a'), ['a']]) {
    const error = caught(() => choose(wrong))
    t.match(error, { code: 'WS_ERR_REJECTED', status: 500, cause: { message: /was not offered/ } })
    t.match(error.message, /: the protocols callback chose a subprotocol that was not offered$/)
  }
  const fault = new Error('of the application')
  const throws = () => {
    throw fault
  }
  const error = caught(() => handshake(offer, { protocols: throws }).accept())
  t.match(error, { code: 'WS_ERR_REJECTED', status: 500, cause: fault, message: /: the protocols callback threw$/ })
  const seen: unknown[] = []
  const protocols = (offered: string[], asked: UpgradeRequest) => {
    seen.push([...offered], asked.url)
    offered.push('c')
    return 'a'
  }
  const server = handshake(offer, { protocols })
  t.equal(server.accept().protocol, 'a')
  t.same(seen, [['a', 'b'], '/chat'])
  t.same(server.offeredProtocols, ['a', 'b'], 'the list it is given is a copy')
  t.equal(handshake({}, { protocols: () => 'a' }).accept().protocol, '', 'it is not asked where nothing was offered')
})

t.test('accept may name one of the offered subprotocols', async t => {
  const server = handshake({ 'Sec-WebSocket-Protocol': 'a, b' }, { protocols: 'a' })
  t.equal(server.accept({ protocol: 'b' }).protocol, 'b')
  t.equal(server.accept({ protocol: undefined }).protocol, 'a')
  t.equal(server.accept({ protocol: '' }).protocol, '')
  t.throws(() => server.accept({ protocol: 'c' }), { name: 'TypeError', message: /"c" was not offered/ })
})

t.test('offered extensions are normalized', async t => {
  const offered = (value: string | string[]) => handshake({ 'Sec-WebSocket-Extensions': value }).offeredExtensions
  t.equal(offered('a;b="1"\t,c ; d'), 'a; b=1, c; d')
  t.equal(offered(['a', 'b; c']), 'a, b; c', 'over two lines')
  t.equal(offered('constructor; hasOwnProperty'), 'constructor; hasOwnProperty', 'A06')
  t.equal(offered('__proto__, a; __proto__=1, b'), 'b', 'A06: what nobody can accept is left out')
  t.equal(offered('__proto__'), '')
})

t.test('an empty field of extensions offers none (RFC 9110 §5.6.1.2)', async t => {
  for (const value of ['', ',', ' , ,', ['', '']]) {
    t.equal(handshake({ 'Sec-WebSocket-Extensions': value }).offeredExtensions, '', String(value))
  }
})

t.test('A05: malformed extensions are refused', async t => {
  for (const value of ['a b', 'a;', `a;b="${'\\'.repeat(2000)}`, 'a'.repeat(5000)]) {
    const error = refused({ 'Sec-WebSocket-Extensions': value })
    t.match(error, { code: 'WS_ERR_BAD_REQUEST', status: 400, message: /Extensions/ }, value.slice(0, 10))
  }
})

t.test('negotiated extensions are sent, unless there are none', async t => {
  const server = handshake()
  t.equal(server.accept({ extensions: 'a; b' }).headers['sec-websocket-extensions'], 'a; b')
  t.notOk('sec-websocket-extensions' in server.accept({ extensions: '' }).headers)
  t.throws(() => server.accept({ extensions: 'a\r\nb' }), TypeError, 'A14')
})

t.test('header fields of the options, of setHeader and of accept are sent; the last of each name counts', async t => {
  const server = handshake({}, { headers: { 'X-A': '1', 'X-B': '1', 'Set-Cookie': ['a=1', 'b=1'] } })
  server.setHeader('x-a', '2')
  server.setHeader('X-C', ['2', '3'])
  server.setHeader('X-D', '2')
  server.setHeader('X-D', [])
  const own = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${ACCEPT}`
  ]
  const cookies = ['Set-Cookie: a=1', 'Set-Cookie: b=1']
  t.same(lines(server.accept().bytes), [...own, 'X-B: 1', ...cookies, 'x-a: 2', 'X-C: 2', 'X-C: 3', '', ''])
  const { bytes, headers } = server.accept({ headers: { 'X-C': '4', 'x-b': ['5', '6'] } })
  t.same(lines(bytes), [...own, ...cookies, 'x-a: 2', 'X-C: 4', 'x-b: 5', 'x-b: 6', '', ''])
  t.match(headers, { 'set-cookie': ['a=1', 'b=1'], 'x-b': '5, 6' })
  t.same(lines(server.accept({ headers: {} }).bytes), lines(server.accept().bytes))
})

t.test('A14: a field that cannot be sent is a TypeError before anything is sent', async t => {
  const server = handshake()
  for (const value of ['a\r\nb', 'a\n', '\x00', undefined, 1, ['a', 'b\r']] as string[]) {
    t.throws(() => server.setHeader('X', value), TypeError)
  }
  for (const name of ['a b', '', 'X\r\n', 'Upgrade', 'sec-websocket-accept', undefined] as string[]) {
    t.throws(() => server.setHeader(name, 'a'), TypeError)
    t.throws(() => server.setHeader(name, []), TypeError)
  }
  t.throws(() => server.accept({ headers: { X: 'a\r\nb' } }), TypeError)
  t.throws(() => server.accept({ headers: { Connection: 'a' } }), TypeError)
  t.equal(lines(server.accept().bytes).length, 6)
})
