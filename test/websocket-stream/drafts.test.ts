// hixie-75 and hixie-76, from the first byte to the last, with a raw peer at the other end.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import {
  HandshakeError,
  prepareMessage,
  type WebSocketError,
  type WebSocketOptions,
  WebSocketStream
} from '../../lib/index.js'
import { base128, CLOSE_76, ended, measured } from '../support/draft-frames.js'
import { ANSWER, BODY, KEY1, KEY2, request75, request76 } from '../support/draft-requests.js'
import { byteByByte } from '../support/frames.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestHead } from '../support/raw-peer.js'
import { joinTo, type TestLike } from './sides.js'

type Version = 'hixie-75' | 'hixie-76'
const VERSIONS = ['hixie-75', 'hixie-76'] as const
const MODES = ['raw', 'http'] as const
const JOINS = ['attach', 'pipe'] as const

const HEAD_OF = { 'hixie-75': request75, 'hixie-76': request76 } as const
/** The last bytes of a peer. */
const CLOSE_OF = { 'hixie-75': Buffer.alloc(0), 'hixie-76': CLOSE_76 } as const
const BODY_OF = { 'hixie-75': Buffer.alloc(0), 'hixie-76': BODY } as const
const ANSWER_OF = { 'hixie-75': Buffer.alloc(0), 'hixie-76': ANSWER } as const

interface Side {
  ws: WebSocketStream
  peer: RawPeer
  messages: unknown[]
}

/** A server on raw bytes that has received nothing yet. */
function serve(t: TestLike, options: WebSocketOptions = {}, join: (typeof JOINS)[number] = 'attach'): Side {
  return sideOf(t, WebSocketStream.server({ allowDrafts: true, ...options }), join)
}

function sideOf(t: TestLike, ws: WebSocketStream, join: (typeof JOINS)[number] = 'attach'): Side {
  const [ours, theirs] = pair()
  t.teardown(() => ours.destroy())
  const messages: unknown[] = []
  ws.on('message', message => messages.push(message))
  joinTo(ws, ours, join)
  return { ws, peer: new RawPeer(theirs, 'client'), messages }
}

/** The same, but other code has read the request; `body` if that code returns the body separately. */
function serveParsed(
  t: TestLike,
  version: Version,
  behind: Buffer,
  options: WebSocketOptions = {},
  body: Readable | null = null
): Side {
  const lines = HEAD_OF[version]().toString().trimEnd().split('\r\n').slice(1)
  const headers = Object.fromEntries(
    lines.map(line => line.split(': ')).map(([name, value]) => [name!.toLowerCase(), value])
  )
  const request = Object.assign(body ?? {}, { method: 'GET', url: '/chat?a=b', headers })
  return sideOf(t, WebSocketStream.http(request, behind, { allowDrafts: true, ...options }))
}

/** A connection after the handshake. */
async function open(t: TestLike, version: Version, options?: WebSocketOptions): Promise<Side> {
  const side = serve(t, options)
  side.peer.write(HEAD_OF[version](), BODY_OF[version])
  await side.peer.head()
  await take(side.peer, ANSWER_OF[version].length)
  await side.ws.opened
  return side
}

/** The same without a listener for messages. */
async function openUnheard(t: TestLike, version: Version): Promise<Omit<Side, 'messages'>> {
  const [ours, theirs] = pair()
  const ws = WebSocketStream.server({ allowDrafts: true }).attach(ours)
  t.teardown(() => ours.destroy())
  const peer = new RawPeer(theirs, 'client')
  peer.write(HEAD_OF[version](), BODY_OF[version])
  await peer.head()
  await take(peer, ANSWER_OF[version].length)
  await ws.opened
  return { ws, peer }
}

/** The next bytes that arrive. */
async function take(peer: RawPeer, size: number): Promise<Buffer> {
  while (peer.input.length < size && !peer.hasEnded) await once(peer.stream, 'data')
  const bytes = peer.input.subarray(0, size)
  peer.input = peer.input.subarray(size)
  return bytes
}

async function failureOf(ws: WebSocketStream): Promise<HandshakeError> {
  return ws.opened.then(
    () => {
      throw new Error('it was opened')
    },
    (error: HandshakeError) => error
  )
}

for (const version of VERSIONS) {
  for (const mode of MODES) {
    for (const join of JOINS) {
      t.test(`${version} is opened, used and closed by the peer: ${mode}, ${join}`, async t => {
        const side = mode === 'raw' ? serve(t, {}, join) : serveParsed(t, version, BODY_OF[version])
        const { ws, peer, messages } = side
        if (mode === 'raw') peer.write(HEAD_OF[version](), BODY_OF[version])
        const head = await peer.head()
        t.equal(head.status, 101)
        t.same(await take(peer, ANSWER_OF[version].length), ANSWER_OF[version])
        t.match(await ws.opened, {
          version,
          protocol: '',
          extensions: '',
          url: 'ws://example.com:8080/chat?a=b',
          status: 101
        })
        t.equal(ws.version, version)
        t.equal(ws.url, 'ws://example.com:8080/chat?a=b')
        t.equal(ws.headers[version === 'hixie-75' ? 'websocket-origin' : 'sec-websocket-origin'], 'http://a.example')
        t.equal(ws.request?.headers['origin'], 'http://a.example')
        ws.text('für dich')
        t.same(await take(peer, 11), ended('für dich'))
        peer.write(ended('für '), ended('mich'), CLOSE_OF[version])
        if (version === 'hixie-75') peer.end()
        t.same(await peer.rest(), CLOSE_OF[version], 'answered in kind, and then the end')
        peer.end()
        t.same(await ws.whenClosed(), { code: 1005, reason: '', wasClean: true, initiator: 'peer' })
        t.same(messages, ['für ', 'mich'])
      })
    }
  }

  t.test(`${version}: is not supported unless it is allowed`, async t => {
    for (const options of [{ allowDrafts: false }, { allowDrafts: undefined }]) {
      const { ws, peer } = serve(t, options)
      peer.write(HEAD_OF[version]())
      const { status, headers } = await peer.head()
      t.equal(status, 426)
      t.equal(headers['sec-websocket-version'], '13, 8, 7')
      t.match(await failureOf(ws), { code: 'WS_ERR_UNSUPPORTED_VERSION', status: 426 })
    }
  })

  t.test(`${version}: a request with a field of the newer versions is refused as one of them`, async t => {
    const { ws, peer } = serve(t)
    peer.write(HEAD_OF[version]({ 'Sec-WebSocket-Version': '14' }))
    t.equal((await peer.head()).status, 426)
    t.equal((await failureOf(ws)).code, 'WS_ERR_UNSUPPORTED_VERSION')
  })

  t.test(`${version}: bytes may arrive one by one`, async t => {
    const { ws, peer, messages } = serve(t)
    const all = Buffer.concat([HEAD_OF[version](), BODY_OF[version], ended('a€'), measured(0x80, 'x'), ended('b')])
    for (const byte of byteByByte(Buffer.concat([all, CLOSE_OF[version]]))) peer.write(byte)
    peer.end()
    t.match(await ws.whenClosed(), { wasClean: true, initiator: 'peer' })
    t.same(messages, ['a€', 'b'])
  })

  t.test(`${version}: the application may decide later, and about everything`, async t => {
    const prefix = version === 'hixie-75' ? 'WebSocket' : 'Sec-WebSocket'
    const { ws, peer, messages } = serve(t)
    ws.on('request', () => {})
    peer.write(HEAD_OF[version]({ [`${prefix}-Protocol`]: 'chat' }), BODY_OF[version], ended('early'))
    await once(ws, 'request')
    await new Promise(setImmediate)
    t.equal(peer.input.length, 0, 'nothing is said before')
    ws.setHeader('X-A', '1')
    t.ok(ws.accept({ protocol: 'chat', headers: { 'X-B': '2' } }))
    t.notOk(ws.accept(), 'once')
    t.notOk(ws.reject(404))
    const { headers } = await peer.head()
    t.match(headers, { 'x-a': '1', 'x-b': '2', [`${prefix}-protocol`.toLowerCase()]: 'chat' })
    t.same(await take(peer, ANSWER_OF[version].length), ANSWER_OF[version])
    t.equal(ws.protocol, 'chat')
    await new Promise(setImmediate)
    t.same(messages, ['early'])
  })

  t.test(`${version}: the application may refuse`, async t => {
    const { ws, peer } = serve(t)
    ws.on('request', () => ws.reject(404))
    peer.write(HEAD_OF[version](), BODY_OF[version])
    t.equal((await peer.head()).status, 404)
    t.equal((await failureOf(ws)).code, 'WS_ERR_REJECTED')
    await peer.ended()
  })

  t.test(`${version}: data written before the handshake is sent after it`, async t => {
    const { ws, peer } = serve(t, { fragmentSize: 2 })
    ws.messages.write('early')
    t.ok(ws.text('birds'))
    peer.write(HEAD_OF[version](), BODY_OF[version])
    await peer.head()
    const expected = Buffer.concat([ANSWER_OF[version], ended('early'), ended('birds')])
    t.same(await take(peer, expected.length), expected, 'and its fragments are joined')
  })

  t.test(`${version}: there is no binary message, no ping and no pong`, async t => {
    const { ws, peer } = await open(t, version, { keepalive: { interval: 5, timeout: 5 } })
    t.equal(ws.binary(Buffer.from('x')), false)
    t.equal(ws.binary(Buffer.from('x'), { compress: false }), false)
    t.equal(ws.send(prepareMessage(Buffer.from('x'))), false)
    t.equal(ws.pong(), false)
    await t.rejects(ws.ping())
    ws.text('a', { compress: false })
    ws.send(prepareMessage('b'))
    t.same(await take(peer, 6), Buffer.concat([ended('a'), ended('b')]))
    await new Promise(resolve => setTimeout(resolve, 30))
    t.equal(ws.readyState, 'open', 'and keepalive has nothing to ask with')
    t.equal(peer.input.length, 0)
  })

  for (const join of JOINS) {
    for (const fragmentSize of [undefined, 2]) {
      const options = fragmentSize === undefined ? {} : { fragmentSize }
      const name = `${join}, fragmentSize ${fragmentSize}`

      t.test(
        `${version}: a binary message sent before the version is known is reported as unsent: ${name}`,
        async t => {
          const { ws, peer } = serve(t, options, join)
          const told: unknown[] = []
          const note = (what: string) => (error?: Error | null) =>
            told.push(`${what} ${(error as WebSocketError | null)?.code ?? 'sent'}`)
          ws.ping('p', { inOrder: true }).catch(() => {})
          t.equal(ws.send(Buffer.from('bin'), note('bytes')), true)
          ws.send('text', note('text'))
          t.equal(ws.send(new Blob(['bin']), note('Blob')), true)
          const drained = ws.drained()
          await new Promise(setImmediate)
          peer.write(HEAD_OF[version](), BODY_OF[version])
          await peer.head()
          const expected = Buffer.concat([ANSWER_OF[version], ended('text')])
          t.same(await take(peer, expected.length), expected)
          await drained
          t.same(told, ['bytes WS_ERR_NO_BINARY', 'text sent', 'Blob WS_ERR_NO_BINARY'])
          ws.send('more')
          t.same(await take(peer, 6), ended('more'), 'the connection goes on')
        }
      )

      t.test(`${version}: a callback after an ordered Ping runs without another message: ${name}`, async t => {
        const { ws, peer } = serve(t, options, join)
        ws.ping('p', { inOrder: true }).catch(() => {})
        const drained = ws.drained()
        const sent = new Promise(resolve => ws.send('text', resolve))
        peer.write(HEAD_OF[version](), BODY_OF[version])
        t.equal(await sent, null)
        await drained
      })

      t.test(`${version}: drained() after nothing but an ordered Ping resolves: ${name}`, async t => {
        const { ws, peer } = serve(t, options, join)
        ws.ping('p', { inOrder: true }).catch(() => {})
        const drained = ws.drained()
        peer.write(HEAD_OF[version](), BODY_OF[version])
        await drained
        t.pass()
      })
    }
  }

  for (const kind of ['messages', 'streams'] as const) {
    t.test(`${version}: binary data written to ws.${kind} is reported as unsent, and nothing else is`, async t => {
      const { ws, peer } = await openUnheard(t, version)
      const write = (data: string | Buffer) => new Promise(resolve => ws[kind].write(data, resolve))
      t.match(await write(Buffer.from('bin')), { code: 'WS_ERR_NO_BINARY' })
      await ws.drained()
      t.equal(await write('text'), null)
      t.match(await write(Buffer.from('bin')), { code: 'WS_ERR_NO_BINARY' })
      ws[kind].end()
      t.same(await take(peer, 6), ended('text'))
      t.same(await take(peer, CLOSE_OF[version].length), CLOSE_OF[version])
      peer.write(CLOSE_OF[version])
      peer.end()
      t.match(await ws.whenClosed(), { code: 1005, wasClean: true })
    })
  }

  t.test(`${version}: every other way to send binary data reports it as unsent`, async t => {
    const { ws, peer } = await openUnheard(t, version)
    const blob = new Promise(resolve => t.equal(ws.send(new Blob(['bin']), resolve), false))
    t.match(await blob, { code: 'WS_ERR_NO_BINARY', message: 'hixie-75 and hixie-76 have no binary messages' })
    t.match(await new Promise(resolve => ws.binary([1], resolve)), { code: 'WS_ERR_NO_BINARY' })
    const [error] = await once(ws.createMessage('binary'), 'error')
    t.match(error, { code: 'WS_ERR_NO_BINARY' })
    const frame = new Promise(resolve => ws.frames.write({ opcode: 2, payload: 'bin' }, resolve))
    t.match(await frame, { code: 'WS_ERR_NO_BINARY' })
    ws.send('text')
    t.same(await take(peer, 6), ended('text'), 'the connection goes on')
  })

  t.test(`${version}: a binary message in pieces that was begun before the version is known fails alone`, async t => {
    const { ws, peer } = serve(t)
    const writer = ws.createMessage('binary')
    writer.write('part')
    const failed = once(writer, 'error')
    peer.write(HEAD_OF[version](), BODY_OF[version])
    t.match((await failed)[0], { code: 'WS_ERR_NO_BINARY' })
    await peer.head()
    ws.send('text')
    const expected = Buffer.concat([ANSWER_OF[version], ended('text')])
    t.same(await take(peer, expected.length), expected)
  })

  t.test(`${version}: ws.bytes fails with its first write, and a Readable in ws.streams`, async t => {
    for (const kind of ['bytes', 'streams'] as const) {
      const { ws, peer } = await openUnheard(t, version)
      const failed = once(ws[kind], 'error')
      if (kind === 'bytes') ws.bytes.write('bin')
      else ws.streams.write(Readable.from([Buffer.from('bin')], { objectMode: false }))
      t.match((await failed)[0], { code: 'WS_ERR_NO_BINARY' })
      t.same(await take(peer, CLOSE_OF[version].length), CLOSE_OF[version])
      peer.write(CLOSE_OF[version])
      peer.end()
      await ws.whenClosed()
    }
  })

  t.test(`${version}: closes from our side`, async t => {
    const { ws, peer } = await open(t, version)
    ws.text('last')
    ws.close(3000, 'that is all')
    t.same(await take(peer, 6), ended('last'))
    if (version === 'hixie-76') {
      t.same(await take(peer, 2), CLOSE_76)
      t.notOk(peer.hasEnded)
      peer.write(CLOSE_76)
    }
    t.same(await peer.rest(), Buffer.alloc(0), 'the server ends the wire first')
    peer.end()
    t.same(await ws.whenClosed(), { code: 1005, reason: '', wasClean: true, initiator: 'local' })
  })

  t.test(`${version}: a message in pieces is one text`, async t => {
    const { ws, peer } = await open(t, version)
    const message = ws.createMessage('text')
    message.write('Hel')
    t.same(await take(peer, 4), Buffer.from('\0Hel'))
    message.end('lo')
    t.same(await take(peer, 3), ended('lo').subarray(1))
  })

  t.test(`${version}: inside a message in pieces, the end of the wire replaces our close`, async t => {
    const { ws, peer } = await open(t, version)
    ws.createMessage('text').write('Hel')
    t.same(await take(peer, 4), Buffer.from('\0Hel'))
    ws.close()
    t.same(await peer.rest(), Buffer.alloc(0))
    peer.write(CLOSE_OF[version])
    peer.end()
    t.match(await ws.whenClosed(), { code: 1005, wasClean: true, initiator: 'local' })
  })

  t.test(`${version}: a long text can be read in pieces`, async t => {
    const [ours, theirs] = pair()
    t.teardown(() => ours.destroy())
    const ws = WebSocketStream.server({ allowDrafts: true }).attach(ours)
    const peer = new RawPeer(theirs, 'client')
    const arrived: string[] = []
    peer.write(HEAD_OF[version](), BODY_OF[version], Buffer.from('\0Hel'))
    setImmediate(() => peer.write(Buffer.from([0x6c, 0x6f, 0xff]), CLOSE_OF[version]))
    for await (const message of ws.streams) {
      for await (const piece of message) arrived.push(String(piece))
      peer.end()
    }
    t.equal(arrived.join(''), 'Hello')
    t.ok(arrived.length > 1)
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  t.test(`${version}: messages that arrive while we close are delivered`, async t => {
    const { ws, peer, messages } = await open(t, version)
    ws.close()
    peer.write(ended('late'), CLOSE_OF[version])
    peer.end()
    t.match(await ws.whenClosed(), { wasClean: true, initiator: 'local' })
    t.same(messages, ['late'])
  })

  t.test(`${version}: a peer that does not answer our close is dropped`, async t => {
    const { ws, peer } = await open(t, version, { closeTimeout: 20 })
    ws.close()
    await peer.ended()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
  })

  t.test(`${version}: the end of the wire inside a text is not a close`, async t => {
    const { ws, peer, messages } = await open(t, version)
    peer.write(ended('whole'), Buffer.from('\0hal'))
    peer.end()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    t.same(messages, ['whole'])
  })

  t.test(`${version}: text arrives in any number of parts, within the limit`, async t => {
    const { peer, messages, ws } = await open(t, version, { maxMessageSize: 3000 })
    peer.write(Buffer.from([0x00]))
    for (let i = 0; i < 1000; i++) peer.write(Buffer.from('€'))
    peer.write(Buffer.from([0xff]), CLOSE_OF[version])
    peer.end()
    await ws.whenClosed()
    t.same(messages, ['€'.repeat(1000)])
  })

  const FAULTS: [string, string, number, Buffer, WebSocketOptions][] = [
    ['a text over maxMessageSize', 'WS_ERR_MESSAGE_TOO_LARGE', 1009, Buffer.from('\0x12345'), { maxMessageSize: 5 }],
    ['a text over maxFrameSize', 'WS_ERR_FRAME_TOO_LARGE', 1009, Buffer.from('\0x12345'), { maxFrameSize: 5 }],
    ['a whole text over maxMessageSize', 'WS_ERR_MESSAGE_TOO_LARGE', 1009, ended('123456'), { maxMessageSize: 5 }],
    ['A01: an endless length', 'WS_ERR_FRAME_TOO_LARGE', 1009, Buffer.alloc(100, 0x81), {}],
    ['A01: an endless length of zeros', 'WS_ERR_INVALID_LENGTH', 1002, Buffer.alloc(100, 0x80), {}],
    [
      'A01: a skipped frame over maxFrameSize',
      'WS_ERR_FRAME_TOO_LARGE',
      1009,
      Buffer.concat([Buffer.from([0x80]), base128(1001)]),
      { maxFrameSize: 1000 }
    ],
    ['text that is not UTF-8', 'WS_ERR_INVALID_UTF8', 1007, Buffer.from([0x00, 0xc3, 0x28, 0xff]), {}],
    ['text that can no more become UTF-8', 'WS_ERR_INVALID_UTF8', 1007, Buffer.from([0x00, 0x61, 0xc3, 0x28]), {}]
  ]
  for (const [says, code, closeCode, bytes, options] of FAULTS) {
    t.test(`${version}: ${says} ends the connection`, async t => {
      const { ws, peer, messages } = await open(t, version, options)
      const errors: WebSocketError[] = []
      ws.on('error', error => errors.push(error as WebSocketError))
      peer.write(ended('ok'), bytes)
      t.same(await peer.rest(), CLOSE_OF[version])
      peer.end()
      t.match(await ws.whenClosed(), { code: closeCode, wasClean: false, initiator: 'local' })
      t.same(
        errors.map(error => error.code),
        [code]
      )
      t.same(messages, ['ok'], 'what came before it was delivered')
    })
  }
}

t.test('allowDrafts does not affect the newer versions', async t => {
  const { ws, peer } = serve(t)
  peer.write(requestHead())
  t.equal((await peer.head()).status, 101)
  t.equal((await ws.opened).version, 'hybi-13')
  ws.text('a')
  t.equal((await peer.nextFrame())?.payload.toString(), 'a')
})

for (const mode of MODES) {
  t.test(`hixie-76: a proxy that waits for the head of the response gets it, ${mode}`, async t => {
    const { ws, peer, messages } = mode === 'raw' ? serve(t) : serveParsed(t, 'hixie-76', Buffer.alloc(0))
    if (mode === 'raw') peer.write(request76())
    t.equal((await peer.head()).status, 101)
    await new Promise(setImmediate)
    t.equal(peer.input.length, 0, 'and nothing behind it')
    t.equal(ws.readyState, 'connecting')
    peer.write(BODY.subarray(0, 3))
    await new Promise(setImmediate)
    peer.write(BODY.subarray(3, 7))
    await new Promise(setImmediate)
    t.equal(peer.input.length, 0)
    peer.write(BODY.subarray(7), ended('first'))
    t.same(await take(peer, 16), ANSWER)
    await ws.opened
    await new Promise(setImmediate)
    t.same(messages, ['first'])
  })

  t.test(`hixie-76: the body may arrive in two pieces with the head, ${mode}`, async t => {
    const [before, after] = [BODY.subarray(0, 5), BODY.subarray(5)]
    const { ws, peer } = mode === 'raw' ? serve(t) : serveParsed(t, 'hixie-76', before)
    if (mode === 'raw') peer.write(request76(), before)
    await peer.head()
    peer.write(after)
    t.same(await take(peer, 16), ANSWER)
    await ws.opened
  })

  t.test(`hixie-76: the wire may end before the body has arrived, ${mode}`, async t => {
    const before = BODY.subarray(0, 5)
    const { ws, peer } = mode === 'raw' ? serve(t) : serveParsed(t, 'hixie-76', before)
    if (mode === 'raw') peer.write(request76(), before)
    peer.end()
    await peer.head()
    t.same(await peer.rest(), Buffer.alloc(0))
    t.match(await failureOf(ws), { code: 'WS_ERR_CONNECTION_LOST', status: 0 })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
  })
}

for (const mode of MODES) {
  t.test(`hixie-76: a client that leaves before the response gets none, ${mode}`, async t => {
    const { ws, peer } = mode === 'raw' ? serve(t) : serveParsed(t, 'hixie-76', Buffer.alloc(0))
    ws.on('request', () => {})
    if (mode === 'raw') peer.write(request76(), BODY.subarray(0, 5))
    peer.end()
    await once(ws, 'request')
    for (let i = 0; i < 3; i++) await new Promise(setImmediate)
    t.notOk(ws.accept())
    t.match(await failureOf(ws), { code: 'WS_ERR_CONNECTION_LOST' })
    await ws.whenClosed()
  })
}

for (const when of ['before', 'behind'] as const) {
  t.test(
    `hixie-76: Node 26 gives a body with Content-Length through the request, here ${when} the upgrade`,
    async t => {
      const body = Object.assign(new Readable({ read() {} }), { complete: when === 'before' })
      if (when === 'before') body.push(BODY)
      const { ws, peer, messages } = serveParsed(t, 'hixie-76', Buffer.alloc(0), {}, body)
      t.equal((await peer.head()).status, 101)
      if (when === 'behind') {
        await new Promise(setImmediate)
        t.equal(peer.input.length, 0)
        body.push(BODY.subarray(0, 3))
        body.push(BODY.subarray(3))
      }
      t.same(await take(peer, 16), ANSWER)
      await ws.opened
      peer.write(ended('first'))
      while (messages.length === 0) await new Promise(setImmediate)
      t.same(messages, ['first'])
    }
  )
}

t.test('A26: hixie-76: a body that never arrives ends at handshakeTimeout, with nothing more sent', async t => {
  const { ws, peer } = serve(t, { handshakeTimeout: 30 })
  peer.write(request76(), BODY.subarray(0, 7))
  await peer.head()
  t.same(await peer.rest(), Buffer.alloc(0), 'no second response after the first')
  t.match(await failureOf(ws), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  peer.end()
  await ws.whenClosed()
})

t.test('hixie-76: a wire that breaks before the body has arrived is a lost connection', async t => {
  const { ws, peer } = serve(t)
  peer.write(request76())
  await peer.head()
  peer.reset()
  t.equal((await failureOf(ws)).code, 'WS_ERR_CONNECTION_LOST')
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
})

t.test('A07: hixie-76: missing and invalid keys are refused', async t => {
  const wrong = [{ 'Sec-WebSocket-Key1': null }, { 'Sec-WebSocket-Key2': null }, { 'Sec-WebSocket-Key1': 'abc' }]
  for (const changes of wrong) {
    const { ws, peer } = serve(t)
    peer.write(request76(changes), BODY)
    const { status, headers } = await peer.head()
    t.equal(status, 400)
    t.equal(headers['connection'], 'close')
    t.match(await failureOf(ws), { code: 'WS_ERR_BAD_REQUEST', status: 400 })
    t.ok((await failureOf(ws)) instanceof HandshakeError)
  }
})

t.test('hixie-76: a Close does not interrupt a text in pieces that is being sent', async t => {
  const { ws, peer } = await open(t, 'hixie-76', { fragmentSize: 10 })
  ws.text('x'.repeat(95))
  ws.close()
  t.same(await take(peer, 99), Buffer.concat([ended('x'.repeat(95)), CLOSE_76]))
})

t.test('hixie-76: the application cannot set fields of the handshake', async t => {
  for (const name of ['Sec-WebSocket-Location', 'WebSocket-Location', 'WebSocket-Origin', 'WebSocket-Protocol']) {
    t.throws(() => serve(t).ws.setHeader(name, 'x'), TypeError, name)
  }
})

t.test("the peers of these tests use the draft's own example", async t => {
  t.match(request76().toString(), `Sec-WebSocket-Key1: ${KEY1}\r\nSec-WebSocket-Key2: ${KEY2}\r\n`)
})
