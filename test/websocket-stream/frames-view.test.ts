// `ws.frames`: frames as they are on the wire, for reading and writing.

import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { CloseCode, Frame, type FrameFields, Opcode, type WebSocketStream } from '../../lib/index.js'
import {
  answerHead,
  BINARY,
  CLOSE,
  closeBody,
  PING,
  PONG,
  type RawPeer,
  readClose,
  requestHead,
  TEXT,
  wireFrame
} from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, type Setup, settle } from './sides.js'

const CONTINUATION = 0
const PAYLOAD = 'x'.repeat(125)

async function nextFrame(ws: WebSocketStream): Promise<Frame> {
  const ready = ws.frames.read() as Frame | null
  if (ready !== null) return ready
  await once(ws.frames, 'readable')
  return nextFrame(ws)
}

/** An open connection whose `frames` were accessed before anything arrived, with these reserved bits allowed. */
async function bare(t: { teardown(fn: () => unknown): unknown }, setup: Setup, fragmentSize?: number) {
  const options = fragmentSize === undefined ? {} : { fragmentSize }
  const side = await fresh(t, setup, setup.role === 'client' ? { ...options, extensions: 'any' } : options)
  const { ws, peer } = side
  const fields = { 'Sec-WebSocket-Extensions': 'any' }
  ws.on('request', () => ws.accept({ extensions: 'any' }))
  if (setup.role === 'server') peer.write(requestHead(fields))
  const head = await peer.head()
  if (setup.role === 'client') peer.write(answerHead(head, fields))
  await ws.opened
  return side
}

const said = (frame: Frame | undefined): unknown[] => [frame?.opcode, frame?.fin, frame?.rsv, String(frame?.payload)]
const read = async (peer: RawPeer): Promise<unknown[]> => said((await peer.nextFrame()) as Frame | undefined)

const part = (opcode: Opcode, text: string, length: number, offset: number, first = offset === 0): Frame => {
  const frame = new Frame(opcode, text).asPart(offset, length)
  frame.first = first
  return frame
}

for (const setup of IN_MEMORY) {
  const name = nameOf(setup)

  t.test(
    `frames are unchanged, and control frames are given before they are acted on: ${name}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await bare(t, setup)
      const sent: [number, string, boolean, number][] = [
        [TEXT, 'one', true, 0],
        [BINARY, 'tw', false, 7],
        [PING, 'ping', true, 0],
        [CONTINUATION, '', false, 0],
        [PONG, 'pong', true, 0],
        [CONTINUATION, 'o', true, 0],
        [TEXT, '', true, 3],
        [TEXT, '\xff', true, 0]
      ]
      for (const [opcode, payload, fin, rsv] of sent) peer.send(opcode, Buffer.from(payload, 'latin1'), { fin, rsv })
      for (const [opcode, payload, fin, rsv] of sent) {
        const frame = await nextFrame(ws)
        t.type(frame, Frame)
        t.same([frame.opcode, frame.payload.toString('latin1'), frame.fin, frame.rsv], [opcode, payload, fin, rsv])
        t.equal(frame.first && frame.complete, true)
      }
      t.same(await read(peer), [PONG, true, 0, 'ping'], 'the ping was answered')
      peer.close(3000, 'enough')
      const close = await nextFrame(ws)
      t.same([close.opcode, close.payload], [CLOSE, closeBody(3000, 'enough')])
      t.same(readClose(await peer.nextFrame()), { code: 3000, reason: 'enough' })
      peer.end()
      t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
      t.equal(ws.frames.read(), null)
    }
  )

  t.test(`large frames are given in parts, and none is buffered whole: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    const bytes = Buffer.alloc(300_000, 'abcdefg')
    const wire = peer.frame(BINARY, bytes, { fin: false, rsv: 2 })
    const parts: Frame[] = []
    const done = (async () => {
      for await (const frame of ws.frames) {
        parts.push(frame as Frame)
        if ((frame as Frame).complete) break
      }
    })()
    for (let at = 0; at < wire.length; at += 10_000) {
      if (!peer.write(wire.subarray(at, at + 10_000))) await once(peer.stream, 'drain')
    }
    await done
    t.ok(parts.length > 3)
    t.ok(parts.every((each, i) => each.first === (i === 0)))
    t.ok(parts.every((each, i) => each.complete === (i === parts.length - 1)))
    let offset = 0
    for (const each of parts) {
      t.match(each, { opcode: BINARY, fin: false, rsv: 2, length: 300_000, offset })
      offset += each.size
    }
    t.ok(Buffer.concat(parts.map(each => each.payload)).equals(bytes))
  })

  t.test(`a reader that stops applies backpressure to the peer: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    t.ok(ws.frames)
    let sent = 0
    for (; sent < 3_000_000; sent += 10_000) {
      if (peer.send(BINARY, Buffer.alloc(10_000))) continue
      await settle(30)
      if (peer.stream.writableNeedDrain) break
    }
    t.ok(sent < 500_000, `${sent} bytes`)
    let received = 0
    ws.frames.on('data', frame => {
      received += frame.size
    })
    while (received <= sent) await settle()
  })

  t.test(`written frames are sent unchanged: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    const view = ws.frames
    const items: [Frame | FrameFields, unknown[]][] = [
      [{ opcode: Opcode.Text, payload: 'text' }, [TEXT, true, 0, 'text']],
      [{ opcode: Opcode.Binary, payload: Buffer.from('bytes'), rsv: 7 }, [BINARY, true, 7, 'bytes']],
      [{ opcode: Opcode.Text, payload: 'a', fin: false, rsv: 4 }, [TEXT, false, 4, 'a']],
      [{ opcode: Opcode.Ping, payload: PAYLOAD }, [PING, true, 0, PAYLOAD]],
      [{ opcode: Opcode.Continuation, payload: '', fin: false }, [CONTINUATION, false, 0, '']],
      [{ opcode: Opcode.Pong }, [PONG, true, 0, '']],
      [new Frame(Opcode.Continuation, 'b'), [CONTINUATION, true, 0, 'b']],
      [new Frame(Opcode.Binary, Buffer.alloc(0)), [BINARY, true, 0, '']]
    ]
    for (const [item, expected] of items) {
      view.write(item)
      t.same(await read(peer), expected)
    }
  })

  t.test(`frames get a new mask, if they have one: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    const masks = new Set<number>()
    for (let i = 0; i < 8; i++) {
      ws.frames.write(new Frame(Opcode.Text, Buffer.from('abcd')).within(0, 4, 0x01010101, 'wire'))
      const frame = (await peer.nextFrame())!
      t.equal(frame.masked, setup.role === 'client')
      t.equal(String(frame.payload), '`cbe', 'what it was masked with is taken off')
      masks.add(frame.mask)
    }
    t.equal(masks.size, setup.role === 'client' ? 8 : 1)
  })

  t.test(`a frame may be written in parts, and nothing is sent between them: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    const view = ws.frames
    view.write(part(Opcode.Text, 'ab', 6, 0))
    t.equal(ws.text('behind'), true)
    await settle()
    view.write({ opcode: Opcode.Ping, payload: 'urgent' })
    view.write(part(Opcode.Text, 'cd', 6, 2))
    await settle()
    view.write(part(Opcode.Text, 'ef', 6, 4))
    t.same(await read(peer), [TEXT, true, 0, 'abcdef'])
    t.same(await read(peer), [PING, true, 0, 'urgent'])
    t.same(await read(peer), [TEXT, true, 0, 'behind'])
    view.write(part(Opcode.Binary, '', 2, 0))
    view.write(part(Opcode.Binary, 'ab', 2, 0, false))
    t.same(await read(peer), [BINARY, true, 0, 'ab'], 'the first part may be empty')
  })

  t.test(`fragmentSize applies to messages, not to frames: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup, 2)
    ws.frames.write({ opcode: Opcode.Text, payload: 'abcdef', rsv: 4 })
    t.same(await read(peer), [TEXT, true, 4, 'abcdef'])
    ws.frames.write(part(Opcode.Text, 'abcd', 6, 0))
    ws.frames.write(part(Opcode.Text, 'ef', 6, 4))
    t.same(await read(peer), [TEXT, true, 0, 'abcdef'])
    ws.text('abc')
    t.same(await read(peer), [TEXT, false, 0, 'ab'])
    t.same(await read(peer), [CONTINUATION, true, 0, 'c'])
  })

  t.test(
    `other messages wait for the end of a fragmented one, and it waits for them: ${name}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await bare(t, setup)
      const view = ws.frames
      t.equal(ws.text('0'), true)
      view.write({ opcode: Opcode.Text, payload: '1', fin: false })
      t.equal(ws.text('3'), true)
      const writer = ws.createMessage('text')
      writer.end('4')
      view.write({ opcode: Opcode.Continuation, payload: '2' })
      let called = false
      view.write({ opcode: Opcode.Text, payload: '5' }, () => {
        called = true
      })
      const expected: unknown[][] = [
        [TEXT, true, 0, '0'],
        [TEXT, false, 0, '1'],
        [CONTINUATION, true, 0, '2'],
        [TEXT, true, 0, '3'],
        [TEXT, false, 0, '4'],
        [CONTINUATION, true, 0, ''],
        [TEXT, true, 0, '5']
      ]
      for (const each of expected) t.same(await read(peer), each)
      await settle()
      t.equal(called, true)

      const held = ws.createMessage('text')
      held.write('6')
      t.equal(view.write({ opcode: Opcode.Text, payload: '8' }), false)
      await settle()
      t.same(await read(peer), [TEXT, false, 0, '6'])
      t.equal(peer.input.length, 0)
      const drained = once(view, 'drain')
      held.end('7')
      await drained
      t.same(await read(peer), [CONTINUATION, false, 0, '7'])
      t.same(await read(peer), [CONTINUATION, true, 0, ''])
      t.same(await read(peer), [TEXT, true, 0, '8'])
    }
  )

  t.test(`on a blocked wire write returns false, and drain is emitted: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    const view = ws.frames
    peer.stream.pause()
    let count = 0
    let blocked = 0
    while (blocked < 2) {
      count++
      const opcode = count === 1 ? Opcode.Binary : Opcode.Continuation
      if (view.write({ opcode, payload: Buffer.alloc(20_000), fin: false })) continue
      await settle(50)
      blocked = view.writableNeedDrain ? blocked + 1 : 0
    }
    t.ok(count < 30, `${count} frames`)
    peer.stream.resume()
    await once(view, 'drain')
    view.end({ opcode: Opcode.Continuation })
    for (let i = 0; i < count; i++) t.equal((await peer.nextFrame())!.payload.length, 20_000)
    t.same(await read(peer), [CONTINUATION, true, 0, ''])
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  const broken: [what: string, ...items: unknown[]][] = [
    ['no frame', 5],
    ['a string', 'text'],
    ['an unknown opcode', { opcode: 3 }],
    ['an unknown control opcode', { opcode: 11 }],
    ['no opcode', {}],
    ['an opcode that is no number', { opcode: '1' }],
    ['a payload that is none', { opcode: 1, payload: 5 }],
    ['a payload of other bytes', { opcode: 1, payload: new ArrayBuffer(2) }],
    ['fin that is no boolean', { opcode: 1, fin: 1 }],
    ['rsv that is no number', { opcode: 1, rsv: '4' }],
    ['rsv that is no integer', { opcode: 1, rsv: 1.5 }],
    ['rsv of more than three bits', { opcode: 1, rsv: 8 }],
    ['a continuation outside a message', { opcode: 0 }],
    ['a continuation behind a message', { opcode: 1 }, { opcode: 0 }],
    ['a message inside another', { opcode: 1, fin: false }, { opcode: 2 }],
    ['a control frame of 126 bytes', { opcode: 9, payload: 'x'.repeat(126) }],
    ['a control frame that is a fragment', { opcode: 9, fin: false }],
    ['a control frame in parts', new Frame(Opcode.Pong, 'a').asPart(0, 2)],
    ['a control frame that is the rest of one', part(Opcode.Pong, 'a', 2, 1)],
    ['a control frame with a reserved bit', { opcode: 9, rsv: 4 }],
    ['a Close of one byte', { opcode: 8, payload: 'x' }],
    ['a Close with a code that is never sent', { opcode: 8, payload: closeBody(1005) }],
    ['a Close whose reason is not UTF-8', { opcode: 8, payload: Buffer.from('03e8ff', 'hex') }],
    ['the rest of a frame that has not begun', part(Opcode.Text, 'b', 2, 1)],
    ['parts with a gap', part(Opcode.Text, 'a', 3, 0), part(Opcode.Text, 'c', 3, 2)],
    ['parts that overlap', part(Opcode.Text, 'ab', 4, 0), part(Opcode.Text, 'bc', 4, 1)],
    ['parts of frames of two lengths', part(Opcode.Text, 'a', 3, 0), part(Opcode.Text, 'b', 2, 1)],
    ['a frame between two parts', part(Opcode.Text, 'a', 2, 0), { opcode: 0 }]
  ]

  t.test(`a frame that breaks a rule is a TypeError, and destroys the view: ${name}`, { timeout: 60_000 }, async t => {
    for (const [what, ...items] of broken) {
      const { ws, peer } = await bare(t, setup)
      const last = items.pop()
      for (const item of items) t.notOk(await new Promise(resolve => ws.frames.write(item, resolve)), what)
      t.type(await new Promise(resolve => ws.frames.write(last, resolve)), TypeError, what)
      t.equal(ws.frames.destroyed, true)
      if (what.includes('part') && items.length > 0) {
        // the frame in progress is never completed: no Close may follow it
        ws.destroy()
      } else {
        for (const _ of items) await peer.nextFrame()
        t.equal((await peer.answerClose()).code, CloseCode.InternalError, what)
      }
      t.match(await ws.whenClosed(), { initiator: 'local' })
    }
  })

  t.test(`bits that were not negotiated are refused: ${name}`, { timeout: 8000 }, async t => {
    for (let rsv = 1; rsv < 8; rsv++) {
      const { ws } = await open(t, setup)
      t.type(await new Promise(resolve => ws.frames.write({ opcode: Opcode.Text, rsv }, resolve)), TypeError)
    }
  })

  t.test(`a Close frame starts the closing handshake: ${name}`, { timeout: 8000 }, async t => {
    for (const payload of [closeBody(3000, 'bye'), Buffer.alloc(0)]) {
      const { ws, peer } = await bare(t, setup)
      ws.frames.write({ opcode: Opcode.Text, payload: 'last' })
      ws.frames.write({ opcode: Opcode.Close, payload })
      const outcome = new Promise(resolve => ws.frames.write({ opcode: Opcode.Text, payload: 'late' }, resolve))
      ws.frames.resume()
      t.same(await read(peer), [TEXT, true, 0, 'last'])
      t.same((await peer.nextFrame())!.payload, payload)
      peer.send(CLOSE, payload)
      peer.end()
      t.match(await ws.whenClosed(), { code: payload.length === 0 ? 1005 : 3000, wasClean: true, initiator: 'local' })
      t.match(await outcome, { code: 'WS_ERR_NOT_OPEN' })
    }
  })

  t.test(`destroyed in a message, it closes: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    ws.frames.write({ opcode: Opcode.Text, payload: 'half', fin: false })
    await peer.nextFrame()
    t.equal(ws.text('behind'), true)
    ws.frames.destroy()
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { code: 1000, initiator: 'local' })
  })

  t.test(`a frame that waits when the connection ends is an error: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    ws.createMessage('text').write('half')
    const outcome = new Promise(resolve => ws.frames.write({ opcode: Opcode.Text, payload: 'waits' }, resolve))
    ws.frames.resume()
    peer.reset()
    await ws.whenClosed()
    t.match(await outcome, { code: /^WS_ERR_(NOT_OPEN|CONNECTION_LOST)$/ })
  })

  t.test(`a rule that the peer breaks is reported after earlier frames: ${name}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await bare(t, setup)
    peer.write(peer.frame(TEXT, 'fine'), wireFrame(3, '', { masked: setup.role !== 'client' }))
    t.equal(String((await nextFrame(ws)).payload), 'fine')
    await t.rejects(nextFrame(ws), { code: 'WS_ERR_INVALID_OPCODE' })
    t.equal(readClose(await peer.nextFrame()).code, 1002)
  })
}

t.test('writing the frames of one connection to another makes a relay', { timeout: 8000 }, async t => {
  const front = await ours(t)
  const back = await ours(t)
  // the side that is closed first refuses further writes of the other: a relay has to order the ends, not a view
  const done = Promise.allSettled([
    pipeline(front.server.frames, back.client.frames),
    pipeline(back.client.frames, front.server.frames),
    pipeline(back.server.streams, back.server.streams)
  ])
  const bytes = Buffer.alloc(500_000, 'abc')
  front.client.binary(bytes)
  front.client.text('text')
  const writer = front.client.createMessage('text')
  writer.write('a')
  writer.end('b')
  const got: unknown[] = []
  for await (const message of front.client.messages) {
    got.push(message)
    if (got.length === 3) front.client.close(3000, 'done')
  }
  t.ok((got[0] as Buffer).equals(bytes))
  t.same(got.slice(1), ['text', 'ab'])
  t.match(await back.server.whenClosed(), { code: 3000, reason: 'done' })
  await done
})
