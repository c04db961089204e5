// Messages as JSON: valid and invalid values in both directions, and that nothing piles up.

import { once } from 'node:events'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { jsonMessages, type WebSocketError, WebSocketStream } from '../lib/index.js'
import { BINARY, CLOSE, type RawPeer, readClose, TEXT } from './support/raw-peer.js'
import { collect, nameOf, open, ours, rejection, SETUPS, settle } from './websocket-stream/sides.js'

const SERVER = { role: 'server', join: 'attach', wire: 'memory' } as const
const CLIENT = { role: 'client', join: 'attach', wire: 'memory' } as const
const BOTH = [SERVER, CLIENT]

interface Chat {
  text: string
}

function readChat(value: unknown): Chat {
  const { text } = (value ?? {}) as Partial<Chat>
  if (typeof text !== 'string') throw new TypeError('text must be a string')
  return { text }
}

const text = async (peer: RawPeer): Promise<string> => (await peer.nextFrame())!.payload.toString()

/** The texts of the `error` events of a connection. */
function errorsOf(ws: WebSocketStream): Error[] {
  const errors: Error[] = []
  ws.on('error', error => errors.push(error))
  return errors
}

for (const setup of SETUPS) {
  t.test(`values in both directions: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const json = jsonMessages(ws)
    for (const value of [{ text: 'grüß' }, [1, 'a', null], 'text', 0, false, null]) t.equal(json.write(value), true)
    for (const expected of ['{"text":"grüß"}', '[1,"a",null]', '"text"', '0', 'false', 'null']) {
      t.equal(await text(peer), expected)
    }
    peer.text('{"text":"grüß"}')
    peer.text(' [1] ')
    peer.text('0')
    peer.text('""')
    peer.text('false')
    const reading = collect(json)
    peer.close()
    t.same(await reading, { got: [{ text: 'grüß' }, [1], 0, '', false], error: null })
    await peer.nextFrame()
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    if (!json.closed) await once(json, 'close')
  })
}

t.test('the reader gets what validate returns', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws, { validate: value => readChat(value).text.toUpperCase() })
  peer.text('{"text":"a","more":1}')
  t.same(await once(json, 'data'), ['A'])
})

t.test('text that arrives as bytes is parsed too', async t => {
  const { ws, peer } = await open(t, SERVER, { textAs: 'bytes' })
  const invalid: unknown[] = []
  const json = jsonMessages(ws, { onInvalid: (_error, message) => invalid.push(message) })
  peer.text('nothing')
  peer.text('[1]')
  t.same(await once(json, 'data'), [[1]])
  t.same(invalid, ['nothing'])
})

const WRONG: [string, (peer: RawPeer) => unknown, number, string, object][] = [
  ['not JSON', peer => peer.text('{"text":'), 1007, 'not JSON', { name: 'SyntaxError' }],
  ['empty text', peer => peer.text(''), 1007, 'not JSON', { name: 'SyntaxError' }],
  ['a binary message', peer => peer.send(BINARY, '{}'), 1003, 'binary, not text', {}],
  ['what validate refuses', peer => peer.text('{"text":1}'), 1007, 'refused by validate', { name: 'TypeError' }]
]

for (const setup of BOTH) {
  for (const [name, send, code, detail, cause] of WRONG) {
    t.test(`${name} ends the connection with ${code}, after earlier values: ${nameOf(setup)}`, async t => {
      const { ws, peer } = await open(t, setup)
      const errors = errorsOf(ws)
      const json = jsonMessages(ws, { validate: readChat })
      peer.text('{"text":"right"}')
      send(peer)
      peer.text('{"text":"behind it"}')
      const { got, error } = await collect(json)
      t.same(got, [{ text: 'right' }])
      const message = `invalid message: ${detail}`
      t.match(error, {
        name: 'WebSocketError',
        code: 'WS_ERR_INVALID_MESSAGE',
        fault: 'peer',
        closeCode: code,
        message
      })
      t.match((error as Error).cause ?? {}, cause)
      const frame = await peer.nextFrame()
      t.strictSame(readClose(frame), { code, reason: message })
      peer.send(CLOSE, frame!.payload)
      peer.end()
      t.match(await ws.whenClosed(), { code, wasClean: false, initiator: 'local' })
      await settle()
      t.same(errors, [error])
    })
  }

  t.test(`without an error listener or a reader, nothing crashes: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const json = jsonMessages(ws)
    json.on('data', () => {})
    peer.text('nothing')
    t.equal((await peer.answerClose()).code, 1007)
    await ws.whenClosed()
    t.equal(json.destroyed, true)
  })

  t.test(`with onInvalid the connection continues: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const invalid: [WebSocketError, string | Buffer][] = []
    const json = jsonMessages(ws, { validate: readChat, onInvalid: (...args) => invalid.push(args) })
    for (const [, send] of WRONG) send(peer)
    peer.text('{"text":"right"}')
    t.same(await once(json, 'data'), [{ text: 'right' }])
    t.same(
      invalid.map(([{ code, closeCode }, message]) => [code, closeCode, message]),
      [
        ['WS_ERR_INVALID_MESSAGE', 1007, '{"text":'],
        ['WS_ERR_INVALID_MESSAGE', 1007, ''],
        ['WS_ERR_INVALID_MESSAGE', 1003, Buffer.from('{}')],
        ['WS_ERR_INVALID_MESSAGE', 1007, '{"text":1}']
      ]
    )
    t.equal(ws.readyState, 'open')
  })
}

t.test('null is refused, unless validate converts it', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.text('null')
  t.match((await collect(json)).error, { message: /null, which no stream carries/, closeCode: 1007 })

  const other = await open(t, SERVER)
  const mapped = jsonMessages(other.ws, { validate: value => value ?? 'nothing' })
  other.peer.text('null')
  t.same(await once(mapped, 'data'), ['nothing'])
})

t.test('a validate that returns nothing is an error of this side', async t => {
  for (const [nothing, later] of [
    [undefined, false],
    [null, false],
    [undefined, true]
  ]) {
    const { ws, peer } = await open(t, SERVER)
    const json = jsonMessages(ws, { validate: () => (later ? Promise.resolve(nothing) : nothing) })
    peer.text('{}')
    const { error } = await collect(json)
    t.match(error, { name: 'TypeError', message: `validate must return a value, not ${nothing}` })
    t.equal((await peer.answerClose()).code, 1011)
  }
})

t.test('an exception of onInvalid surfaces, and the connection continues', async t => {
  const { ws, peer } = await open(t, SERVER)
  const thrown = new Error('thrown by onInvalid')
  const surfaced = once(process, 'uncaughtException')
  const json = jsonMessages(ws, {
    onInvalid() {
      throw thrown
    }
  })
  peer.text('nothing')
  peer.text('[1]')
  t.same(await once(json, 'data'), [[1]])
  t.equal((await surfaced)[0], thrown)
})

t.test('an exception of a data listener surfaces, and the next value is emitted', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  const thrown = new Error('thrown by a listener')
  const surfaced = once(process, 'uncaughtException')
  json.once('data', () => {
    throw thrown
  })
  const got: unknown[] = []
  json.on('data', value => got.push(value))
  peer.text('1')
  peer.text('2')
  t.equal((await surfaced)[0], thrown)
  await settle()
  t.same(got.at(-1), 2)
})

t.test('a promise of validate keeps the order, and applies backpressure', async t => {
  const { ws, peer } = await open(t, SERVER)
  const waiting: (() => void)[] = []
  const invalid: unknown[] = []
  const json = jsonMessages(ws, {
    validate: value =>
      new Promise((resolve, reject) => waiting.push(() => (value === 3 ? reject(new Error('three')) : resolve(value)))),
    onInvalid: ({ cause }) => invalid.push(cause)
  })
  const reading = collect(json)
  for (const value of [1, 2, 3, 4]) peer.text(String(value))
  peer.close()
  for (let i = 0; i < 4; i++) {
    await settle()
    t.equal(waiting.length, 1, 'one at a time')
    waiting.shift()!()
  }
  t.same(await reading, { got: [1, 2, 4], error: null })
  t.match(invalid, [{ message: 'three' }])
})

t.test('synchronous and asynchronous values keep their order', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws, {
    validate: value => (Number(value) % 2 === 0 ? new Promise<unknown>(resolve => setImmediate(resolve, value)) : value)
  })
  const got: unknown[] = []
  json.on('data', value => got.push(value))
  peer.write(...Array.from({ length: 9 }, (_, i) => peer.frame(TEXT, String(i))))
  peer.close()
  await once(json, 'end')
  t.same(got, [0, 1, 2, 3, 4, 5, 6, 7, 8])
})

t.test('a destroyed stream does not wait for a late promise, whose rejection is ignored', async t => {
  const { ws, peer } = await open(t, SERVER)
  let fail: ((error: Error) => void) | undefined
  const json = jsonMessages(ws, { validate: () => new Promise((_resolve, reject) => (fail = reject)) })
  json.resume()
  peer.text('1')
  await settle()
  json.destroy()
  fail!(new Error('late'))
  t.equal((await peer.answerClose()).code, 1000)
  await settle()
})

t.test('if the connection is lost while validate decides, the reader gets that value and then the error', async t => {
  const { ws, peer } = await open(t, SERVER)
  const waiting: (() => void)[] = []
  const json = jsonMessages(ws, { validate: value => new Promise(resolve => waiting.push(() => resolve(value))) })
  const reading = collect(json)
  peer.text('1')
  await settle()
  peer.reset()
  await ws.whenClosed()
  await settle()
  waiting.shift()!()
  const { got, error } = await reading
  t.same(got, [1])
  t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })
})

t.test('a value without a JSON form is an error of that write only', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const broken = {
    toJSON() {
      throw null
    }
  }
  const cases: [unknown, RegExp][] = [
    [undefined, /^cannot be sent as JSON: undefined; write null, a boolean/],
    [() => 1, /: function; write null/],
    [Symbol('a'), /: symbol; write null/],
    [1n, /^cannot be sent as JSON: Do not know how to serialize a BigInt$/],
    [circle, /^cannot be sent as JSON: Converting circular structure to JSON$/],
    [broken, /^cannot be sent as JSON: undefined$/]
  ]
  for (const [value, message] of cases) {
    t.throws(() => json.write(value), { name: 'TypeError', message })
    t.throws(() => json.write(value, 'utf8', () => t.fail('called back')), { name: 'TypeError', message })
  }
  t.throws(() => json.end(1n), TypeError)
  json.end({ still: 'open' })
  t.equal(await text(peer), '{"still":"open"}')
  t.equal((await peer.answerClose()).code, 1000)
})

t.test('in a pipe, such a value ends the connection with 1011', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  const error = await rejection(pipeline(Readable.from([1, 2n, 3]), json))
  t.match(error, { name: 'TypeError', message: /BigInt/ })
  t.equal(await text(peer), '1')
  t.equal((await peer.answerClose()).code, 1011)

  const other = await open(t, SERVER)
  const source = new Readable({ objectMode: true, read() {} })
  const target = jsonMessages(other.ws)
  source.pipe(target)
  source.unpipe(target)
  t.throws(() => target.write(1n), TypeError)
  t.equal(other.ws.readyState, 'open')
})

t.test('values are echoed by a pipe, and end closes', async t => {
  const { server, client } = await ours(t)
  const echo = jsonMessages<number>(server)
  const double = new Transform({
    objectMode: true,
    transform: (value: number, _encoding, callback) => callback(null, value * 2)
  })
  const echoing = pipeline(echo, double, echo)
  const json = jsonMessages(client)
  for (const value of [1, 2, 3]) json.write(value)
  const got: unknown[] = []
  for await (const value of json) {
    got.push(value)
    if (got.length === 3) break
  }
  t.same(got, [2, 4, 6])
  t.match(await client.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
  await echoing
})

t.test('callbacks run when the wire has written, and that of end when the Close is being sent', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  await new Promise<void>((resolve, reject) => json.write(1, error => (error ? reject(error) : resolve())))
  await new Promise<void>(resolve => json.end(2, 'utf8', resolve))
  t.same([await text(peer), await text(peer)], ['1', '2'])
  t.equal((await peer.answerClose()).code, 1000)
  await ws.whenClosed()
})

t.test('write returns false on a full wire, nothing is buffered besides, and drain is emitted once', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.stream.pause()
  const value = 'x'.repeat(50_000)
  let written = 0
  while (json.write(value)) {
    written++
    await settle(1)
  }
  for (let i = 0; i < 5; i++) t.equal(json.write(value), false)
  t.equal(json.writableNeedDrain, true)
  t.ok(ws.bufferedAmount > 5 * 50_000, 'all that waits is counted')
  let drains = 0
  json.on('drain', () => drains++)
  const sent: unknown[] = []
  json.write('last', error => sent.push(error))
  await settle()
  t.same([drains, sent.length], [0, 0])
  json.end()
  t.equal(ws.readyState, 'closing', 'an end is not kept back')
  peer.stream.resume()
  for (let i = 0; i < written + 6; i++) t.equal((await text(peer)).length, 50_002)
  t.equal(await text(peer), '"last"')
  t.equal((await peer.answerClose()).code, 1000)
  await ws.whenClosed()
  t.same([drains, sent.length], [0, 1], 'no drain behind an end')
})

t.test('drain is emitted when the wire has room, and corked values keep their order', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.stream.pause()
  const value = 'x'.repeat(50_000)
  while (json.write(value)) await settle(1)
  const drained = once(json, 'drain')
  peer.stream.resume()
  await drained
  t.equal(json.writableNeedDrain, false)
  while (ws.bufferedAmount > 0) await settle()
  peer.stream.pause()
  json.cork()
  for (let i = 0; i < 10; i++) json.write([i, value])
  json.uncork()
  json.write('behind them')
  peer.stream.resume()
  const got: string[] = []
  while (got.at(-1) !== '"behind them"') got.push(await text(peer))
  t.same(
    got.filter(message => message.startsWith('[')).map(message => (JSON.parse(message) as [number])[0]),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  )
})

t.test('a reader that stops applies backpressure to the peer', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'tcp' })
  const json = jsonMessages(ws)
  json.once('readable', () => {})
  const value = JSON.stringify('x'.repeat(10_000))
  let sent = 0
  const limit = 2000
  while (sent < limit && peer.text(value)) {
    sent++
    await settle(1)
  }
  t.ok(sent < limit, `${sent} messages of 10 kB`)
  t.ok(ws.stats.bytesReceived < 2_000_000)
})

t.test('the callback of a value that can no longer be sent gets an error', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  const reading = collect(json)
  ws.close()
  const failed = new Promise(resolve => json.write(1, resolve))
  t.equal((await peer.answerClose()).code, 1000)
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
  t.same(await reading, { got: [], error: null })
})

t.test('end after close is not an error', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  ws.close(1001)
  await settle()
  const finished = new Promise<void>(resolve => json.end(resolve))
  t.equal((await peer.answerClose()).code, 1001)
  await finished
  await ws.whenClosed()
})

t.test('values that wait when the stream is destroyed fail', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.stream.pause()
  const value = 'x'.repeat(50_000)
  while (json.write(value)) await settle(1)
  json.cork()
  const waited = new Promise(resolve => json.write(value, resolve))
  json.destroy()
  t.match(await waited, { code: 'WS_ERR_NOT_OPEN' })
})

t.test('values written after the end fail, and so do those that waited', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.stream.pause()
  const value = 'x'.repeat(50_000)
  while (json.write(value)) await settle(1)
  const waited = new Promise(resolve => json.write(value, resolve))
  ws.destroy()
  t.match(await waited, { name: 'WebSocketError' })
  if (!json.closed) await once(json, 'close')
  t.match(await new Promise(resolve => json.write(1, resolve)), { code: 'ERR_STREAM_DESTROYED' })

  const other = await open(t, SERVER)
  other.ws.messages.destroy()
  t.equal((await other.peer.answerClose()).code, 1000)
  await other.ws.whenClosed()
  const late = jsonMessages(other.ws)
  t.match(await new Promise(resolve => late.write(1, resolve)), { code: 'WS_ERR_NOT_OPEN' })
})

t.test('the error of a lost connection follows the data that had arrived', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages(ws)
  peer.text('1')
  peer.text('2')
  await settle()
  peer.reset()
  await ws.whenClosed()
  const { got, error } = await collect(json)
  t.same(got, [1, 2])
  t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })

  const silent = await open(t, SERVER)
  const unread = jsonMessages(silent.ws)
  silent.peer.reset()
  await silent.ws.whenClosed()
  t.match((await collect(unread)).error, { code: 'WS_ERR_CONNECTION_LOST' })
})

t.test('an invalid message that is read after the end is reported to the reader', async t => {
  const { ws, peer } = await open(t, SERVER)
  peer.text('[1]')
  peer.text('nothing')
  peer.text('[2]')
  peer.close()
  await peer.nextFrame()
  peer.end()
  await ws.whenClosed()
  const { got, error } = await collect(jsonMessages(ws))
  t.same(got, [[1]])
  t.match(error, { code: 'WS_ERR_INVALID_MESSAGE' })
})

t.test('keys named __proto__ are properties, and change no prototype', async t => {
  const { ws, peer } = await open(t, SERVER)
  const json = jsonMessages<Record<string, unknown>>(ws)
  peer.text('{"__proto__":{"admin":true}}')
  const [value] = (await once(json, 'data')) as [Record<string, unknown>]
  t.equal(Object.getPrototypeOf(value), Object.prototype)
  t.equal(value['admin'], undefined)
  t.ok(Object.hasOwn(value, '__proto__'))
})

t.test('invalid arguments throw at once', async t => {
  const ws = WebSocketStream.server()
  t.teardown(() => ws.destroy())
  t.throws(() => jsonMessages({} as never), { name: 'TypeError', message: 'ws must be a WebSocketStream' })
  t.throws(() => jsonMessages(ws, { validat: readChat } as never), { message: /did you mean 'validate'\?/ })
  t.throws(() => jsonMessages(ws, { validate: 'chat' } as never), { message: 'validate must be a function' })
  t.throws(() => jsonMessages(ws, { onInvalid: true } as never), { message: 'onInvalid must be a function' })
  t.throws(() => jsonMessages(ws, null as never), TypeError)
  const other = WebSocketStream.server()
  t.teardown(() => other.destroy())
  other.streams.resume()
  t.throws(() => jsonMessages(other), { message: /already read through ws.streams/ })
  jsonMessages(ws)
  t.throws(() => jsonMessages(ws), { message: 'jsonMessages(ws) was called before: keep what it returned' })
})
