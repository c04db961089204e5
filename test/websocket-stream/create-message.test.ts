// `ws.createMessage`: one message, written in pieces, and the data that waits for it.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { type MessageWriter, permessageDeflate } from '../../lib/index.js'
import { BINARY, CLOSE, PING, PONG, type RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, settle, shake } from './sides.js'

const CONTINUATION = 0

async function fragment(peer: RawPeer): Promise<[opcode: number, fin: boolean, payload: string]> {
  const frame = await peer.nextFrame()
  if (frame === undefined) throw new Error('the wire ended')
  return [frame.opcode, frame.fin, String(frame.payload)]
}

/** The payload of the next message, with its fragments joined. */
async function message(peer: RawPeer): Promise<string> {
  const parts: Buffer[] = []
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame === undefined) throw new Error('the wire ended')
    parts.push(frame.payload)
    if (frame.fin) return Buffer.concat(parts).toString()
  }
}

const failure = (stream: NodeJS.EventEmitter): Promise<unknown> => new Promise(resolve => stream.once('error', resolve))
const written = (writer: MessageWriter, piece: string | Uint8Array): Promise<unknown> =>
  new Promise(resolve => writer.write(piece, resolve))

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(`each chunk is a fragment, and the end is the last one: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const text = ws.createMessage('text')
    t.equal(text.write('a'), true)
    t.same(await fragment(peer), [TEXT, false, 'a'])
    text.write(Buffer.from('b'))
    text.write('')
    text.end('c')
    t.same(await fragment(peer), [CONTINUATION, false, 'b'])
    t.same(await fragment(peer), [CONTINUATION, false, ''])
    t.same(await fragment(peer), [CONTINUATION, false, 'c'])
    t.same(await fragment(peer), [CONTINUATION, true, ''])

    const binary = ws.createMessage('binary')
    binary.write(new Uint8Array([97]))
    binary.write('62', 'hex')
    binary.write('c', 'utf-8' as BufferEncoding)
    binary.end()
    t.same(await fragment(peer), [BINARY, false, 'a'])
    t.same(await fragment(peer), [CONTINUATION, false, 'b'])
    t.same(await fragment(peer), [CONTINUATION, false, 'c'])
    t.same(await fragment(peer), [CONTINUATION, true, ''])

    ws.createMessage('text').end()
    t.same(await fragment(peer), [TEXT, true, ''])
    ws.createMessage('binary').end()
    t.same(await fragment(peer), [BINARY, true, ''])
  })

  t.test(`characters may be split anywhere: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const bytes = Buffer.from('a\u20ac\u{1f600}')
    const byBytes = ws.createMessage('text')
    for (const byte of bytes) byBytes.write(Buffer.from([byte]))
    byBytes.end()
    t.equal(await message(peer), 'a\u20ac\u{1f600}')

    const byUnits = ws.createMessage('text')
    for (const unit of 'a\u20ac\u{1f600}b'.split('')) byUnits.write(unit)
    byUnits.end()
    t.equal(await message(peer), 'a\u20ac\u{1f600}b')

    for (const [pieces, expected] of [
      [['a\ud83d'], 'a\ufffd'],
      [['a\ud83d', 'b'], 'a\ufffdb'],
      [['a\ud83d', '\ud83d', '\ude00'], 'a\ufffd\u{1f600}'],
      [['\ude00'], '\ufffd'],
      [['a\ud83d', Buffer.from('b')], 'a\ufffdb'],
      [
        ['a\ud83d', Buffer.from('\u20ac').subarray(0, 1), Buffer.from('\u20ac').subarray(1), '\ude00'],
        'a\ufffd\u20ac\ufffd'
      ]
    ] as const) {
      const writer = ws.createMessage('text')
      for (const piece of pieces) writer.write(piece)
      writer.end()
      t.equal(await message(peer), expected, JSON.stringify(pieces))
    }
  })

  t.test(`text that is not UTF-8 ends the connection with 1007: ${name}`, { timeout: 8000 }, async t => {
    const euro = Buffer.from('\u20ac')
    for (const piece of [Buffer.from([0xff]), Buffer.from([0xed, 0xa0]), 'cut', null] as const) {
      const { ws, peer } = await open(t, setup)
      const writer = ws.createMessage('text')
      writer.write(euro.subarray(0, 2))
      t.match(await peer.nextFrame(), { opcode: TEXT, fin: false })
      const failed = failure(writer)
      if (piece === null) writer.end()
      else writer.write(piece)
      t.match(await failed, { code: 'WS_ERR_INVALID_UTF8', fault: 'local' })
      t.equal((await peer.answerClose()).code, 1007)
      t.match(await ws.whenClosed(), { code: 1007, initiator: 'local' })
    }
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('text')
    t.match(await written(writer, Buffer.from([0xff])), { code: 'WS_ERR_INVALID_UTF8' })
    ws.text('nothing of it had gone')
    t.equal(await message(peer), 'nothing of it had gone')
  })

  t.test(`other messages wait for it, in order: ${name}`, { timeout: 8000 }, async t => {
    for (const touched of [false, true]) {
      const { ws, peer } = await open(t, setup)
      if (touched) t.ok(ws.messages)
      const first = ws.createMessage('text')
      first.write('1')
      t.equal(ws.text('2'), true)
      const second = ws.createMessage('binary')
      second.write('3')
      let third = false
      ws.messages.write('4', () => {
        third = true
      })
      t.equal(ws.binary(Buffer.from('5')), true)
      second.end('3')
      t.same(await fragment(peer), [TEXT, false, '1'])
      await settle()
      t.equal(peer.input.length, 0)
      t.equal(third, false)
      first.end('1')
      const got: string[] = []
      for (let i = 0; i < 5; i++) got.push(await message(peer))
      t.same(got, ['1', '2', '33', '4', '5'])
      await settle()
      t.equal(third, true)
      t.equal(ws.text('6'), true)
      t.equal(await message(peer), '6')
    }
  })

  t.test(`messages written before to a blocked wire are sent first: ${name}`, { timeout: 8000 }, async t => {
    for (const times of [1, 2]) {
      const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
      peer.stream.pause()
      let count = 0
      while (ws.messages.write(Buffer.alloc(50_000))) {
        count++
        await settle()
      }
      ws.messages.write('before')
      const writers = Array.from({ length: times }, (_, i) => ws.createMessage('text').end(`in pieces ${i}`))
      ws.messages.write('behind')
      ws.text('last')
      await settle()
      peer.stream.resume()
      for (let i = 0; i <= count; i++) t.equal((await message(peer)).length, 50_000)
      t.equal(await message(peer), 'before')
      for (const [i] of writers.entries()) t.equal(await message(peer), `in pieces ${i}`)
      t.equal(await message(peer), 'behind')
      t.equal(await message(peer), 'last')
    }
  })

  t.test(`pings and a close do not wait: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('text')
    writer.write('half')
    t.same(await fragment(peer), [TEXT, false, 'half'])
    const pong = ws.ping('now')
    t.match(await peer.nextFrame(), { opcode: PING })
    peer.send(PONG, 'now')
    t.type(await pong, 'number')
    peer.send(PING, 'back')
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('back') })
    t.equal(ws.text('waits'), true)
    ws.messages.write('waits too')
    ws.close(3000)
    t.equal(readClose(await peer.nextFrame()).code, 3000)
    t.match(await written(writer, 'more'), { code: 'WS_ERR_NOT_OPEN' })
    peer.close(3000)
    peer.end()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
  })

  t.test(`destroyed before its end, it ends the connection with 1011: ${name}`, { timeout: 8000 }, async t => {
    for (const error of [undefined, new Error('enough')]) {
      const { ws, peer } = await open(t, setup)
      const writer = ws.createMessage('text')
      await written(writer, 'half')
      t.equal(ws.text('behind'), true)
      writer.destroy(error)
      t.same(await fragment(peer), [TEXT, false, 'half'])
      t.equal((await peer.answerClose()).code, 1011)
      t.match(await ws.whenClosed(), { code: 1011, initiator: 'local' })
    }
  })

  t.test(`destroyed before its first piece was sent, it leaves the queue: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    ws.createMessage('text').destroy()
    ws.text('1')
    const current = ws.createMessage('text')
    current.write('2')
    const queued = ws.createMessage('text')
    const failed = written(queued, 'never')
    const behind = ws.createMessage('text')
    behind.end('3')
    queued.destroy(new Error('enough'))
    t.match(await failed, { message: 'enough' })
    current.end()
    t.equal(await message(peer), '1')
    t.equal(await message(peer), '2')
    t.equal(await message(peer), '3')
    ws.text('4')
    t.equal(await message(peer), '4')
    t.equal(ws.readyState, 'open')
  })

  t.test(`destroyed after its end, it affects nothing: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('text')
    writer.end('1')
    await once(writer, 'finish')
    writer.destroy()
    ws.text('2')
    t.equal(await message(peer), '1')
    t.equal(await message(peer), '2')
  })

  t.test(
    `on a connection that has ended, its write is an error, and nothing crashes: ${name}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const [begun, queued, idle] = [ws.createMessage('text'), ws.createMessage('text'), ws.createMessage('binary')]
      await written(begun, 'half')
      const waits = written(queued, 'waits')
      peer.reset()
      await ws.whenClosed()
      t.match(await waits, { code: 'WS_ERR_NOT_OPEN' })
      for (const writer of [begun, queued, idle]) t.equal(writer.destroyed, true)
      const late = ws.createMessage('text')
      t.match(await written(late, 'late'), { code: 'WS_ERR_NOT_OPEN' })
      t.equal(late.destroyed, true)
      await t.rejects(pipeline(Readable.from(['a']), ws.createMessage('text')), { code: 'WS_ERR_NOT_OPEN' })
      const ended = ws.createMessage('text')
      const failed = failure(ended)
      ended.end()
      t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
      await settle()
    }
  )

  t.test(`on a blocked wire its write returns false, and drain is emitted: ${name}`, { timeout: 8000 }, async t => {
    const highWaterMark = 16384
    const { ws, peer } = await open(t, setup, { highWaterMark })
    peer.stream.pause()
    const writer = ws.createMessage('binary')
    let sent = 0
    let drains = 0
    for (let blocked = 0; blocked < 2; ) {
      sent += 1000
      if (writer.write(Buffer.alloc(1000))) {
        await settle(1)
        continue
      }
      t.equal(writer.writableNeedDrain, true)
      await settle(50)
      if (writer.writableNeedDrain) blocked++
      else drains++
    }
    t.ok(sent < 200_000, `${sent} bytes`)
    t.ok(ws.bufferedAmount >= highWaterMark)
    t.ok(ws.bufferedAmount < 4 * highWaterMark, `${ws.bufferedAmount} bytes are held`)
    peer.stream.resume()
    await once(writer, 'drain')
    writer.end('x')
    t.equal((await message(peer)).length, sent + 1)
    t.ok(drains >= 0)
    await settle()
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`fragmentSize splits its chunks: ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { fragmentSize: 3 })
    const writer = ws.createMessage('text')
    writer.write('abcdefgh')
    writer.end('ij')
    const got = []
    for (let i = 0; i < 5; i++) got.push(await fragment(peer))
    t.same(got, [
      [TEXT, false, 'abc'],
      [CONTINUATION, false, 'def'],
      [CONTINUATION, false, 'gh'],
      [CONTINUATION, false, 'ij'],
      [CONTINUATION, true, '']
    ])
  })

  t.test(`before the handshake it waits: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await fresh(t, setup)
    const writer = ws.createMessage('text')
    writer.write('early')
    writer.end()
    ws.text('then')
    await shake(peer, setup.role)
    t.equal(await message(peer), 'early')
    t.equal(await message(peer), 'then')
  })

  t.test(`after messages.end() no other message can be created: ${name}`, { timeout: 8000 }, async t => {
    for (const blocked of [false, true]) {
      const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
      peer.stream.pause()
      let count = 1
      while (blocked && ws.messages.write(Buffer.alloc(50_000))) {
        count++
        await settle()
      }
      ws.messages.end('last')
      const outcome = written(ws.createMessage('text'), 'late')
      peer.stream.resume()
      for (let i = blocked ? 0 : 1; i < count; i++) t.equal((await message(peer)).length, 50_000)
      t.equal(await message(peer), 'last')
      t.equal((await peer.answerClose()).code, 1000, 'the close is the one that was asked for')
      t.ok(await outcome)
    }
  })

  t.test(`an invalid piece is a TypeError, and fails a message that has begun: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    for (const wrong of [5, {}, true, new ArrayBuffer(2)]) {
      const writer = ws.createMessage('binary')
      const failed = failure(writer)
      const outcome = new Promise(resolve => writer.write(wrong as never, resolve))
      t.type(await failed, TypeError)
      t.type(await outcome, TypeError)
    }
    ws.text('unharmed')
    t.equal(await message(peer), 'unharmed')
    const writer = ws.createMessage('binary')
    await written(writer, 'x')
    t.equal(writer.write(5 as never), false)
    await peer.nextFrame()
    t.equal((await peer.answerClose()).code, 1011)
  })

  t.test(`a Close inside an unfinished message ends everything: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('text')
    await written(writer, 'half')
    await peer.nextFrame()
    peer.close(3001)
    t.match(await peer.nextFrame(), { opcode: CLOSE })
    t.match(await written(writer, 'more'), { code: 'WS_ERR_NOT_OPEN' })
    if (setup.role !== 'client') await peer.ended()
    peer.end()
    t.match(await ws.whenClosed(), { code: 3001, wasClean: true })
  })

  t.test(`an invalid kind, or compress that is not a boolean, is a TypeError: ${name}`, async t => {
    const { ws } = await open(t, setup)
    for (const wrong of ['no', 0]) t.throws(() => ws.createMessage('text', { compress: wrong as never }), TypeError)
    for (const wrong of ['Text', undefined, 1]) t.throws(() => ws.createMessage(wrong as never), TypeError)
  })
}

t.test('compress: false keeps an extension from compressing a message in pieces', async t => {
  const { client, server } = await ours(t, { extensions: [permessageDeflate()] })
  const bits: number[] = []
  client.frames.on('data', ({ opcode, rsv }) => opcode === TEXT && bits.push(rsv))
  for (const compress of [false, true, undefined]) {
    const writer = server.createMessage('text', { compress })
    writer.write('a piece')
    writer.end('the last one')
  }
  while (bits.length < 3) await settle()
  t.same(bits, [0, 4, 4])
})

t.test('bufferedAmount counts data that waits in a message in pieces, and after it', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  const writer = ws.createMessage('text')
  const behind = ws.createMessage('text')
  behind.write('12345')
  ws.text('123')
  await settle()
  t.equal(ws.bufferedAmount, 8)
  behind.end()
  writer.end()
  for (let i = 0; i < 3; i++) await message(peer)
  await settle()
  t.equal(ws.bufferedAmount, 0)
})
