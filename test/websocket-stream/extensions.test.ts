// Extensions by other authors, from the handshake to the close: what they may do, what they must not do, and the effect on the connection.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from 'tap'
import {
  type CloseInfo,
  type Extension,
  permessageDeflate,
  type WebSocketOptions,
  WebSocketStream
} from '../../lib/index.js'
import {
  doubling,
  invert,
  MISBEHAVIOUR,
  type Process,
  reverse,
  toy,
  turnsLater,
  unsteadily
} from '../extensions/toys.js'
import { Inbox } from '../support/inbox.js'
import {
  answerHead,
  BINARY,
  CLOSE,
  closeBody,
  type FieldChanges,
  PING,
  PONG,
  readClose,
  requestHead,
  TEXT
} from '../support/raw-peer.js'
import {
  collect,
  fresh,
  ours,
  parsedRequest,
  type Setup,
  type Side,
  settle,
  type TestLike,
  tcpPair,
  within
} from './sides.js'

const ROLES = ['server', 'client'] as const
const EXTENSIONS = 'Sec-WebSocket-Extensions'

const memory = (role: Setup['role']): Setup => ({ role, join: 'attach', wire: 'memory' })

/** An open connection on which `agreed` was negotiated with a raw peer. */
async function agreed(
  t: TestLike,
  role: (typeof ROLES)[number],
  agreed: string,
  options: WebSocketOptions,
  // a listener, since unread messages are not decoded
  prepare: (ws: WebSocketStream) => void = receive
): Promise<Side & { head: Awaited<ReturnType<Side['peer']['head']>> }> {
  const side = await fresh(t, memory(role), options)
  prepare(side.ws)
  const fields: FieldChanges = { [EXTENSIONS]: agreed }
  if (role === 'server') side.peer.write(requestHead(fields))
  const head = await side.peer.head()
  if (role === 'client') side.peer.write(answerHead(head, fields))
  await side.ws.opened
  return { ...side, head }
}

const inboxes = new WeakMap<WebSocketStream, Inbox<unknown>>()

function receive(ws: WebSocketStream): void {
  const inbox = new Inbox<unknown>()
  inboxes.set(ws, inbox)
  ws.on('message', message => inbox.put(message))
}

async function nextMessage(ws: WebSocketStream): Promise<unknown> {
  const inbox = inboxes.get(ws)
  return inbox === undefined ? (await once(ws, 'message'))[0] : inbox.take()
}

for (const role of ROLES) {
  t.test(`the output of an extension is on the wire, with its reserved bit: ${role}`, async t => {
    const { ws, peer, head } = await agreed(t, role, 'reverse', { extensions: [reverse()] })
    t.equal(head.headers['sec-websocket-extensions'], 'reverse')
    t.equal(ws.extensions, 'reverse')
    ws.text('abc')
    ws.binary(Buffer.from('def'))
    t.match(await peer.nextFrame(), { opcode: TEXT, rsv: 2, payload: Buffer.from('cba') })
    t.match(await peer.nextFrame(), { opcode: BINARY, rsv: 2, payload: Buffer.from('fed') })
    peer.send(TEXT, 'cba', { rsv: 2 })
    t.equal(await nextMessage(ws), 'abc')
    peer.send(BINARY, 'abc')
    t.same(await nextMessage(ws), Buffer.from('abc'), 'a message that it has not marked')
    peer.send(PING, 'as it is')
    t.match(await peer.nextFrame(), { opcode: PONG, rsv: 0, payload: Buffer.from('as it is') })
    ws.close(3000, 'as it is')
    t.same(await peer.answerClose(), { code: 3000, reason: 'as it is' })
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
  })

  t.test(`messages written before the handshake go through it too: ${role}`, async t => {
    const options = { extensions: [reverse()], fragmentSize: 200_000 }
    const { ws, peer } = await agreed(t, role, 'reverse', options, ws => {
      ws.text('abc')
      ws.messages.write(Buffer.from('def'))
      ws.binary(Buffer.alloc(150_000, 'xy'))
    })
    ws.text('ghi')
    t.match(await peer.nextFrame(), { opcode: TEXT, rsv: 2, payload: Buffer.from('cba') })
    t.match(await peer.nextFrame(), { opcode: BINARY, rsv: 2, payload: Buffer.from('fed') })
    t.match(await peer.nextFrame(), { opcode: BINARY, rsv: 2, payload: Buffer.alloc(150_000, 'yx') })
    t.match(await peer.nextFrame(), { opcode: TEXT, rsv: 2, payload: Buffer.from('ihg') })
    t.match(ws.stats, { messagesSent: 4, framesSent: 4 })
    await settle()
    t.equal(ws.bufferedAmount, 0)
  })

  t.test(`it gets fragments as a whole message, which is sent as one frame: ${role}`, async t => {
    const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse()] })
    peer.send(TEXT, 'edc', { fin: false, rsv: 2 })
    peer.send(PING)
    t.match(await peer.nextFrame(), { opcode: PONG })
    peer.send(0, 'b', { fin: false })
    peer.send(0, '', { fin: false })
    peer.send(0, 'a')
    t.equal(await nextMessage(ws), 'abcde')
    const writer = ws.createMessage('text')
    writer.write('ab')
    writer.end('c')
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: true, rsv: 2, payload: Buffer.from('cba') })
  })

  t.test(`A23: bits that were not negotiated, or are in the wrong place, fail with 1002: ${role}`, async t => {
    const wrong: [opcode: number, rsv: number, before?: number][] = [
      [TEXT, 4],
      [TEXT, 1],
      [TEXT, 3],
      [PING, 2],
      [CLOSE, 2],
      [0, 2, TEXT]
    ]
    for (const [opcode, rsv, before] of wrong) {
      const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse()] })
      if (before !== undefined) peer.send(before, 'x', { fin: false })
      peer.send(opcode, opcode === CLOSE ? closeBody(1000) : 'x', { rsv })
      t.equal(readClose(await peer.nextFrame()).code, 1002)
      peer.end()
      t.match(await ws.whenClosed(), { code: 1002, wasClean: false })
    }
  })

  t.test(`limits apply before and after it: ${role}`, async t => {
    const grow: Process = (message, callback) => callback(null, { ...message, data: Buffer.alloc(message.data[0]!) })
    const cases: [what: string, code: number, (peer: Side['peer']) => void][] = [
      ['a message that grows beyond maxMessageSize', 1009, peer => peer.send(BINARY, Buffer.from([101]))],
      ['a frame that announces more', 1009, peer => peer.send(BINARY, Buffer.alloc(101))],
      [
        'fragments that are more together',
        1009,
        peer => peer.write(...[BINARY, 0].map(opcode => peer.frame(opcode, Buffer.alloc(51), { fin: false })))
      ],
      [
        'too many fragments',
        1008,
        peer => peer.write(...[BINARY, 0, 0, 0, 0].map(opcode => peer.frame(opcode, '', { fin: false })))
      ],
      ['a continuation outside a message', 1002, peer => peer.send(0)],
      ['a message inside another', 1002, peer => peer.write(peer.frame(TEXT, '', { fin: false }), peer.frame(TEXT))],
      ['text that is not UTF-8 behind it', 1007, peer => peer.send(TEXT, Buffer.from([1, 2]))]
    ]
    for (const [what, code, send] of cases) {
      const incoming: Process = (message, callback) => {
        if (code === 1007) callback(null, { ...message, data: Buffer.from([0x61, 0xff]) })
        else grow(message, callback)
      }
      const extension = toy('grow', { incoming })
      const { ws, peer } = await agreed(t, role, 'grow', {
        extensions: [extension],
        maxMessageSize: 100,
        maxFragments: 4
      })
      const all = collect(ws.messages)
      send(peer)
      t.equal(readClose(await peer.nextFrame()).code, code, what)
      peer.end()
      t.match(await ws.whenClosed(), { code, wasClean: false })
      t.match(await within(8000, all), { error: { closeCode: code } }, `${what}: who iterates hears of it`)
      t.equal(extension.seen.closed, 1)
    }
    const { ws, peer } = await agreed(t, role, 'grow', {
      extensions: [toy('grow', { incoming: grow })],
      maxMessageSize: 100
    })
    peer.send(BINARY, Buffer.from([100]))
    t.same(await nextMessage(ws), Buffer.alloc(100), 'exactly as much is right')
  })

  for (const [what, process] of MISBEHAVIOUR) {
    t.test(`A32: an extension that ${what} ends its connection with 1011: ${role}`, { timeout: 8000 }, async t => {
      for (const direction of ['incoming', 'outgoing'] as const) {
        const options = { [direction]: process }
        const bad = toy('bad', options)
        // it works at first
        let good = 2
        const extension = toy('bad', {
          [direction]: ((message, callback) =>
            good-- > 0 ? callback(null, message) : process(message, callback)) as Process
        })
        const { ws, peer, closes } = await agreed(t, role, 'bad', { extensions: [extension], closeTimeout: 200 })
        const got: unknown[] = []
        let error: unknown
        ws.on('message', message => got.push(message))
        ws.on('error', cause => {
          error = cause
        })
        for (let i = 0; i < 4; i++) {
          if (direction === 'incoming') peer.send(TEXT, `message ${i}`)
          else ws.text(`message ${i}`)
        }
        if (direction === 'outgoing') {
          for (let i = 0; i < 2; i++) t.equal(String((await peer.nextFrame())!.payload), `message ${i}`)
        }
        t.equal(readClose(await peer.nextFrame()).code, 1011, direction)
        if (role === 'server') await peer.ended()
        peer.end()
        t.match(await ws.whenClosed(), { code: 1011, wasClean: false, initiator: 'local' })
        t.match(error, { code: 'WS_ERR_EXTENSION', fault: 'local' })
        if (direction === 'incoming') t.same(got, ['message 0', 'message 1'])
        t.equal(closes.length, 1)
        t.equal(bad.seen.opened, 0)
      }
    })
  }

  t.test(`A32: a second callback is ignored, and the connection continues: ${role}`, async t => {
    const twice: Process = (message, callback) => {
      callback(null, message)
      callback(null, { ...message, data: Buffer.from('again') })
      setImmediate(callback, new Error('and once more'))
    }
    const { ws, peer } = await agreed(t, role, 'twice', {
      extensions: [toy('twice', { incoming: twice, outgoing: twice })]
    })
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    for (const text of ['a', 'b']) {
      peer.text(text)
      ws.text(text)
    }
    await settle()
    peer.text('c')
    await settle()
    t.same(got, ['a', 'b', 'c'])
    ws.close()
    const frames = [await peer.nextFrame(), await peer.nextFrame()]
    t.same(
      frames.map(frame => String(frame!.payload)),
      ['a', 'b']
    )
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  t.test(`A32: an answer that comes too late changes nothing: ${role}`, { timeout: 8000 }, async t => {
    for (const error of [null, new Error('late')]) {
      let answer = (): void => {}
      const late: Process = (message, callback) => {
        answer = () => callback(error, message)
      }
      const { ws, peer, closes } = await agreed(t, role, 'late', {
        extensions: [toy('late', { incoming: late })],
        closeTimeout: 50
      })
      peer.text('a')
      t.equal(readClose(await peer.nextFrame()).code, 1011)
      answer()
      peer.end()
      await ws.whenClosed()
      answer()
      await settle()
      t.equal(closes.length, 1)
    }
  })

  t.test(`A32: a failure after the peer has broken a rule changes nothing: ${role}`, async t => {
    let fail = (): void => {}
    const slow = toy('slow', {
      outgoing: (_message, callback) => {
        fail = () => callback(new Error('late'))
      }
    })
    const { ws, peer } = await agreed(t, role, 'slow', { extensions: [slow] })
    const errors: unknown[] = []
    ws.on('error', error => errors.push(error))
    ws.text('a')
    peer.send(TEXT, 'x', { rsv: 1 })
    await settle()
    fail()
    t.match(readClose(await peer.nextFrame()), { code: 1002 })
    peer.end()
    t.match(await ws.whenClosed(), { code: 1002, wasClean: false, initiator: 'local' })
    t.match(errors, [{ code: 'WS_ERR_UNEXPECTED_RSV' }])
  })

  t.test(`A32: an exception of close() has no effect: ${role}`, async t => {
    const extension = toy('rude', {
      close() {
        throw new Error('oops')
      }
    })
    for (const how of ['close', 'destroy', 'lost', 'fault'] as const) {
      const { ws, peer } = await agreed(t, role, 'rude', { extensions: [extension] })
      ws.messages.resume()
      if (how === 'close') {
        ws.close()
        await peer.answerClose()
      } else if (how === 'destroy') ws.destroy()
      else if (how === 'lost') peer.reset()
      else {
        peer.send(3)
        readClose(await peer.nextFrame())
        peer.end()
      }
      t.match(await ws.whenClosed(), { code: { close: 1000, destroy: 1006, lost: 1006, fault: 1002 }[how] })
    }
    t.equal(extension.seen.closed, 4)
  })

  t.test(`a session is closed once, whatever ends the connection: ${role}`, async t => {
    for (const how of ['close', 'destroy', 'lost', 'fault'] as const) {
      const extension = reverse(turnsLater(3))
      const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [extension] })
      ws.messages.resume()
      peer.send(TEXT, 'cba', { rsv: 2 })
      ws.text('abc')
      await settle(1)
      if (how === 'close') {
        ws.close()
        await peer.answerClose()
      } else if (how === 'destroy') ws.destroy()
      else if (how === 'lost') peer.reset()
      else {
        peer.send(3)
        await peer.ended()
        peer.end()
      }
      await ws.whenClosed()
      await settle()
      t.same([extension.seen.opened, extension.seen.closed], [1, 1], how)
    }
  })

  t.test(`messages written before a close are sent before it, however slow the extension: ${role}`, async t => {
    const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse(turnsLater(5))] })
    for (let i = 0; i < 5; i++) ws.text(`<${i}`)
    ws.close(3000, 'done')
    t.equal(ws.text('too late'), false)
    for (let i = 0; i < 5; i++) t.equal(String((await peer.nextFrame())!.payload), `${i}<`)
    t.same(await peer.answerClose(), { code: 3000, reason: 'done' })
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
  })

  t.test(
    `messages written before messages.end() are sent before the Close, however slow the extension: ${role}`,
    async t => {
      const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse(turnsLater(5))] })
      for (let i = 0; i < 20; i++) ws.messages.write(`<${i % 10}`)
      ws.messages.end()
      for (let i = 0; i < 20; i++) t.equal(String((await peer.nextFrame())!.payload), `${i % 10}<`)
      t.same(await peer.answerClose(), { code: 1000, reason: '' })
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    }
  )

  t.test(`a Close after messages that are being processed waits for them: ${role}`, async t => {
    const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse(turnsLater(5))] })
    const happened: unknown[] = []
    ws.on('message', message => happened.push(message))
    ws.on('close', ({ code, wasClean }) => happened.push(code, wasClean))
    const frames = [0, 1, 2].map(i => peer.frame(TEXT, `${i}<`, { rsv: 2 }))
    peer.write(...frames, peer.frame(CLOSE, closeBody(3000)))
    t.equal(readClose(await peer.nextFrame()).code, 3000)
    if (role === 'server') await peer.ended()
    peer.end()
    await ws.whenClosed()
    await settle()
    t.same(happened, ['<0', '<1', '<2', 3000, true])
  })

  for (const how of ['ends', 'breaks'] as const) {
    t.test(`a message that is being processed when the wire ${how} is delivered before the close: ${role}`, async t => {
      for (const view of [false, true]) {
        const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse(turnsLater(10))] })
        const happened: unknown[] = []
        if (view) ws.messages.on('data', message => happened.push(message))
        else ws.on('message', message => happened.push(message))
        ws.on('close', ({ code }) => happened.push(code))
        peer.send(TEXT, 'cba', { rsv: 2 })
        await settle(3)
        t.same(happened, [])
        if (how === 'ends') peer.end()
        else peer.reset()
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
        await settle()
        t.same(happened, ['abc', 1006])
      }
    })
  }

  t.test(`a slow extension slows the sender down: ${role}`, async t => {
    const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [reverse(turnsLater(5))] })
    t.equal(ws.messages.write('abc'), false)
    await once(ws.messages, 'drain')
    t.equal(ws.text('def'), true)
    t.equal(String((await peer.nextFrame())!.payload), 'cba')
    t.equal(String((await peer.nextFrame())!.payload), 'fed')
  })

  t.test(`one of two offers is accepted: ${role}`, async t => {
    const extensions = [reverse(), invert()]
    const { ws, peer, head } = await agreed(t, role, 'invert', { extensions })
    t.equal(head.headers['sec-websocket-extensions'], role === 'server' ? 'invert' : 'reverse, invert')
    t.equal(ws.extensions, 'invert')
    const bytes = Buffer.from('abc')
    ws.text('abc')
    t.match(await peer.nextFrame(), { rsv: 1, payload: bytes.map(byte => ~byte) })
    peer.send(TEXT, 'cba', { rsv: 2 })
    t.equal(readClose(await peer.nextFrame()).code, 1002, 'the bit of the other is not allowed')
  })

  t.test(`without negotiated extensions, messages are unchanged: ${role}`, async t => {
    const extension = toy('picky', { rsv: 4, accept: () => false })
    const side = await fresh(t, memory(role), { extensions: [extension] })
    if (role === 'server') side.peer.write(requestHead({ [EXTENSIONS]: 'picky; a=1, other' }))
    const head = await side.peer.head()
    if (role === 'client') side.peer.write(answerHead(head))
    const { extensions } = await side.ws.opened
    t.equal(extensions, '')
    if (role === 'server') {
      t.equal(head.headers['sec-websocket-extensions'], undefined)
      t.same(extension.seen.offers, [[{ a: 1 }]])
    }
    side.peer.send(TEXT, 'x', { rsv: 4 })
    t.equal(readClose(await side.peer.nextFrame()).code, 1002)
  })

  t.test(`an extension that fails in the handshake fails it, and nothing else: ${role}`, async t => {
    const oops = (): never => {
      throw new Error('oops')
    }
    const kinds: [string, Extension][] = [
      ['the making of a session', { ...toy('bad'), createClientSession: oops, createServerSession: oops }],
      ['the offer, or the response', toy('bad', { offer: oops, response: oops })],
      [
        'what is no session',
        { ...toy('bad'), createClientSession: () => 5 as never, createServerSession: () => 5 as never }
      ]
    ]
    // another test covers an offer that cannot be sent
    if (role === 'server')
      kinds.push(['a parameter that cannot be sent', toy('bad', { response: () => ({ 'a\r\nb': true }) })])
    if (role === 'client')
      kinds.push(['the response', toy('bad', { activate: oops })], ['no', toy('bad', { activate: () => false })])
    for (const [what, extension] of kinds) {
      const { ws, peer, closes } = await fresh(t, memory(role), { extensions: [extension] })
      if (role === 'server') {
        peer.write(requestHead({ [EXTENSIONS]: 'bad' }))
        t.equal((await peer.head()).status, 500, what)
        peer.end()
      } else if (what === 'the response' || what === 'no') {
        peer.write(answerHead(await peer.head(), { [EXTENSIONS]: 'bad' }))
      }
      const code = role === 'server' ? 'WS_ERR_REJECTED' : /^WS_ERR_(EXTENSION|BAD_RESPONSE)$/
      await t.rejects(ws.opened, { name: 'HandshakeError', code })
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
      t.equal(closes.length, 1)
    }
  })

  t.test(`an application that passes frames on can accept unknown extensions: ${role}`, async t => {
    const options: WebSocketOptions = role === 'client' ? { extensions: 'foo; as=is, bar' } : {}
    const { ws, peer, head } = await agreed(t, role, role === 'client' ? 'bar; x' : 'foo; as=is', options, ws => {
      if (role === 'server') ws.on('request', () => ws.accept({ extensions: 'foo; as=is' }))
      t.ok(ws.frames)
    })
    t.equal(head.headers['sec-websocket-extensions'], role === 'client' ? 'foo; as=is, bar' : 'foo; as=is')
    t.equal(ws.extensions, role === 'client' ? 'bar; x' : 'foo; as=is')
    for (let rsv = 0; rsv < 8; rsv++) {
      peer.send(TEXT, 'abc', { rsv })
      const [frame] = await once(ws.frames, 'data')
      t.match(frame, { opcode: TEXT, rsv, payload: Buffer.from('abc') })
      ws.frames.write({ opcode: BINARY, payload: 'def', rsv })
      t.match(await peer.nextFrame(), { opcode: BINARY, rsv, payload: Buffer.from('def') })
    }
  })

  t.test(
    `without a negotiated extension no reserved bit is allowed, also to an application that passes frames on: ${role}`,
    async t => {
      const options: WebSocketOptions = role === 'client' ? { extensions: 'foo; as=is' } : {}
      const { ws, peer } = await fresh(t, memory(role), options)
      ws.on('request', () => ws.accept({ extensions: '' }))
      if (role === 'server') peer.write(requestHead({ [EXTENSIONS]: 'foo' }))
      const head = await peer.head()
      if (role === 'client') peer.write(answerHead(head))
      else t.equal(head.headers['sec-websocket-extensions'], undefined)
      await ws.opened
      t.equal(ws.extensions, '')
      peer.send(TEXT, 'abc', { rsv: 4 })
      t.equal(readClose(await peer.nextFrame()).code, 1002)
    }
  )
}

t.test('an extension on both sides, fast or slow, keeps order and content', async t => {
  for (const later of [undefined, unsteadily(), turnsLater(2)]) {
    const { server, client } = await ours(t, { extensions: [reverse(later), invert(later)] })
    t.equal(server.extensions, 'reverse, invert')
    t.equal(client.extensions, 'reverse, invert')
    server.messages.pipe(server.messages)
    const sent = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? Buffer.alloc(i * 500, i) : `message ${i} \u20ac`))
    const writing = (async () => {
      for (const message of sent) if (!client.messages.write(message)) await once(client.messages, 'drain')
    })()
    const got: unknown[] = []
    for await (const message of client.messages) {
      got.push(message)
      if (got.length === sent.length) client.close()
    }
    await writing
    t.same(got, sent)
    t.match(await Promise.all([server.whenClosed(), client.whenClosed()]), [{ wasClean: true }, { wasClean: true }])
  }
})

t.test('two extensions are applied in the order of the response, and reversed in the other direction', async t => {
  const { server, client } = await ours(t, { extensions: [doubling('ab'), doubling('cde')] })
  t.equal(client.extensions, 'ab, cde')
  server.text('x')
  t.equal(await nextMessage(client), 'x')
  client.text('y')
  t.equal(await nextMessage(server), 'y')

  const { ws, peer } = await agreed(t, 'server', 'cde, ab', { extensions: [doubling('ab'), doubling('cde')] })
  ws.text('x')
  t.equal(String((await peer.nextFrame())!.payload), 'cdeabx')
})

t.test('its sessions are closed with the connection, however that was read and ended', { timeout: 8000 }, async t => {
  for (const read of ['messages', 'frames', 'discardMessages', 'nothing'] as const) {
    for (const end of ['close', 'destroy'] as const) {
      const near = toy('x')
      const far = toy('x')
      const { server, client } = await ours(t, { extensions: [near] }, { extensions: [far] })
      for (const ws of [server, client]) {
        if (read === 'discardMessages') ws.discardMessages()
        else if (read !== 'nothing') ws[read].resume()
      }
      if (end === 'close') client.close()
      else client.destroy()
      await Promise.all([server.whenClosed(), client.whenClosed()])
      await settle()
      t.match([near.seen, far.seen], [{ closed: 1 }, { closed: 1 }], `${read}, ${end}`)
    }
  }
})

for (const role of ROLES) {
  t.test(`messages can be read after the end, and then its session is closed: ${role}`, async t => {
    for (const later of [undefined, turnsLater(2)]) {
      const extension = reverse(later)
      const { ws, peer } = await agreed(t, role, 'reverse', { extensions: [extension] }, () => {})
      peer.send(TEXT, 'cba', { rsv: 2 })
      peer.send(TEXT, 'fed', { rsv: 2 })
      await settle()
      peer.reset()
      t.match(await ws.whenClosed(), { code: 1006 })
      t.equal(extension.seen.closed, 0)
      t.match(await collect(ws.messages), { got: ['abc', 'def'], error: { code: 'WS_ERR_CONNECTION_LOST' } })
      await settle()
      t.equal(extension.seen.closed, 1)
    }
  })
}

t.test('its session is closed if an accepted connection does not open', async t => {
  const request = () => {
    const { headers, ...rest } = parsedRequest()
    return { ...rest, headers: { ...headers, 'sec-websocket-extensions': 'x' } }
  }
  const destroyed = toy('x')
  const ws = WebSocketStream.http(request(), undefined, { extensions: [destroyed] })
  t.throws(() => ws.accept({ protocol: 'not offered' }), TypeError)
  t.match(destroyed.seen, { opened: 1, closed: 0 })
  t.equal(ws.accept(), true)
  t.match(destroyed.seen, { opened: 2, closed: 1 })
  ws.destroy()
  await ws.whenClosed()
  t.match(destroyed.seen, { opened: 2, closed: 2 })

  const opaque = WebSocketStream.http(request())
  t.equal(opaque.accept({ extensions: 'x' }), true, 'others process it')
  opaque.destroy()
  t.match(await opaque.whenClosed(), { code: 1006 })

  const late = toy('x')
  const other = WebSocketStream.http(request(), undefined, { extensions: [late], handshakeTimeout: 20 })
  t.equal(other.accept(), true)
  await t.rejects(other.opened, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  t.match(late.seen, { opened: 1, closed: 1 })
  other.destroy()
})

t.test('of two that use the same bit, one is accepted (RFC 6455 §9.1)', async t => {
  const { ws, head } = await agreed(t, 'server', 'second, first', {
    extensions: [toy('first', { rsv: 4 }), toy('second', { rsv: 4 })]
  })
  t.equal(head.headers['sec-websocket-extensions'], 'first')
  t.equal(ws.extensions, 'first')

  const { ws: client, peer } = await fresh(t, memory('client'), {
    extensions: [toy('first', { rsv: 4 }), toy('second', { rsv: 4 })]
  })
  peer.write(answerHead(await peer.head(), { [EXTENSIONS]: 'first, second' }))
  await t.rejects(client.opened, { code: 'WS_ERR_BAD_RESPONSE', status: 101 })
})

t.test('A06: names of object properties are ordinary unknown names', async t => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf']
  for (const name of names) {
    for (const offer of [`${name}`, `${name}; a=1`, `a; ${name}`, `a; ${name}=1`, `a; ${name}="x"; ${name}`]) {
      const extension = toy('a')
      const { head, ws } = await agreed(t, 'server', `${offer}, a; last`, { extensions: [extension] })
      t.equal(head.headers['sec-websocket-extensions'], 'a')
      t.equal(ws.extensions, 'a')
      const [offers] = extension.seen.offers
      t.ok(offers!.every(params => Object.getPrototypeOf(params) === Object.prototype))
      t.same(offers!.at(-1), { last: true })

      const client = await fresh(t, memory('client'), {
        extensions: [toy('a', { activate: params => params['a'] === 1 })]
      })
      client.peer.write(answerHead(await client.peer.head(), { [EXTENSIONS]: offer }))
      await t.rejects(client.ws.opened, { code: 'WS_ERR_BAD_RESPONSE' }, offer)
    }
    // no prototype was polluted
    t.equal(({} as Record<string, unknown>)['a'], undefined)
  }
})

t.test('A05: a header that takes long to parse is refused before the package parses it', async t => {
  const wrong = [
    `a; b="${'\\'.repeat(65000)}`,
    `a; b="${'\\"'.repeat(32000)}`,
    `a;${' '.repeat(65000)}b`,
    `a${' '.repeat(65000)}; b=`,
    'a,'.repeat(32000),
    'a; b="c", '.repeat(6500),
    `a; b${'\t '.repeat(32000)}=`
  ]
  for (const value of wrong) {
    for (const role of ROLES) {
      let parsed = 0
      const extension = toy('a', { accept: () => ++parsed > 0, activate: () => ++parsed > 0 })
      const { ws, peer } = await fresh(t, memory(role), { extensions: [extension], maxHeaderSize: 2 ** 20 })
      const head =
        role === 'server'
          ? requestHead({ [EXTENSIONS]: value })
          : answerHead(await peer.head(), { [EXTENSIONS]: value })
      // the test reads the handshake, so that only our time is measured
      const wire = new PassThrough()
      wire.resume()
      const before = process.cpuUsage()
      peer.write(head)
      const code = role === 'server' ? 'WS_ERR_BAD_REQUEST' : 'WS_ERR_BAD_RESPONSE'
      await t.rejects(ws.opened, { code })
      const { user, system } = process.cpuUsage(before)
      t.ok(user + system < 100_000, `${role}: ${user + system} µs`)
      t.equal(parsed, 0)
    }
  }
})

t.test(
  'a large message written before the handshake is compressed over a socket too, unless that is turned off',
  async t => {
    for (const compress of [true, false]) {
      const [near, far] = await tcpPair(t, true)
      const extensions = [permessageDeflate()]
      const server = WebSocketStream.server({ extensions })
      const client = WebSocketStream.client('ws://localhost/', { extensions })
      const data = 'to be compressed '.repeat(60_000)
      client.attach(far)
      client.text(data, { compress })
      server.attach(near)
      const [message] = await once(server, 'message')
      t.equal(message === data, true)
      if (compress) t.ok(client.stats.bytesSent < 100_000, `${client.stats.bytesSent} bytes`)
      else t.ok(client.stats.bytesSent > data.length, `${client.stats.bytesSent} bytes`)
      client.close()
      await Promise.all([client.whenClosed(), server.whenClosed()])
    }
  }
)

t.test('closeInfo of a connection whose extension failed has the initiator', async t => {
  const bad = toy('bad', { incoming: (_message, callback) => callback(new Error('oops')) })
  const { server, client } = await ours(t, { extensions: [bad] }, { extensions: [toy('bad')] })
  const closes: CloseInfo[] = await (async () => {
    receive(server)
    client.text('x')
    return Promise.all([server.whenClosed(), client.whenClosed()])
  })()
  t.match(closes, [
    { code: 1011, reason: /^an extension failed/, wasClean: false, initiator: 'local' },
    { code: 1011, wasClean: true, initiator: 'peer' }
  ])
})

t.test(
  'an extension that fails when the application accepts later fails that handshake, and throws nowhere',
  async t => {
    const oops = (): never => {
      throw new Error('oops')
    }
    const { ws, peer } = await fresh(t, memory('server'), { extensions: [toy('bad', { response: oops })] })
    const asked = once(ws, 'request')
    peer.write(requestHead({ [EXTENSIONS]: 'bad' }))
    await asked
    await settle()
    t.doesNotThrow(() => ws.accept())
    t.equal((await within(8000, peer.head()))?.status, 500)
    peer.end()
    await t.rejects(ws.opened, { code: 'WS_ERR_REJECTED' })
  }
)

t.test('an offer that cannot be sent fails the handshake, and nothing is sent', async t => {
  for (const offer of [{ 'a b': true as const }, { 'a\r\nb': true as const }, { a: '\u20ac' }]) {
    const { ws, peer } = await fresh(t, memory('client'), { extensions: [toy('bad', { offer: () => offer })] })
    await t.rejects(ws.opened, { name: 'HandshakeError', code: 'WS_ERR_EXTENSION' })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
    t.equal((await peer.rest()).length, 0)
  }
})
