// Sent and received messages: text and binary, by methods, by events and by the view.

import { once } from 'node:events'
import t from 'tap'
import { type Sendable, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { answerHead, BINARY, CLOSE, RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import { collect, fresh, IN_MEMORY, nameOf, open, ours, SETUPS, settle, shake } from './sides.js'

const SERVER = { role: 'server', join: 'attach', wire: 'memory' } as const
const CLIENT = { role: 'client', join: 'attach', wire: 'memory' } as const

for (const setup of SETUPS) {
  t.test(`text and binary messages in both directions: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const masked = setup.role === 'client'
    t.equal(ws.text('grüß'), true)
    t.equal(ws.binary(Buffer.from([1, 2])), true)
    t.equal(ws.text(''), true)
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: true, rsv: 0, masked, payload: Buffer.from('grüß') })
    t.match(await peer.nextFrame(), { opcode: BINARY, fin: true, rsv: 0, masked, payload: Buffer.from([1, 2]) })
    t.match(await peer.nextFrame(), { opcode: TEXT, payload: Buffer.alloc(0) })
    const got: unknown[] = []
    const all = new Promise<void>(resolve =>
      ws.on('message', message => {
        got.push(message)
        if (got.length === 5) resolve()
      })
    )
    peer.text('grüß')
    peer.send(BINARY, Buffer.from([3]))
    peer.send(TEXT, '')
    peer.send(BINARY, '')
    peer.write(peer.frame(TEXT, 'in ', { fin: false }), peer.frame(0, '', { fin: false }), peer.frame(0, 'pieces'))
    await all
    t.same(got, ['grüß', Buffer.from([3]), '', Buffer.alloc(0), 'in pieces'])
  })
}

for (const setup of [SERVER, CLIENT]) {
  t.test(`needsDrain and drained() tell when the wire has room: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.equal(ws.needsDrain, false)
    await ws.drained()
    peer.stream.pause()
    while (!ws.needsDrain) t.equal(ws.text('x'.repeat(200_000)), true)
    let isDrained = false
    const drained = ws.drained().then(() => {
      isDrained = true
    })
    await settle()
    t.same([ws.needsDrain, isDrained], [true, false])
    peer.stream.resume()
    await drained
    t.equal(ws.needsDrain, false)
    t.equal(ws.messages.write('more'), true)
    t.equal(ws.messages.writableNeedDrain, false)
  })

  t.test(`drained() rejects if the connection ends first: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    while (!ws.needsDrain) ws.binary(Buffer.alloc(200_000))
    const drained = ws.drained()
    ws.destroy()
    await t.rejects(drained, { code: 'WS_ERR_NOT_OPEN' })
    await ws.whenClosed()
    await t.rejects(ws.drained(), { code: 'WS_ERR_NOT_OPEN' })
    t.equal(ws.needsDrain, false)
  })
}

const bytes = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
const VIEWS: [name: string, data: Sendable, wire: Uint8Array][] = [
  ['Buffer', Buffer.from(bytes), bytes],
  ['Uint8Array', bytes, bytes],
  ['a part of a Uint8Array', bytes.subarray(3, 7), bytes.subarray(3, 7)],
  ['Uint8ClampedArray', new Uint8ClampedArray(bytes), bytes],
  ['Int8Array', new Int8Array(bytes), bytes],
  ['Int16Array', new Int16Array(bytes.buffer), bytes],
  ['Uint16Array', new Uint16Array(bytes.buffer, 2, 3), bytes.subarray(2, 8)],
  ['Int32Array', new Int32Array(bytes.buffer), bytes],
  ['Uint32Array', new Uint32Array(bytes.buffer), bytes],
  ['Float32Array', new Float32Array(bytes.buffer), bytes],
  ['Float64Array', new Float64Array(bytes.buffer), bytes],
  ['BigInt64Array', new BigInt64Array(bytes.buffer), bytes],
  ['BigUint64Array', new BigUint64Array(bytes.buffer), bytes],
  ['DataView', new DataView(bytes.buffer, 1, 5), bytes.subarray(1, 6)],
  ['ArrayBuffer', bytes.buffer as ArrayBuffer, bytes],
  ['SharedArrayBuffer', new SharedArrayBuffer(3), new Uint8Array(3)]
]

for (const setup of [SERVER, CLIENT]) {
  t.test(`every view of bytes is sent by its bytes: ${setup.role}`, async t => {
    const { ws, peer } = await open(t, setup)
    for (const [name, data, wire] of VIEWS) {
      ws.binary(data as ArrayBuffer)
      t.same((await peer.nextFrame())!.payload, Buffer.from(wire), `${name} by binary()`)
      ws.messages.write(data)
      t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from(wire) }, `${name} by the view`)
    }
    t.same(
      bytes,
      Uint8Array.from({ length: 16 }, (_, i) => i + 1),
      'what was given is as it was'
    )
  })

  t.test(`A08: a value that is not a message is a TypeError, and nothing is sent: ${setup.role}`, async t => {
    const { ws, peer } = await open(t, setup)
    for (const wrong of [5, null, undefined, {}, [1], true, 1n, new Date()]) {
      t.throws(() => ws.text(wrong as string), TypeError)
      if (!Array.isArray(wrong)) t.throws(() => ws.binary(wrong as Buffer), TypeError)
      t.throws(() => ws.ping(wrong === undefined ? (5 as never) : (wrong as never)), TypeError)
      if (wrong !== undefined) t.throws(() => ws.pong(wrong as never), TypeError)
    }
    t.throws(() => ws.binary('text' as never), TypeError)
    for (const wrong of [[256], [-1], [1.5], ['1'], new Array(1)])
      t.throws(() => ws.binary(wrong as number[]), TypeError)
    ws.text('right')
    t.match(await peer.nextFrame(), { payload: Buffer.from('right') })
  })

  t.test(`A08: a value that is not a message, written to the view, is an error of the view: ${setup.role}`, async t => {
    const { ws, peer } = await open(t, setup)
    const failed = once(ws.messages, 'error')
    const told = new Promise(resolve => ws.messages.write(5 as never, resolve))
    t.match(await failed, [{ name: 'TypeError' }])
    t.match(await told, { name: 'TypeError' })
    t.equal((await peer.answerClose()).code, 1011)
    await ws.whenClosed()
  })
}

for (const setup of SETUPS) {
  t.test(
    `messages written before the handshake are buffered, and sent after it in order: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await fresh(t, setup)
      t.equal(ws.text('one'), true)
      t.equal(ws.messages.write('two'), true)
      t.equal(ws.binary(Buffer.from('three')), true)
      t.equal(ws.bufferedAmount > 0, true)
      await settle()
      const head = await shake(peer, setup.role)
      t.ok(head)
      for (const text of ['one', 'two', 'three']) t.equal(String((await peer.nextFrame())!.payload), text)
      await settle()
      t.equal(ws.bufferedAmount, 0)
    }
  )

  t.test(`a close before the handshake is sent after the earlier messages: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    ws.text('one')
    ws.close(3000, 'bye')
    ws.close(3001, 'again')
    t.equal(ws.text('two'), false)
    t.equal(ws.readyState, 'connecting')
    await shake(peer, setup.role)
    t.equal(String((await peer.nextFrame())!.payload), 'one')
    t.same(await peer.answerClose(), { code: 3000, reason: 'bye' })
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true, initiator: 'local' })
  })
}

t.test('an end of the view before the handshake is a close after it', async t => {
  const { ws, peer } = await fresh(t, SERVER)
  ws.messages.write('one')
  ws.messages.end('two')
  peer.write(requestHead())
  await peer.head()
  t.equal(String((await peer.nextFrame())!.payload), 'one')
  t.equal(String((await peer.nextFrame())!.payload), 'two')
  t.same(await peer.answerClose(), { code: 1000, reason: '' })
})

for (const setup of IN_MEMORY) {
  t.test(`messages wait until they are read: ${nameOf(setup)}`, async t => {
    t.test('by an event', async t => {
      const { ws, peer } = await open(t, setup)
      for (const text of ['one', 'two', 'three']) peer.text(text)
      await settle()
      t.same(await once(ws, 'message'), ['one'], 'and each listener takes its own')
      t.same(await once(ws, 'message'), ['two'])
      const got: unknown[] = []
      ws.prependListener('message', message => got.push(message))
      await settle()
      t.same(got, ['three'])
    })

    t.test('by prependOnceListener and addListener', async t => {
      const { ws, peer } = await open(t, setup)
      peer.text('one')
      peer.text('two')
      await settle()
      const got: unknown[] = []
      ws.prependOnceListener('message', message => got.push(message))
      await settle()
      t.same(got, ['one'])
      ws.addListener('message', message => got.push(message))
      await settle()
      t.same(got, ['one', 'two'])
    })

    t.test('by a view that is opened late', async t => {
      const { ws, peer } = await open(t, setup)
      for (const text of ['one', 'two', 'three']) peer.text(text)
      await settle()
      peer.close()
      await settle()
      const all = collect(ws.messages)
      readClose(await peer.nextFrame())
      peer.end()
      t.same(await all, { got: ['one', 'two', 'three'], error: null })
    })

    t.test('by a view that is opened after the end', async t => {
      const { ws, peer } = await open(t, setup)
      peer.write(peer.frame(TEXT, 'one'), peer.frame(CLOSE))
      readClose(await peer.nextFrame())
      peer.end()
      await ws.whenClosed()
      t.same(await collect(ws.messages), { got: ['one'], error: null })
    })

    t.test('by a view that is opened after an end that was not clean', async t => {
      const { ws, peer } = await open(t, setup)
      peer.write(peer.frame(TEXT, 'one'), peer.frame(3))
      readClose(await peer.nextFrame())
      peer.end()
      await ws.whenClosed()
      t.match(await collect(ws.messages), { got: ['one'], error: { code: 'WS_ERR_INVALID_OPCODE' } })
    })

    t.test('a view that is opened when there was nothing', async t => {
      const { ws, peer } = await open(t, setup)
      peer.reset()
      await ws.whenClosed()
      t.match(await collect(ws.messages), { got: [], error: { code: 'WS_ERR_CONNECTION_LOST' } })
    })
  })

  t.test(`view and event give the same messages: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.equal(ws.messages, ws.messages)
    const heard: unknown[] = []
    ws.on('message', message => heard.push(message))
    const all = collect(ws.messages)
    peer.text('one')
    peer.text('two')
    peer.close()
    readClose(await peer.nextFrame())
    peer.end()
    t.same(await all, { got: ['one', 'two'], error: null })
    t.same(heard, ['one', 'two'])
  })

  t.test(`nothing is delivered once the application has destroyed the connection: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const heard: unknown[] = []
    ws.on('message', message => {
      heard.push(message)
      ws.destroy()
    })
    peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'), peer.frame(TEXT, 'three'))
    await ws.whenClosed()
    await settle()
    t.same(heard, ['one'])
  })

  t.test(`nothing is delivered once an open listener has destroyed the connection: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    ws.on('open', () => ws.destroy())
    ws.on('message', () => t.fail('a message'))
    if (setup.role === 'client') peer.write(answerHead(await peer.head()), peer.frame(TEXT, 'one'))
    else peer.write(requestHead(), peer.frame(TEXT, 'one'))
    t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
    await settle()
  })

  t.test(`messages that arrive after our Close and before theirs are delivered: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    ws.text('before')
    ws.close(3000)
    t.equal(ws.text('after'), false)
    t.equal(ws.binary(Buffer.alloc(1)), false)
    t.equal(ws.pong(), false)
    t.equal(ws.readyState, 'closing')
    t.equal(String((await peer.nextFrame())!.payload), 'before')
    readClose(await peer.nextFrame())
    peer.text('late')
    peer.send(9, 'late ping')
    peer.write(peer.frame(CLOSE, Buffer.from([0x0b, 0xb8])), peer.frame(TEXT, 'too late'))
    peer.end()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
    await settle()
    t.same(got, ['late'])
    t.same(await peer.allFrames(), [], 'nothing went out behind the Close')
  })
}

t.test('fragmentSize splits sent messages', async t => {
  for (const setup of [SERVER, CLIENT]) {
    const { ws, peer } = await open(t, setup, { fragmentSize: 4 })
    ws.text('0123456789')
    ws.binary(Buffer.from('0123'))
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: false, payload: Buffer.from('0123') })
    t.match(await peer.nextFrame(), { opcode: 0, fin: false, payload: Buffer.from('4567') })
    t.match(await peer.nextFrame(), { opcode: 0, fin: true, payload: Buffer.from('89') })
    t.match(await peer.nextFrame(), { opcode: BINARY, fin: true, payload: Buffer.from('0123') })
  }
})

t.test('large messages arrive, whatever the chunks', async t => {
  for (const size of [125, 126, 65535, 65536, 300_000]) {
    const { server, client } = await ours(t)
    const data = Buffer.alloc(size, 'abc')
    server.binary(data)
    client.text(data.toString())
    const [[down], [up]] = await Promise.all([once(client, 'message'), once(server, 'message')])
    t.ok((down as Buffer).equals(data))
    t.equal(up, data.toString())
  }
})

t.test('messages of one turn are sent in one write', async t => {
  const { ws, socket, peer } = await open(t, SERVER)
  let writes = 0
  const { write } = socket
  socket.write = ((...args: Parameters<typeof write>) => {
    writes++
    return write.apply(socket, args)
  }) as typeof write
  for (let i = 0; i < 100; i++) ws.text('tick')
  for (let i = 0; i < 100; i++) await peer.nextFrame()
  t.equal(writes, 1)
})

t.test('a stream that is written without a pipe', async t => {
  const ws = WebSocketStream.server()
  const opened = once(ws, 'open')
  ws.write(requestHead())
  await opened
  t.match(String(ws.read()), /^HTTP\/1\.1 101/)
  const [left] = pair()
  t.throws(() => ws.attach(left), TypeError)
  t.throws(() => ws.attach(left), /already has a wire/)
  ws.destroy()
  await ws.whenClosed()
})

t.test('a connection has one wire', async t => {
  const [left, right] = pair()
  const ws = WebSocketStream.client('ws://a/')
  t.equal(ws.attach(left), ws)
  t.throws(() => ws.attach(right), TypeError)
  ws.on('error', () => {})
  ws.write('foreign bytes')
  await settle()
  ws.destroy()
  await ws.whenClosed()
})

t.test('another stream piped in may be ended without a pipe', async t => {
  const [left, right] = pair()
  const peer = new RawPeer(right, 'client')
  const ws = WebSocketStream.server()
  left.pipe(ws)
  ws.on('data', chunk => left.write(chunk))
  ws.on('end', () => left.end())
  peer.write(requestHead())
  await peer.head()
  peer.text('one')
  t.same(await once(ws, 'message'), ['one'])
  peer.close()
  readClose(await peer.nextFrame())
  await peer.ended()
  peer.end()
  t.match(await ws.whenClosed(), { wasClean: true })
})
