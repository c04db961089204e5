// What an application that sends notices when it can send no more, or must wait: refused messages, a busy compressor, Blobs, sources that
// wait for their turn, a view that is only written to.

import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { request75 } from '../support/draft-requests.js'
import { TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, make, nameOf, open, ours, rejection, settle } from './sides.js'

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(`drained() fails when a message was refused, also while the connection is closing: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('message', () => {})
    t.equal(ws.text('taken'), true)
    peer.close(1012)
    await once(ws, 'closing')
    await ws.drained()
    t.equal(ws.text('refused'), false)
    t.match(await rejection(ws.drained()), { code: 'WS_ERR_NOT_OPEN' })
    t.equal(ws.send(new Blob(['refused'])), false)
    t.match(await rejection(ws.drained()), { code: 'WS_ERR_NOT_OPEN' })
  })

  t.test(`what was sent before close() is drained: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.text('last')
    void ws.close()
    await ws.drained()
    await peer.answerClose()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })

  t.test(`after a clean close, the views have finished: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    ws.messages.on('data', message => got.push(message))
    peer.text('one')
    peer.close(1000)
    const read = finished(ws.messages)
    await peer.answerClose()
    peer.end()
    await read
    t.same(got, ['one'])
    t.equal(ws.messages.writableFinished, true)
  })

  t.test(`pauseMessages() holds a Close although ws.messages is written to: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    const seen: unknown[] = []
    ws.messages.write('welcome')
    ws.on('message', message => {
      seen.push(message)
      ws.pauseMessages()
      setTimeout(() => ws.resumeMessages(), 5)
    })
    ws.on('close', ({ code }) => seen.push(code))
    for (const text of ['a', 'b', 'c', 'd']) peer.text(text)
    peer.close(1000)
    await peer.answerClose()
    peer.end()
    await ws.whenClosed()
    await settle()
    t.same(seen, ['a', 'b', 'c', 'd', 1000])
  })

  for (const [how, read] of [
    ['nothing', () => {}],
    ['a listener', ws => ws.on('message', () => {})],
    ['discardMessages()', ws => ws.discardMessages()]
  ] as const satisfies [string, (ws: Awaited<ReturnType<typeof open>>['ws']) => unknown][]) {
    t.test(`a pipeline into ws.messages ends with the connection, read by ${how}: ${name}`, async t => {
      const { ws, peer } = await open(t, setup)
      read(ws)
      const source = new PassThrough({ objectMode: true })
      source.write('one')
      const piped = rejection(pipeline(source, ws.messages))
      t.equal((await peer.nextFrame())!.payload.toString(), 'one')
      peer.close(1000)
      await peer.answerClose()
      peer.end()
      t.match(await piped, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
      t.equal(source.destroyed, true)
    })
  }

  for (const kind of ['messages', 'streams', 'bytes'] as const) {
    t.test(`a pipeline from a generator into ws.${kind} ends with the connection: ${name}`, async t => {
      for (const first of ['something', 'nothing']) {
        // ws.bytes answers a Close when it has ended too
        const { ws, peer } = await open(t, setup, kind === 'bytes' ? { closeTimeout: 100 } : {})
        let wake = (): void => {}
        const isClosed = new Promise<void>(resolve => {
          wake = resolve
        })
        let isEnded = false
        async function* source(): AsyncGenerator<Buffer> {
          try {
            if (first === 'something') yield Buffer.from('one')
            await isClosed
            for (;;) {
              yield Buffer.from('more')
              await settle()
            }
          } finally {
            isEnded = true
          }
        }
        const piped = rejection(pipeline(source, ws[kind]))
        if (first === 'something') t.equal((await peer.nextFrame())!.payload.toString(), 'one')
        peer.close(1000)
        if (kind !== 'bytes') {
          await peer.answerClose()
          peer.end()
        }
        await ws.whenClosed()
        await settle()
        wake()
        t.ok(await piped, first)
        t.equal(isEnded, true)
      }
    })
  }

  t.test(`a view that was written to by hand finishes after a clean close: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.messages.write('one')
    const ended = finished(ws.messages)
    peer.close(1000)
    await peer.answerClose()
    peer.end()
    await ended
    t.equal(ws.messages.writableFinished, true)
  })

  t.test(
    `the callback of a Blob that was not sent gets an error, although nothing is left to write: ${name}`,
    async t => {
      const { ws, peer } = await open(t, setup)
      let answer = (_bytes: ArrayBuffer): void => {}
      class Slow extends Blob {
        override arrayBuffer(): Promise<ArrayBuffer> {
          return new Promise(resolve => {
            answer = resolve
          })
        }
      }
      const called = new Promise(resolve => ws.send(new Slow(['late']), resolve))
      peer.close(1000)
      await peer.answerClose()
      answer(new ArrayBuffer(4))
      t.match(await called, { code: 'WS_ERR_NOT_OPEN' })
      peer.end()
      await ws.whenClosed()
    }
  )

  t.test(`an echo by pipe closes at once, whatever the peer still sends: ${name}`, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 60_000 })
    ws.messages.pipe(ws.messages)
    peer.text('one')
    t.equal((await peer.nextFrame())!.payload.toString(), 'one')
    void ws.close(1001)
    for (let i = 0; i < 100; i++) peer.send(TEXT, 'x'.repeat(2000))
    t.equal((await peer.answerClose()).code, 1001)
    peer.end()
    t.match(await ws.whenClosed(), { code: 1001, wasClean: true })
  })
}

t.test('a binary message that a draft cannot carry does not concern others', async t => {
  const { ws, peer } = await fresh(t, { role: 'server', join: 'attach', wire: 'memory' }, { allowDrafts: true })
  peer.write(request75())
  await ws.opened
  t.equal(ws.binary(Buffer.from('bytes')), false)
  t.equal(ws.text('text'), true)
  await ws.drained()
})

t.test('needsDrain while messages wait for the compressor, and with Blobs', async t => {
  const { client, server } = await ours(t, { extensions: [permessageDeflate()] })
  await client.opened
  server.discardMessages()
  t.equal(client.needsDrain, false)
  const block = Buffer.alloc(100_000, 'compressible ')
  while (!client.needsDrain && client.bufferedAmount < 10_000_000) client.send(Buffer.from(block))
  t.ok(client.bufferedAmount < 1_000_000, `${client.bufferedAmount} bytes wait`)
  await client.drained()
  t.equal(client.needsDrain, false)

  let reads = 0
  class Counted extends Blob {
    override arrayBuffer(): Promise<ArrayBuffer> {
      reads++
      return super.arrayBuffer()
    }
  }
  for (let i = 0; i < 5; i++) client.send(new Counted([block]))
  t.equal(reads, 1, 'a Blob is read when its turn comes')
  t.equal(client.bufferedAmount, 500_000)
  t.equal(client.needsDrain, true)
  await client.drained()
  t.equal(reads, 5)
  t.equal(client.bufferedAmount, 0)
})

t.test('callbacks of Blobs come in their place, and before the close', async t => {
  const { client, server } = await ours(t)
  server.discardMessages()
  const calls: string[] = []
  const note = (name: string) => (error?: Error | null) => calls.push(error ? `${name} failed` : name)
  client.send(new Blob(['1']), note('blob'))
  client.text('2', note('text'))
  client.send(new Blob(['3'.repeat(100_000)]), note('second blob'))
  client.binary(Buffer.from('4'), note('bytes'))
  await client.drained()
  t.same(calls, ['blob', 'text', 'second blob', 'bytes'])

  calls.length = 0
  client.on('close', () => calls.push('close'))
  client.send(new Blob(['5']), note('blob'))
  client.text('6', note('text'))
  client.destroy()
  await client.whenClosed()
  await settle()
  t.same(calls, ['blob failed', 'text failed', 'close'])
})

t.test('sources that wait in ws.streams are destroyed with the connection', async t => {
  for (const way of ['the connection ends', 'the first source fails'] as const) {
    const { client, server } = await ours(t)
    await client.opened
    server.discardMessages()
    const sources = Array.from({ length: 4 }, () => new Readable({ read() {} }))
    const written = sources.map(source => new Promise<unknown>(resolve => client.streams.write(source, resolve)))
    await settle()
    if (way === 'the connection ends') server.destroy()
    else sources[0]!.destroy(new Error('unreadable'))
    for (const error of await Promise.all(written)) t.ok(error)
    await client.whenClosed()
    const late = new Readable({ read() {} })
    client.streams.write(late)
    await settle()
    t.same(
      [...sources, late].map(source => source.destroyed),
      [true, true, true, true, true],
      way
    )
  }
})

t.test("with autoPong 'in order', a Pong follows what was sent before", async t => {
  for (const [autoPong, seen] of [
    [true, ['pong', 'a', 'b', 'c']],
    ['in order', ['a', 'b', 'pong', 'c']]
  ] as const) {
    const { client, server } = await ours(t, { autoPong })
    await client.opened
    server.on('message', message => server.send(message))
    const got: unknown[] = []
    client.on('message', message => got.push(message))
    client.on('pong', () => got.push('pong'))
    client.text('a')
    client.text('b')
    void client.ping('', { inOrder: true })
    client.text('c')
    await client.drained()
    while (got.length < 4) await settle()
    t.same(got, seen)
  }
  t.throws(() => make('server', { autoPong: 'in turn' as never }), {
    message: "autoPong must be true, false or 'in order'"
  })
})

t.test("with autoPong 'in order', a Pong does not wait for messages that are being compressed", async t => {
  const { client, server } = await ours(t, { autoPong: 'in order', extensions: [permessageDeflate()] })
  await client.opened
  const got: string[] = []
  client.on('message', message => got.push(`${message.length} characters`))
  server.on('ping', () => got.push(server.needsDrain ? 'ping while compressing' : 'ping'))
  client.on('pong', () => got.push('pong'))
  for (let i = 0; i < 10; i++) server.text(`${i}`.repeat(1_000_000))
  void client.ping()
  while (got.length < 12) await settle()
  t.same(got.slice(0, 2), ['ping while compressing', 'pong'])
})
