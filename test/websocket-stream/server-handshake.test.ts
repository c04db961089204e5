// The opening handshake of a server, as seen by a peer on the wire and by the application.

import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import t from 'tap'
import { HandshakeError, type UpgradeRequest, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import {
  PING,
  PONG,
  RawPeer,
  readClose,
  requestFields,
  requestHead,
  SAMPLE_KEY,
  TEXT,
  wireFrame
} from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, parsedRequest, rejection, SETUPS, settle } from './sides.js'

const SERVERS = SETUPS.filter(({ role }) => role === 'server')
const ATTACHED = { role: 'server', join: 'attach', wire: 'memory' } as const

for (const setup of SERVERS) {
  t.test(`a valid request is accepted without a listener: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup)
    t.equal(ws.readyState, 'connecting')
    t.same([ws.version, ws.protocol, ws.extensions, ws.url, ws.status, ws.request], ['', '', '', '', 0, null])
    t.same(ws.headers, {})
    const driver = once(ws, 'open')
    peer.write(requestHead())
    const head = await peer.head()
    t.equal(head.first, 'HTTP/1.1 101 Switching Protocols')
    t.same(head.headers, {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    })
    const info = await ws.opened
    t.match(info, {
      version: 'hybi-13',
      protocol: '',
      extensions: '',
      url: 'ws://example.com/chat',
      status: 101,
      headers: { upgrade: 'websocket' }
    })
    t.same(await driver, [info])
    t.equal(ws.readyState, 'open')
    t.match(ws, { version: 'hybi-13', protocol: '', extensions: '', url: info.url, status: 101 })
    t.equal(ws.headers, info.headers)
    t.match(ws.request, { method: 'GET', url: '/chat', headers: { host: 'example.com' } })
    t.equal(await ws.opened, info, 'asked for again')
  })
}

for (const setup of SERVERS) {
  t.test(`fields whose names are digits are ordinary: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup, { headers: { 'X-A': 'b', 1: 'one', 0: 'none' } })
    peer.write(requestHead({ 7: 'seven' }))
    const { headers } = await peer.head()
    t.match(headers, { 0: 'none', 1: 'one', 'x-a': 'b', upgrade: 'websocket', connection: 'Upgrade' })
    await ws.opened
    const heard = once(ws, 'message')
    peer.text('hello')
    await heard
    // at any time
    t.strictSame({ ...ws.headers }, { ...headers })
    t.match(ws.request!.headers, { 7: 'seven', host: 'example.com' })
  })
}

for (const [version, origin] of [
  ['13', 'Origin'],
  ['8', 'Sec-WebSocket-Origin'],
  ['7', 'Sec-WebSocket-Origin']
] as const) {
  t.test(`version ${version} opens, and its origin is taken from ${origin}`, async t => {
    const { ws, peer } = await fresh(t, ATTACHED, { origins: ['https://a.example'] })
    peer.write(requestHead({ 'Sec-WebSocket-Version': version, [origin]: 'https://a.example' }))
    t.equal((await peer.head()).status, 101)
    t.equal((await ws.opened).version, `hybi-${version}`)
    peer.text('hello')
    t.same(await once(ws, 'message'), ['hello'])
    ws.text('back')
    t.match(await peer.nextFrame(), { opcode: TEXT, fin: true, masked: false, payload: Buffer.from('back') })
  })
}

interface Refused {
  name: string
  request: Buffer
  status: number
  code: string
  options?: WebSocketOptions
  fields?: Record<string, string>
}

const REFUSED: readonly Refused[] = [
  { name: 'garbage', request: Buffer.from('garbage\r\n\r\n'), status: 400, code: 'WS_ERR_MALFORMED_HEAD' },
  { name: 'no key', request: requestHead({ 'Sec-WebSocket-Key': null }), status: 400, code: 'WS_ERR_BAD_REQUEST' },
  {
    name: 'another origin',
    request: requestHead({ Origin: 'https://evil.example' }),
    options: { origins: ['https://a.example'] },
    status: 403,
    code: 'WS_ERR_FORBIDDEN_ORIGIN'
  },
  {
    name: 'no origin',
    request: requestHead(),
    options: { origins: 'https://a.example' },
    status: 403,
    code: 'WS_ERR_FORBIDDEN_ORIGIN'
  },
  {
    name: 'an origin that a function refuses',
    request: requestHead({ Origin: 'https://a.example' }),
    options: { origins: origin => origin !== 'https://a.example' },
    status: 403,
    code: 'WS_ERR_FORBIDDEN_ORIGIN'
  },
  {
    name: 'another method',
    request: requestHead({}, 'POST /chat HTTP/1.1'),
    status: 405,
    code: 'WS_ERR_METHOD',
    fields: { allow: 'GET' }
  },
  {
    name: 'a target too long',
    request: requestHead({}, `GET /${'a'.repeat(20000)} HTTP/1.1`),
    status: 414,
    code: 'WS_ERR_TARGET_TOO_LONG'
  },
  {
    name: 'a plain request',
    request: requestHead({ Upgrade: null, Connection: null }),
    status: 426,
    code: 'WS_ERR_UPGRADE_REQUIRED',
    fields: { 'sec-websocket-version': '13, 8, 7', upgrade: 'websocket' }
  },
  {
    name: 'a version of tomorrow',
    request: requestHead({ 'Sec-WebSocket-Version': '14' }),
    status: 426,
    code: 'WS_ERR_UNSUPPORTED_VERSION',
    fields: { 'sec-websocket-version': '13, 8, 7', upgrade: 'websocket' }
  },
  {
    name: 'a head too large',
    request: requestHead({ 'X-A': 'a'.repeat(20000) }),
    status: 431,
    code: 'WS_ERR_HEAD_TOO_LARGE'
  },
  {
    name: 'too many fields',
    request: requestHead({ 'X-A': 'a' }),
    options: { maxHeaders: 5 },
    status: 431,
    code: 'WS_ERR_HEAD_TOO_LARGE'
  },
  {
    name: 'HTTP/1.0',
    request: requestHead({}, 'GET /chat HTTP/1.0'),
    status: 505,
    code: 'WS_ERR_HTTP_VERSION'
  },
  {
    name: 'what makes an option throw',
    request: requestHead({ 'Sec-WebSocket-Protocol': 'a' }),
    options: {
      protocols: () => {
        throw new Error('oops')
      }
    },
    status: 500,
    code: 'WS_ERR_REJECTED'
  },
  {
    name: 'a request for which an option chooses what was not offered',
    request: requestHead({ 'Sec-WebSocket-Protocol': 'a' }),
    options: { protocols: () => 'b' },
    status: 500,
    code: 'WS_ERR_REJECTED'
  }
]

for (const { name, request, status, code, options, fields } of REFUSED) {
  t.test(`${name} gets ${status}, and the wire is ended`, async t => {
    for (const setup of SERVERS) {
      t.test(nameOf(setup), { timeout: 8000 }, async t => {
        const { ws, peer, closes } = await fresh(t, setup, options)
        const errors: Error[] = []
        ws.on('error', error => errors.push(error))
        peer.write(request)
        const head = await peer.head()
        t.equal(head.status, status)
        t.match(head.headers['connection'], /^close(, Upgrade)?$/)
        t.match(head.headers, fields ?? {})
        const body = await peer.rest()
        t.equal(body.length, Number(head.headers['content-length']))
        t.match(await rejection(ws.opened), { code, status, headers: {}, name: 'HandshakeError' })
        peer.end()
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
        await settle()
        t.equal(closes.length, 1)
        t.match(errors, [{ code, status }])
        t.ok(errors[0] instanceof HandshakeError)
        t.match(await rejection(ws.opened), { code }, 'asked for late')
      })
    }
  })
}

t.test('a refusal ends the connection even if nothing reads or listens', async t => {
  const { ws, peer } = await fresh(t, ATTACHED, { closeTimeout: 20 })
  peer.write(requestHead({ Upgrade: null }))
  t.equal((await peer.head()).status, 400)
  // the peer never ends its side
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  await peer.ended()
})

for (const setup of SERVERS) {
  t.test(`a request that does not arrive in time gets 408: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await fresh(t, setup, { handshakeTimeout: 20 })
    peer.write(requestHead().subarray(0, 30))
    const head = await peer.head()
    t.equal(head.status, 408)
    t.equal(head.headers['connection'], 'close')
    await peer.ended()
    peer.end()
    t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT', status: 408 })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })
}

t.test('a request that the application does not answer in time gets 408', async t => {
  for (const setup of IN_MEMORY) {
    if (setup.role === 'client') continue
    const { ws, peer } = await fresh(t, setup, { handshakeTimeout: 20 })
    ws.on('request', () => {})
    peer.write(requestHead())
    t.equal((await peer.head()).status, 408)
    t.equal(ws.accept(), false)
    t.equal(ws.reject(404), false)
    await peer.ended()
    peer.end()
    await ws.whenClosed()
  }
})

t.test('Infinity removes the time limit for the handshake', async t => {
  const { ws, peer } = await fresh(t, ATTACHED, { handshakeTimeout: Number.POSITIVE_INFINITY })
  await settle()
  peer.write(requestHead())
  await ws.opened
})

for (const setup of SERVERS) {
  t.test(`the application answers if it listens: ${nameOf(setup)}`, async t => {
    t.test('at once', async t => {
      const { ws, peer } = await fresh(t, setup)
      ws.on('request', request => {
        t.equal(request, ws.request)
        t.equal(ws.accept({ headers: { 'X-A': '1' } }), true)
        t.equal(ws.accept(), false, 'only once')
        t.equal(ws.reject(404), false)
        t.throws(() => ws.setHeader('X-B', '2'), TypeError)
      })
      peer.write(requestHead())
      t.match(await peer.head(), { status: 101, headers: { 'x-a': '1' } })
    })

    t.test('later', async t => {
      const { ws, peer } = await fresh(t, setup)
      const asked = once(ws, 'request')
      peer.write(requestHead(), peer.frame(TEXT, 'early'))
      await asked
      await settle()
      t.equal(ws.readyState, 'connecting')
      ws.setHeader('X-A', '1')
      ws.setHeader('X-A', ['2', '3'])
      ws.accept()
      const head = await peer.head()
      t.match(head.text, /X-A: 2\r\nX-A: 3\r\n/)
      t.notMatch(head.text, /X-A: 1/)
      t.same(await once(ws, 'message'), ['early'])
    })

    t.test('before the request has arrived, by accepting', async t => {
      const { ws, peer } = await fresh(t, setup)
      ws.setHeader('X-A', '1')
      ws.setHeader('X-B', ['2', '3'])
      t.equal(ws.accept({ headers: { 'X-C': '4' } }), true)
      peer.write(requestHead())
      t.match(await peer.head(), { status: 101, headers: { 'x-a': '1', 'x-c': '4' } })
    })

    t.test('before the request has arrived, by rejecting', async t => {
      const { ws, peer } = await fresh(t, setup)
      t.equal(ws.reject(404), true)
      peer.write(requestHead())
      t.match(await peer.head(), { status: 404, headers: { connection: 'close' } })
      await peer.ended()
      peer.end()
      await ws.whenClosed()
    })

    t.test('by rejecting with a body and header fields', { timeout: 8000 }, async t => {
      const { ws, peer } = await fresh(t, setup)
      ws.on('request', () => {
        t.equal(ws.reject(401, { headers: { 'WWW-Authenticate': 'Basic' }, body: 'who are you?' }), true)
        t.equal(ws.reject(404), false)
        t.equal(ws.accept(), false)
      })
      peer.write(requestHead())
      const head = await peer.head()
      t.match(head, { status: 401, headers: { connection: 'close', 'www-authenticate': 'Basic' } })
      t.equal((await peer.rest()).toString(), 'who are you?')
      peer.end()
      t.match(await rejection(ws.opened), {
        code: 'WS_ERR_REJECTED',
        status: 401,
        headers: { 'www-authenticate': 'Basic' },
        body: Buffer.from('who are you?'),
        fault: 'local'
      })
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
      t.equal(ws.readyState, 'closed')
    })

    t.test('by rejecting later', { timeout: 8000 }, async t => {
      const { ws, peer } = await fresh(t, setup)
      const asked = once(ws, 'request')
      peer.write(requestHead(), peer.frame(TEXT, 'early'))
      await asked
      await settle()
      ws.reject(503)
      t.equal((await peer.head()).status, 503)
      await peer.ended()
      peer.end()
      await ws.whenClosed()
    })
  })
}

t.test('values that cannot be sent throw at once', async t => {
  const { ws, peer } = await fresh(t, ATTACHED)
  const { ws: client } = await fresh(t, { ...ATTACHED, role: 'client' })
  t.throws(() => ws.setHeader('X-A', 'a\r\nb'), TypeError)
  t.throws(() => ws.setHeader('X A', 'a'), TypeError)
  t.throws(() => ws.setHeader('Upgrade', 'a'), TypeError)
  t.throws(() => ws.reject(199), RangeError)
  t.throws(() => ws.reject(600), RangeError)
  t.throws(() => ws.reject(404, { headers: { 'X-A': 'a\n' } }), TypeError)
  t.throws(() => client.setHeader('X-A', '\0'), TypeError)
  t.equal(client.accept(), false)
  t.equal(client.reject(404), false)
  ws.on('request', () => {
    t.throws(() => ws.accept({ protocol: 'not offered' }), TypeError)
    t.throws(() => ws.accept({ headers: { 'X-A': 'a\n' } }), TypeError)
    t.throws(() => ws.setHeader('X-A', 'a\n'), TypeError)
    ws.accept()
  })
  peer.write(requestHead())
  t.equal((await peer.head()).status, 101)
})

t.test('an earlier accept() that does not fit the request gets 500', async t => {
  const { ws, peer } = await fresh(t, ATTACHED)
  ws.accept({ protocol: 'not offered' })
  peer.write(requestHead({ 'Sec-WebSocket-Protocol': 'a' }))
  t.equal((await peer.head()).status, 500)
})

t.test('a subprotocol is chosen among those offered', async t => {
  const offer = { 'Sec-WebSocket-Protocol': 'a, b, c' }
  const chosen = async (options: WebSocketOptions, accept?: string): Promise<string> => {
    const { ws, peer } = await fresh(t, ATTACHED, options)
    if (accept !== undefined) ws.on('request', () => ws.accept({ protocol: accept }))
    peer.write(requestHead(offer))
    const head = await peer.head()
    t.equal(head.headers['sec-websocket-protocol'] ?? '', ws.protocol)
    return ws.protocol
  }
  t.equal(await chosen({}), '')
  t.equal(await chosen({ protocols: 'b' }), 'b')
  t.equal(await chosen({ protocols: ['z', 'c', 'b'] }), 'b', 'the first that was offered')
  t.equal(await chosen({ protocols: ['z'] }), '')
  t.equal(await chosen({ protocols: offered => offered.at(-1) }), 'c')
  t.equal(await chosen({ protocols: () => false }), '')
  t.equal(await chosen({ protocols: ['a'] }, 'c'), 'c')
  t.equal(await chosen({ protocols: ['a'] }, ''), '')
})

t.test('frames directly after the request head are read, in pieces of any size', async t => {
  const bytes = Buffer.concat([requestHead(), wireFrame(TEXT, 'one', { masked: true })])
  for (const at of [bytes.length, bytes.length - 1, bytes.length - 9, bytes.length - 8]) {
    const { ws, peer } = await fresh(t, ATTACHED)
    const first = once(ws, 'message')
    peer.write(bytes.subarray(0, at))
    await settle(2)
    if (at < bytes.length) peer.write(bytes.subarray(at))
    t.same(await first, ['one'])
  }
})

t.test('frames after the request head that break a rule are errors', async t => {
  const { ws, peer } = await fresh(t, ATTACHED)
  peer.write(requestHead(), wireFrame(TEXT, 'not masked'))
  t.equal((await peer.head()).status, 101)
  t.equal(readClose(await peer.nextFrame()).code, 1002)
  peer.end()
  t.match(await ws.whenClosed(), { code: 1002, wasClean: false })
})

t.test('a request that other code has already parsed', async t => {
  const wires = () => {
    const [left, right] = pair()
    t.teardown(() => left.destroy())
    return { left, peer: new RawPeer(right, 'client') }
  }

  t.test('nothing is answered before it is piped, and only bytes after the head are read', async t => {
    const { left, peer } = wires()
    const request = parsedRequest()
    const ws = WebSocketStream.http(request, wireFrame(TEXT, 'early', { masked: true }))
    t.equal(ws.request, request)
    t.equal(ws.readyState, 'connecting')
    await settle()
    left.pipe(ws).pipe(left)
    t.equal((await peer.head()).status, 101)
    t.same(await once(ws, 'message'), ['early'])
    t.equal(ws.url, 'ws://example.com/chat')
  })

  t.test('the head may be any bytes, or none', async t => {
    const frame = wireFrame(TEXT, 'early', { masked: true })
    for (const head of [new Uint8Array(frame), undefined, Buffer.alloc(0)]) {
      const { left, peer } = wires()
      const ws = WebSocketStream.http(parsedRequest(), head).attach(left)
      if (head === undefined || head.length === 0) peer.write(frame)
      t.same(await once(ws, 'message'), ['early'])
    }
  })

  t.test('a head that ends inside a frame', async t => {
    const { left, peer } = wires()
    const frame = wireFrame(TEXT, 'early', { masked: true })
    const ws = WebSocketStream.http(parsedRequest(), frame.subarray(0, 5)).attach(left)
    await peer.head()
    peer.write(frame.subarray(5))
    t.same(await once(ws, 'message'), ['early'])
  })

  t.test('the application may answer at once, before it is piped, or later', async t => {
    for (const when of ['before', 'on request', 'later'] as const) {
      const { left, peer } = wires()
      const ws = WebSocketStream.http(parsedRequest({ 'Sec-WebSocket-Protocol': 'a' }))
      ws.setHeader('X-A', '1')
      if (when === 'before') t.equal(ws.accept({ protocol: 'a' }), true)
      else if (when === 'on request') ws.on('request', () => ws.accept({ protocol: 'a' }))
      else ws.on('request', () => setImmediate(() => ws.accept({ protocol: 'a' })))
      ws.attach(left)
      peer.text('early')
      t.match(await peer.head(), { status: 101, headers: { 'x-a': '1', 'sec-websocket-protocol': 'a' } })
      t.same(await once(ws, 'message'), ['early'])
    }
  })

  t.test("an invalid request is refused without a 'request' event", async t => {
    const { left, peer } = wires()
    const ws = WebSocketStream.http(parsedRequest({ 'Sec-WebSocket-Version': '12' })).attach(left)
    ws.on('request', () => t.fail('asked about it'))
    t.match(await peer.head(), { status: 426, headers: { 'sec-websocket-version': '13, 8, 7' } })
    await peer.ended()
    peer.end()
    t.match(await rejection(ws.opened), { code: 'WS_ERR_UNSUPPORTED_VERSION', status: 426 })
    await ws.whenClosed()
  })

  t.test('rejected before it is piped', async t => {
    const { left, peer } = wires()
    const ws = WebSocketStream.http(parsedRequest())
    ws.reject(403, { body: 'no' })
    ws.attach(left)
    t.equal((await peer.head()).status, 403)
    t.equal((await peer.rest()).toString(), 'no')
    peer.end()
    await ws.whenClosed()
  })

  t.test('its timeout applies as well', async t => {
    const { left, peer } = wires()
    const ws = WebSocketStream.http(parsedRequest(), undefined, { handshakeTimeout: 10 })
    ws.on('request', () => {})
    ws.attach(left)
    t.equal((await peer.head()).status, 408)
    await peer.ended()
    peer.end()
    await ws.whenClosed()
  })

  t.test('its timeout applies even without a wire', async t => {
    const ws = WebSocketStream.http(parsedRequest(), undefined, { handshakeTimeout: 10, closeTimeout: 10 })
    t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
    t.match(await ws.whenClosed(), { code: 1006 })
  })

  for (const when of ['before it is asked', 'while it is asked', 'before its response'] as const) {
    t.test(`destroyed ${when}, it is not opened`, async t => {
      const { left, peer } = wires()
      const ws = WebSocketStream.http(parsedRequest())
      let asked = 0
      ws.on('open', () => t.fail('it was opened'))
      ws.on('request', () => {
        asked++
        if (when === 'while it is asked') ws.destroy()
      })
      ws.attach(left)
      if (when === 'before it is asked') ws.destroy()
      await settle()
      t.equal(asked, when === 'before it is asked' ? 0 : 1)
      ws.destroy()
      t.equal(ws.accept(), false)
      t.equal(ws.reject(403), false)
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
      t.equal((await peer.rest()).length, 0, 'and nothing is said')
    })
  }

  t.test('an object that is not a request is refused', async t => {
    for (const request of [{}, { method: 'GET', url: '/', headers: null }]) {
      const { left, peer } = wires()
      WebSocketStream.http(request as unknown as UpgradeRequest).attach(left)
      t.equal((await peer.head()).status, 400)
    }
  })
})

t.test('an upgrade of node:http, with frames in its head', async t => {
  for (const join of ['attach', 'pipe'] as const) {
    const server = createServer()
    let made: WebSocketStream | undefined
    server.on('upgrade', (request, socket, head) => {
      made = WebSocketStream.http(request, head)
      if (join === 'attach') made.attach(socket)
      else socket.pipe(made).pipe(socket)
      made.messages.pipe(made.messages)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const socket: Socket = connect({ port, host: '127.0.0.1' })
    t.teardown(() => socket.destroy())
    const peer = new RawPeer(socket, 'client')
    peer.write(requestHead(), peer.frame(TEXT, 'one'), peer.frame(PING, 'two'))
    t.equal((await peer.head()).status, 101)
    const frames = [await peer.nextFrame(), await peer.nextFrame()].sort((a, b) => a!.opcode - b!.opcode)
    t.match(frames, [
      { opcode: TEXT, payload: Buffer.from('one') },
      { opcode: PONG, payload: Buffer.from('two') }
    ])
    t.equal(made?.url, 'ws://example.com/chat')
    t.equal(made?.request?.method, 'GET')
    peer.close(1000)
    readClose(await peer.nextFrame())
    peer.end()
    t.match(await made!.whenClosed(), { code: 1000, wasClean: true, initiator: 'peer' })
  }
})

t.test('a client of node:http is answered', async t => {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    WebSocketStream.http(request, head, { origins: [] }).attach(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { Host: _, ...headers } = requestFields()
  const request = httpRequest({ port, host: '127.0.0.1', headers })
  request.end()
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 403)
  response.resume()
  await once(response, 'end')
  t.equal(SAMPLE_KEY.length, 24)
})
