// A client on a socket that http.request has upgraded: its request, its agents, its events.

import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, type Socket, connect as tcpConnect } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { kEndpoint } from '../../lib/endpoint.js'
import { acceptWebSockets, connect, permessageDeflate, WebSocketError, WebSocketStream } from '../../lib/index.js'
import { acceptFor, wireFrame } from '../support/raw-peer.js'
import { rejection, settle, type TestLike } from './sides.js'

async function listening(t: TestLike, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A server that answers each upgrade with these bytes, given the key. */
async function answering(t: TestLike, respond: (accept: string) => (string | Buffer)[]): Promise<number> {
  const server = createServer()
  server.on('upgrade', (request: IncomingMessage, socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    for (const part of respond(acceptFor(request.headers['sec-websocket-key'] as string))) socket.write(part, 'latin1')
  })
  return listening(t, server)
}

const UPGRADE = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'

t.test('through an agent, with subprotocol, extension, and header fields of both', async t => {
  const server = createServer()
  const seen: IncomingMessage[] = []
  acceptWebSockets(server, { protocols: ['chat'], extensions: [permessageDeflate()] }, (ws, request) => {
    seen.push(request as IncomingMessage)
    ws.messages.pipe(ws.messages)
  })
  const port = await listening(t, server)
  const ws = WebSocketStream.client(`ws://127.0.0.1:${port}/path`, {
    protocols: ['chat'],
    extensions: [permessageDeflate()],
    headers: { 'x-mine': 'ours' }
  })
  ws.text('before the response')
  const agent = new Agent()
  const headers = { ...ws.requestHeaders(), cookie: 'a=b' }
  t.match(headers, { host: `127.0.0.1:${port}`, upgrade: 'websocket', 'sec-websocket-protocol': 'chat' })
  t.throws(() => ws.requestHeaders(), { message: 'the handshake has been sent' })
  const sent = request({ port, host: '127.0.0.1', path: '/path', agent, headers })
  sent.on('upgrade', (response, socket, head) => ws.upgraded(response, head).attach(socket))
  sent.end()
  const info = await ws.opened
  t.match(info, { protocol: 'chat', status: 101, extensions: /permessage-deflate/ })
  t.equal(ws.headers['upgrade'], 'websocket')
  t.match(seen[0]?.headers, { cookie: 'a=b', 'x-mine': 'ours' })
  for await (const message of ws.messages) {
    t.equal(message, 'before the response')
    break
  }
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  t.throws(() => ws.requestHeaders(), { message: 'the handshake has been sent' })
  agent.destroy()
})

for (const join of ['attach', 'pipe'] as const) {
  t.test(`frames after the response are delivered, and open is emitted in the same turn, by ${join}`, async t => {
    const port = await answering(t, accept => [
      Buffer.concat([Buffer.from(`${UPGRADE}Sec-WebSocket-Accept: ${accept}\r\n\r\n`), wireFrame(1, 'hello')])
    ])
    const ws = WebSocketStream.client('ws://a.example/')
    const order: string[] = []
    ws.on('open', () => order.push('open'))
    ws.on('message', message => order.push(message as string))
    const sent = request({ port, host: '127.0.0.1', headers: ws.requestHeaders() }).end()
    const [response, socket, head] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket, Buffer]
    ws.upgraded(response, head)
    if (join === 'attach') ws.attach(socket)
    else socket.pipe(ws).pipe(socket)
    t.same(order, ['open', 'hello'])
    t.throws(() => ws.upgraded(response, head), { message: 'the handshake has been sent' })
    ws.destroy()
    await once(socket, 'close')
  })
}

t.test('an invalid response fails with the reason, and the socket is destroyed', async t => {
  const port = await answering(t, () => [`${UPGRADE}Sec-WebSocket-Accept: wrong\r\n\r\n`])
  const ws = WebSocketStream.client('ws://a.example/')
  const sent = request({ port, host: '127.0.0.1', headers: ws.requestHeaders() }).end()
  const [response, socket, head] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket, Buffer]
  const failed = once(ws, 'error')
  ws.upgraded(response, head).attach(socket)
  t.match(await failed, [{ code: 'WS_ERR_BAD_RESPONSE', message: /Sec-WebSocket-Accept/, status: 101 }])
  await ws.whenClosed()
  t.equal(socket.destroyed, true)
})

t.test('a response with another status ends it at once', async t => {
  const server = createServer((_request, response) => response.writeHead(401, { 'x-why': 'not you' }).end('no'))
  const port = await listening(t, server)
  const ws = WebSocketStream.client('ws://a.example/')
  const opened = rejection(ws.opened)
  const sent = request({ port, host: '127.0.0.1', headers: ws.requestHeaders() }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  t.equal(ws.upgraded(response, Buffer.from('no')).closed, true)
  t.match(await opened, { code: 'WS_ERR_UNEXPECTED_STATUS', message: 'unexpected server response: 401' })
  t.equal(ws.status, 401)
  t.equal(ws.headers['x-why'], 'not you')
  t.match(await ws.whenClosed(), { code: 1006 })
})

t.test('an extension that was not offered is invalid', async t => {
  const ws = WebSocketStream.client('ws://a.example/', { extensions: [permessageDeflate()] })
  const accept = acceptFor(ws.requestHeaders()['sec-websocket-key']!)
  const headers = {
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-accept': accept,
    'sec-websocket-extensions': 'permessage-deflate; nonsense'
  }
  const socket = new PassThrough()
  const failed = once(ws, 'error')
  ws.upgraded({ statusCode: 101, headers }).attach(socket)
  t.match(await failed, [{ code: 'WS_ERR_BAD_RESPONSE' }])
  t.equal(socket.destroyed, true)
})

t.test('a client that was destroyed before the response arrived destroys the socket', async t => {
  const port = await answering(t, accept => [`${UPGRADE}Sec-WebSocket-Accept: ${accept}\r\n\r\n`])
  const ws = WebSocketStream.client('ws://a.example/')
  const sent = request({ port, host: '127.0.0.1', headers: ws.requestHeaders() }).end()
  const [response, socket, head] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket, Buffer]
  ws.destroy()
  await ws.whenClosed()
  ws.upgraded(response, head).attach(socket)
  if (!socket.closed) await once(socket, 'close')
  t.equal(socket.destroyed, true)
})

t.test('the response may also arrive on the wire, to a request that was sent another way', async t => {
  const port = await answering(t, accept => [
    `${UPGRADE}Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    wireFrame(1, 'by the wire')
  ])
  const ws = WebSocketStream.client('ws://a.example/')
  const fields = Object.entries(ws.requestHeaders()).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = tcpConnect(port, '127.0.0.1')
  socket.write(`GET / HTTP/1.1\r\n${fields.join('')}\r\n`)
  ws.attach(socket)
  t.equal((await once(ws, 'message'))[0], 'by the wire')
  ws.destroy()
})

t.test('handshakeTimeout covers the request', async t => {
  const ws = WebSocketStream.client('ws://a.example/', { handshakeTimeout: 20 })
  ws.requestHeaders()
  t.match(await once(ws, 'error'), [{ code: 'WS_ERR_HANDSHAKE_TIMEOUT' }])
  t.match(await ws.whenClosed(), { code: 1006 })
})

t.test('calls without a request to send throw', async t => {
  const message = 'only a client made by WebSocketStream.client() can send its request itself'
  const server = WebSocketStream.server()
  t.throws(() => server.requestHeaders(), { message })
  server.destroy()
  const dialled = connect('ws://127.0.0.1:1/')
  dialled.on('error', () => {})
  t.throws(() => dialled.requestHeaders(), { message })
  dialled.destroy()
  const ws = WebSocketStream.client('ws://a.example/')
  t.throws(() => ws.upgraded({ statusCode: 101, headers: {} }), { message: 'no request is waiting for a response' })
  ws.destroy()
})

t.test('a response after the connection was destroyed changes nothing', async t => {
  const ws = WebSocketStream.client('ws://a.example/')
  ws.requestHeaders()
  ws.destroy()
  const info = await ws.whenClosed()
  ws.upgraded({ statusCode: 403, headers: {} })
  // and neither does destroying it again
  ws[kEndpoint].abandon(new WebSocketError('WS_ERR_DESTROYED'))
  await settle()
  t.same(ws.closeInfo, info)
})
