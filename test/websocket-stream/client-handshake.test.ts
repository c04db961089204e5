// The opening handshake of a client: what it sends, and how it takes the responses.

import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { answerHead, CLOSE, RawPeer, readClose, TEXT, wireFrame } from '../support/raw-peer.js'
import { fresh, nameOf, ours, rejection, SETUPS, settle } from './sides.js'

const CLIENTS = SETUPS.filter(({ role }) => role === 'client')
const ATTACHED = { role: 'client', join: 'attach', wire: 'memory' } as const

for (const setup of CLIENTS) {
  t.test(`the request is sent as soon as there is a wire, and the response opens: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    t.same([ws.readyState, ws.url, ws.version, ws.status], ['connecting', 'ws://example.com/chat', '', 0])
    t.equal(ws.request, null)
    const request = await peer.head()
    t.equal(request.first, 'GET /chat HTTP/1.1')
    t.match(request.headers, {
      host: 'example.com',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13'
    })
    t.equal(Buffer.from(request.headers['sec-websocket-key']!, 'base64').length, 16)
    const driver = once(ws, 'open')
    peer.write(answerHead(request, { 'X-A': '1' }))
    const info = await ws.opened
    t.match(info, {
      version: 'hybi-13',
      protocol: '',
      extensions: '',
      url: ws.url,
      status: 101,
      headers: { 'x-a': '1' }
    })
    t.same(await driver, [info])
    t.match(ws, { readyState: 'open', version: 'hybi-13', status: 101, headers: { 'x-a': '1' } })
    t.throws(() => ws.setHeader('X-A', '1'), TypeError)
  })

  t.test(`frames directly after the response are read: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    const request = await peer.head()
    const first = once(ws, 'message')
    peer.write(answerHead(request), wireFrame(TEXT, 'early'))
    t.same(await first, ['early'])
  })

  t.test(`a response other than 101 is an error with its body: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, closes, socket } = await fresh(t, setup)
    const errors: Error[] = []
    ws.on('error', error => errors.push(error))
    await peer.head()
    peer.write(Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\nX-A: 1\r\n\r\ngo '))
    await settle()
    t.equal(ws.readyState, 'connecting')
    peer.write(Buffer.from(' away'))
    const error = await rejection(ws.opened)
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, headers: { 'x-a': '1' }, fault: 'peer' })
    t.equal(String(error['body']), 'go  away')
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    await settle()
    t.equal(closes.length, 1)
    t.same(errors, [error])
    await peer.ended()
    t.equal(socket.destroyed, true)
  })

  t.test(`no response in time is an error: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, socket } = await fresh(t, setup, { handshakeTimeout: 20 })
    await peer.head()
    peer.write(Buffer.from('HTTP/1.1 101'))
    t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT', status: 0 })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    t.equal(socket.destroyed, true)
  })
}

const WRONG: [name: string, respond: (peer: RawPeer) => Promise<void>, code: string][] = [
  [
    'the wrong accept value',
    async peer => {
      peer.write(answerHead(await peer.head(), { 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' }))
    },
    'WS_ERR_BAD_RESPONSE'
  ],
  [
    'a subprotocol that was not offered',
    async peer => {
      peer.write(answerHead(await peer.head(), { 'Sec-WebSocket-Protocol': 'z' }))
    },
    'WS_ERR_BAD_RESPONSE'
  ],
  [
    'an extension that was not offered',
    async peer => {
      peer.write(answerHead(await peer.head(), { 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
    },
    'WS_ERR_BAD_RESPONSE'
  ],
  [
    'no Upgrade',
    async peer => {
      peer.write(answerHead(await peer.head(), { Upgrade: null }))
    },
    'WS_ERR_BAD_RESPONSE'
  ],
  [
    'no HTTP',
    async peer => {
      peer.write(Buffer.from('SSH-2.0-OpenSSH\r\n'))
    },
    'WS_ERR_MALFORMED_HEAD'
  ],
  [
    'an end before the response',
    async peer => {
      await peer.head()
      peer.end()
    },
    'WS_ERR_BAD_RESPONSE'
  ],
  [
    'an end within a body',
    async peer => {
      peer.write(Buffer.from('HTTP/1.1 500 Oops\r\nContent-Length: 8\r\n\r\ngo '))
      peer.end()
    },
    'WS_ERR_UNEXPECTED_STATUS'
  ],
  [
    'a reset',
    async peer => {
      peer.reset()
    },
    'WS_ERR_CONNECTION_LOST'
  ]
]

for (const [name, respond, code] of WRONG) {
  t.test(`${name} fails the handshake`, async t => {
    for (const setup of CLIENTS) {
      t.test(nameOf(setup), { timeout: 8000 }, async t => {
        const { ws, peer, closes } = await fresh(t, setup, { protocols: ['a'] })
        const errors: Error[] = []
        ws.on('error', error => errors.push(error))
        await respond(peer)
        t.match(await rejection(ws.opened), { code, name: 'HandshakeError' })
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
        await settle()
        t.equal(closes.length, 1)
        t.match(errors, [{ code }])
        await peer.ended()
        // nothing but the request was ever sent
        t.notMatch(peer.input.toString('latin1').replace(/^GET[\s\S]*?\r\n\r\n/, ''), /./)
      })
    }
  })
}

t.test('a body without an end is cut', async t => {
  const { ws, peer } = await fresh(t, ATTACHED)
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 500 Oops\r\n\r\n'))
  peer.write(Buffer.alloc(100_000, 'x'))
  const error = await rejection(ws.opened)
  t.equal((error['body'] as Buffer).length, 65536)
  await ws.whenClosed()
})

t.test('interim responses are skipped', async t => {
  const { ws, peer } = await fresh(t, ATTACHED)
  const request = await peer.head()
  peer.write(Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'), answerHead(request))
  t.equal((await ws.opened).status, 101)
})

t.test('the options and setHeader are in the request', async t => {
  const { ws, peer } = await fresh(t, ATTACHED, {
    protocols: ['a', 'b'],
    origin: 'https://a.example',
    headers: { 'X-A': '1', 'X-B': ['2', '3'] }
  })
  ws.setHeader('X-C', '4')
  ws.setHeader('X-A', '5')
  const request = await peer.head()
  t.match(request.headers, {
    origin: 'https://a.example',
    'x-a': '5',
    'x-c': '4',
    'sec-websocket-protocol': 'a, b'
  })
  t.match(request.text, /X-B: 2\r\nX-B: 3\r\n/)
  peer.write(answerHead(request, { 'Sec-WebSocket-Protocol': 'b' }))
  await ws.opened
  t.equal(ws.protocol, 'b')
})

for (const version of [13, 8, 7] as const) {
  t.test(`version ${version} is supported`, async t => {
    const { ws, peer } = await fresh(t, ATTACHED, { version, origin: 'https://a.example' })
    const request = await peer.head()
    t.equal(request.headers['sec-websocket-version'], String(version))
    t.equal(request.headers[version === 13 ? 'origin' : 'sec-websocket-origin'], 'https://a.example')
    peer.write(answerHead(request))
    t.equal((await ws.opened).version, `hybi-${version}`)
    ws.text('hello')
    t.match(await peer.nextFrame(), { opcode: TEXT, masked: true, payload: Buffer.from('hello') })
  })

  t.test(`our own two sides agree on version ${version}`, async t => {
    const { server, client } = await ours(t, { protocols: ['a'] }, { version, protocols: ['z', 'a'] })
    t.same([server.version, client.version], [`hybi-${version}`, `hybi-${version}`])
    t.same([server.protocol, client.protocol], ['a', 'a'])
    server.text('down')
    client.binary(Buffer.from('up'))
    t.same(await Promise.all([once(client, 'message'), once(server, 'message')]), [['down'], [Buffer.from('up')]])
    client.close(3000, 'bye')
    t.same(await server.whenClosed(), { code: 3000, reason: 'bye', wasClean: true, initiator: 'peer' })
    t.same(await client.whenClosed(), { code: 3000, reason: 'bye', wasClean: true, initiator: 'local' })
  })
}

t.test('an invalid URL throws at once', async t => {
  t.throws(() => WebSocketStream.client('ftp://example.com/'), SyntaxError)
  t.throws(() => WebSocketStream.client('nonsense'), SyntaxError)
  t.throws(() => WebSocketStream.client('ws://a/#b'), SyntaxError)
  t.throws(() => WebSocketStream.client(5 as unknown as string), TypeError)
  t.throws(() => WebSocketStream.client('ws://a/', { protocols: () => 'a' }), TypeError)
  const ws = WebSocketStream.client(new URL('https://u:p@a.example:444/b?c'))
  t.equal(ws.url, 'wss://a.example:444/b?c')
  ws.destroy()
  await ws.whenClosed()
  t.equal(ws.url, 'wss://a.example:444/b?c')
})

t.test('a signal that is already aborted changes nothing if the connection has already ended', async t => {
  const ws = WebSocketStream.client('ws://a/', { signal: AbortSignal.abort() })
  let errors = 0
  ws.on('error', () => errors++)
  ws.destroy()
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
  await new Promise(setImmediate)
  t.equal(errors, 0)
})

t.test('a client has no request to answer: accept, reject and handOver return false', async t => {
  const ws = WebSocketStream.client('ws://a/')
  t.equal(ws.accept(), false)
  t.equal(ws.reject(404), false)
  t.equal(ws.handOver(createServer()), false)
  ws.destroy()
  await ws.whenClosed()
})

t.test('a user in the URL is authorization in the request', async t => {
  const [left, right] = pair()
  t.teardown(() => left.destroy())
  const peer = new RawPeer(right, 'server')
  WebSocketStream.client('ws://u:p%20@example.com:81/a?b').attach(left)
  const request = await peer.head()
  t.equal(request.first, 'GET /a?b HTTP/1.1')
  t.match(request.headers, {
    host: 'example.com:81',
    authorization: `Basic ${Buffer.from('u:p ').toString('base64')}`
  })
})

t.test('a server that closes directly after its response', async t => {
  for (const setup of CLIENTS) {
    t.test(nameOf(setup), { timeout: 8000 }, async t => {
      const { ws, peer, closes } = await fresh(t, setup)
      const messages: unknown[] = []
      ws.on('message', message => messages.push(message))
      const request = await peer.head()
      peer.write(answerHead(request), wireFrame(TEXT, 'early'), wireFrame(CLOSE, Buffer.from([3, 233])))
      peer.end()
      t.equal((await ws.opened).status, 101)
      t.equal(readClose(await peer.nextFrame()).code, 1001)
      t.match(await ws.whenClosed(), { code: 1001, wasClean: true, initiator: 'peer' })
      await settle()
      t.same(messages, ['early'])
      t.equal(closes.length, 1)
    })
  }
})
