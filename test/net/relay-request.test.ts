// What passes from one handshake to the other, for requests of any form: of node:http, of HTTP/2, of the application.

import t from 'tap'
import { HandshakeError } from '../../lib/errors.js'
import { type RelayOptions, readRelayOptions } from '../../lib/net/relay-options.js'
import { diallingFor, refusalFrom, returnedFields } from '../../lib/net/relay-request.js'
import type { UpgradeRequest } from '../../lib/options.js'

function fieldsOf(request: UpgradeRequest, options: RelayOptions): Record<string, string> {
  const { options: dialling } = diallingFor(request, 'ws://target.test/', readRelayOptions(options))
  return Object.fromEntries(dialling.headers as [string, string][])
}

const asked = (socket?: object, headers: UpgradeRequest['headers'] = {}): UpgradeRequest => ({
  url: '/',
  headers: { host: 'a.test:81', ...headers },
  socket
})

t.test('the client in X-Forwarded fields', async t => {
  for (const [socket, address, scheme] of [
    [{ remoteAddress: '192.0.2.1' }, '192.0.2.1', 'http'],
    [{ remoteAddress: '::ffff:192.0.2.1', encrypted: true }, '192.0.2.1', 'https'],
    [{ remoteAddress: '2001:db8::1' }, '2001:db8::1', 'http'],
    [{}, 'unknown', 'http'],
    [undefined, 'unknown', 'http']
  ] as const) {
    t.strictSame(fieldsOf(asked(socket), { forwarded: 'x-forwarded' }), {
      'X-Forwarded-For': address,
      'X-Forwarded-Host': 'a.test:81',
      'X-Forwarded-Proto': scheme
    })
  }
})

t.test('the client in the form of RFC 7239', async t => {
  for (const [socket, said] of [
    [{ remoteAddress: '192.0.2.1', encrypted: true }, 'for=192.0.2.1;host="a.test:81";proto=https'],
    [{ remoteAddress: '2001:db8::1' }, 'for="[2001:db8::1]";host="a.test:81";proto=http'],
    [undefined, 'for=unknown;host="a.test:81";proto=http']
  ] as const) {
    t.equal(fieldsOf(asked(socket), { forwarded: 'rfc7239' })['Forwarded'], said)
  }
})

t.test('lines of a field are joined, and values that cannot be sent are left out', async t => {
  const headers = { 'x-list': ['a', 'b'], 'x-bad': 'a\r\nb', connection: 'not, a,,"token"' }
  t.strictSame(fieldsOf(asked(undefined, headers), { forwardHeaders: ['x-list', 'x-bad'] }), { 'x-list': 'a, b' })
})

t.test('a malformed list of subprotocols is not offered', async t => {
  const offered = (value: string | undefined): unknown =>
    diallingFor(asked(undefined, { 'sec-websocket-protocol': value }), 'ws://target.test/', readRelayOptions()).options
      .protocols
  t.strictSame(offered('a, b'), ['a', 'b'])
  t.strictSame(offered('a thing of a draft'), [])
  t.strictSame(offered(undefined), [])
})

t.test('sizes are unlimited unless a limit is given, or whole messages are buffered', async t => {
  const sizeOf = (options: RelayOptions): unknown =>
    diallingFor(asked(), 'ws://target.test/', readRelayOptions(options)).options.maxMessageSize
  t.equal(sizeOf({}), Infinity)
  t.equal(sizeOf({ connect: { maxMessageSize: 100 } }), 100)
  t.equal(sizeOf({ onMessage() {} }), undefined)
})

t.test('a request without a target has the path /', async t => {
  const target = 'ws://target.test/base?q'
  const { url, path } = diallingFor({ headers: {} }, target, readRelayOptions({ forwardPath: true }))
  t.equal(String(url), 'ws://target.test/')
  t.equal(path, '/')
  t.match(diallingFor({ headers: {}, url: '/x' }, target, readRelayOptions()), { url: target, path: null })
})

t.test('header fields of a response that are returned', async t => {
  const headers = { 'set-cookie': ['a=1', 'b=2'], server: 'x', bad: 'a\nb' }
  t.strictSame(returnedFields(headers, ['set-cookie', 'absent', 'bad']), [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2']
  ])
})

t.test('the refusal for the client', async t => {
  const settings = readRelayOptions()
  const told = (...args: ConstructorParameters<typeof HandshakeError>): unknown =>
    refusalFrom(new HandshakeError(...args), settings)
  t.strictSame(told('WS_ERR_CONNECTION_LOST'), { status: 502 })
  t.strictSame(told('WS_ERR_BAD_RESPONSE', { status: 101 }), { status: 502 })
  t.strictSame(told('WS_ERR_HANDSHAKE_TIMEOUT'), { status: 504 })
  t.strictSame(told('WS_ERR_UNEXPECTED_STATUS', { status: 204 }), { status: 502 })
  t.strictSame(told('WS_ERR_REJECTED', { status: 500 }), { status: 500 })
  t.strictSame(told('WS_ERR_UNEXPECTED_STATUS', { status: 503, headers: { 'retry-after': '9' } }), {
    status: 503,
    headers: [['retry-after', '9']]
  })
})

t.test('a refusal is returned with its fields, except hop-by-hop ones', async t => {
  const fields = {
    location: 'https://login.example/?next=ws',
    allow: 'POST',
    'retry-after': '9',
    'www-authenticate': 'Basic realm="a", Digest realm="b"',
    'proxy-authenticate': 'Basic realm="p"',
    'content-type': 'text/html',
    'content-encoding': 'gzip',
    'cache-control': 'no-store',
    vary: 'Origin',
    link: '</a>; rel=help',
    'x-own': '1'
  }
  const ofConnection = {
    connection: 'close, X-Private, keep-alive',
    'x-private': '1',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'close',
    te: 'trailers',
    trailer: 'Expires',
    'http2-settings': 'AAMAAABk',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    'content-length': '100000',
    'sec-websocket-accept': 'x',
    'sec-websocket-version': '13',
    bad: 'a\nb'
  }
  const headers = { ...fields, ...ofConnection, 'set-cookie': ['s=1', 't=2'] }
  const error = new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 401, headers, body: Buffer.from('no') })
  t.strictSame(refusalFrom(error, readRelayOptions()), {
    status: 401,
    headers: Object.entries(fields),
    body: error.body
  })
  const named = refusalFrom(error, readRelayOptions({ returnHeaders: ['Set-Cookie', 'X-Private'] }))
  t.strictSame(named.headers, [...Object.entries(fields), ['set-cookie', 's=1'], ['set-cookie', 't=2']])
  const odd = { connection: ['not, (a) list'], location: '/' }
  const { headers: rest } = refusalFrom(
    new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 302, headers: odd }),
    readRelayOptions()
  )
  t.strictSame(rest, [['location', '/']])
})
