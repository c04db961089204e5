// Ways to send, and ways to learn that data has been sent: callbacks, 'drain', drained(), bufferedAmount.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import { permessageDeflate, prepareMessage, type WebSocketStream } from '../../lib/index.js'
import { best } from '../handshake/feed.js'
import { BINARY, PING, readClose, TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, rejection, SETUPS, settle, shake } from './sides.js'

const MIB = 2 ** 20

/** Fills the wire, whose peer must have stopped reading. */
async function fill(ws: WebSocketStream): Promise<void> {
  while (!ws.needsDrain) {
    ws.binary(Buffer.alloc(65_536))
    await settle(1)
  }
}

for (const setup of SETUPS) {
  t.test(`send() takes text, bytes, a Blob and prepared messages, and keeps their order: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const bytes = Uint8Array.of(1, 2, 3)
    const right = [
      ws.send('text'),
      ws.send(new Blob(['a ', 'blob'])),
      ws.send('behind the blob'),
      ws.send(bytes),
      ws.send(bytes.buffer),
      ws.send(new DataView(bytes.buffer, 1)),
      ws.send(new Blob([])),
      ws.send(prepareMessage('prepared')),
      ws.send(prepareMessage(bytes), {}),
      ws.send('last', { compress: false })
    ]
    t.same(new Set(right), new Set([true]))
    const got = []
    for (let i = 0; i < right.length; i++) {
      let text = ''
      let kind: number | undefined
      for (let fin = false; !fin; ) {
        const frame = (await peer.nextFrame())!
        kind ??= frame.opcode
        text += frame.payload.toString('latin1')
        fin = frame.fin
      }
      got.push([kind, text])
    }
    t.same(got, [
      [TEXT, 'text'],
      [BINARY, 'a blob'],
      [TEXT, 'behind the blob'],
      [BINARY, '\x01\x02\x03'],
      [BINARY, '\x01\x02\x03'],
      [BINARY, '\x02\x03'],
      [BINARY, ''],
      [TEXT, 'prepared'],
      [BINARY, '\x01\x02\x03'],
      [TEXT, 'last']
    ])
  })

  t.test(`send() returns false when nothing more can be sent: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.close()
    for (const data of ['text', Buffer.from('x'), new Blob(['x']), prepareMessage('x')]) t.equal(ws.send(data), false)
    await peer.answerClose()
    await ws.whenClosed()
    for (const data of ['text', Buffer.from('x'), new Blob(['x']), prepareMessage('x')]) t.equal(ws.send(data), false)
  })
}

t.test('for a value that is not a message send() throws a TypeError, and nothing is sent', async t => {
  const { ws, peer } = await open(t, SETUPS[0]!)
  for (const wrong of [5, null, undefined, {}, true, new Date(), ['1'], [256]]) {
    t.throws(() => ws.send(wrong as never), TypeError)
  }
  t.throws(() => ws.send('x', { compress: 1 } as never), TypeError)
  t.throws(() => ws.send(new Blob(['x']), { compress: 1 } as never), TypeError)
  ws.send('right')
  t.equal((await peer.nextFrame())?.payload.toString(), 'right')
})

for (const setup of IN_MEMORY) {
  t.test(`options that are no object throw a TypeError, and nothing is sent: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const error = { name: 'TypeError', message: 'options must be an object' }
    for (const wrong of [null, 'x', 5, true] as never[]) {
      t.throws(() => ws.send('a', wrong), error)
      t.throws(() => ws.send(Buffer.from('a'), wrong), error)
      t.throws(() => ws.send(new Blob(['a']), wrong), error)
      t.throws(() => ws.send(prepareMessage('a'), wrong), error)
      t.throws(() => ws.text('a', wrong), error)
      t.throws(() => ws.binary([1], wrong), error)
      t.throws(() => ws.createMessage('text', wrong), error)
      t.throws(() => ws.ping('a', wrong), error)
      t.throws(() => ws.pong('a', wrong), error)
    }
    t.throws(() => ws.send('a', { compres: false } as never), {
      message: "unknown option 'compres'; did you mean 'compress'?"
    })
    t.throws(() => ws.send('a', { binary: true } as never), { message: "unknown option 'binary'" })
    t.throws(() => ws.ping('a', { compress: true } as never), { message: "unknown option 'compress'" })
    t.throws(() => ws.send(prepareMessage('a'), { compress: 1 } as never), { message: 'compress must be a boolean' })
    ws.send('right', undefined)
    t.equal((await peer.nextFrame())?.payload.toString(), 'right')
  })

  t.test(`the error for a wrong argument says which it is, and what it may be: ${nameOf(setup)}`, async t => {
    const { ws } = await open(t, setup)
    const bytes = 'a Buffer, another ArrayBufferView or an ArrayBuffer'
    const json = '; for an object use jsonMessages() or JSON.stringify()'
    t.throws(() => ws.send(5 as never), { message: `a message must be a string, a Blob, ${bytes}` })
    t.throws(() => ws.send({} as never), { message: `a message must be a string, a Blob, ${bytes}${json}` })
    t.throws(() => prepareMessage(5 as never), { message: `a message must be a string, ${bytes}` })
    t.throws(() => ws.binary('x' as never), { message: `a binary message must be an array of bytes, ${bytes}` })
    t.throws(() => ws.ping(5 as never), { message: `the payload of a ping or pong must be a string, ${bytes}` })
    t.throws(() => ws.pong(null as never), { message: `the payload of a ping or pong must be a string, ${bytes}` })
  })
}

for (const [how, fail] of [
  ['rejects', () => Promise.reject(new Error('the file is gone'))],
  [
    'throws',
    () => {
      throw new Error('the file is gone')
    }
  ]
] as const) {
  t.test(`a Blob whose arrayBuffer() ${how} closes with 1011, behind the other messages`, async t => {
    const { ws, peer } = await open(t, SETUPS[0]!)
    const blob = new Blob(['x'])
    blob.arrayBuffer = fail
    const calls: unknown[] = []
    const error = once(ws, 'error')
    t.equal(
      ws.send(blob, error => calls.push(error?.message)),
      true
    )
    ws.send('behind it', error => calls.push(error ?? null))
    t.equal((await peer.nextFrame())?.payload.toString(), 'behind it')
    t.equal((await peer.answerClose()).code, 1011)
    peer.end()
    t.match(await error, [{ message: 'the file is gone' }])
    t.match(await ws.whenClosed(), { code: 1011, wasClean: true })
    t.same(calls, ['the file is gone', null])
  })
}

for (const [how, end] of [
  ['close()', ws => void ws.close(3001, 'mine')],
  ['messages.end()', ws => void ws.messages.end()]
] as const satisfies [string, (ws: WebSocketStream) => void][]) {
  t.test(`a Blob that cannot be read makes a Close of ${how} behind it one with 1011`, async t => {
    const { ws, peer } = await open(t, SETUPS[0]!)
    const blob = new Blob(['x'])
    blob.arrayBuffer = () => Promise.reject(new Error('the file is gone'))
    ws.send(blob)
    ws.send('behind it')
    const drained = t.rejects(ws.drained(), { code: 'WS_ERR_NOT_OPEN', cause: { message: 'the file is gone' } })
    end(ws)
    await drained
    t.equal((await peer.nextFrame())?.payload.toString(), 'behind it')
    t.same(await peer.answerClose(), { code: 1011, reason: '' })
    peer.end()
    t.equal((await ws.whenClosed()).code, 1011)
  })
}

for (const setup of IN_MEMORY) {
  t.test(`binary() takes an array of bytes: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    for (const bytes of [[1, 2, 3], [0, 255], []]) {
      t.equal(ws.binary(bytes), true)
      t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from(bytes) })
    }
    for (const wrong of [[256], [-1], [0.5], [Number.NaN], ['1'], [1n], new Array(2), [1, [2]]]) {
      t.throws(() => ws.binary(wrong as number[]), TypeError)
    }
    ws.text('nothing of these was sent')
    t.equal((await peer.nextFrame())?.opcode, TEXT)
  })
}

for (const setup of SETUPS) {
  t.test(
    `the callback of a write means that everything was written: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const size = 8 * MIB
      peer.stream.pause()
      let isCalled = false
      ws.messages.write('x'.repeat(size), () => {
        isCalled = true
        ws.destroy()
      })
      await settle(50)
      t.equal(isCalled, false)
      peer.stream.resume()
      const head = setup.role === 'client' ? 14 : 10
      t.equal((await peer.take(size + head)).length, size + head)
      await ws.whenClosed()
      t.equal(isCalled, true)
    }
  )

  t.test(`after the callback of a write its buffer may be reused: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const [size, count] = [65_536, 60]
    peer.stream.pause()
    const sending = (async () => {
      const buffer = Buffer.alloc(size)
      for (let i = 0; i < count; i++) {
        buffer.fill(i)
        await new Promise(resolve => ws.messages.write(buffer, resolve))
      }
      buffer.fill(255)
    })()
    await settle(50)
    peer.stream.resume()
    let wrong = 0
    for (let i = 0; i < count; i++) if (!(await peer.nextFrame())!.payload.equals(Buffer.alloc(size, i))) wrong++
    t.equal(wrong, 0)
    await sending
  })

  t.test(`callbacks run in order, each once, with an error if the connection ends first: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const called: string[] = []
    const note = (name: string) => (error?: Error | null) => void called.push(error ? `${name} failed` : name)
    const sent = new Promise(resolve => {
      ws.messages.write('a', note('a'))
      ws.messages.write(Buffer.from('b'), note('b'))
      ws.text('no callback')
      ws.messages.write('c', 'utf8', note('c'))
      ws.messages.write('d', resolve)
    })
    await sent
    t.same(called, ['a', 'b', 'c'])
    peer.stream.pause()
    for (let i = 0; i < 3; i++) ws.messages.write(Buffer.alloc(8 * MIB), note(`large ${i}`))
    await settle(10)
    t.same(called.length, 3)
    ws.destroy()
    await ws.whenClosed()
    await settle()
    t.same(called.slice(3).sort(), ['large 0 failed', 'large 1 failed', 'large 2 failed'])
  })

  t.test(`an invalid message is reported to its callback, the view and ws: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const told: string[] = []
    ws.on('error', error => told.push(`ws: ${error.name}`))
    ws.messages.on('error', error => told.push(`view: ${error.name}`))
    ws.messages.write(5 as never, error => told.push(`callback: ${error?.name}`))
    t.same(await peer.answerClose(), { code: 1011, reason: '' })
    await ws.whenClosed()
    await settle()
    t.same(told.sort(), ['callback: TypeError', 'view: TypeError', 'ws: TypeError'])
  })

  t.test(`after write(null), which throws, callbacks belong to their messages: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.throws(() => ws.messages.write(null as never, () => t.fail('called')), { code: 'ERR_STREAM_NULL_VALUES' })
    const called: string[] = []
    for (const name of ['a', 'b']) ws.messages.write(name, error => called.push(error ? `${name} failed` : name))
    t.equal(String((await peer.nextFrame())!.payload), 'a')
    t.equal(String((await peer.nextFrame())!.payload), 'b')
    await settle()
    t.same(called, ['a', 'b'])
  })

  t.test(`drained() resolves when the wire has written everything: ${nameOf(setup)}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup)
    await ws.drained()
    const buffer = Buffer.alloc(4 * MIB, 1)
    peer.stream.pause()
    t.equal(ws.send(buffer), true)
    await settle(20)
    t.equal(ws.needsDrain || ws.bufferedAmount > 0, true)
    let isDrained = false
    const drained = ws.drained().then(() => {
      isDrained = true
      buffer.fill(2)
    })
    await settle(20)
    t.equal(isDrained, false)
    peer.stream.resume()
    const frame = await peer.nextFrame()
    t.ok(frame!.payload.equals(Buffer.alloc(4 * MIB, 1)))
    await drained
    t.equal(ws.needsDrain, false)
  })
}

for (const setup of IN_MEMORY) {
  t.test(`needsDrain and drained() consider what waits in the view: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.messages.resume()
    peer.stream.pause()
    await fill(ws)
    for (let i = 0; i < 40; i++) ws.messages.write(Buffer.alloc(20_000))
    const drained = ws.drained()
    peer.stream.resume()
    await drained
    t.equal(ws.bufferedAmount, 0)
    t.equal(ws.needsDrain, false)
  })

  t.test(
    `drained() before the connection is open waits for it, and rejects when it does not open: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await fresh(t, setup)
      ws.text('early')
      let isDrained = false
      const drained = ws.drained().then(() => {
        isDrained = true
      })
      await settle()
      t.equal(isDrained, false)
      await shake(peer, setup.role)
      await drained

      const { ws: other, socket } = await fresh(t, setup)
      other.on('error', () => {})
      other.text('early')
      const rejected = rejection(other.drained())
      socket.destroy()
      t.match(await rejected, { code: 'WS_ERR_NOT_OPEN' })
    }
  )

  t.test(`drained() rejects when the wire breaks: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    ws.binary(Buffer.alloc(4 * MIB))
    await settle()
    const small = rejection(ws.drained())
    peer.reset()
    t.match(await small, { code: 'WS_ERR_NOT_OPEN' })
    await ws.whenClosed()
  })

  t.test(`bufferedAmount is right wherever data waits: ${nameOf(setup)}`, async t => {
    const { ws, peer, socket } = await open(t, setup)
    const head = setup.role === 'client' ? 6 : 2
    await settle()
    t.equal(ws.bufferedAmount, 0)
    ws.text('in the encoder')
    t.equal(ws.bufferedAmount, head + 14)
    await settle()
    t.equal(ws.bufferedAmount, 0)
    peer.stream.pause()
    await fill(ws)
    await settle()
    const inWire = ws.bufferedAmount
    t.ok(inWire >= socket.writableLength && socket.writableLength > 0)

    // in the view, counted in bytes
    ws.messages.write('x'.repeat(100))
    ws.messages.write('€'.repeat(100))
    ws.messages.write(Buffer.alloc(1000))
    const inView = ws.bufferedAmount
    t.ok(inView >= inWire + 1400 && inView <= inWire + 1400 + 3 * (head + 8), `${inView - inWire} bytes more`)

    peer.stream.resume()
    await ws.drained()
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`bufferedAmount counts messages that wait for one in pieces: ${nameOf(setup)}`, async t => {
    const { ws } = await open(t, setup)
    const writer = ws.createMessage('text')
    writer.write('begun')
    await settle()
    t.equal(ws.bufferedAmount, 0)
    ws.text('waits')
    const other = ws.createMessage('binary')
    other.write(Buffer.alloc(50))
    t.equal(ws.bufferedAmount, 55)
    writer.end()
    await new Promise(resolve => writer.once('finish', resolve))
    await settle()
    t.equal(ws.bufferedAmount, 0)
    other.end()
    await ws.drained()
  })

  t.test(`reading bufferedAmount takes constant time, however much waits: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    await fill(ws)
    const before = ws.bufferedAmount
    let waiting = 0
    const look = (count: number): number => {
      for (; waiting < count; waiting++) ws.messages.write('a small one')
      return best(() => {
        for (let j = 0; j < 20; j++) ws.bufferedAmount
      }, 20)
    }
    const few = look(100)
    const many = look(60_000)
    t.ok(ws.bufferedAmount - before >= 60_000 * 11)
    t.ok(many < 30 * (few + 50), `20 looks take ${few} µs with 100 messages, ${many} µs with 60,000`)
  })

  t.test(
    `reading bufferedAmount takes constant time while messages wait for one in pieces: ${nameOf(setup)}`,
    async t => {
      const { ws } = await open(t, setup)
      ws.createMessage('text').write('begun')
      await settle()
      let waiting = 0
      const look = (count: number): number => {
        for (; waiting < count; waiting++) ws.text('a small one')
        return best(() => {
          for (let j = 0; j < 20; j++) ws.bufferedAmount
        }, 20)
      }
      const few = look(100)
      const many = look(60_000)
      t.equal(ws.bufferedAmount, 60_000 * 11)
      t.ok(many < 30 * (few + 50), `20 looks take ${few} µs with 100 messages, ${many} µs with 60,000`)
    }
  )
}

for (const setup of SETUPS) {
  t.test(
    `no callback reports data as written that a full wire still buffers: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      for (const size of [30_000, 100_000, 1_000_000]) {
        for (const way of ['callback', 'drained at once', 'drained later'] as const) {
          const { ws, peer } = await open(t, setup)
          peer.stream.pause()
          let called = true
          let isEarly = false
          let last: Promise<unknown> | null = null
          for (let i = 0; called && i < 500; i++) {
            called = false
            const done = (): void => {
              called = true
              // data below the high-water mark of the socket may still be in it
              if (ws.bufferedAmount > 16_384) isEarly = true
            }
            if (way === 'callback') {
              last = new Promise(resolve => ws.messages.write('x'.repeat(size), resolve)).then(done)
            } else {
              ws.send('x'.repeat(size))
              if (way === 'drained later') await settle(2)
              last = ws.drained().then(done)
            }
            await settle(10)
          }
          t.equal(called, false, `${size} bytes, ${way}: it is held up`)
          peer.stream.resume()
          await last
          t.equal(called, true)
          t.equal(isEarly, false)
          ws.destroy()
        }
      }
    }
  )
}

t.test('bufferedAmount counts messages that are being compressed', async t => {
  const { server, client } = await ours(t, { extensions: [permessageDeflate()] })
  client.messages.resume()
  server.binary(Buffer.alloc(MIB, 'abc'))
  t.ok(server.bufferedAmount >= MIB)
  await server.drained()
  t.equal(server.bufferedAmount, 0)
})

for (const setup of SETUPS) {
  t.test(
    `streams.write(Readable) calls back when the message has been written: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const called: string[] = []
      ws.streams.resume()
      peer.stream.pause()
      ws.streams.write(Readable.from([Buffer.alloc(4 * MIB, 1), Buffer.alloc(4 * MIB, 2)]), (error: unknown) =>
        called.push(`readable ${error ?? 'sent'}`)
      )
      ws.streams.write('whole', (error: unknown) => called.push(`whole ${error ?? 'sent'}`))
      await settle(30)
      t.same(called, [])
      peer.stream.resume()
      let size = 0
      for (let text = ''; text !== 'whole'; ) {
        const frame = (await peer.nextFrame())!
        if (frame.opcode === TEXT) text = frame.payload.toString()
        else size += frame.payload.length
      }
      await settle(20)
      t.equal(size, 8 * MIB)
      t.same(called, ['readable sent', 'whole sent'])
    }
  )

  t.test(`streams.write(Readable) calls back with the error of the Readable: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.streams.on('error', () => {})
    const failing = new Readable({ read() {} })
    const failed = new Promise<Error>(resolve => ws.streams.write(failing, resolve as never))
    failing.push('some')
    await peer.nextFrame()
    failing.destroy(new Error('the source'))
    t.equal((await failed).message, 'the source')
    t.match(readClose(await peer.nextFrame()), { code: 1011 })
  })

  t.test(
    `frames.write calls back when the frame has been written, control frames too: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const called: string[] = []
      const { frames } = ws
      frames.resume()
      peer.stream.pause()
      frames.write({ opcode: 2, payload: Buffer.alloc(4 * MIB) }, (error: unknown) =>
        called.push(`data ${error ?? 'sent'}`)
      )
      frames.write({ opcode: PING, payload: 'p' }, (error: unknown) => called.push(`ping ${error ?? 'sent'}`))
      frames.write({ opcode: 1, payload: 'more', fin: false }, (error: unknown) =>
        called.push(`part ${error ?? 'sent'}`)
      )
      await settle(30)
      t.same(called, [])
      peer.stream.resume()
      for (let text = ''; text !== 'more'; ) text = (await peer.nextFrame())!.payload.toString()
      await settle(20)
      t.same(called, ['data sent', 'ping sent', 'part sent'])
      const closed = new Promise<unknown>(resolve =>
        frames.write({ opcode: 8, payload: Buffer.from([3, 232]) }, resolve as never)
      )
      await peer.answerClose()
      t.equal((await closed) ?? null, null)
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    }
  )
}
