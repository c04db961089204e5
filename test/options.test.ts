// What may stand in the options, what each means when it is left out, and what is refused at once.

import t from 'tap'
import { type WebSocketOptions, WebSocketStream } from '../lib/index.js'
import { readOptions } from '../lib/options.js'

type Name = keyof WebSocketOptions

const DEFAULTS: Record<Name, unknown> = {
  protocols: [],
  headers: [],
  origin: undefined,
  origins: undefined,
  extensions: [],
  allowDrafts: false,
  version: 13,
  maxMessageSize: 67108863,
  maxFrameSize: 67108863,
  maxFragments: 2 ** 17,
  maxHeaderSize: 16384,
  maxHeaders: 100,
  handshakeTimeout: 10000,
  closeTimeout: 10000,
  keepalive: undefined,
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
  for (const name of ['maxPayload', 'Protocols', 'constructor', 'hasOwnProperty', 'toString']) {
    t.throws(() => read({ [name]: 1 }), { name: 'TypeError', message: `unknown option '${name}'` })
  }
  t.throws(() => read(JSON.parse('{ "__proto__": 1 }')), TypeError)
})

t.test('options that are no object are a TypeError', async t => {
  for (const options of [null, 5, 'options', true, () => {}, Symbol('s')]) t.throws(() => read(options), TypeError)
})

t.test('each way to make a connection reads them at once', async t => {
  const wrong = { maxHeaders: -1 }
  t.throws(() => WebSocketStream.server(wrong), RangeError)
  t.throws(() => WebSocketStream.client('ws://a/', wrong), RangeError)
  t.throws(() => WebSocketStream.http({ headers: {} }, undefined, wrong), RangeError)
})

t.test('numbers', async t => {
  for (const name of [...COUNTS, ...TIMES]) {
    for (const wrong of ['5', null, true, [], {}, 5n]) t.throws(() => read({ [name]: wrong }), TypeError, name)
    for (const wrong of [Number.NaN, -1, Number.NEGATIVE_INFINITY])
      t.throws(() => read({ [name]: wrong }), RangeError, name)
    t.equal(read({ [name]: Number.POSITIVE_INFINITY })[name], Number.POSITIVE_INFINITY, `${name}: Infinity lifts it`)
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
})

t.test('version', async t => {
  for (const version of [13, 8, 7]) t.equal(read({ version })['version'], version)
  for (const version of ['13', null, 13n]) t.throws(() => read({ version }), TypeError)
  for (const version of [0, 12, 14, Number.NaN, -13, Number.POSITIVE_INFINITY])
    t.throws(() => read({ version }), RangeError)
})

t.test('allowDrafts', async t => {
  t.equal(read({ allowDrafts: true })['allowDrafts'], true)
  for (const wrong of [1, 'true', null]) t.throws(() => read({ allowDrafts: wrong }), TypeError)
})

t.test('protocols', async t => {
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

t.test('origins', async t => {
  const check = () => true
  t.equal(read({ origins: check })['origins'], check)
  t.same(read({ origins: 'https://a' })['origins'], ['https://a'])
  t.same(read({ origins: [] })['origins'], [])
  for (const wrong of [5, null, {}, [5], true]) t.throws(() => read({ origins: wrong }), TypeError)
})

t.test('options that are frozen are read once', async t => {
  let reads = 0
  const options = Object.freeze({
    get protocols() {
      reads++
      return ['a']
    }
  })
  t.equal(readOptions(options), readOptions(options))
  t.equal(reads, 1)
  t.same(readOptions(options).protocols, ['a'])
})

t.test('equal options, one after the other, have one object of settings', async t => {
  const make = (): WebSocketOptions => ({
    protocols: ['a', 'b'],
    headers: { 'X-One': ['1', '2'] },
    keepalive: { interval: 1000 },
    maxMessageSize: Number.POSITIVE_INFINITY
  })
  const first = readOptions(make())
  t.equal(readOptions(make()), first)
  const others: WebSocketOptions[] = [
    { ...make(), protocols: ['a'] },
    { ...make(), protocols: ['a', 'c'] },
    { ...make(), headers: { 'X-One': '1' } },
    { ...make(), keepalive: { interval: 1000, timeout: 999 } },
    { ...make(), keepalive: { interval: 999, timeout: 1000 } },
    { ...make(), keepalive: false },
    { ...make(), protocols: () => false },
    { ...make(), signal: new AbortController().signal },
    { ...make(), signal: new AbortController().signal }
  ]
  const settings = [first, ...others.map(options => readOptions(options))]
  t.equal(new Set(settings).size, settings.length)
  t.same(readOptions({ ...make(), keepalive: { interval: 7 } }).keepalive, { interval: 7, timeout: 7 })
})

t.test('options that have changed are read anew', async t => {
  const options: WebSocketOptions = { closeTimeout: 5 }
  t.equal(readOptions(options).closeTimeout, 5)
  options.closeTimeout = 6
  t.equal(readOptions(options).closeTimeout, 6)
})

t.test('origin', async t => {
  t.equal(read({ origin: 'https://a' })['origin'], 'https://a')
  for (const wrong of [5, null, {}, 'a\r\nb', 'a\0']) t.throws(() => read({ origin: wrong }), TypeError)
})

t.test('extensions', async t => {
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

t.test('headers', async t => {
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

t.test('keepalive', async t => {
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

t.test('signal', async t => {
  const { signal } = new AbortController()
  t.equal(read({ signal })['signal'], signal)
  for (const wrong of [5, null, {}, 'abort', new AbortController()]) t.throws(() => read({ signal: wrong }), TypeError)
})
