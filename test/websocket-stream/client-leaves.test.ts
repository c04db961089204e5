// A client that leaves before its request is answered: no connection opens, whatever else it sent.

import { once } from 'node:events'
import http2 from 'node:http2'
import t from 'tap'
import { acceptWebSockets, type HandshakeError, WebSocketStream } from '../../lib/index.js'
import { dialHttp1, listen, makeServer, session } from '../net/web-servers.js'
import { RawPeer, requestHead, TEXT } from '../support/raw-peer.js'
import { nameOfRaw, RAW_SETUPS, rawServer, rawWire } from './raw-server.js'
import { joinTo, parsedRequest, rejection, settle } from './sides.js'

for (const setup of RAW_SETUPS) {
  for (const how of ['end', 'reset'] as const) {
    // a unix socket has none, and TLS uses that of the socket below it
    if (how === 'reset' && (setup.wire === 'tls' || setup.wire === 'unix')) continue
    for (const when of ['later', 'with its request'] as const) {
      t.test(`${how === 'end' ? 'the end' : 'a reset'} ${when} fails the handshake: ${nameOfRaw(setup)}`, async t => {
        const { ws, peer, closes, errors } = await rawServer(t, setup)
        ws.on('open', () => t.fail('it opened'))
        const asked = once(ws, 'request')
        peer.write(requestHead(), peer.frame(TEXT, 'early'))
        if (when === 'later') await asked
        if (when === 'later') await settle()
        if (how === 'end') peer.end()
        else if (when === 'later') peer.reset()
        else peer.stream.write('', () => peer.reset())
        const error = await rejection(ws.opened)
        t.match(error, { name: 'HandshakeError', code: 'WS_ERR_CONNECTION_LOST', status: 0 })
        t.equal(ws.accept(), false)
        t.equal(ws.reject(404), false)
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
        await settle()
        t.match([closes.length, errors.length], [1, 1])
        if (how === 'end') t.equal((await peer.rest()).length, 0, 'nothing is answered')
      })
    }
  }

  t.test(`of a request that another parser has read: ${nameOfRaw(setup)}`, async t => {
    const [socket, theirs] = await rawWire(t, setup.wire)
    const ws = WebSocketStream.http(parsedRequest())
    ws.on('request', () => {})
    joinTo(ws, socket, setup.join)
    const peer = new RawPeer(theirs, 'client')
    peer.end()
    t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST', message: /the client left/ })
    await ws.whenClosed()
    theirs.destroy()
    socket.destroy()
  })
}

t.test('after more than is buffered, it is noticed when that is read, and nothing is opened', async t => {
  const { ws, peer } = await rawServer(
    t,
    { wire: 'memory', join: 'attach' },
    { highWaterMark: 100, handshakeTimeout: 30 }
  )
  const asked = once(ws, 'request')
  peer.write(requestHead())
  await asked
  for (let i = 0; i < 10; i++) peer.send(TEXT, 'x'.repeat(90))
  peer.end()
  t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
  await ws.whenClosed()
})

for (const kind of ['http', 'https'] as const) {
  t.test(`if the verify of an acceptor decides later, its verdict is ignored: ${kind}`, async t => {
    const server = makeServer(kind)
    let decide: (verdict: boolean) => void = () => {}
    const verify = () => new Promise<boolean>(resolve => (decide = resolve))
    const acceptor = acceptWebSockets(server, { verify }, () => t.fail('the handler'))
    const peer = await dialHttp1(t, await listen(t, server), kind === 'https')
    const refused = once(acceptor, 'refused') as Promise<[HandshakeError]>
    peer.write(requestHead())
    while (acceptor.handshakes === 0) await settle(1)
    peer.end()
    t.match((await refused)[0], { code: 'WS_ERR_CONNECTION_LOST' })
    t.equal(acceptor.handshakes, 0)
    decide(true)
    await settle()
    t.equal(acceptor.size, 0)
  })
}

t.test('over HTTP/2: a reset, the end of the stream, and the end of the session', async t => {
  for (const how of ['reset', 'end', 'session'] as const) {
    const server = makeServer('h2')
    let decide: (verdict: boolean) => void = () => {}
    const verify = () => new Promise<boolean>(resolve => (decide = resolve))
    const acceptor = acceptWebSockets(server, { verify }, () => t.fail('the handler'))
    const client = await session(t, await listen(t, server))
    const refused = once(acceptor, 'refused') as Promise<[HandshakeError]>
    const head = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' }
    const stream = client.request(head, { endStream: false }).on('error', () => {})
    stream.on('response', answer => t.fail(`answered with ${answer[':status']}`))
    const closed = once(stream, 'close').catch(() => {})
    while (acceptor.handshakes === 0) await settle(1)
    if (how === 'reset') stream.close(http2.constants.NGHTTP2_CANCEL)
    else if (how === 'end') stream.end()
    else client.destroy()
    t.match((await refused)[0], { code: 'WS_ERR_CONNECTION_LOST' })
    t.equal(acceptor.handshakes, 0, how)
    decide(true)
    await closed
    if (how === 'end') t.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL)
    t.equal(acceptor.size, 0)
  }
})
