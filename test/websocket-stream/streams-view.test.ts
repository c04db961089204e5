// `ws.streams`: messages as they arrive, and Readables that become messages.

import { once } from 'node:events'
import { Readable as NodeReadable, PassThrough, pipeline } from 'node:stream'
import { pipeline as runPipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import streams from 'readable-stream'
import t from 'tap'
import { type MessageStream, prepareMessage, type WebSocketStream } from '../../lib/index.js'
import { reverse, turnsLater } from '../extensions/toys.js'
import type { PairEnd } from '../support/pair.js'
import { BINARY, CLOSE, closeBody, PING, PONG, type RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { collect, IN_MEMORY, nameOf, open, ours, settle, within } from './sides.js'

const CONTINUATION = 0

/** The whole content of a message. */
async function whole(stream: MessageStream): Promise<unknown> {
  const pieces: unknown[] = []
  for await (const piece of stream) pieces.push(piece)
  return stream.kind === 'text' ? pieces.join('') : Buffer.concat(pieces as Buffer[])
}

/** Every message of a connection, whole. */
async function everything(ws: WebSocketStream): Promise<unknown[]> {
  const got: unknown[] = []
  for await (const stream of ws.streams) got.push(await whole(stream))
  return got
}

async function nextStream(ws: WebSocketStream): Promise<MessageStream> {
  const ready = ws.streams.read() as MessageStream | null
  if (ready !== null) return ready
  await once(ws.streams, 'readable')
  return nextStream(ws)
}

async function nextPiece(stream: MessageStream): Promise<unknown> {
  const ready: unknown = stream.read()
  if (ready !== null) return ready
  await once(stream, 'readable')
  return stream.read()
}

/** The fragments of the next message. */
async function fragments(peer: RawPeer): Promise<[opcode: number, payload: string][]> {
  const got: [number, string][] = []
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame === undefined) throw new Error(`the wire ended behind ${JSON.stringify(got)}`)
    got.push([frame.opcode, String(frame.payload)])
    if (frame.fin) return got
  }
}

async function failure(stream: NodeJS.EventEmitter): Promise<unknown> {
  return new Promise(resolve => stream.once('error', resolve))
}

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(`each message is a stream of its kind: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const got: [string, unknown][] = []
    const done = (async () => {
      for await (const stream of ws.streams) got.push([stream.kind, await whole(stream)])
    })()
    peer.text('one')
    peer.send(BINARY, 'two')
    peer.text('')
    peer.send(BINARY)
    peer.write(
      peer.frame(TEXT, 'gr\u00fc', { fin: false }),
      peer.frame(PING),
      peer.frame(CONTINUATION, '', { fin: false }),
      peer.frame(CONTINUATION, '\u00df')
    )
    peer.close()
    await done
    const empty = Buffer.alloc(0)
    t.same(got, [
      ['text', 'one'],
      ['binary', Buffer.from('two')],
      ['text', ''],
      ['binary', empty],
      ['text', 'gr\u00fc\u00df']
    ])
    t.equal((await peer.nextFrame())!.opcode, PONG)
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })

  t.test(`a message begins with its first bytes, even inside an unfinished frame: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const frame = peer.frame(BINARY, Buffer.alloc(5000, 'x'))
    peer.write(frame.subarray(0, 20))
    const stream = await nextStream(ws)
    t.equal(stream.kind, 'binary')
    const first = (await nextPiece(stream)) as Buffer
    t.ok(first.length > 0 && first.length < 20)
    t.ok(first.every(byte => byte === 120))
    peer.write(frame.subarray(20))
    t.equal(((await whole(stream)) as Buffer).length, 5000 - first.length)
  })

  t.test(`text arrives as strings that split no character: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const text = 'a\u00e9\u20ac\u{1f600}z'
    const frame = peer.frame(TEXT, text)
    const header = frame.length - Buffer.byteLength(text)
    const reading = (async () => {
      const stream = await nextStream(ws)
      const pieces: string[] = []
      for await (const piece of stream) pieces.push(piece as string)
      return pieces
    })()
    peer.write(frame.subarray(0, header))
    for (let at = header; at < frame.length; at++) {
      peer.write(frame.subarray(at, at + 1))
      await settle(3)
    }
    const pieces = await reading
    t.equal(pieces.join(''), text)
    t.ok(pieces.length > 2, 'as it arrived')
    t.ok(pieces.every(piece => !/^[\udc00-\udfff]|[\ud800-\udbff]$/.test(piece)))
  })

  t.test(`text that is not UTF-8 fails at the first invalid byte: ${name}`, { timeout: 8000 }, async t => {
    for (const [bytes, rest] of [
      [Buffer.from('ok \xff', 'latin1'), true],
      [Buffer.from('ok \xe2\x82', 'latin1'), false],
      [Buffer.from('ok \xed\xa0', 'latin1'), true]
    ] as const) {
      const { ws, peer } = await open(t, setup)
      peer.send(TEXT, 'fine, ', { fin: false })
      const stream = await nextStream(ws)
      const failed = failure(stream)
      t.equal(await nextPiece(stream), 'fine, ')
      // either the frame continues, or it is the last one, and the character is incomplete
      if (rest) peer.write(peer.frame(CONTINUATION, Buffer.concat([bytes, Buffer.alloc(100)])).subarray(0, -100))
      else peer.send(CONTINUATION, bytes)
      t.equal(readClose(await peer.nextFrame()).code, 1007)
      const got: unknown = stream.read()
      t.ok(got === null || got === 'ok ')
      t.match(await failed, { code: 'WS_ERR_INVALID_UTF8', fault: 'peer' })
      peer.end()
      t.match(await ws.whenClosed(), { code: 1007, wasClean: false })
      t.match(await collect(ws.streams), { error: { code: 'WS_ERR_INVALID_UTF8' } })
    }
  })

  t.test(`limits apply before the message is complete: ${name}`, { timeout: 8000 }, async t => {
    const cases: [string, number, (peer: RawPeer) => void][] = [
      ['WS_ERR_MESSAGE_TOO_LARGE', 1009, peer => peer.write(peer.frame(BINARY, 'x', { declared: 200 }))],
      [
        'WS_ERR_MESSAGE_TOO_LARGE',
        1009,
        peer =>
          peer.write(peer.frame(BINARY, Buffer.alloc(60), { fin: false }), peer.frame(CONTINUATION, Buffer.alloc(60)))
      ],
      [
        'WS_ERR_TOO_MANY_FRAGMENTS',
        1008,
        peer => peer.write(...[BINARY, 0, 0, 0, 0, 0].map(opcode => peer.frame(opcode, '', { fin: false })))
      ],
      ['WS_ERR_UNEXPECTED_CONTINUATION', 1002, peer => peer.send(CONTINUATION, 'x')],
      [
        'WS_ERR_EXPECTED_CONTINUATION',
        1002,
        peer => peer.write(peer.frame(TEXT, 'a', { fin: false }), peer.frame(TEXT, 'b'))
      ]
    ]
    for (const [code, closeCode, send] of cases) {
      const { ws, peer } = await open(t, setup, { maxMessageSize: 100, maxFragments: 4 })
      const reading = t.rejects(everything(ws), { code })
      send(peer)
      t.equal(readClose(await peer.nextFrame()).code, closeCode, code)
      await reading
      peer.end()
      t.match(await ws.whenClosed(), { code: closeCode, wasClean: false })
    }
  })

  t.test(`an unread message applies backpressure to the socket, in bytes: ${name}`, { timeout: 8000 }, async t => {
    const highWaterMark = 20_000
    const { ws, peer } = await open(t, setup, { highWaterMark, maxMessageSize: Number.POSITIVE_INFINITY })
    const wire = peer.stream as PairEnd
    const size = 1_000_000
    const frame = peer.frame(BINARY, Buffer.alloc(size, 'x'))
    for (let at = 0; at < frame.length; at += 5000) peer.write(frame.subarray(at, at + 5000))
    const stream = await nextStream(ws)
    stream.pause()
    await settle(50)
    t.ok(wire.writableLength > 0, 'the wire is full')
    t.ok(stream.readableLength >= highWaterMark)
    t.ok(stream.readableLength < highWaterMark + 5000)
    const held = stream.readableLength
    await settle(50)
    t.equal(stream.readableLength, held, 'and stays so')
    let received = 0
    for await (const piece of stream) {
      received += (piece as Buffer).length
      if (stream.readableLength > highWaterMark + 5000) t.fail(`${stream.readableLength} bytes are held`)
      if (received % 3 === 0) await turn()
    }
    t.equal(received, size)
  })

  t.test(`unwanted messages are skipped, however they are left: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
    const size = 200_000
    const got: string[] = []
    const done = (async () => {
      let count = 0
      for await (const stream of ws.streams) {
        count++
        if (count === 1) continue
        if (count === 2) {
          stream.destroy()
          continue
        }
        if (count === 3) {
          for await (const piece of stream) {
            got.push((piece as Buffer).toString('latin1', 0, 1))
            break
          }
          continue
        }
        if (count === 4) {
          await turn()
          continue
        }
        got.push(((await whole(stream)) as Buffer).toString('latin1', 0, 1))
      }
    })()
    for (let i = 1; i <= 6; i++) {
      peer.send(BINARY, Buffer.alloc(size, String(i)), { fin: false })
      peer.send(CONTINUATION, Buffer.alloc(size, String(i)))
    }
    peer.close()
    await done
    t.same(got, ['3', '5', '6'])
    t.equal(readClose(await peer.nextFrame()).code, 1000)
  })

  t.test(`a skipped stream gets an error: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.text('one')
    const first = await nextStream(ws)
    const failed = failure(first)
    ws.streams.read()
    t.match(await failed, { code: 'WS_ERR_MESSAGE_SKIPPED', fault: 'local' })
    t.equal(first.destroyed, true)
    peer.text('two')
    t.equal(await whole(await nextStream(ws)), 'two')
  })

  t.test(
    `a 'data' listener may start to read a message until the next turn: ${name}`,
    {
      timeout: 3000
    },
    async t => {
      const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
      const got: number[] = []
      const read = async (stream: MessageStream): Promise<void> => {
        const bytes = (await whole(stream)) as Buffer
        t.equal(bytes.length, 50_000)
        got.push(bytes[0]!)
      }
      let count = 0
      ws.streams.on('data', stream => {
        const which = count++ % 4
        if (which === 0) void read(stream)
        if (which === 1) process.nextTick(read, stream)
        if (which === 2) setTimeout(read, 5, stream.pause())
      })
      for (let i = 0; i < 20; i++) {
        if (!peer.send(BINARY, Buffer.alloc(50_000, i))) await once(peer.stream, 'drain')
        await settle(i % 3)
      }
      peer.close()
      readClose(await peer.nextFrame())
      while (got.length < 15) await settle()
      t.equal(count, 20)
      t.same(
        got.sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, i) => i).filter(i => i % 4 !== 3)
      )
    }
  )

  t.test(`a 'data' listener that reads no message is not blocked: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
    let count = 0
    ws.streams.on('data', () => count++)
    await settle()
    for (let i = 0; i < 20; i++) {
      peer.send(BINARY, Buffer.alloc(50_000), { fin: false })
      if (!peer.send(CONTINUATION, Buffer.alloc(50_000))) await once(peer.stream, 'drain')
      // together, and each separately
      if (i > 10) await settle(20)
    }
    peer.close()
    t.equal(readClose(await peer.nextFrame()).code, 1000)
    t.equal(count, 20)
  })

  t.test(
    `an end inside a message is an error of it, after the data that had arrived: ${name}`,
    { timeout: 8000 },
    async t => {
      for (const how of ['end', 'reset', 'close', 'destroy'] as const) {
        const { ws, peer } = await open(t, setup)
        peer.send(TEXT, 'half of ', { fin: false })
        peer.write(peer.frame(CONTINUATION, 'it').subarray(0, -1))
        const stream = await nextStream(ws)
        await settle()
        if (how === 'end') peer.end()
        else if (how === 'reset') peer.reset()
        else if (how === 'close') ws.destroy()
        else ws.destroy()
        await settle()
        const { got, error } = await collect(stream)
        t.equal(got.join(''), 'half of i', how)
        const code = how === 'end' || how === 'reset' ? 'WS_ERR_CONNECTION_LOST' : 'WS_ERR_DESTROYED'
        t.match(error, { code })
        t.match(await collect(ws.streams), { got: [], error: { code } })
      }
    }
  )

  t.test(`a Close inside a message is clean, but not for the message: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    peer.write(peer.frame(TEXT, 'half', { fin: false }), peer.frame(CLOSE, closeBody(3000)))
    const seen: unknown[] = []
    for await (const stream of ws.streams) seen.push(await collect(stream))
    t.match(seen, [{ got: ['half'], error: { code: 'WS_ERR_INCOMPLETE_MESSAGE' } }])
    t.equal(readClose(await peer.nextFrame()).code, 3000)
    peer.end()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
  })

  t.test(`data that had arrived is read after the end: ${name}`, { timeout: 8000 }, async t => {
    for (const how of ['end', 'close'] as const) {
      const { ws, peer } = await open(t, setup)
      t.ok(ws.streams)
      peer.write(peer.frame(TEXT, 'one'), peer.frame(BINARY, 'two'), peer.frame(TEXT, 'three'))
      if (how === 'close') peer.close()
      await settle()
      peer.end()
      const got: unknown[] = []
      const reading = (async () => {
        for await (const stream of ws.streams) got.push(String(await whole(stream)))
      })()
      if (how === 'end') await t.rejects(reading, { code: 'WS_ERR_CONNECTION_LOST' })
      else await reading
      t.same(got, ['one', 'two', 'three'])
      t.match(await ws.whenClosed(), { wasClean: how === 'close' })
    }
  })

  t.test(`leaving the loop closes: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    peer.send(BINARY, Buffer.alloc(100_000), { fin: false })
    let left: MessageStream | undefined
    for await (const stream of ws.streams) {
      left = stream.pause()
      break
    }
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
    await settle()
    t.equal(left!.destroyed || left!.readableLength > 0, true)
    left!.resume()
    t.match(await within(20_000, failure(left!)), { code: 'WS_ERR_INCOMPLETE_MESSAGE' })
  })

  t.test(`an application that leaves the loop by an exception may close with another code: ${name}`, async t => {
    for (const kind of ['messages', 'streams'] as const) {
      const { ws, peer } = await open(t, setup)
      peer.text('hello')
      try {
        for await (const _ of ws[kind] as AsyncIterable<unknown>) throw new Error('not expected here')
      } catch {
        ws.close(4001, 'why')
      }
      t.same(await peer.answerClose(), { code: 4001, reason: 'why' }, kind)
      t.match(await ws.whenClosed(), { code: 4001, wasClean: true })
    }
  })

  t.test(`a Readable is sent as a message, a fragment for each chunk: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const { Readable } = streams
    const text = new Readable({ encoding: 'utf8', read() {} })
    const sources: [what: string, source: unknown, expected: [number, string][]][] = [
      [
        'objects that are strings',
        NodeReadable.from(['a', 'b']),
        [
          [TEXT, 'a'],
          [0, 'b'],
          [0, '']
        ]
      ],
      [
        'objects that are bytes',
        NodeReadable.from([Buffer.from('a'), Buffer.from('b')]),
        [
          [BINARY, 'a'],
          [0, 'b'],
          [0, '']
        ]
      ],
      [
        "readable-stream's own",
        Readable.from(['a', 'b']),
        [
          [TEXT, 'a'],
          [0, 'b'],
          [0, '']
        ]
      ],
      [
        'bytes',
        new PassThrough().end('abc'),
        [
          [BINARY, 'abc'],
          [0, '']
        ]
      ],
      [
        'bytes with an encoding',
        new PassThrough().setEncoding('utf8').end('\u20ac'),
        [
          [TEXT, '\u20ac'],
          [0, '']
        ]
      ],
      [
        'an encoding',
        text,
        [
          [TEXT, '\u20ac'],
          [0, '']
        ]
      ],
      [
        'a kind',
        Object.assign(new PassThrough().end('abc'), { kind: 'text' }),
        [
          [TEXT, 'abc'],
          [0, '']
        ]
      ],
      [
        'another kind',
        Object.assign(NodeReadable.from(['a']), { kind: 'binary' }),
        [
          [BINARY, 'a'],
          [0, '']
        ]
      ],
      [
        'a kind that is none',
        Object.assign(NodeReadable.from(['a']), { kind: 5 }),
        [
          [TEXT, 'a'],
          [0, '']
        ]
      ],
      ['nothing', NodeReadable.from([]), [[BINARY, '']]],
      ['nothing, in bytes', new PassThrough().end(), [[BINARY, '']]]
    ]
    for (const [what, source, expected] of sources) {
      const written = new Promise(resolve => ws.streams.write(source as never, resolve))
      if (source === text) {
        text.push('\u20ac')
        text.push(null)
      }
      t.same(await fragments(peer), expected, what)
      t.notOk(await written)
    }
  })

  t.test(`whole messages and Readables are sent in the order of writing: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const slow = new PassThrough()
    const view = ws.streams
    view.write('one')
    view.write(slow)
    view.write(Buffer.from('three'))
    view.write(prepareMessage('four'))
    ws.text('five')
    const created = ws.createMessage('text')
    created.end('six')
    view.write(NodeReadable.from(['seven']))
    t.same(await fragments(peer), [[TEXT, 'one']])
    slow.write('tw')
    t.match(await peer.nextFrame(), { opcode: BINARY, fin: false, payload: Buffer.from('tw') })
    const pong = ws.ping('now')
    t.match(await peer.nextFrame(), { opcode: PING })
    peer.send(PONG, 'now')
    await pong
    view.end()
    slow.end('o')
    t.same(await fragments(peer), [
      [0, 'o'],
      [0, '']
    ])
    const got: string[] = []
    for (let i = 0; i < 5; i++) got.push((await fragments(peer)).map(([, payload]) => payload).join(''))
    t.same(got, ['three', 'four', 'five', 'six', 'seven'])
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  t.test(`a source is read no faster than the wire takes it: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 16384 })
    peer.stream.pause()
    let given = 0
    const source = new NodeReadable({
      highWaterMark: 16384,
      read() {
        given += 10_000
        this.push(given > 2_000_000 ? null : Buffer.alloc(10_000))
      }
    })
    ws.streams.write(source)
    await settle(100)
    const before = given
    t.ok(before < 200_000, `${before} bytes`)
    await settle(100)
    t.equal(given, before)
    peer.stream.resume()
    let received = 0
    for (const [, payload] of await fragments(peer)) received += payload.length
    t.equal(received, 2_000_000)
  })

  t.test(
    `a Readable that fails ends the connection with 1011, and the process survives: ${name}`,
    { timeout: 8000 },
    async t => {
      for (const when of ['before', 'queued', 'begun'] as const) {
        const { ws, peer } = await open(t, setup)
        const source = new PassThrough()
        const blocker = new PassThrough()
        if (when === 'queued') ws.streams.write(blocker)
        const outcome = new Promise<unknown>(resolve => ws.streams.write(source, resolve))
        if (when === 'begun') {
          source.write('half')
          t.match(await peer.nextFrame(), { opcode: BINARY, fin: false })
        }
        source.destroy(new Error('the disk is gone'))
        await settle()
        if (when === 'queued') {
          blocker.end('x')
          t.same(await fragments(peer), [
            [BINARY, 'x'],
            [0, '']
          ])
        }
        t.match(await outcome, { message: 'the disk is gone' })
        t.equal((await peer.answerClose()).code, 1011)
        t.match(await ws.whenClosed(), { code: 1011, wasClean: true, initiator: 'local' })
        t.equal(ws.streams.destroyed, true)
      }
    }
  )

  t.test(`a text source with invalid UTF-8 ends the connection with 1007: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const source = Object.assign(new PassThrough(), { kind: 'text' })
    const outcome = new Promise<unknown>(resolve => ws.streams.write(source, resolve))
    source.write('fine')
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: false })
    source.write(Buffer.from([0xff]))
    t.equal((await peer.answerClose()).code, 1007)
    t.match(await outcome, { code: 'WS_ERR_INVALID_UTF8', fault: 'local' })
    t.equal(source.destroyed, true)
  })

  t.test(`a value that is not a message is a TypeError: ${name}`, { timeout: 8000 }, async t => {
    for (const wrong of [5, {}, [], true]) {
      const { ws, peer } = await open(t, setup)
      const outcome = new Promise(resolve => ws.streams.write(wrong as never, resolve))
      t.type(await outcome, TypeError)
      t.equal((await peer.answerClose()).code, 1011)
    }
    const { ws, peer } = await open(t, setup)
    const outcome = new Promise(resolve => ws.streams.write(NodeReadable.from([5]), resolve))
    t.type(await outcome, TypeError, 'of a Readable too')
    t.equal((await peer.answerClose()).code, 1011)
  })

  t.test(`a source that can no longer be sent is released: ${name}`, { timeout: 8000 }, async t => {
    for (const how of ['reset', 'destroy', 'close'] as const) {
      const { ws, peer } = await open(t, setup, { closeTimeout: 100 })
      const [first, second] = [new PassThrough(), new PassThrough()]
      const outcome = new Promise(resolve => ws.streams.write(first, resolve))
      first.write('x')
      await peer.nextFrame()
      ws.streams.write(second)
      if (how === 'reset') peer.reset()
      else if (how === 'destroy') ws.streams.destroy()
      else ws.close()
      ws.streams.resume()
      if (how === 'reset') await ws.whenClosed()
      else await peer.answerClose()
      first.write('y')
      t.ok(await outcome, how)
      await ws.whenClosed()
      t.equal(first.destroyed, true)
    }
  })

  t.test(`an echo of streams, fragment by fragment: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    ws.streams.pipe(ws.streams)
    peer.send(TEXT, '\u20ac', { fin: false })
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: false, payload: Buffer.from('\u20ac') })
    peer.send(CONTINUATION, 'b')
    t.same(await fragments(peer), [
      [0, 'b'],
      [0, '']
    ])
    for (let i = 0; i < 50; i++) {
      peer.send(BINARY, Buffer.alloc(i * 100, i))
      const payload = (await fragments(peer)).map(([, part]) => part).join('')
      t.equal(payload.length, Buffer.alloc(i * 100, i).toString().length)
    }
    peer.close(3000)
    t.equal(readClose(await peer.nextFrame()).code, 3000)
    peer.end()
    t.match(await ws.whenClosed(), { wasClean: true })
    await settle()
    t.equal(ws.streams.destroyed, true)
  })

  t.test(`an echo that was flooded before it was read: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    for (let i = 0; i < 300; i++) peer.send(BINARY, `message ${i}`)
    await settle()
    ws.streams.pipe(ws.streams)
    const got: string[] = []
    for (let i = 0; i < 300; i++) got.push((await fragments(peer)).map(([, part]) => part).join(''))
    t.same(
      got,
      Array.from({ length: 300 }, (_, i) => `message ${i}`)
    )
  })

  t.test(`with an extension, messages stream if it supports that: ${name}`, { timeout: 8000 }, async t => {
    const { server, client } = await ours(t, { extensions: [reverse(turnsLater(2))] })
    const ws = setup.role === 'client' ? client : server
    const other = ws === client ? server : client
    const reading = everything(ws)
    other.text('abc')
    other.streams.write(NodeReadable.from(['d', 'e', 'f']))
    other.streams.end(Buffer.from('ghi'))
    t.same(await reading, ['abc', 'def', Buffer.from('ghi')])
    t.match(await ws.whenClosed(), { wasClean: true })
  })
}

t.test('pipeline(one.streams, other.streams) passes messages on, and the end', { timeout: 8000 }, async t => {
  const front = await ours(t)
  const back = await ours(t)
  const done = runPipeline(front.server.streams, back.client.streams)
  const answers = new Promise<Error | null | undefined>(resolve =>
    pipeline(back.client.streams, front.server.streams, resolve)
  )
  back.server.messages.pipe(back.server.messages)
  const sent = ['one', Buffer.alloc(300_000, 2), '', 'four \u20ac', Buffer.alloc(0)]
  for (const message of sent) front.client.messages.write(message)
  const got: unknown[] = []
  for await (const message of front.client.messages) {
    got.push(message)
    if (got.length === sent.length) front.client.messages.end()
  }
  t.same(got, sent)
  await done
  t.notOk(await answers)
  for (const ws of [front.client, front.server, back.client, back.server])
    t.match(await ws.whenClosed(), { wasClean: true })
})

t.test('a writer on a closed connection gets the error', async t => {
  const { server, client } = await ours(t, { closeTimeout: 50 })
  client.close()
  await server.whenClosed()
  const outcome = new Promise(resolve => server.streams.write('late', resolve))
  t.match(await outcome, { code: 'WS_ERR_NOT_OPEN' })
  const source = new PassThrough()
  const { client: other } = await ours(t, { closeTimeout: 50 })
  other.destroy()
  await other.whenClosed()
  t.ok(await new Promise(resolve => other.streams.write(source, resolve)))
})

t.test('a Readable that can no longer be sent fails, and messages still arrive', async t => {
  const { server, client } = await ours(t)
  const writer = server.createMessage('text')
  writer.write('never ended')
  const failed = new Promise<unknown>(resolve =>
    server.streams.write(NodeReadable.from([Buffer.from('waits')], { objectMode: false }), resolve)
  )
  const arrived: unknown[] = []
  server.streams.on('data', async stream => arrived.push(await whole(stream)))
  // a Close does not wait for what follows a message that was never ended
  server.close()
  client.text('sent before the Close came')
  t.match(await server.whenClosed(), { code: 1000 })
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
  await settle()
  t.same(arrived, ['sent before the Close came'])
})

t.test('end() does not wait for a Readable after a message that has not ended', async t => {
  const { server, client } = await ours(t, { closeTimeout: Number.POSITIVE_INFINITY })
  client.on('message', () => {})
  server.createMessage('text').write('never ended')
  const failed = new Promise<unknown>(resolve => server.streams.write(new PassThrough(), resolve))
  server.streams.resume().end()
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
  t.match(await server.whenClosed(), { code: 1000, initiator: 'local' })
})
