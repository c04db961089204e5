// Data that waits to be sent, in every place where it can wait, and what is read or dropped meanwhile.

import { once } from 'node:events'
import { Duplex, PassThrough } from 'node:stream'
import t from 'tap'
import { FrameDecoder, MessageFragmenter, WebSocketStream } from '../../lib/index.js'
import { queuedSize } from '../../lib/protocol/message-splitter.js'
import { toy } from '../extensions/toys.js'
import { BINARY, CLOSE, closeBody, requestHead, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, joinTo, nameOf, open, settle, tcpPair } from './sides.js'

t.test('the size of a waiting item is its bytes, and 0 if the item counts them itself', async t => {
  t.equal(queuedSize('ab'), 2)
  t.equal(queuedSize(Buffer.alloc(3)), 3)
  for (const item of [undefined, null, { pipe() {} }, { begin() {} }]) t.equal(queuedSize(item), 0)
})

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(`thousands of messages wait for one in pieces, and arrive in order: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('text')
    for (let i = 0; i < 3000; i++) t.equal(ws.text(String(i)), true)
    t.equal(ws.needsDrain, false)
    t.ok(ws.bufferedAmount > 3000)
    const drained = ws.drained()
    writer.end('first')
    let got = ''
    for (let fin = false; !fin; ) {
      const frame = (await peer.nextFrame())!
      got += frame.payload
      fin = frame.fin
    }
    t.equal(got, 'first')
    for (let i = 0; i < 3000; i++) {
      const frame = await peer.nextFrame()
      if (String(frame?.payload) !== String(i)) t.fail(`${i}: ${frame?.payload}`)
    }
    await drained
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`drained() waits for what was written of a message, not for its end: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const writer = ws.createMessage('binary')
    await ws.drained()
    for (const piece of ['one', 'two', 'three']) {
      writer.write(Buffer.from(piece))
      await ws.drained()
      t.equal(ws.bufferedAmount, 0)
      t.equal((await peer.nextFrame())?.payload.toString(), piece)
    }
    ws.text('behind it')
    let isDrained = false
    const drained = ws.drained().then(() => (isDrained = true))
    await settle()
    t.equal(isDrained, false, 'a message behind it waits for its end')
    writer.end()
    await drained
  })

  t.test(`drained() waits for the pieces that wait in the message: ${name}`, async t => {
    const { ws, peer, socket } = await open(t, setup, { highWaterMark: 100 })
    const writer = ws.createMessage('binary')
    const isTaken: boolean[] = []
    for (let i = 0; i < 3; i++) writer.write(Buffer.alloc(1000, i), () => (isTaken[i] = true))
    await ws.drained()
    t.same(isTaken, [true, true, true])
    for (let size = 0; size < 3000; ) size += (await peer.nextFrame())!.payload.length
    writer.write('more')
    const drained = ws.drained()
    writer.destroy()
    await drained
    socket.destroy()
  })

  t.test(`drained() of a frames view waits for what was written of a message: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.frames.write({ opcode: TEXT, payload: 'ab', fin: false })
    await ws.drained()
    t.match(await peer.nextFrame(), { fin: false, payload: Buffer.from('ab') })
  })

  t.test(`drained() waits for a socket that has taken some of the data and is not full: ${setup.join}`, async t => {
    const [near, far] = await tcpPair(t, false)
    const [ws, peer] = [WebSocketStream.server(), WebSocketStream.client('ws://localhost/')]
    joinTo(ws, near, setup.join)
    joinTo(peer, far, 'attach')
    t.teardown(() => {
      ws.destroy()
      peer.destroy()
    })
    await Promise.all([ws.opened, peer.opened])
    far.pause()
    const message = 'x'.repeat(5000)
    while (ws.bufferedAmount === 0) {
      ws.text(message)
      await settle(1)
    }
    t.equal(ws.needsDrain, false)
    let isDrained = false
    const drained = ws.drained().then(() => (isDrained = true))
    await settle()
    t.equal(isDrained, false)
    peer.on('message', () => {})
    far.resume()
    await drained
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`messages that wait for one in pieces make needsDrain true from highWaterMark on: ${name}`, async t => {
    const { ws } = await open(t, setup, { highWaterMark: 1000 })
    ws.createMessage('text').write('open')
    ws.binary(Buffer.alloc(1001))
    t.equal(ws.needsDrain, true)
    ws.destroy()
    await ws.whenClosed()
  })

  t.test(`waiting frames are counted, and fail when the view is destroyed: ${name}`, async t => {
    const { ws } = await open(t, setup)
    ws.createMessage('text').write('half')
    await settle()
    const outcome = new Promise<unknown>(resolve =>
      ws.frames.write({ opcode: BINARY as never, payload: 'waits' }, resolve)
    )
    t.ok(ws.bufferedAmount >= 5)
    ws.frames.destroy()
    t.match(await outcome, { code: 'WS_ERR_NOT_OPEN' })
    ws.destroy()
    const other = (await open(t, setup)).ws
    other.frames.write({ opcode: TEXT as never, payload: 'half', fin: false })
    await settle()
    t.equal(other.bufferedAmount, 0, 'nothing waits inside a message of frames')
  })

  t.test(`a message that waits for its turn may be destroyed: ${name}`, async t => {
    const { ws } = await open(t, setup)
    ws.createMessage('text').write('half')
    const second = ws.createMessage('text')
    const outcome = new Promise(resolve => second.write('x', resolve))
    second.destroy()
    t.match(await outcome, { code: 'WS_ERR_NOT_OPEN' })
    ws.destroy()
  })

  t.test(`nothing is accepted after the end of the view, even if earlier messages still wait: ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
    peer.stream.pause()
    while (ws.messages.writableLength < 2) {
      ws.messages.write(Buffer.alloc(10_000))
      await settle()
    }
    ws.messages.end()
    t.equal(ws.text('late'), false)
    ws.destroy()
    await ws.whenClosed()
  })

  t.test(`write(null) throws, and changes nothing: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.throws(() => ws.messages.write(null as never), { code: 'ERR_STREAM_NULL_VALUES' })
    t.throws(() => ws.messages.write(null as never, () => {}), { code: 'ERR_STREAM_NULL_VALUES' })
    ws.messages.write('right')
    t.equal(String((await peer.nextFrame())?.payload), 'right')
  })

  t.test(`handlers like those of a browser's WebSocket throw: ${name}`, async t => {
    const { ws } = await open(t, setup)
    for (const event of ['open', 'message', 'error', 'close']) {
      t.throws(() => Object.assign(ws, { [`on${event}`]: () => {} }), { message: new RegExp(`ws.on\\('${event}'`) })
    }
  })

  t.test(`unread streams do not hide the peer's Close: ${name}`, { timeout: 60_000 }, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 200, highWaterMark: 1000 })
    t.ok(ws.streams)
    for (let i = 0; i < 10; i++) peer.send(BINARY, Buffer.alloc(1000))
    ws.close(4000)
    peer.write(peer.frame(CLOSE, closeBody(4000)))
    peer.end()
    t.match(await ws.whenClosed(), { code: 4000 })
  })
}

t.test('a message that waits unread for 10 s causes a warning, once', async t => {
  const { setTimeout: real } = globalThis
  const late: (() => void)[] = []
  const fake = (run: () => void, delay: number, ...rest: unknown[]): unknown => {
    if (delay !== 10_000) return (real as (...args: unknown[]) => unknown)(run, delay, ...rest)
    late.push(run)
    return real(() => {}, 0)
  }
  globalThis.setTimeout = fake as never
  t.teardown(() => {
    globalThis.setTimeout = real
  })
  const warned: Error[] = []
  const onWarning = (warning: Error): void => void warned.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  for (let i = 0; i < 2; i++) {
    const { peer } = await open(t, IN_MEMORY[0]!)
    peer.text('hello')
    await settle()
  }
  t.ok(late.length >= 2)
  for (const run of [...late]) run()
  await settle()
  t.match(warned, [{ code: 'WS_UNREAD' }])
  t.equal(warned.length, 1)
})

t.test('bytes that arrived before attach are not modified', async t => {
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  wire.push(requestHead())
  await once(wire, 'readable')
  const ws = WebSocketStream.server().attach(wire)
  t.match(await ws.opened, { version: 'hybi-13' })
  ws.destroy()
})

t.test('a destination that emits drain without need is not asked for more', async t => {
  const ws = WebSocketStream.server()
  const sink = new PassThrough()
  ws.pipe(sink)
  t.equal(sink.emit('drain'), true)
  ws.destroy()
  await ws.whenClosed()
})

t.test('an extension cannot be added to a handshake that has been answered', async t => {
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const ws = WebSocketStream.server({ closeTimeout: 50 }).on('error', () => {})
  ws.on('request', () => {
    ws.reject(404)
    t.throws(() => ws.addExtension(toy('late')), TypeError)
  })
  ws.attach(wire)
  wire.push(requestHead())
  await ws.whenClosed()
})

t.test('a stage can be unpiped from an ordinary stream', async t => {
  const decoder = new FrameDecoder()
  const sink = new PassThrough({ objectMode: true })
  decoder.pipe(sink)
  const left = once(sink, 'unpipe')
  decoder.unpipe(sink)
  t.equal((await left)[0], decoder)
})

t.test('a fragmenter used on its own waits for its reader', async t => {
  for (const options of [{}, { fragmentSize: 1 }]) {
    const fragmenter = new MessageFragmenter(options)
    for (let i = 0; i < 4; i++) fragmenter.write('ab')
    await settle()
    let frames = 0
    fragmenter.on('data', batch => {
      frames += batch.length
    })
    fragmenter.end()
    await once(fragmenter, 'end')
    t.equal(frames, 'fragmentSize' in options ? 8 : 4)
  }
})

t.test('drained() before a connection is open waits for what was written of a message, not for its end', async t => {
  const [near, far] = await tcpPair(t, true)
  const [ws, peer] = [WebSocketStream.client('ws://localhost/'), WebSocketStream.server()]
  t.teardown(() => {
    ws.destroy()
    peer.destroy()
  })
  ws.createMessage('text').write('before')
  const drained = ws.drained()
  ws.attach(near)
  peer.attach(far)
  await drained
  t.equal(ws.readyState, 'open')
})
