import { createHash } from 'node:crypto'
import t from 'tap'
import { DraftHandshake, draftVersion } from '../../lib/handshake/draft-handshake.js'
import type { UpgradeRequest } from '../../lib/options.js'
import { growth, LINEAR } from './feed.js'
import { caught, lines, request, settings } from './requests.js'

type Changes = Parameters<typeof request>[0]

const NONE = { 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': null }
const UPGRADE = { Upgrade: 'WebSocket' }

/** The numbers, bodies and answers of the draft's own examples. */
const VECTORS = [
  {
    key1: '18x 6]8vM;54 *(5:  {   U1]8  z [  8',
    key2: '1_ tx7X d  <  nf  334J702) 7]o}` 0',
    body: 'Tm[K T2u',
    answer: 'fQJ,fN/4F4!~K~MH'
  },
  { key1: '4 @1  46546xW%0l 1 5', key2: '12998 5 Y3 1  .P00', body: '^n:ds[4U', answer: "8jKS'y:G*Co,Wxa-" }
] as const

const KEYS = { 'Sec-WebSocket-Key1': VECTORS[1].key1, 'Sec-WebSocket-Key2': VECTORS[1].key2 }

const request75 = (changes: Changes = {}, line?: string) => request({ ...NONE, ...UPGRADE, ...changes }, line)
const request76 = (changes: Changes = {}, line?: string) => request({ ...NONE, ...UPGRADE, ...KEYS, ...changes }, line)

const DRAFTS = { 'hixie-75': request75, 'hixie-76': request76 } as const
/** The lines before Origin, Location and Protocol. */
const PREFIX = { 'hixie-75': 'WebSocket-', 'hixie-76': 'Sec-WebSocket-' } as const
const VERSIONS = ['hixie-75', 'hixie-76'] as const

function refused(given: UpgradeRequest, options: Parameters<typeof settings>[0] = {}): [number, string] {
  const { status, code } = caught(() => new DraftHandshake(given, settings(options)))
  return [status, code]
}

t.test('the fields determine the version', async t => {
  t.equal(draftVersion(request75()), 'hixie-75')
  t.equal(draftVersion(request76()), 'hixie-76')
  t.equal(draftVersion(request75({ Origin: 'http://a.example', 'WebSocket-Protocol': 'chat' })), 'hixie-75')
  t.equal(draftVersion(request76({ Origin: 'http://a.example', 'Sec-WebSocket-Protocol': 'chat' })), 'hixie-76')
  for (const key of Object.keys(KEYS)) {
    t.equal(draftVersion(request76({ [key]: null })), 'hixie-76', `with ${key} alone it is meant, and wrong`)
  }
})

t.test('a request with any field of the newer versions is not a draft', async t => {
  const newer = [
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Version', ''],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['Sec-WebSocket-Extensions', 'permessage-deflate'],
    ['Sec-WebSocket-Origin', 'http://a.example'],
    ['Sec-WebSocket-Draft', '2'],
    ['Sec-WebSocket-Accept', 'x'],
    ['sec-websocket-whatever', 'x']
  ] as const
  for (const [name, value] of newer) {
    for (const version of VERSIONS) {
      const given = DRAFTS[version]({ [name]: value })
      t.equal(draftVersion(given), null, `${version} and ${name}`)
      t.same(refused(given), [426, 'WS_ERR_UNSUPPORTED_VERSION'])
    }
  }
  t.equal(draftVersion(request75({ 'Sec-WebSocket-Protocol': 'chat' })), null, 'a field that hixie-75 does not know')
  t.equal(draftVersion(request()), null)
})

t.test('a request that is not for a WebSocket is not a draft', async t => {
  for (const version of VERSIONS) {
    const given = DRAFTS[version]
    t.equal(draftVersion(given({}, 'POST / HTTP/1.1')), null)
    t.equal(draftVersion(given({ Upgrade: null })), null)
    t.equal(draftVersion(given({ Connection: null })), null)
    t.equal(draftVersion(given({ Connection: 'close' })), null)
    t.equal(draftVersion(given({ Upgrade: 'h2c' })), null)
    t.same(refused(given({ Upgrade: null })), [426, 'WS_ERR_UNSUPPORTED_VERSION'])
  }
  for (const given of [null, undefined, {}, { method: 'GET' }, { method: 'GET', headers: null }, 7]) {
    t.equal(draftVersion(given as unknown as UpgradeRequest), null, 'nor what is no request')
  }
})

t.test('fields that are undefined count as missing', async t => {
  const headers = { host: 'a', upgrade: 'WebSocket', connection: 'Upgrade', 'sec-websocket-version': undefined }
  t.equal(draftVersion({ method: 'GET', url: '/', headers }), 'hixie-75')
})

t.test('hixie-75 is accepted with the three lines that its clients compare, and its fields', async t => {
  const handshake = new DraftHandshake(request75({ Origin: 'http://a.example' }), settings())
  const accepted = handshake.accept()
  t.same(lines(accepted.bytes), [
    'HTTP/1.1 101 Web Socket Protocol Handshake',
    'Upgrade: WebSocket',
    'Connection: Upgrade',
    'WebSocket-Origin: http://a.example',
    'WebSocket-Location: ws://example.com/chat',
    '',
    ''
  ])
  t.match(accepted, { status: 101, protocol: '', version: 'hixie-75', url: 'ws://example.com/chat' })
  t.equal(accepted.headers['websocket-location'], 'ws://example.com/chat')
  t.match(handshake, { version: 'hixie-75', url: 'ws://example.com/chat', offeredProtocols: [], offeredExtensions: '' })
  t.equal(handshake.bodySize, 0)
  t.same(handshake.challenge(Buffer.alloc(0)), Buffer.alloc(0), 'and nothing behind them')
})

t.test('hixie-76 is accepted with its fields, and the response to its challenge', async t => {
  for (const { key1, key2, body, answer } of VECTORS) {
    const keys = { 'Sec-WebSocket-Key1': key1, 'Sec-WebSocket-Key2': key2, Origin: 'http://a.example' }
    const handshake = new DraftHandshake(request76(keys), settings())
    t.equal(handshake.bodySize, 8)
    t.same(lines(handshake.accept().bytes), [
      'HTTP/1.1 101 WebSocket Protocol Handshake',
      'Upgrade: WebSocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Origin: http://a.example',
      'Sec-WebSocket-Location: ws://example.com/chat',
      '',
      ''
    ])
    t.equal(handshake.challenge(Buffer.from(body)).toString('latin1'), answer)
  }
})

t.test('hixie-76: the numbers in a key are 0 to 2^32-1, with any characters between the digits', async t => {
  const right: [string, number][] = [
    ['0 x', 0],
    ['a 4294967295', 2 ** 32 - 1],
    ['4 2 9 4 9 6 7 2 9 5 0', 4294967295],
    ['51539607540 x x x x x x x x x x x x', 4294967295],
    ['1 2!"#$/:@~', 12],
    ['00 00 00 9', 3]
  ]
  const other = 12998531
  const body = Buffer.from('12345678')
  for (const [key, number] of right) {
    const keys = { 'Sec-WebSocket-Key1': key, 'Sec-WebSocket-Key2': `${other} x` }
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(number)
    bytes.writeUInt32BE(other, 4)
    const answer = createHash('md5').update(bytes).update(body).digest()
    t.same(new DraftHandshake(request76(keys), settings()).challenge(body), answer, `${key} makes ${number}`)
  }
})

t.test('hixie-76: a key without a valid number is refused', async t => {
  const wrong: Record<string, string> = {
    'no digits': 'a b c',
    'no space': '1234',
    nothing: '',
    'a remainder': '7 x x',
    'a quotient over 32 bits': '4294967296 x',
    'a quotient just over 32 bits': '8589934592 x x',
    'a number over 2^53': `${2 ** 53} x`,
    'hundreds of digits': `${'9'.repeat(400)} x`,
    'a tab in place of a space': '12\tx'
  }
  for (const [what, key] of Object.entries(wrong)) {
    for (const name of Object.keys(KEYS)) {
      t.same(refused(request76({ [name]: key })), [400, 'WS_ERR_BAD_REQUEST'], `${what}: ${name}`)
    }
  }
})

t.test('A07: hixie-76 without one of its keys is refused', async t => {
  for (const name of Object.keys(KEYS)) {
    t.same(refused(request76({ [name]: null })), [400, 'WS_ERR_BAD_REQUEST'], name)
  }
})

t.test('A15: hixie-76 with a key on two lines is refused, by any parser', async t => {
  const given = request76({ 'Sec-WebSocket-Key1': ['1 2', '3 4'] })
  t.same(refused(given), [400, 'WS_ERR_BAD_REQUEST'])
  const { rawHeaders: _, ...parsed } = request76()
  const headers = { ...parsed.headers, 'sec-websocket-key2': ['1 2', '3 4'] }
  t.same(refused({ ...parsed, headers }), [400, 'WS_ERR_BAD_REQUEST'], 'as an array')
  const alone = { ...parsed.headers, 'sec-websocket-key2': [VECTORS[1].key2] }
  t.same(refused({ ...parsed, headers: alone }), [400, 'WS_ERR_BAD_REQUEST'], 'even of one')
  t.doesNotThrow(() => new DraftHandshake(parsed, settings()), 'without the raw lines there is nothing to count')
})

t.test('A05: a key of any length takes linear time', async t => {
  const work = (size: number) => {
    const headers = request76().headers
    const given = { ...request76(), headers: { ...headers, 'sec-websocket-key1': '1 x'.repeat(size / 3) } }
    return () => caught(() => new DraftHandshake(given, settings()))
  }
  const times = growth(work)
  t.ok(times < LINEAR, `${times.toFixed(1)} times as long for 8 times as much`)
})

t.test('A15: a body that the version does not have is refused', async t => {
  for (const version of VERSIONS) {
    const given = DRAFTS[version]
    for (const changes of [
      { 'Content-Length': '1' },
      { 'Content-Length': '9' },
      { 'Content-Length': '08' },
      { 'Content-Length': 'x' },
      { 'Content-Length': ['8', '8'] },
      { 'Transfer-Encoding': 'chunked' },
      { 'Content-Length': version === 'hixie-76' ? '0' : '8' }
    ]) {
      t.same(refused(given(changes)), [400, 'WS_ERR_BAD_REQUEST'], `${version}, ${JSON.stringify(changes)}`)
    }
    const right = { 'Content-Length': version === 'hixie-76' ? '8' : '0' }
    t.doesNotThrow(() => new DraftHandshake(given(right), settings()), `${version}, ${JSON.stringify(right)}`)
  }
})

for (const version of VERSIONS) {
  const given = DRAFTS[version]
  const prefix = PREFIX[version]
  const field = (name: string) => `${prefix}${name}`

  t.test(`${version}: HTTP syntax is checked first`, async t => {
    const head = given()
    t.same(refused({ ...head, httpVersion: '1.0' }), [505, 'WS_ERR_HTTP_VERSION'])
    t.same(refused(given({ Host: null })), [400, 'WS_ERR_BAD_REQUEST'])
    t.same(refused(given({ Host: ['a', 'b'] })), [400, 'WS_ERR_BAD_REQUEST'])
    t.same(refused({ ...head, url: '//' + 'a b' }), [400, 'WS_ERR_BAD_REQUEST'])
    for (const wrong of [null, {}, { headers: null }]) {
      t.same(refused(wrong as unknown as UpgradeRequest), [400, 'WS_ERR_BAD_REQUEST'])
    }
  })

  t.test(`${version}: the location is the requested URL`, async t => {
    const locate = (head: UpgradeRequest, secure?: boolean) =>
      new DraftHandshake(head, settings(), secure).accept().headers[field('Location').toLowerCase()]
    t.equal(locate(given({ Host: 'a.example:8080' }, 'GET /x?y=z HTTP/1.1')), 'ws://a.example:8080/x?y=z')
    t.equal(locate(given({}), true), 'wss://example.com/chat')
    t.equal(locate({ ...given(), socket: { encrypted: true } }), 'wss://example.com/chat')
  })

  t.test(`${version}: without an origin none is returned`, async t => {
    for (const changes of [{}, { Origin: '' }]) {
      const { bytes, headers } = new DraftHandshake(given(changes), settings()).accept()
      t.notOk(lines(bytes).some(line => line.startsWith(field('Origin'))))
      t.notOk(field('Origin').toLowerCase() in headers)
    }
  })

  t.test(`A14: ${version}: values that would break the response are not returned`, async t => {
    const head = given({ Origin: 'http://a.example' })
    const name = field('Protocol').toLowerCase()
    for (const bad of ['a\r\nSet-Cookie: x', 'a\0b', ' a']) {
      t.same(refused({ ...head, headers: { ...head.headers, origin: bad } }), [400, 'WS_ERR_BAD_REQUEST'])
      t.same(refused({ ...head, headers: { ...head.headers, [name]: bad } }), [400, 'WS_ERR_BAD_REQUEST'])
    }
    const strange = { ...head.headers, [name]: [1] } as unknown as UpgradeRequest['headers']
    t.same(refused({ ...head, headers: strange }), [400, 'WS_ERR_BAD_REQUEST'])
  })

  t.test(`${version}: a forbidden origin gets 403`, async t => {
    const origins = ['http://a.example']
    t.doesNotThrow(() => new DraftHandshake(given({ Origin: 'http://a.example' }), settings({ origins })))
    for (const changes of [{}, { Origin: 'http://b.example' }, { Origin: 'null' }, { Origin: 'http://A.example' }]) {
      t.same(refused(given(changes), { origins }), [403, 'WS_ERR_FORBIDDEN_ORIGIN'])
    }
    const asked: (string | undefined)[] = []
    const check = (origin: string | undefined) => asked.push(origin) > 1
    t.same(refused(given({ Origin: 'http://c.example' }), { origins: check }), [403, 'WS_ERR_FORBIDDEN_ORIGIN'])
    t.doesNotThrow(() => new DraftHandshake(given(), settings({ origins: check })))
    t.same(asked, ['http://c.example', undefined])
    const promise = (async () => true) as unknown as () => boolean
    t.same(refused(given(), { origins: promise }), [403, 'WS_ERR_FORBIDDEN_ORIGIN'], 'a promise is no yes')
  })

  t.test(`${version}: only a subprotocol that was offered is chosen`, async t => {
    const offer = (value: string, options: Parameters<typeof settings>[0] = {}) =>
      new DraftHandshake(given({ [field('Protocol')]: value }), settings(options))
    const chosen = offer('chat', { protocols: ['other', 'chat'] }).accept()
    t.equal(chosen.protocol, 'chat')
    t.ok(lines(chosen.bytes).includes(`${field('Protocol')}: chat`))
    const none = offer('chat', { protocols: ['other'] }).accept()
    t.equal(none.protocol, '')
    t.notOk(lines(none.bytes).some(line => line.startsWith(field('Protocol'))))
    t.same(offer('a, b').offeredProtocols, ['a', 'b'], 'a list, as libraries of the time took it')
    t.same(offer('http://x/ y;z').offeredProtocols, ['http://x/ y;z'], 'or one name that is no token')
    t.same(offer('').offeredProtocols, [])
    const head = given()
    const several = { ...head, headers: { ...head.headers, [field('Protocol').toLowerCase()]: ['a', 'b'] } }
    t.same(new DraftHandshake(several, settings()).offeredProtocols, ['a', 'b'], 'on several lines')
    t.equal(offer('a, b').accept({ protocol: 'b' }).protocol, 'b')
    t.equal(offer('a, b', { protocols: ['a'] }).accept({ protocol: '' }).protocol, '')
    t.throws(() => offer('a, b').accept({ protocol: 'c' }), { name: 'TypeError', message: /"c"/ })
    const choose = (names: string[]) => names[1]
    t.equal(offer('a, b', { protocols: choose }).accept().protocol, 'b')
    t.equal(offer('', { protocols: choose }).accept().protocol, '', 'not asked where there is nothing to choose')
    t.equal(offer('a', { protocols: () => null }).accept().protocol, '')
    t.throws(() => offer('a', { protocols: () => 'x' }).accept(), { code: 'WS_ERR_REJECTED', status: 500 })
  })

  t.test(`${version}: header fields of the application come after those of the handshake`, async t => {
    const handshake = new DraftHandshake(given(), settings({ headers: { 'X-A': '1', 'X-B': '2' } }))
    handshake.setHeader('x-a', ['3', '4'])
    const { bytes, headers } = handshake.accept({ headers: { 'X-B': '5' } })
    t.same(lines(bytes).slice(-5), ['x-a: 3', 'x-a: 4', 'X-B: 5', '', ''])
    t.match(headers, { 'x-a': '3, 4', 'x-b': '5' })
    t.throws(() => handshake.setHeader('Upgrade', 'x'), TypeError)
    t.throws(() => handshake.setHeader('X-A', 'a\r\nb'), TypeError)
    t.throws(() => handshake.accept({ headers: { Connection: 'x' } }), TypeError)
  })

  t.test(`${version}: extensions are never negotiated`, async t => {
    const { bytes } = new DraftHandshake(given(), settings()).accept({ extensions: 'permessage-deflate' })
    t.notMatch(bytes.toString(), /extensions/i)
  })
}
