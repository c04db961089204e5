// The options, their defaults, and the values that are refused at once.

import t from 'tap'
import { ProxyTunnel, type WebSocketOptions, WebSocketStream } from '../lib/index.js'
import { readOptions, shareOptions } from '../lib/options.js'
import { pair } from './support/pair.js'

type Name = keyof WebSocketOptions

const DEFAULTS: Record<Name, unknown> = {
  protocols: [],
  headers: [],
  origin: undefined,
  origins: undefined,
  extensions: [],
  allowDrafts: false,
  requireMasking: true,
  masking: undefined,
  version: 13,
  maxMessageSize: 67108863,
  maxFrameSize: 67108863,
  maxFragments: 2 ** 17,
  maxHeaderSize: 16384,
  maxHeaders: 100,
  handshakeTimeout: 10000,
  closeTimeout: 10000,
  keepalive: undefined,
  autoPong: true,
  faultReasons: true,
  textAs: 'string',
  fragmentSize: Number.POSITIVE_INFINITY,
  highWaterMark: 65536,
  signal: undefined
}

const NAMES = Object.keys(DEFAULTS) as Name[]
const COUNTS = [
  'maxMessageSize',
  'maxFrameSize',
  'maxFragments',
  'maxHeaderSize',
  'maxHeaders',
  'fragmentSize',
  'highWaterMark'
] as const
const TIMES = ['handshakeTimeout', 'closeTimeout'] as const

const read = (options: unknown) => readOptions(options as WebSocketOptions) as unknown as Record<string, unknown>

t.test('every option has its default', async t => {
  t.same(read(undefined), DEFAULTS)
  t.same(read({}), DEFAULTS)
  t.equal(read({}), read(undefined), 'which connections share')
  t.throws(() => Object.assign(read({}), { version: 8 }), TypeError, 'and nobody can change')
})

t.test('undefined means the default', async t => {
  for (const name of NAMES) t.equal(read({ [name]: undefined }), read({}), name)
  t.same(read({ version: undefined, maxHeaders: 5 }), { ...DEFAULTS, maxHeaders: 5 })
})

t.test('an unknown name is a TypeError', async t => {
  for (const name of ['Foo', 'x', '', 'constructor', 'hasOwnProperty', 'toString']) {
    t.throws(() => read({ [name]: 1 }), { name: 'TypeError', message: `unknown option '${name}'` })
  }
  t.throws(() => read(JSON.parse('{ "__proto__": 1 }')), TypeError)
})

t.test('an unknown name that is similar to an option, or an option of another library, suggests ours', async t => {
  for (const [given, meant] of Object.entries({
    protocol: 'protocols',
    Protocols: 'protocols',
    handshakeTimeOut: 'handshakeTimeout',
    maxMesageSize: 'maxMessageSize',
    maxPayload: 'maxMessageSize',
    maxLength: 'maxMessageSize',
    perMessageDeflate: 'extensions: [permessageDeflate()]',
    handleProtocols: 'protocols: (offered, request) => choice',
    pingInterval: 'keepalive: { interval }',
    pingTimeout: 'keepalive: { timeout }',
    heartbeat: 'keepalive: { interval, timeout }',
    heartbeatInterval: 'keepalive: { interval }',
    timeout: 'handshakeTimeout'
  })) {
    const message = `unknown option '${given}'; did you mean '${meant}'?`
    t.throws(() => read({ [given]: 1 }), { name: 'TypeError', message })
  }
  const message = "unknown option 'keepalive.intervall'; did you mean 'keepalive.interval'?"
  t.throws(() => read({ keepalive: { intervall: 5 } }), { name: 'TypeError', message })
  // an option for TLS, which a stream does not use
  t.throws(() => read({ rejectUnauthorized: false }), { message: "unknown option 'rejectUnauthorized'" })
})

t.test('options that are not an object are a TypeError', async t => {
  for (const options of [null, 5, 'options', true, () => {}, Symbol('s')]) t.throws(() => read(options), TypeError)
  t.throws(() => read(null), { message: 'options must be an object, not null' })
})

t.test('for a list of subprotocols instead of options, the error says where it belongs', async t => {
  const long = 'x'.repeat(100)
  for (const [given, shown] of [
    [['chat', 'b'], "['chat', 'b']"],
    ['chat', "'chat'"],
    [long, `"${long.slice(0, 59)}…`]
  ] as const) {
    const message = `options must be an object; subprotocols go in it: { protocols: ${shown} }`
    t.throws(() => read(given), { name: 'TypeError', message })
  }
})

t.test('an error contains the given value', async t => {
  t.throws(() => read({ maxHeaders: -1 }), {
    message: 'maxHeaders must be a whole number of at least 0, or Infinity, not -1'
  })
  t.throws(() => read({ maxHeaders: '5' }), { message: "maxHeaders must be a number, not '5'" })
  t.throws(() => read({ maxHeaders: {} }), { message: 'maxHeaders must be a number, not an object' })
  t.throws(() => read({ closeTimeout: null }), { message: 'closeTimeout must be a number of milliseconds, not null' })
})

t.test('each way to make a connection reads the options at once', async t => {
  const wrong = { maxHeaders: -1 }
  t.throws(() => WebSocketStream.server(wrong), RangeError)
  t.throws(() => WebSocketStream.client('ws://a/', wrong), RangeError)
  t.throws(() => WebSocketStream.http({ headers: {} }, undefined, wrong), RangeError)
})

t.test(
  'limits and times: which numbers each takes, and whether anything else is a TypeError or a RangeError',
  async t => {
    for (const name of [...COUNTS, ...TIMES]) {
      for (const wrong of ['5', null, true, [], {}, 5n]) t.throws(() => read({ [name]: wrong }), TypeError, name)
      for (const wrong of [Number.NaN, -1, Number.NEGATIVE_INFINITY])
        t.throws(() => read({ [name]: wrong }), RangeError, name)
      // a stream needs a whole number
      const most = name === 'highWaterMark' ? Number.MAX_SAFE_INTEGER : Number.POSITIVE_INFINITY
      t.equal(read({ [name]: Number.POSITIVE_INFINITY })[name], most, `${name}: Infinity lifts it`)
      t.equal(read({ [name]: 7 })[name], 7, name)
    }
    for (const name of COUNTS) {
      t.throws(() => read({ [name]: 1.5 }), RangeError, name)
      t.throws(() => read({ [name]: 2 ** 53 }), RangeError, name)
      const least = name === 'maxFragments' || name === 'fragmentSize' ? 1 : 0
      t.equal(read({ [name]: least })[name], least, name)
      if (least === 1) t.throws(() => read({ [name]: 0 }), RangeError, name)
    }
    for (const name of TIMES) {
      t.equal(read({ [name]: 0.5 })[name], 0.5)
      t.equal(read({ [name]: 0 })[name], 0)
      t.equal(read({ [name]: 2 ** 31 - 1 })[name], 2 ** 31 - 1)
      t.throws(() => read({ [name]: 2 ** 31 }), RangeError)
    }
  }
)

t.test('version takes the numbers of the versions of RFC 6455', async t => {
  for (const version of [13, 8, 7]) t.equal(read({ version })['version'], version)
  for (const version of ['13', null, 13n]) t.throws(() => read({ version }), TypeError)
  for (const version of [0, 12, 14, Number.NaN, -13, Number.POSITIVE_INFINITY])
    t.throws(() => read({ version }), RangeError)
})

t.test('allowDrafts, requireMasking and masking take only true and false', async t => {
  for (const name of ['allowDrafts', 'requireMasking', 'masking']) {
    t.equal(read({ [name]: true })[name], true)
    t.equal(read({ [name]: false })[name], false)
    for (const wrong of [1, 'true', null]) t.throws(() => read({ [name]: wrong }), TypeError)
  }
})

t.test('protocols takes a function, or one or more different tokens, which are copied', async t => {
  const choose = () => 'a'
  t.equal(read({ protocols: choose })['protocols'], choose)
  t.same(read({ protocols: 'a' })['protocols'], ['a'])
  t.same(read({ protocols: ['a', 'b'] })['protocols'], ['a', 'b'])
  t.same(read({ protocols: [] })['protocols'], [])
  for (const wrong of [5, null, {}, [5], ['a', null], ['a', 'a'], [''], ['a b'], 'a,b', '', ['a\r\n']]) {
    t.throws(() => read({ protocols: wrong }), TypeError, JSON.stringify(wrong))
  }
  const given = ['a']
  const kept = read({ protocols: given })['protocols']
  given.push('b')
  t.same(kept, ['a'], 'a copy')
})

t.test('origins takes a function, an origin, or a list of them', async t => {
  const check = () => true
  t.equal(read({ origins: check })['origins'], check)
  t.same(read({ origins: 'https://a' })['origins'], ['https://a'])
  t.same(read({ origins: [] })['origins'], [])
  for (const wrong of [5, null, {}, [5], true]) t.throws(() => read({ origins: wrong }), TypeError)
})

t.test('origins takes every origin that a browser can send', async t => {
  for (const origin of [
    'https://www.example',
    'http://localhost:3000',
    'http://[::1]:8080',
    'https://xn--bcher-kva.example',
    'null',
    'file://',
    'chrome-extension://abcdefghijklmnop',
    'capacitor://localhost'
  ]) {
    t.same(read({ origins: [origin] })['origins'], [origin])
  }
})

t.test('an origin that no browser sends is a TypeError, which says what browsers send', async t => {
  const rule = "an origin in origins is scheme://host[:port] as a browser sends it, in lower case, or 'null'"
  for (const [given, meant] of Object.entries({
    'http://x/': 'http://x',
    'https://x/chat?a=1#b': 'https://x',
    'HTTPS://Www.Example': 'https://www.example',
    'https://Www.example': 'https://www.example',
    'http://x:80': 'http://x',
    'https://bücher.example': 'https://xn--bcher-kva.example',
    'wss://x:1': 'https://x:1',
    'ws://x': 'http://x',
    'localhost:3000': 'http://localhost:3000',
    'www.example': 'http://www.example'
  })) {
    const told = { name: 'TypeError', message: `${rule}, not '${given}'; did you mean '${meant}'?` }
    t.throws(() => read({ origins: [given] }), told)
    t.throws(() => read({ origins: given }), told)
    t.same(read({ origins: [meant] })['origins'], [meant], 'which is taken')
  }
  for (const given of ['*', 'https://*', 'https://*.example']) {
    const hint = 'for any origin, or a pattern, give a function: origins: origin => true'
    t.throws(() => read({ origins: ['http://a', given] }), { message: `${rule}, not '${given}'; ${hint}` })
  }
  for (const given of ['', 'http://', 'app://host/path', 'http://a b']) {
    t.throws(() => read({ origins: given }), { name: 'TypeError', message: `${rule}, not '${given}'` })
  }
})

t.test('options are read for each connection, frozen or not, since their content may have changed', async t => {
  let reads = 0
  const headers = { Authorization: 'old' }
  const options = Object.freeze({
    headers,
    get protocols() {
      return [`p${++reads}`]
    }
  })
  t.match(readOptions(options), { headers: [['Authorization', 'old']], protocols: ['p1'] })
  headers.Authorization = 'new'
  t.match(readOptions(options), { headers: [['Authorization', 'new']], protocols: ['p2'] })
})

t.test('equal options have separate settings', async t => {
  const make = (): WebSocketOptions => ({ protocols: ['a'], headers: { 'X-One': '1' }, keepalive: { interval: 7 } })
  t.same(readOptions(make()), readOptions(make()))
  t.not(readOptions(make()), readOptions(make()))
  t.not(readOptions(make()).keepalive, readOptions(make()).keepalive)
})

t.test('shared options are read once, for all connections that get them', async t => {
  let reads = 0
  const stand = shareOptions({
    get protocols() {
      reads++
      return ['a']
    }
  })
  const before = reads
  t.equal(readOptions(stand), readOptions(stand))
  t.same(readOptions(stand).protocols, ['a'])
  t.equal(reads, before)
  t.throws(() => shareOptions({ maxHeaders: -1 }), RangeError)
})

t.test('changed options are read again', async t => {
  const options: WebSocketOptions = { closeTimeout: 5 }
  t.equal(readOptions(options).closeTimeout, 5)
  options.closeTimeout = 6
  t.equal(readOptions(options).closeTimeout, 6)
})

t.test('origin takes a string that fits in a header field', async t => {
  t.equal(read({ origin: 'https://a' })['origin'], 'https://a')
  for (const wrong of [5, null, {}, 'a\r\nb', 'a\0']) t.throws(() => read({ origin: wrong }), TypeError)
})

t.test('extensions takes a list of well-formed extensions with different names, or an offer as text', async t => {
  const none = (): null => null
  const extension = {
    name: 'x',
    type: 'permessage',
    rsv1: true,
    rsv2: false,
    rsv3: false,
    createClientSession: none,
    createServerSession: none
  }
  t.same(read({ extensions: [extension] })['extensions'], [extension])
  class Callable {}
  const { name: _, ...rest } = extension
  t.same(read({ extensions: [Object.assign(Callable, rest)] })['extensions'], [Callable], 'a class will do')
  t.equal(read({ extensions: 'x; a=1, y' })['extensions'], 'x; a=1, y', 'an offer as it is')
  for (const wrong of [5, null, {}, [5], [null], 'x\n']) t.throws(() => read({ extensions: wrong }), TypeError)
  t.throws(() => read({ extensions: [extension, { ...extension }] }), TypeError)
  const faults = { name: [5, 'a b', ''], type: ['perframe', 5], rsv1: [1], rsv2: [undefined], rsv3: ['no'] }
  const functions = { createClientSession: [5], createServerSession: [undefined] }
  for (const [name, values] of Object.entries({ ...faults, ...functions })) {
    for (const value of values) t.throws(() => read({ extensions: [{ ...extension, [name]: value }] }), TypeError, name)
  }
})

t.test('headers takes an object, pairs, a Map or Headers, but no field that the handshake sets itself', async t => {
  const pairs = [
    ['X-A', '1'],
    ['X-A', '2']
  ]
  t.same(read({ headers: { 'X-A': ['1', '2'] } })['headers'], pairs)
  t.same(read({ headers: pairs })['headers'], pairs)
  t.same(read({ headers: new Map([['X-A', '1']]) })['headers'], [['X-A', '1']])
  t.same(read({ headers: new Headers({ 'X-A': '1' }) })['headers'], [['x-a', '1']])
  t.same(read({ headers: { 'X-A': undefined, 'X-B': '' } })['headers'], [['X-B', '']])
  for (const wrong of [
    5,
    null,
    'X-A: 1',
    { 'X-A': 5 },
    { 'X-A': null },
    { 'X-A': {} },
    { 'X-A': [5] },
    { 'X A': '1' },
    { '': '1' },
    { 'X-A': 'a\r\nb' },
    { 'X-A': 'a\0' },
    { Upgrade: 'websocket' },
    { 'sec-websocket-key': 'a' },
    [[5, '1']],
    ['ab'],
    new Set(['ab']),
    { 'X-A': new Set(['a']) }
  ]) {
    t.throws(() => read({ headers: wrong }), TypeError, JSON.stringify(wrong))
  }
})

t.test('keepalive takes false or an interval, which is also the default of its timeout', async t => {
  t.equal(read({ keepalive: false })['keepalive'], undefined)
  t.same(read({ keepalive: { interval: 5 } })['keepalive'], { interval: 5, timeout: 5 })
  t.same(read({ keepalive: { interval: 5, timeout: 7 } })['keepalive'], { interval: 5, timeout: 7 })
  t.same(read({ keepalive: { interval: 5, timeout: undefined } })['keepalive'], { interval: 5, timeout: 5 })
  for (const wrong of [
    true,
    5,
    null,
    'on',
    {},
    { interval: '5' },
    { timeout: 5 },
    { interval: 5, timeout: '5' },
    { interval: 5, pause: 1 }
  ]) {
    t.throws(() => read({ keepalive: wrong }), TypeError, JSON.stringify(wrong))
  }
  for (const wrong of [
    { interval: -1 },
    { interval: Number.NaN },
    { interval: 5, timeout: -1 },
    { interval: 2 ** 31 }
  ]) {
    t.throws(() => read({ keepalive: wrong }), RangeError)
  }
})

t.test('signal takes an AbortSignal only', async t => {
  const { signal } = new AbortController()
  t.equal(read({ signal })['signal'], signal)
  for (const wrong of [5, null, {}, { aborted: false }, 'abort', new AbortController()])
    t.throws(() => read({ signal: wrong }), TypeError)
})

t.test('highWaterMark: Infinity works in every part of a connection', async t => {
  const options = { highWaterMark: Number.POSITIVE_INFINITY }
  const [near, far] = pair()
  const client = WebSocketStream.client('ws://localhost/', options)
  const server = WebSocketStream.server(options)
  const received: unknown[] = []
  const isDone = (async () => {
    for await (const stream of server.streams) for await (const chunk of stream) received.push(String(chunk))
  })()
  client.pipe(near).pipe(client)
  server.attach(far)
  await client.opened
  const message = client.createMessage('text')
  message.write('in ')
  message.end('pieces')
  client.text('whole')
  client.messages.end()
  await isDone
  t.equal(received.join(''), 'in pieceswhole')
  t.doesNotThrow(() => new ProxyTunnel('a:1', { ...options, handshakeTimeout: Number.POSITIVE_INFINITY }).destroy())
})

t.test('textAs refuses any other form', async t => {
  t.throws(() => WebSocketStream.server({ textAs: 'buffer' as never }), TypeError)
})
