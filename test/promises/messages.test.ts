// What the README of websocket-driver promises of an open connection and of its end, a row for each promise: with this library's interface,
// and with websocket-duplex/driver under the names of websocket-driver.

import { once } from 'node:events'
import t from 'tap'
import * as drivers from '../compat/driver/seen.js'
import { KINDS } from '../compat/driver/seen.js'
import { CLOSE_76, ended } from '../support/draft-frames.js'
import { BODY, request75, request76 } from '../support/draft-requests.js'
import { BINARY, CLOSE, closeBody, PING, PONG, requestHead, TEXT, type WireFrame } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, settle, shake } from '../websocket-stream/sides.js'

const MEMORY = { wire: 'memory', join: 'attach' } as const
const SERVER = { ...MEMORY, role: 'server' } as const
const brief = (frames: WireFrame[]): unknown[] => frames.map(({ opcode, payload }) => [opcode, String(payload)])

t.test('row 7: text, binary, ping and pong are queued before the handshake', async t => {
  const all = [
    [TEXT, 'text'],
    [BINARY, 'binary'],
    [PING, 'ping'],
    [PONG, 'pong']
  ].sort()
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await fresh(t, setup)
    t.equal(ws.text('text'), true)
    t.equal(ws.binary(Buffer.from('binary')), true)
    void ws.ping('ping')
    t.equal(ws.pong('pong'), true)
    await shake(peer, setup.role)
    const got: unknown[] = []
    for (let count = 0; count < 4; count++) got.push(...brief([(await peer.nextFrame())!]))
    t.same(got.sort(), all, `ours: ${nameOf(setup)}`)
    ws.destroy()
  }
  for (const kind of KINDS) {
    const seen = drivers.make(kind)
    const bytes = Buffer.from('binary')
    t.same(
      [seen.driver.text('text'), seen.driver.binary(bytes), seen.driver.ping('ping'), seen.driver.pong('pong')],
      [true, true, true, true]
    )
    bytes.fill(0)
    t.equal(seen.take(), '')
    if (kind === 'server') seen.driver.io.write(requestHead())
    seen.driver.start()
    const head = seen.take()
    if (kind === 'client') seen.driver.io.write(drivers.answerTo(head))
    const frames = kind === 'client' ? seen.take() : head.slice(head.indexOf('\r\n\r\n') + 4)
    t.same(brief(drivers.readFrames(Buffer.from(frames, 'latin1'))).sort(), all, `driver: ${kind}`)
  }
})

t.test('row 9: open, messages, pings, pongs, errors and the close are emitted', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await fresh(t, setup)
    const seen: unknown[] = []
    ws.on('message', message => seen.push(String(message)))
    for (const event of ['open', 'ping', 'pong', 'error', 'close'] as const) ws.on(event, () => seen.push(event))
    await shake(peer, setup.role)
    peer.text('hello')
    peer.send(PING, 'a')
    peer.send(PONG, 'b')
    peer.send(TEXT, 'x', { rsv: 1 })
    await peer.nextFrame()
    peer.end()
    await ws.whenClosed()
    await settle()
    t.same(seen, ['open', 'hello', 'ping', 'pong', 'error', 'close'], `ours: ${nameOf(setup)}`)
  }
  for (const kind of KINDS) {
    const { driver, events, frame } = drivers.open(kind)
    const data: unknown[] = []
    for (const event of ['data', 'error', 'end']) driver.messages.on(event, value => data.push([event, value]))
    frame(TEXT, 'hello')
    frame(PING, 'a')
    frame(PONG, 'b')
    frame(TEXT, 'x', { rsv: 1 })
    t.match(events, [
      ['message', 'hello'],
      ['ping', 'a'],
      ['pong', 'b'],
      ['error', 'WS_ERR_UNEXPECTED_RSV'],
      ['close', 1002, /reserved bit/]
    ])
    t.match(data, [['data', 'hello'], ['error', Error], ['end']], `driver: ${kind}`)
    t.equal(driver.messages.writable, false)
  }
})

t.test('row 10: fragments are joined, pings answered, frames of a client masked', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await open(t, setup)
    const message = once(ws, 'message')
    peer.send(BINARY, 'a', { fin: false })
    peer.send(PING, 'between')
    peer.send(0, 'b', { fin: false })
    peer.send(0, 'c')
    t.same(await message, [Buffer.from('abc')], `ours: ${nameOf(setup)}`)
    const isClient = setup.role === 'client'
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('between'), masked: isClient })
  }
  for (const kind of KINDS) {
    const { events, frame, frames } = drivers.open(kind)
    frame(BINARY, 'a', { fin: false })
    frame(PING, 'between')
    t.match(frames(), [{ opcode: PONG, payload: Buffer.from('between'), masked: kind === 'client' }])
    frame(0, 'b', { fin: false })
    frame(0, 'c')
    t.same(events, [
      ['ping', 'between'],
      ['message', [97, 98, 99]]
    ])
  }
})

t.test('row 17: messages up to 2^26-1 bytes, or up to maxLength', async t => {
  const declared = 2 ** 26
  const { ws, peer } = await open(t, SERVER)
  const error = once(ws, 'error')
  peer.write(peer.frame(BINARY, '', { declared }))
  t.match(await error, [{ code: 'WS_ERR_FRAME_TOO_LARGE', closeCode: 1009 }], 'ours')

  const { frame, events } = drivers.open('http')
  frame(BINARY, '', { declared })
  t.match(
    events,
    [
      ['error', 'WS_ERR_FRAME_TOO_LARGE'],
      ['close', 1009]
    ],
    'driver'
  )
  const small = drivers.open('http', { maxLength: 5 })
  small.frame(TEXT, 'abc', { fin: false })
  small.frame(0, 'de')
  t.same(small.events.splice(0), [['message', 'abcde']])
  small.frame(TEXT, 'abc', { fin: false })
  small.frame(0, 'def')
  t.match(small.events, [
    ['error', 'WS_ERR_MESSAGE_TOO_LARGE'],
    ['close', 1009]
  ])
  const large = drivers.open('http', { maxLength: 2 ** 27 })
  large.frame(BINARY, '', { declared })
  t.same(large.events, [])
})

t.test('row 18: subprotocols as an array of names', async t => {
  const { ws, peer } = await fresh(t, SERVER, { protocols: ['one', 'two'] })
  peer.write(requestHead({ 'Sec-WebSocket-Protocol': 'two' }))
  await ws.opened
  t.equal(ws.protocol, 'two', 'ours')
  for (const protocols of [['one', 'two'], 'one, two'] as const) {
    const { driver } = drivers.http({ protocols }, { 'Sec-WebSocket-Protocol': 'two' })
    driver.start()
    t.equal(driver.protocol, 'two', 'driver')
  }
  for (const protocols of [[], '', null, undefined]) {
    const { driver } = drivers.http({ protocols }, { 'Sec-WebSocket-Protocol': 'two' })
    driver.start()
    t.equal(driver.protocol, undefined)
  }
})

t.test('row 21: text and binary are true if sent or queued, false if it can no longer be sent', async t => {
  for (const setup of IN_MEMORY) {
    const { ws } = await open(t, setup)
    t.same([ws.text('a'), ws.binary(Buffer.from('b')), ws.binary([1, 255])], [true, true, true], nameOf(setup))
    const full = 'x'.repeat(2 ** 20)
    for (let count = 0; count < 3; count++) t.equal(ws.text(full), true, 'queued')
    void ws.close()
    t.same([ws.text('a'), ws.binary([1])], [false, false])
  }
  for (const kind of KINDS) {
    const { driver, frames, frame } = drivers.open(kind)
    t.same([driver.text('a'), driver.binary(Buffer.from('b')), driver.binary([1, 255])], [true, true, true], kind)
    t.match(frames(), [
      { opcode: TEXT, payload: Buffer.from('a') },
      { opcode: BINARY, payload: Buffer.from('b') },
      { opcode: BINARY, payload: Buffer.from([1, 255]) }
    ])
    driver.io.pause()
    const full = 'x'.repeat(2 ** 20)
    for (let count = 0; count < 3; count++) t.equal(driver.text(full), true, 'queued')
    driver.close()
    t.same([driver.text('a'), driver.binary([1])], [false, false])
    frame(CLOSE, closeBody(1000))
    t.same([driver.text('a'), driver.binary([1]), driver.getState()], [false, false, 'closed'])
  }
  for (const request of [request75(), Buffer.concat([request76(), BODY])]) {
    const { ws, peer } = await fresh(t, SERVER, { allowDrafts: true })
    peer.write(request)
    await ws.opened
    t.same([ws.text('a'), ws.binary([1])], [true, false], 'ours: a draft has no binary messages')
    const { driver } = drivers.server({ allowDrafts: true })
    driver.io.write(request)
    t.same([driver.text('a'), driver.binary([1])], [true, false], 'driver: the same')
    driver.start()
    t.same([driver.text('a'), driver.binary([1])], [true, false])
  }
})

t.test('row 22: a ping is answered by the pong that carries its string', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await open(t, setup)
    const first = ws.ping('first')
    const second = ws.ping('second')
    t.match([await peer.nextFrame(), await peer.nextFrame()], [{ opcode: PING }, { opcode: PING }])
    peer.send(PONG, 'other')
    peer.send(PONG, 'second')
    t.type(await second, 'number', `ours: ${nameOf(setup)}`)
    t.type(await first, 'number', 'which answers those before it too (RFC 6455 §5.5.3)')
  }
  for (const kind of KINDS) {
    const { driver, frame, frames, events } = drivers.open(kind)
    const called: string[] = []
    t.equal(
      driver.ping('first', () => called.push('first')),
      true
    )
    t.equal(
      driver.ping('second', () => called.push('second')),
      true
    )
    t.equal(driver.ping(7 as never), true)
    t.equal(driver.ping(), true)
    t.same(brief(frames()), [
      [PING, 'first'],
      [PING, 'second'],
      [PING, '7'],
      [PING, '']
    ])
    frame(PONG, 'other')
    frame(PONG, 'second')
    frame(PONG, 'second')
    t.same(called, ['second'], `driver: ${kind}, that string and no other, once`)
    t.same(events.length, 3)
    driver.close()
    t.equal(driver.ping('late'), false)
  }
  const { driver, take } = drivers.server({ allowDrafts: true })
  driver.io.write(request75())
  driver.start()
  take()
  t.same([driver.ping('a'), driver.pong('a'), take()], [false, false, ''], 'a draft has none')
})

t.test('row 23: an unsolicited pong', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await open(t, setup)
    t.equal(ws.pong('beat'), true)
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('beat') })
    void ws.close()
    t.equal(ws.pong(), false)
  }
  for (const kind of KINDS) {
    const { driver, frames } = drivers.open(kind)
    t.same([driver.pong('beat'), driver.pong()], [true, true])
    t.same(brief(frames()), [
      [PONG, 'beat'],
      [PONG, '']
    ])
    driver.close()
    t.equal(driver.pong(), false)
  }
})

t.test('row 24: the closing handshake', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await open(t, setup)
    const closing = once(ws, 'closing')
    ws.on('close', () => t.fail('the wire is still there'))
    void ws.close(3000, 'bye')
    t.match(await peer.nextFrame(), { opcode: CLOSE, payload: closeBody(3000, 'bye') })
    peer.close(3001, 'answer')
    t.match(await closing, [{ code: 3001, reason: 'answer' }], `ours: ${nameOf(setup)}, by closing`)
    ws.removeAllListeners('close')
    peer.end()
    t.match(await ws.whenClosed(), { code: 3001, wasClean: true }, 'close comes with the end of the wire')
  }
  for (const kind of KINDS) {
    const { driver, events, frame, frames } = drivers.open(kind)
    t.equal(driver.close('bye', 3000), true)
    t.match(frames(), [{ opcode: CLOSE, payload: closeBody(3000, 'bye') }])
    t.same([events, driver.getState(), driver.close()], [[], 'closing', false])
    frame(TEXT, 'late')
    frame(CLOSE, closeBody(3001, 'answer'))
    t.same(
      [events, driver.getState()],
      [
        [
          ['message', 'late'],
          ['close', 3001, 'answer']
        ],
        'closed'
      ]
    )
    t.equal(driver.close(), false)
    frame(TEXT, 'too late')
    await settle()
    t.equal(events.length, 2, `driver: ${kind}`)
    const peers = drivers.open(kind)
    peers.frame(CLOSE, '')
    t.match(peers.frames(), [{ opcode: CLOSE, payload: Buffer.alloc(0) }])
    t.same(peers.events, [['close', 1000, '']], 'a Close without a code')
  }
  const drafts = [
    [request75(), ''],
    [Buffer.concat([request76(), BODY]), CLOSE_76.toString('latin1')]
  ] as const
  for (const [request, close] of drafts) {
    const { driver, events, take } = drivers.server({ allowDrafts: true })
    driver.io.write(request)
    driver.start()
    take()
    driver.io.write(ended('hello'))
    t.equal(driver.close(), true)
    t.equal(take(), close)
    t.same(events.slice(2), [
      ['message', 'hello'],
      ['close', null, null]
    ])
    t.same([driver.getState(), driver.close(), driver.text('a')], ['closed', false, false], 'at once')
  }
})
