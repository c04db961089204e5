// The connection and its messages with Node's own stream functions: pipeline, finished, for await, pipe.

import { once } from 'node:events'
import { finished, PassThrough, pipeline, Readable, Writable } from 'node:stream'
import { pipeline as runPipeline, finished as whenFinished } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import readableStream from 'readable-stream'
import t from 'tap'
import { type CloseInfo, WebSocketStream } from '../../lib/index.js'
import { BINARY, CLOSE, closeBody, RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import {
  collect,
  IN_MEMORY,
  make,
  nameOf,
  open,
  ours,
  rejection,
  SETUPS,
  settle,
  shake,
  type TestLike,
  wireOf
} from './sides.js'

const PIPES = SETUPS.filter(({ join }) => join === 'pipe')

const PIPELINES: Record<string, typeof pipeline> = {
  "Node's": pipeline,
  "readable-stream's": readableStream.pipeline as unknown as typeof pipeline
}
const PIPED = PIPES.flatMap(setup =>
  Object.entries(PIPELINES).map(([whose, pipeline]) => ({ ...setup, whose, pipeline }))
)

async function piped(t: TestLike, { pipeline, ...setup }: (typeof PIPED)[number]) {
  const [socket, theirs] = await wireOf(t, setup)
  const ws = make(setup.role)
  t.teardown(() => ws.destroy())
  const closes: CloseInfo[] = []
  ws.on('close', info => closes.push(info))
  const outcome = new Promise<Error | null | undefined>(resolve => pipeline(socket, ws, socket, resolve))
  const peer = new RawPeer(theirs, setup.role === 'client' ? 'server' : 'client')
  await shake(peer, setup.role)
  await ws.opened
  return { ws, socket, peer, closes, outcome }
}

t.test('closed is a boolean, as in any stream', async t => {
  for (const setup of IN_MEMORY) {
    const { ws, peer } = await open(t, setup)
    t.equal(ws.closed, false)
    const closed = ws.close()
    t.equal(ws.closed, false)
    await peer.answerClose()
    await closed
    t.equal(ws.closed, true)
  }
})

for (const setup of PIPED) {
  t.test(`pipeline(socket, ws, socket), ${setup.whose}: ${nameOf(setup)}`, async t => {
    t.test('calls back without an error after a clean close', { timeout: 8000 }, async t => {
      const { ws, peer, closes, outcome } = await piped(t, setup)
      ws.close(3000)
      t.equal((await peer.answerClose()).code, 3000)
      t.equal((await outcome) ?? null, null)
      t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
      await settle()
      t.equal(closes.length, 1)
    })

    t.test('calls back without an error after a Close of the peer', { timeout: 8000 }, async t => {
      const { ws, peer, outcome } = await piped(t, setup)
      peer.close(3001)
      readClose(await peer.nextFrame())
      if (setup.role !== 'client') await peer.ended()
      peer.end()
      t.equal((await outcome) ?? null, null)
      t.match(await ws.whenClosed(), { code: 3001, wasClean: true })
    })

    t.test('calls back with an error if the socket was reset', { timeout: 8000 }, async t => {
      const { ws, peer, closes, outcome } = await piped(t, setup)
      peer.reset()
      t.ok(await outcome)
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
      await settle()
      t.equal(closes.length, 1)
    })

    t.test('calls back with an error if the application destroys it', { timeout: 8000 }, async t => {
      const { ws, socket, closes, outcome } = await piped(t, setup)
      ws.destroy(new Error('enough'))
      t.ok(await outcome)
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
      await settle()
      t.equal(closes.length, 1)
      t.equal(socket.destroyed, true)
    })

    t.test('ends if the peer breaks a rule', { timeout: 8000 }, async t => {
      const { ws, peer, closes, outcome } = await piped(t, setup)
      peer.send(3)
      t.equal(readClose(await peer.nextFrame()).code, 1002)
      await peer.ended()
      peer.end()
      await outcome
      t.match(await ws.whenClosed(), { code: 1002, wasClean: false })
      await settle()
      t.equal(closes.length, 1)
    })
  })
}

for (const setup of PIPES) {
  t.test(`finished(ws): ${nameOf(setup)}`, async t => {
    t.test('calls back without an error after a clean close', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const done = whenFinished(ws)
      ws.close()
      await peer.answerClose()
      await done
    })
    t.test('calls back with an error after a reset', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const done = new Promise<unknown>(resolve => finished(ws, resolve))
      peer.reset()
      t.ok(await done)
    })
  })
}

t.test('finished(ws) of an attached one', async t => {
  for (const role of ['server', 'client'] as const) {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
    const done = whenFinished(ws)
    ws.close()
    await peer.answerClose()
    await done
    const { ws: other, peer: otherPeer } = await open(t, { role, join: 'attach', wire: 'memory' })
    const broken = rejection(whenFinished(other))
    otherPeer.reset()
    t.match(await broken, { code: 'WS_ERR_CONNECTION_LOST' })
  }
})

for (const setup of SETUPS) {
  t.test(`for await over messages: ${nameOf(setup)}`, async t => {
    t.test('ends after a clean close, with all earlier messages', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const all = collect(ws.messages)
      for (let i = 0; i < 50; i++) peer.text(String(i))
      peer.close()
      readClose(await peer.nextFrame())
      if (setup.role !== 'client') await peer.ended()
      peer.end()
      t.same(await all, { got: Array.from({ length: 50 }, (_, i) => String(i)), error: null })
      t.match(await ws.whenClosed(), { wasClean: true })
      await settle()
      t.equal(ws.messages.destroyed, true)
    })

    t.test('throws after an end without a close, after all earlier messages', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const all = collect(ws.messages)
      peer.write(...Array.from({ length: 50 }, (_, i) => peer.frame(TEXT, String(i))))
      peer.end()
      const { got, error } = await all
      t.equal(got.length, 50)
      t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'peer' })
    })

    t.test('throws after destroy', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const all = collect(ws.messages)
      peer.text('one')
      await settle(5)
      ws.destroy()
      const { got, error } = await all
      t.same(got, ['one'])
      t.match(error, { code: 'WS_ERR_DESTROYED' })
    })

    t.test('closes if it is left early', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      peer.text('one')
      peer.text('two')
      for await (const message of ws.messages) {
        t.equal(message, 'one')
        break
      }
      t.equal((await peer.answerClose()).code, 1000)
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
    })
  })

  t.test(`echo by a pipe into itself: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    ws.messages.pipe(ws.messages)
    peer.text('one')
    peer.send(BINARY, 'two')
    t.match(await peer.nextFrame(), { opcode: TEXT, payload: Buffer.from('one') })
    t.match(await peer.nextFrame(), { opcode: BINARY, payload: Buffer.from('two') })
    peer.close(3000, 'enough')
    t.same(readClose(await peer.nextFrame()), { code: 3000, reason: 'enough' })
    if (setup.role !== 'client') await peer.ended()
    peer.end()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true, initiator: 'peer' })
    await settle()
    t.equal(ws.messages.destroyed, true)
  })

  t.test(`pipeline(source, ws.messages) ends with a clean close: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`)
    const done = runPipeline(Readable.from(texts), ws.messages)
    for (const text of texts) t.equal(String((await peer.nextFrame())!.payload), text)
    t.equal((await peer.answerClose()).code, 1000)
    await done
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
  })

  t.test(`pipeline(ws.messages, sink) gets everything: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    const sink = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(message, _encoding, callback) {
        got.push(message)
        setImmediate(callback)
      }
    })
    const done = runPipeline(ws.messages, sink)
    peer.write(...Array.from({ length: 100 }, (_, i) => peer.frame(TEXT, String(i))))
    peer.close()
    readClose(await peer.nextFrame())
    if (setup.role !== 'client') await peer.ended()
    peer.end()
    await done
    t.equal(got.length, 100)
    t.match(await ws.whenClosed(), { wasClean: true })
  })
}

for (const setup of IN_MEMORY) {
  t.test(`pipeline(ws.messages, sink) fails if the connection fails: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const done = rejection(runPipeline(ws.messages, new PassThrough({ objectMode: true }).resume()))
    peer.text('one')
    peer.reset()
    t.match(await done, { code: 'WS_ERR_CONNECTION_LOST' })
  })

  t.test(`a pipeline whose sink fails closes the connection: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const sink = new Writable({
      objectMode: true,
      write: (_message, _encoding, callback) => callback(new Error('full'))
    })
    const done = rejection(runPipeline(ws.messages, sink))
    peer.text('one')
    t.match(await done, { message: 'full' })
    t.match((await peer.answerClose()).code, 1011)
    await ws.whenClosed()
  })

  t.test(`a pipeline whose source fails closes the connection: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const source = new Readable({ objectMode: true, read() {} })
    const done = rejection(runPipeline(source, ws.messages))
    source.push('one')
    t.equal(String((await peer.nextFrame())!.payload), 'one')
    source.destroy(new Error('dry'))
    t.match(await done, { message: 'dry' })
    t.match((await peer.answerClose()).code, 1011)
    await ws.whenClosed()
  })

  t.test(`messages and a Close in one chunk, to an echo: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const heard: unknown[] = []
    ws.on('message', message => heard.push(message))
    ws.messages.pipe(ws.messages)
    peer.write(
      peer.frame(TEXT, 'one'),
      peer.frame(TEXT, 'two'),
      peer.frame(TEXT, 'three'),
      peer.frame(CLOSE, closeBody(1000))
    )
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'peer' })
    await settle()
    t.same(heard, ['one', 'two', 'three'])
  })

  t.test(
    `messages and a Close in one chunk, to an application that answers each: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const got: unknown[] = []
      const reading = (async () => {
        for await (const message of ws.messages) {
          got.push(message)
          ws.messages.write(`answer to ${message}`)
        }
      })()
      peer.write(
        peer.frame(TEXT, 'one'),
        peer.frame(TEXT, 'two'),
        peer.frame(TEXT, 'three'),
        peer.frame(CLOSE, closeBody(1000))
      )
      peer.end()
      await reading.catch(() => {})
      t.same(got, ['one', 'two', 'three'])
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    }
  )

  t.test(`a write after the end of the view is an error of the view: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.messages.end('last')
    t.equal(ws.text('late'), false)
    ws.messages.write('late', (error: unknown) => t.ok(error))
    t.equal(String((await peer.nextFrame())!.payload), 'last')
    t.equal(readClose(await peer.nextFrame()).code, 1000)
  })
}

t.test('two connections of ours, each echoing the other, close cleanly', async t => {
  const { server, client } = await ours(t)
  server.messages.pipe(server.messages)
  const got = collect(client.messages)
  await runPipeline(Readable.from(['a', 'b', 'c']), client.messages)
  t.same(await got, { got: ['a', 'b', 'c'], error: null })
  t.same(await client.whenClosed(), { code: 1000, reason: '', wasClean: true, initiator: 'local' })
  t.same(await server.whenClosed(), { code: 1000, reason: '', wasClean: true, initiator: 'peer' })
})

t.test('a header and the large payload after it are written by a pipe in one write', async t => {
  const ws = WebSocketStream.server()
  t.teardown(() => ws.destroy())
  const writes: number[][] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      writes.push([chunk.length])
      callback()
    },
    writev(chunks, callback) {
      writes.push(chunks.map(({ chunk }) => chunk.length))
      callback()
    }
  })
  const source = new PassThrough()
  source.pipe(ws).pipe(sink)
  source.write(requestHead())
  await ws.opened
  await nextTurn()
  writes.length = 0
  ws.binary(Buffer.alloc(100))
  await nextTurn()
  ws.binary(Buffer.alloc(20_000))
  await nextTurn()
  t.same(writes, [[102], [20_004]])
})

t.test('the stream of the wire is a Node stream like any other', async t => {
  const ws = WebSocketStream.server()
  t.ok(ws.writable)
  t.ok(ws.readable)
  t.equal(ws.destroyed, false)
  const closing = once(ws, 'close')
  ws.destroy()
  await closing
  t.equal(ws.destroyed, true)
})
