// Behaviour that neither test/promises nor differential.test.ts covers: exceptions, waiting data, full wires, and how connections end.
// waits, what a full wire means, how things end.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { constants, deflateRawSync } from 'node:zlib'
import t from 'tap'
import driver, { type DriverOptions } from '../../../lib/compat/driver/index.js'
import { permessageDeflate } from '../../../lib/index.js'
import { reverse } from '../../extensions/toys.js'
import { BODY, request75, request76 } from '../../support/draft-requests.js'
import { BINARY, CLOSE, closeBody, PING, PONG, requestHead, TEXT, wireFrame } from '../../support/raw-peer.js'
import { uncaught } from '../../websocket-stream/raw-server.js'
import { settle } from '../../websocket-stream/sides.js'
import { answerTo, client, http, KINDS, open, parsed, server } from './seen.js'

for (const kind of KINDS) {
  t.test(`${kind}: the call throws what a listener throws, and nothing is lost`, async t => {
    const errors = uncaught(t)
    const { driver, frame, events, take } = open(kind)
    let count = 0
    driver.on('message', ({ data }) => {
      driver.text(`answer ${data}`)
      throw new Error(`listener ${++count}`)
    })
    t.throws(() => frame(TEXT, 'one'), { message: 'listener 1' })
    t.equal(driver.parse([]), true)
    t.throws(() => frame(TEXT, 'two'), { message: 'listener 2' })
    t.same(events.length, 2)
    driver.on('ping', () => {
      throw undefined
    })
    let thrown: unknown = 'nothing'
    try {
      frame(PING, '')
    } catch (error) {
      thrown = error
    }
    t.equal(thrown, undefined)
    take()
    driver.on('close', () => {
      throw new Error('close')
    })
    driver.messages.on('end', () => {
      throw new Error('end')
    })
    t.throws(() => frame(CLOSE, closeBody(1000)), { message: 'end' })
    t.equal(driver.getState(), 'closed')
    await settle()
    t.same(errors, [])
  })

  t.test(
    `${kind}: if several listeners throw in one call, it throws the first exception, and the others surface`,
    async t => {
      const errors = uncaught(t)
      const { driver, frame } = open(kind)
      driver.on('ping', () => {
        throw new Error('ping')
      })
      driver.ping('a', () => {
        throw new Error('callback')
      })
      driver.on('pong', () => {
        throw new Error('pong')
      })
      t.throws(() => frame(PONG, 'a'), { message: 'callback' })
      await settle()
      t.match(errors, [{ message: 'pong' }])
      driver.io.on('data', () => {
        throw new Error('data')
      })
      t.throws(() => driver.text('x'), { message: 'data' })
    }
  )

  t.test(`${kind}: an exception of a listener in a later turn surfaces`, async t => {
    const errors = uncaught(t)
    const { driver, frame } = open(kind)
    driver.io.pause()
    driver.io.on('data', () => {
      throw new Error('data')
    })
    t.throws(() => driver.text('x'.repeat(70_000)), { message: 'data' })
    driver.text('y')
    driver.io.resume()
    await settle()
    t.match(errors, [{ message: 'data' }])
    void frame
  })

  t.test(
    `${kind}: frames that answer one chunk are written together, and a Close before 'close' is emitted`,
    async t => {
      const { driver, frame, sent, frames } = open(kind)
      driver.on('message', ({ data }) => driver.text(String(data)))
      driver.on('close', () => t.equal(sent.length, 1, 'the answer is out'))
      const bytes: Buffer[] = []
      const io = driver.io
      const write = io.write.bind(io)
      io.write = chunk => {
        bytes.push(Buffer.from(chunk as Buffer))
        return true
      }
      for (const text of ['a', 'b', 'c']) frame(TEXT, text)
      io.write = write
      io.write(Buffer.concat(bytes))
      t.equal(sent.length, 1)
      t.same(
        frames().map(({ payload }) => String(payload)),
        ['a', 'b', 'c']
      )
      frame(CLOSE, closeBody(1000))
    }
  )

  t.test(`${kind}: a paused io buffers output`, async t => {
    const { driver, sent, frame } = open(kind)
    const drains: string[] = []
    driver.io.on('drain', () => drains.push('io'))
    driver.messages.on('drain', () => drains.push('messages'))
    driver.io.pause()
    t.equal(driver.messages.write('first'), false)
    t.equal(sent.length, 1, 'one chunk is always under way')
    t.equal(frame(PING, ''), false)
    for (let count = 0; count < 6; count++) t.equal(driver.messages.write('x'.repeat(50_000)), false)
    const held = sent.length
    await settle()
    t.equal(sent.length, held)
    driver.io.resume()
    await settle()
    t.ok(sent.length > held)
    t.match(drains, ['messages', 'io'])
    t.ok(drains.filter(name => name === 'messages').length > 1, 'and when all is written')
    t.equal(driver.messages.write(Buffer.from('last')), true)
  })

  t.test(`${kind}: paused messages apply backpressure`, async t => {
    const { driver, frame, events } = open(kind)
    driver.messages.pause()
    t.equal(frame(TEXT, 'a'), false)
    t.same(events, [['message', 'a']], 'what has come is told all the same')
    const drained = once(driver.io, 'drain')
    driver.messages.resume()
    await drained
    t.equal(frame(TEXT, 'b'), true)
  })

  t.test(`${kind}: the end of the wire ends messages, and does not emit 'close'`, async t => {
    const { driver, events, frame } = open(kind)
    const ended = once(driver.messages, 'end')
    driver.io.end(Buffer.alloc(0))
    await ended
    t.same([driver.io.writable, driver.messages.readable, driver.messages.writable], [false, false, false])
    t.equal(frame(TEXT, 'late'), false)
    t.equal(driver.messages.write('late'), false)
    driver.io.end()
    driver.io.destroy()
    await settle()
    t.same(events, [])
    t.equal(driver.text('late'), false)
  })

  t.test(`${kind}: the wire ends while a message is inflated`, async t => {
    const { driver, events, frame } = openWith(kind)
    frame(BINARY, deflated(randomBytes(200_000)), { rsv: 4 })
    frame(CLOSE, closeBody(3000, 'bye'))
    driver.io.end()
    await until(() => events.length === 2)
    t.same(
      events.map(([event]) => event),
      ['message', 'close'],
      'what had come is told'
    )
  })

  t.test(`${kind}: input waits while a message is inflated`, async t => {
    const { driver, events, frame } = openWith(kind)
    const bytes = deflated(randomBytes(200_000))
    for (let count = 0; count < 3; count++) frame(BINARY, bytes, { rsv: 4 })
    let isFull = false
    for (let count = 0; count < 3 && !isFull; count++) isFull = !frame(TEXT, 'x')
    t.equal(isFull, true)
    await once(driver.io, 'drain')
    await until(() => events.length >= 4)
  })

  t.test(`${kind}: closed before it is open`, async t => {
    const seen = kind === 'http' ? http() : kind === 'server' ? server() : client()
    seen.driver.text('early')
    t.equal(seen.driver.close('why', 3000), true)
    t.same(seen.events, [['close', 3000, 'why']])
    t.same([seen.driver.close(), seen.driver.getState(), seen.driver.start()], [false, 'closed', false])
    t.equal(seen.driver.parse('x'), true)
    await settle()
    t.same([seen.take(), seen.events.length], ['', 1])
    t.equal(seen.driver.setHeader('a', 'b'), false)
  })

  t.test(`${kind}: a Close that cannot be sent changes nothing`, async t => {
    const { driver } = open(kind)
    t.throws(() => driver.close('x'.repeat(124)), RangeError)
    t.throws(() => driver.close('', 1005), RangeError)
    t.throws(() => driver.ping('x'.repeat(126)), RangeError)
    t.equal(driver.getState(), 'open')
    t.equal(driver.close('', 0), true)
  })

  t.test(`${kind}: frame() by kind`, async t => {
    const { driver, frames } = open(kind)
    t.same(
      [driver.frame('a'), driver.frame(7), driver.frame([1]), driver.frame('b', 'binary'), driver.frame('c', 'ping')],
      [true, true, true, true, true]
    )
    t.same([driver.frame('d', 'pong'), driver.frame(Buffer.from('ä'), 'text'), driver.binary(50)], [true, true, true])
    t.same(
      frames().map(({ opcode, payload }) => [opcode, String(payload)]),
      [
        [TEXT, 'a'],
        [TEXT, '7'],
        [BINARY, '\x01'],
        [BINARY, 'b'],
        [PING, 'c'],
        [PONG, 'd'],
        [TEXT, 'ä'],
        [BINARY, '50']
      ]
    )
    t.equal(driver.frame('reason', 'close', 1001), true)
    t.match(frames(), [{ opcode: CLOSE, payload: closeBody(1001, 'reason') }])
    t.equal(driver.frame('dropped'), true)
    t.same(frames(), [])
  })
}

/** A driver with permessage-deflate. */
function openWith(kind: (typeof KINDS)[number]) {
  const field =
    'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n'
  const offer = { 'Sec-WebSocket-Extensions': field.slice(26, -2) }
  const seen = kind === 'http' ? http({}, offer) : kind === 'server' ? server() : client()
  seen.driver.addExtension(permessageDeflate({ contextTakeover: false, peerContextTakeover: false }))
  if (kind === 'server') seen.driver.io.write(requestHead(offer))
  seen.driver.start()
  if (kind === 'client') seen.driver.io.write(answerTo(seen.take(), field))
  seen.take()
  seen.events.splice(0)
  return seen
}

function deflated(bytes: Buffer): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle(1)
}

t.test('two drivers connected to each other, in one turn', async t => {
  const [left, right] = [server(), client()]
  left.driver.on('connect', () => left.driver.start())
  left.driver.io.on('data', (chunk: Buffer) => right.driver.io.write(chunk))
  right.driver.io.on('data', (chunk: Buffer) => left.driver.io.write(chunk))
  left.driver.messages.on('data', message => left.driver.messages.write(message))
  right.driver.start()
  right.driver.text('there and back')
  t.same(right.events, [['open'], ['message', 'there and back']])
  left.driver.close('done', 3000)
  t.same(left.events.at(-1), ['close', 3000, 'done'])
  t.same(right.events.at(-1), ['close', 3000, 'done'])
})

t.test('both streams can be piped', async t => {
  const { driver, take, frame } = open('server')
  const [there, back] = [new PassThrough({ objectMode: true }), new PassThrough({ objectMode: true })]
  there.pipe(driver.messages as unknown as NodeJS.WritableStream)
  driver.messages.pipe(back)
  there.end('out')
  await settle()
  t.match(take(), /out$/, 'and the end of one stream leaves the connection open')
  t.equal(driver.getState(), 'open')
  frame(TEXT, 'in')
  t.equal(back.read(), 'in')
  driver.messages.end('last')
  driver.messages.end(() => {})
  driver.messages.destroy()
  t.match(take(), /last$/)
  driver.io.readable = false
  driver.text('nobody wants it')
  t.equal(take(), '')
})

t.test('bytes that arrive before start are buffered', async t => {
  const { driver, events } = http()
  t.equal(driver.io.write(''), true)
  const early = wireFrame(BINARY, Buffer.alloc(40_000), { masked: true })
  t.equal(driver.io.write(early), true)
  t.equal(driver.io.write(early), false)
  early.fill(0)
  const drained = once(driver.io, 'drain')
  t.equal(driver.start(), true)
  await drained
  t.same(
    events.map(([event]) => event),
    ['open', 'message', 'message']
  )
  const gone = http()
  gone.driver.io.write('x')
  gone.driver.io.end()
  await settle()
  t.equal(gone.driver.start(), false)
  t.same([gone.events, gone.take()], [[], ''])
})

t.test("a response that a client's driver does not accept", async t => {
  const { driver, events } = client()
  driver.start()
  driver.io.write('nonsense\r\n\r\n')
  t.match(events, [
    ['error', 'WS_ERR_MALFORMED_HEAD'],
    ['close', 1002, /HTTP/]
  ])
  t.equal(driver.statusCode, undefined)
  const bad = client()
  bad.driver.addExtension({
    ...reverse(),
    createClientSession: () => {
      throw new Error('oops')
    }
  } as never)
  t.equal(bad.driver.start(), false)
  t.match(bad.events, [
    ['error', 'WS_ERR_EXTENSION'],
    ['close', 1002]
  ])
})

t.test('a request that a server cannot parse', async t => {
  const { driver, events, take } = server()
  driver.io.write('nonsense\r\n\r\n')
  t.match(events, [
    ['error', 'WS_ERR_MALFORMED_HEAD'],
    ['close', 1002]
  ])
  t.match(take(), /^HTTP\/1\.1 400 /)
  const wrong = server({ allowDrafts: true })
  wrong.driver.io.write(request76({ 'Sec-WebSocket-Key1': 'none' }))
  t.match(wrong.events, [
    ['error', 'WS_ERR_BAD_REQUEST'],
    ['close', 1002]
  ])
  t.equal(wrong.driver.start(), false)
  const old = { 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': null, Origin: 'http://a' }
  const draft = http({ allowDrafts: true }, old)
  t.equal(draft.driver.version, 'hixie-75')
  t.equal(draft.driver.start(), true)
  t.same(draft.events, [['open']])
  const keys = http({ allowDrafts: true }, { ...old, 'Sec-WebSocket-Key1': 'none', 'Sec-WebSocket-Key2': 'none' })
  t.equal(keys.driver.version, 'hixie-76')
  t.equal(keys.driver.start(), false)
  t.match(keys.events, [
    ['error', 'WS_ERR_BAD_REQUEST'],
    ['close', null, null]
  ])
})

t.test('the drafts: frames are text, and a Close of the peer has no code', async t => {
  const { driver, events, take } = server({ allowDrafts: true })
  driver.io.write(Buffer.concat([request76(), BODY]))
  t.equal(driver.start(), true)
  take()
  t.equal(driver.frame([104, 105]), true)
  t.equal(take(), '\x00hi\xff')
  driver.io.write(Buffer.from([0xff, 0]))
  t.same(events.slice(2), [['close', null, null]])
  t.equal(take(), '\xff\x00')
  const closing = server({ allowDrafts: true })
  closing.driver.io.write(request75())
  closing.driver.start()
  closing.driver.on('message', () => closing.driver.close())
  closing.driver.parse(new Uint8Array(Buffer.from('\x00one\xff\x00two\xff', 'latin1')))
  t.same(closing.events.slice(2), [
    ['message', 'one'],
    ['close', null, null]
  ])
  const early = server({ allowDrafts: true })
  early.driver.io.write(request75())
  early.driver.close()
  t.same(early.events.at(-1), ['close', null, null])
})

t.test('unknown and invalid options are errors', async t => {
  for (const options of [{ unknown: 1 }, { maxlength: 1 }] as object[]) {
    t.throws(() => driver.http(parsed(), options), { message: /^Unrecognized option: / })
    t.throws(() => driver.server(options), { message: /^Unrecognized option: / })
    t.throws(() => driver.client('ws://a/', options), { message: /^Unrecognized option: / })
  }
  t.throws(() => driver.server({ maxLength: -1 }), RangeError)
  t.throws(() => driver.server({ protocols: ['a b'] }), TypeError)
  t.same(driver.validateOptions(null, []), {})
  const given = { a: 1 }
  t.equal(driver.validateOptions(given, ['a']), given)
  for (const url of ['nonsense', 'http://a/', 7, null]) {
    t.throws(() => driver.client(url as string), { message: `${url} is not a valid WebSocket URL` })
  }
  const lenient = open('http', { requireMasking: false, masking: true })
  lenient.frame(TEXT, 'unmasked', { masked: false })
  t.same(lenient.events, [['message', 'unmasked']])
  lenient.driver.text('masked')
  t.match(lenient.frames(), [{ masked: true, payload: Buffer.from('masked') }])
  const plain = open('client', { masking: false } satisfies DriverOptions)
  plain.driver.text('plain')
  t.match(plain.frames(), [{ masked: false }])
})

t.test('the URL of a request says whether it arrived over TLS', async t => {
  t.equal(driver.http(parsed()).url, 'ws://example.com/chat')
  const secure = [
    { connection: { authorized: false } },
    { socket: { secure: true } },
    { headers: { https: 'on' } },
    { headers: { 'x-forwarded-ssl': 'on' } },
    { headers: { 'x-forwarded-scheme': 'https' } },
    { headers: { 'x-forwarded-proto': 'https' } }
  ]
  for (const changes of secure) t.equal(driver.isSecureRequest({ headers: {}, ...changes }), true)
  for (const changes of [{}, { headers: undefined as never }, { connection: null, socket: {} }]) {
    t.equal(driver.isSecureRequest({ headers: {}, ...changes }), false)
  }
  t.equal(driver.http({ ...parsed(), socket: { secure: true } }).url, 'wss://example.com/chat')
  const { driver: there } = client()
  t.equal(there.env, there)
})

t.test('credentials in a URL take precedence over other authorization', async t => {
  const { driver, take } = client({}, 'ws://a:b@example.com/')
  driver.setHeader('Authorization', 'other')
  driver.setHeader('Host', 'other')
  driver.start()
  const request = take()
  t.match(request, /\r\nAuthorization: Basic YTpi\r\n/)
  t.notMatch(request, 'other')
  const password = client({}, 'ws://:b@example.com/')
  password.driver.setHeader('Authorization', 'other')
  password.driver.start()
  t.match(password.take(), /\r\nAuthorization: Basic OmI=\r\n/)
  const plain = client()
  plain.driver.setHeader('Authorization', 'own')
  plain.driver.start()
  t.match(plain.take(), /\r\nAuthorization: own\r\n/)
})
