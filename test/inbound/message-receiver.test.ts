// Which view serves a connection, and what happens to frames that arrived before it was chosen.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { type Frame, type MessageStream, WebSocketStream } from '../../lib/index.js'
import { reverse, turnsLater } from '../extensions/toys.js'
import type { PairEnd } from '../support/pair.js'
import { BINARY, CLOSE, closeBody, PING, PONG, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import { collect, fresh, IN_MEMORY, nameOf, open, parsedRequest, settle } from '../websocket-stream/sides.js'

const KINDS = ['messages', 'streams', 'frames'] as const
const CONTINUATION = 0

/** What each view returns for its input, as text. */
async function readAll(ws: WebSocketStream, kind: (typeof KINDS)[number]): Promise<{ got: string[]; error: unknown }> {
  const got: string[] = []
  try {
    for await (const item of ws[kind]) {
      if (kind === 'messages') got.push(String(item))
      else if (kind === 'frames') got.push(String((item as Frame).payload))
      else got.push(((await collect(item as MessageStream)).got as unknown[]).join(''))
    }
  } catch (error) {
    return { got, error }
  }
  return { got, error: null }
}

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(`the first view that is opened is used, and opening another throws: ${name}`, async t => {
    for (const first of KINDS) {
      for (const when of ['before', 'after'] as const) {
        const { ws } = await (when === 'before' ? fresh : open)(t, setup)
        const view = ws[first]
        t.equal(ws[first], view)
        for (const other of KINDS) {
          if (other === first) continue
          t.throws(() => ws[other], { name: 'TypeError', message: new RegExp(`already read through ws.${first};`) })
        }
        const listen = (): unknown => ws.on('message', () => {})
        if (first === 'messages') t.doesNotThrow(listen)
        else t.throws(listen, TypeError)
        ws.destroy()
      }
    }
  })

  t.test(`a 'message' listener counts as the messages view: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('message', () => {})
    t.throws(() => ws.streams, TypeError)
    t.throws(() => ws.frames, TypeError)
    t.ok(ws.messages)
    const data = once(ws.messages, 'data')
    peer.text('both')
    t.same(await data, ['both'])
  })

  for (const kind of KINDS) {
    t.test(
      `frames that arrived before ${kind} was opened are kept, whole or not: ${name}`,
      { timeout: 8000 },
      async t => {
        const { ws, peer } = await open(t, setup)
        const second = peer.frame(CONTINUATION, 'd of it')
        peer.write(peer.frame(TEXT, 'the en', { fin: false }), second.subarray(0, -3))
        await settle()
        const all = readAll(ws, kind)
        await settle()
        peer.write(second.subarray(-3))
        peer.text('next')
        peer.close()
        const { got, error } = await all
        if (kind === 'frames') t.same(got.slice(0, -1).join('|').replaceAll('|', ''), 'the end of itnext')
        else t.same(got, ['the end of it', 'next'])
        t.equal(error, null)
      }
    )

    t.test(`${kind}, opened after the end: ${name}`, { timeout: 8000 }, async t => {
      for (const how of ['close', 'reset', 'reset behind a message'] as const) {
        const { ws, peer } = await open(t, setup)
        const expected = how === 'reset behind a message' ? 'half whole' : ''
        if (expected !== '') peer.write(peer.frame(TEXT, 'half ', { fin: false }), peer.frame(CONTINUATION, 'whole'))
        if (how === 'close') peer.close()
        await settle()
        if (how === 'close') peer.end()
        else peer.reset()
        t.match(await ws.whenClosed(), { wasClean: how === 'close' })
        const { got, error } = await readAll(ws, kind)
        t.equal(got.join(''), expected)
        if (how === 'close') t.equal(error, null)
        else t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })
        await settle()
        t.equal(ws[kind].destroyed, true)
      }
    })
  }

  t.test(`input is buffered up to highWaterMark: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 50_000 })
    const wire = peer.stream as PairEnd
    let sent = 0
    peer.send(BINARY, '', { fin: false })
    while (sent < 3_000_000) {
      sent += 10_000
      if (peer.send(CONTINUATION, Buffer.alloc(10_000), { fin: false })) continue
      await settle(30)
      if (wire.writableNeedDrain) break
    }
    t.ok(sent >= 50_000, `${sent} bytes`)
    t.ok(sent < 400_000, `${sent} bytes`)
    peer.send(CONTINUATION)
    const [message] = await once(ws, 'message')
    t.equal(message.length, sent)
  })

  t.test(
    `A10: empty fragments while the application has not chosen how to read: ${name}`,
    { timeout: 8000 },
    async t => {
      const { peer, ws } = await open(t, setup, { maxFragments: 1500 })
      const wire = peer.stream as PairEnd
      const chunk = Buffer.concat(Array.from({ length: 1000 }, () => peer.frame(CONTINUATION, '', { fin: false })))
      peer.send(BINARY, '', { fin: false })
      let chunks = 0
      while (chunks < 500) {
        chunks++
        if (wire.write(chunk)) continue
        await settle(30)
        if (wire.writableNeedDrain) break
      }
      t.ok(chunks < 50, `${chunks} thousand frames were taken`)
      ws.on('message', () => {})
      t.equal(readClose(await peer.nextFrame()).code, 1008)
    }
  )

  t.test(`the end is noticed while the application has not chosen how to read: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    peer.send(TEXT, 'half', { fin: false })
    await settle()
    peer.send(CLOSE, closeBody(3000))
    t.equal(readClose(await peer.nextFrame()).code, 3000)
    peer.end()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
    const { got } = await collect(ws.streams)
    t.equal(got.length, 1)
  })

  t.test(
    `closed by us before the application has chosen how to read, everything is dropped: ${name}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      for (let i = 0; i < 100; i++) peer.send(BINARY, Buffer.alloc(10_000))
      await settle()
      ws.close()
      t.equal((await peer.answerClose()).code, 1000)
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      t.match(await readAll(ws, 'messages'), { got: [], error: null })
    }
  )

  t.test(`discardMessages() after the end ends a view that was not read: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const view = ws.messages
    for (let i = 0; i < 5; i++) peer.text(`message ${i}`)
    peer.close()
    if (setup.role === 'server') await peer.ended()
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    ws.discardMessages()
    const { got, error } = await collect(view)
    // the view may have taken the first
    t.ok(got.length <= 1, `${got.length} messages`)
    t.equal(error, null)
  })

  t.test(`destroyed while it closes, a view that was not read fails: ${name}`, { timeout: 8000 }, async t => {
    // the streams view holds the Close back
    for (const kind of ['messages', 'frames', 'bytes'] as const) {
      const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
      const view: AsyncIterable<unknown> = ws[kind]
      ws.on('closing', () => ws.destroy())
      peer.send(BINARY, Buffer.alloc(kind === 'bytes' ? 950 : 100))
      for (let i = 0; i < 3; i++) peer.send(BINARY, Buffer.alloc(100))
      peer.close()
      await ws.whenClosed()
      t.match((await collect(view)).error, { code: 'WS_ERR_DESTROYED' }, kind)
    }
  })

  t.test(`the listener that gets the first stream may destroy the connection: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const got: MessageStream[] = []
    ws.streams.on('data', stream => {
      got.push(stream)
      ws.destroy()
    })
    await settle()
    peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'))
    t.match(await ws.whenClosed(), { code: 1006 })
    t.equal(got.length, 1)
    t.match((await collect(got[0]!)).error, { code: 'WS_ERR_DESTROYED' })
  })

  t.test(`destroyed in the turn in which it is opened, a view gets nothing: ${name}`, async t => {
    for (const kind of KINDS) {
      const { ws, peer } = await open(t, setup)
      peer.text('one')
      await settle()
      const got: unknown[] = []
      ;(ws[kind] as Duplex).on('data', item => got.push(item))
      ws[kind].destroy()
      await settle()
      t.same(got, [])
      t.equal((await peer.answerClose()).code, 1000)
      await ws.whenClosed()
    }
  })

  t.test(`a listener gets earlier messages in the next turn: ${name}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.text('one')
    await settle()
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    t.same(got, [])
    await settle()
    t.same(got, ['one'])
    ws.removeAllListeners('message')
    peer.text('two')
    peer.text('three')
    await settle()
    t.same(got, ['one'])
    ws.on('message', message => got.push(message))
    await settle()
    t.same(got, ['one', 'two', 'three'])
    peer.send(PING)
    t.match(await peer.nextFrame(), { opcode: PONG })
  })
}

t.test('with frames, the extensions of the options are negotiated and not applied', async t => {
  const side = await fresh(t, { role: 'server', join: 'attach', wire: 'memory' }, { extensions: [reverse()] })
  const { ws, peer } = side
  t.ok(ws.frames)
  peer.write(requestHead({ 'Sec-WebSocket-Extensions': 'reverse' }))
  t.equal((await peer.head()).headers['sec-websocket-extensions'], 'reverse')
  peer.send(TEXT, 'cba', { rsv: 2 })
  const [frame] = await once(ws.frames, 'data')
  t.match(frame, { rsv: 2, payload: Buffer.from('cba') })
  ws.frames.write({ opcode: 1, payload: 'fed', rsv: 2 })
  t.match(await peer.nextFrame(), { rsv: 2, payload: Buffer.from('fed') })
})

t.test('if the frames view is opened in the open event, it gets frames unchanged', async t => {
  const side = await fresh(
    t,
    { role: 'server', join: 'attach', wire: 'memory' },
    { extensions: [reverse(turnsLater(1))] }
  )
  const { ws, peer } = side
  const frames: Frame[] = []
  ws.on('open', () => ws.frames.on('data', frame => frames.push(frame as Frame)))
  peer.write(requestHead({ 'Sec-WebSocket-Extensions': 'reverse' }), peer.frame(TEXT, 'cba', { rsv: 2 }))
  await peer.head()
  await settle()
  t.match(frames, [{ rsv: 2, payload: Buffer.from('cba') }])
})

t.test('a view of a connection without a wire ends when the connection ends', async t => {
  for (const kind of KINDS) {
    const ws = WebSocketStream.http(parsedRequest())
    const view = ws[kind]
    ws.destroy()
    await ws.whenClosed()
    t.match(await collect(view), { error: { code: 'WS_ERR_DESTROYED' } })
  }
})
