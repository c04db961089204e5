// The WebSocketServer of `ws` over ours: its ways to listen, refuse, choose, and close.

import { once } from 'node:events'
import http, { createServer, IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { pair } from '../../support/pair.js'
import { RawPeer, requestHead, SAMPLE_KEY } from '../../support/raw-peer.js'
import { settle, type TestLike } from '../../websocket-stream/sides.js'
import { open, portOf, serve, WebSocket, WebSocketServer } from './support.js'

async function ask(t: TestLike, port: number, changes: Record<string, string | null> = {}, line?: string) {
  const peer = new RawPeer(connect(port, '127.0.0.1'), 'client')
  t.teardown(() => peer.stream.destroy())
  peer.write(requestHead(changes, line))
  const head = await peer.head()
  return { peer, head }
}

t.test('exactly one of port, server and noServer must be given', async t => {
  const message = 'One and only one of the "port", "server", or "noServer" options must be specified'
  const server = createServer()
  for (const options of [undefined, {}, { port: 0, server }, { port: 0, noServer: true }, { server, noServer: true }]) {
    t.throws(() => new WebSocketServer(options), { name: 'TypeError', message })
  }
  t.throws(() => new WebSocketServer({ noServer: true, closeTimeout: -1 }), RangeError)
  t.throws(() => new WebSocketServer({ noServer: true }).address(), { message: /noServer/ })
})

t.test('a request that is not an upgrade gets 426', async t => {
  const { wss } = await serve(t)
  const request = http.get({ port: portOf(wss), host: '127.0.0.1', agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  t.equal(response.statusCode, 426)
  response.resume()
})

t.test('invalid requests are refused with the messages of ws, or passed to wsClientError', async t => {
  const { wss } = await serve(t, { path: '/chat', perMessageDeflate: true })
  const port = portOf(wss)
  const cases: [number, string, Record<string, string | null>, string?][] = [
    [405, 'Invalid HTTP method', {}, 'POST /chat HTTP/1.1'],
    [400, 'Invalid Upgrade header', { Upgrade: 'other' }],
    [400, 'Missing or invalid Sec-WebSocket-Key header', { 'Sec-WebSocket-Key': null }],
    [400, 'Missing or invalid Sec-WebSocket-Version header', { 'Sec-WebSocket-Version': '12' }],
    [400, 'Invalid Sec-WebSocket-Protocol header', { 'Sec-WebSocket-Protocol': 'a, a' }],
    [400, 'Invalid or unacceptable Sec-WebSocket-Extensions header', { 'Sec-WebSocket-Extensions': 'a;;b' }],
    ...['; server_max_window_bits=7', '; nonsense', '; client_max_window_bits; client_max_window_bits'].map(
      (parameters): [number, string, Record<string, string>] => [
        400,
        'Invalid or unacceptable Sec-WebSocket-Extensions header',
        { 'Sec-WebSocket-Extensions': `permessage-deflate${parameters}` }
      ]
    ),
    [400, 'Bad Request', {}, 'GET /other HTTP/1.1']
  ]
  for (const [status, message, changes, line] of cases) {
    const { peer, head } = await ask(t, port, changes, line)
    t.equal(head.status, status, message)
    t.equal((await peer.rest()).toString(), message)
    if (message.includes('Version')) t.equal(head.headers['sec-websocket-version'], '13, 8')
  }
  const told: string[] = []
  wss.on('wsClientError', (error, socket, request) => {
    told.push(`${error.message} ${request.url}`)
    socket.end('HTTP/1.1 418 \r\n\r\n')
  })
  t.equal((await ask(t, port, { Upgrade: 'other' })).head.status, 418)
  t.same(told, ['Invalid Upgrade header /chat'])
  const { head } = await ask(t, port, {
    'Sec-WebSocket-Extensions': 'x-other; a="b", permessage-deflate; client_max_window_bits="10"'
  })
  t.match(head.headers['sec-websocket-extensions'], /^permessage-deflate/)
})

t.test('what the core refuses is refused before it is a connection, or passed to wsClientError', async t => {
  const { wss } = await serve(t)
  wss.on('connection', () => t.fail('it is no connection'))
  const cases: [string, Record<string, string | null>, string?][] = [
    ['malformed WebSocket handshake: Host', { Host: 'a b' }],
    ['malformed WebSocket handshake: Host', { Host: '' }],
    ['malformed WebSocket handshake: the target', {}, 'GET /a?b#c HTTP/1.1'],
    ['malformed WebSocket handshake: the request has a body', { 'Content-Length': '3' }],
    ['malformed WebSocket handshake: Sec-WebSocket-Extensions', { 'Sec-WebSocket-Extensions': 'a;;b' }],
    ['Missing or invalid Sec-WebSocket-Version header', { 'Sec-WebSocket-Version': '0xd' }],
    ['Missing or invalid Sec-WebSocket-Version header', { 'Sec-WebSocket-Version': '13.0' }]
  ]
  for (const [message, changes, line] of cases) {
    const { peer, head } = await ask(t, portOf(wss), changes, line)
    t.equal(head.status, 400, message)
    t.equal((await peer.rest()).toString(), message)
  }
  t.equal(wss.clients.size, 0)
  wss.on('wsClientError', (error, socket) => socket.end(`HTTP/1.1 418 ${error.message.replace(/.*: /, '')}\r\n\r\n`))
  t.equal((await ask(t, portOf(wss), { Host: 'a b' })).head.status, 418)
})

t.test('verifyClient decides about a request, synchronously or not', async t => {
  let info: { origin: string; secure: boolean } | undefined
  const { wss } = await serve(t, {
    verifyClient: (given: { origin: string; secure: boolean; req: IncomingMessage }) => {
      info = given
      return given.req.url === '/yes'
    }
  })
  t.equal((await ask(t, portOf(wss), { Origin: 'http://a.example' }, 'GET /yes HTTP/1.1')).head.status, 101)
  t.match(info, { origin: 'http://a.example', secure: false })
  t.equal((await ask(t, portOf(wss), {}, 'GET /no HTTP/1.1')).head.status, 401)
  await ask(t, portOf(wss), { 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'http://b.example' })
  t.equal(info?.origin, 'http://b.example')

  const later = await serve(t, {
    verifyClient: ({ req }, callback) => {
      setImmediate(() => {
        if (req.url === '/yes') callback(true)
        else if (req.url === '/plain') callback(false)
        else callback(false, 403, 'not you', { 'X-Why': 'because' })
      })
    }
  })
  const port = portOf(later.wss)
  t.equal((await ask(t, port, {}, 'GET /yes HTTP/1.1')).head.status, 101)
  t.equal((await ask(t, port, {}, 'GET /plain HTTP/1.1')).head.status, 401)
  const { peer, head } = await ask(t, port, {}, 'GET /no HTTP/1.1')
  t.match(head, { status: 403, headers: { 'x-why': 'because' } })
  t.equal((await peer.rest()).toString(), 'not you')
})

t.test(
  'subprotocols: the first, the chosen one, or none; one that was not offered is sent if the program says so',
  async t => {
    const choose = async (handleProtocols?: (names: Set<string>) => string | false) => {
      const { wss } = await serve(t, { handleProtocols })
      const { head } = await ask(t, portOf(wss), { 'Sec-WebSocket-Protocol': 'a, b' })
      return head.headers['sec-websocket-protocol']
    }
    t.equal(await choose(), 'a')
    t.equal(await choose(names => [...names].at(-1)!), 'b')
    t.equal(await choose(() => false), undefined)
    t.equal(await choose(() => 'other'), 'other')
    t.equal(await choose(() => 'no token'), undefined)
  }
)

t.test('headers: lines can be added to the response', async t => {
  const { wss } = await serve(t)
  const seen: string[][] = []
  wss.on('headers', (headers, request) => {
    seen.push([...headers, request.url!])
    headers.push('Set-Cookie: a=b', 'Set-Cookie: c=d', 'X-Two: 1\r\nX-Three: 2', 'Sec-WebSocket-Protocol: mine')
    headers.push('X-Name: Zoë 😀')
  })
  const { head } = await ask(t, portOf(wss), { 'Sec-WebSocket-Protocol': 'chat' })
  t.same(seen, [
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      'Sec-WebSocket-Protocol: chat',
      '/chat'
    ]
  ])
  t.match(head.text, /Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Two: 1\r\nX-Three: 2\r\n/)
  t.equal(head.headers['sec-websocket-protocol'], 'mine')
  t.equal(Buffer.from(head.headers['x-name']!, 'latin1').toString(), 'Zoë 😀', 'as UTF-8')
})

t.test('noServer: handleUpgrade calls back synchronously, and frames after the request arrive later', async t => {
  const wss = new WebSocketServer({ noServer: true, clientTracking: false })
  const server = createServer()
  const order: string[] = []
  server.on('upgrade', (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (client, given) => {
      t.equal(given, request)
      t.equal(client.readyState, WebSocket.OPEN)
      t.equal(client.url, undefined)
      client.on('message', data => order.push(String(data)))
      order.push('called back')
    })
    order.push('returned')
    t.throws(() => wss.handleUpgrade(request, socket, head, () => {}), {
      message: /more than once with the same socket/
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const peer = new RawPeer(connect((server.address() as { port: number }).port, '127.0.0.1'), 'client')
  t.teardown(() => peer.stream.destroy())
  peer.write(requestHead(), peer.frame(1, 'early'))
  await peer.head()
  while (order.length < 3) await settle(1)
  t.same(order, ['called back', 'returned', 'early'])
  t.equal(wss.clients, undefined)
  const closed = once(wss, 'close')
  wss.close()
  await closed
})

t.test('a client that has left is not upgraded, and its errors do not crash the process', async t => {
  const wss = new WebSocketServer({ noServer: true })
  const server = createServer()
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.end()
    wss.handleUpgrade(request, socket, head, () => t.fail('it has left'))
    socket.emit('error', new Error('reset'))
    t.equal(socket.destroyed, true)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const peer = new RawPeer(connect((server.address() as { port: number }).port, '127.0.0.1'), 'client')
  peer.write(requestHead())
  await peer.closed
})

t.test('an upgraded socket keeps no listener of the time before', async t => {
  const wss = new WebSocketServer({ noServer: true })
  const server = createServer()
  const added = new Promise<number>(resolve => {
    server.on('upgrade', (request, socket: Duplex, head) => {
      const before = socket.listenerCount('error')
      wss.handleUpgrade(request, socket, head, () => {})
      // the core has one
      resolve(socket.listenerCount('error') - before)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(requestHead())
  t.equal(await added, 1)
})

t.test('connections may be of a class of the application, on a server of its own', async t => {
  class Mine extends WebSocket {
    greet(): void {
      this.send('hello')
    }
  }
  const server = createServer()
  const wss = new WebSocketServer({ server, WebSocket: Mine })
  wss.on('connection', (client, request) => {
    t.type(request, IncomingMessage)
    client.greet()
  })
  const listening = once(wss, 'listening')
  server.listen(0, '127.0.0.1')
  await listening
  const client = new WebSocket(`ws://127.0.0.1:${portOf(wss as unknown as WebSocketServer)}/`)
  t.equal(String((await once(client, 'message'))[0]), 'hello')
  t.equal(wss.clients.size, 1)
  const failed = once(wss, 'error')
  server.emit('error', new Error('of the server'))
  t.match(await failed, [{ message: 'of the server' }])

  // it waits for its connections
  let isClosed = false
  wss.close(() => {
    isClosed = true
  })
  wss.close()
  t.equal(wss.address(), null)
  await settle(5)
  t.equal(isClosed, false)
  client.close()
  await once(wss, 'close')
  t.equal(isClosed, true)
  t.equal(wss.clients.size, 0)
  server.close()
})

t.test('close() closes a server that was made for port; a second call reports an error', async t => {
  const { wss, client } = await open(t)
  t.equal((wss as unknown as { _state: number })._state, 0)
  client.terminate()
  await new Promise<void>(resolve => wss.close(() => resolve()))
  t.equal((wss as unknown as { _state: number })._state, 2)
  const error = await new Promise(resolve => wss.close(resolve))
  t.match(error, { message: 'The server is not running' })
  wss.close()
  await once(wss, 'close')
  const empty = new WebSocketServer({ noServer: true })
  await new Promise<void>(resolve => empty.close(() => resolve()))
})

t.test('a server that is closing refuses with 503', async t => {
  const wss = new WebSocketServer({ noServer: true })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    wss.close()
    wss.handleUpgrade(request, socket, head, () => t.fail('closed'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { head } = await ask(t, (server.address() as { port: number }).port)
  t.equal(head.status, 503)
})

t.test('the constructor takes a callback, backlog, and options of compression', async t => {
  const wss = await new Promise<WebSocketServer>(resolve => {
    const server: WebSocketServer = new WebSocketServer(
      {
        port: 0,
        host: '127.0.0.1',
        backlog: 5,
        WebSocket: undefined,
        perMessageDeflate: {
          serverMaxWindowBits: 8,
          clientMaxWindowBits: 10,
          serverNoContextTakeover: true,
          clientNoContextTakeover: true,
          zlibDeflateOptions: { level: 3, memLevel: 4 }
        }
      },
      () => resolve(server)
    )
  })
  t.teardown(() => wss.close())
  const { peer, head } = await ask(t, portOf(wss), {
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits'
  })
  t.match(head.headers['sec-websocket-extensions'], /server_no_context_takeover.*client_no_context_takeover/)
  peer.stream.destroy()
})

t.test('a request made by the program itself, and a client whose handshake it did itself', async t => {
  const [near, far] = pair()
  const wss = new WebSocketServer({ noServer: true })
  const headers = {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': 13,
    'sec-websocket-key': SAMPLE_KEY
  }
  const request = { method: 'GET', url: '/', httpVersion: '1.1', headers } as unknown as IncomingMessage
  wss.handleUpgrade(request, near, Buffer.alloc(0), server =>
    server.on('message', data => server.send(`you said ${data}`))
  )
  await once(far, 'data')
  const client = new WebSocket(null)
  ;(client as unknown as { setSocket(socket: Duplex, head: Buffer): void }).setSocket(far, Buffer.alloc(0))
  t.equal(client.readyState, 1)
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'you said hello')
  client.terminate()
})
