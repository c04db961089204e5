// Exceptions of the application in the opening handshake: that of a listener surfaces as in any EventEmitter, and the connection continues or
// ends; for that of a function among the options the response is 500.

import { once } from 'node:events'
import t from 'tap'
import { HandshakeError, WebSocketStream } from '../../lib/index.js'
import { connectStream, listen, makeServer, session, upgrade } from '../net/web-servers.js'
import { RawPeer, requestHead, TEXT } from '../support/raw-peer.js'
import { nameOfRaw, RAW_SETUPS, rawServer, rawWire, uncaught } from './raw-server.js'
import { joinTo, parsedRequest, rejection, settle, type TestLike } from './sides.js'

const throws = (): never => {
  throw new Error('the application')
}
// an error of this library's classes may also be the application's
const throwsOurs = (): never => {
  throw new HandshakeError('WS_ERR_BAD_REQUEST', { status: 400, detail: 'the application' })
}

for (const setup of RAW_SETUPS) {
  for (const parsed of [false, true]) {
    const name = `${nameOfRaw(setup)}, ${parsed ? 'parsed' : 'raw'}`
    const serve = async (t: TestLike) => {
      if (!parsed) return rawServer(t, setup)
      const [socket, theirs] = await rawWire(t, setup.wire)
      const ws = WebSocketStream.http(parsedRequest())
      joinTo(ws, socket, setup.join)
      t.teardown(() => [ws, socket, theirs].map(stream => stream.destroy()))
      return { ws, peer: new RawPeer(theirs, 'client') }
    }

    for (const listener of [throws, throwsOurs]) {
      t.test(
        `an exception of an open listener surfaces, and the connection continues: ${name}, ${listener.name}`,
        async t => {
          const errors = uncaught(t)
          const { ws, peer } = await serve(t)
          const seen: unknown[] = []
          ws.on('open', listener)
          ws.on('message', message => seen.push(message))
          peer.write(...(parsed ? [] : [requestHead()]), peer.frame(TEXT, 'early'))
          t.equal((await peer.head()).status, 101)
          await ws.opened
          ws.text('from the server')
          t.equal(String((await peer.nextFrame())?.payload), 'from the server')
          peer.text('late')
          while (seen.length < 2) await settle(1)
          t.same(seen, ['early', 'late'])
          t.match(errors, [{ message: /the application/ }])
          peer.close()
          peer.end()
          t.match(await ws.whenClosed(), { code: 1000 })
          t.equal(errors.length, 1)
        }
      )

      t.test(
        `an exception of a request listener surfaces, and the client gets 500: ${name}, ${listener.name}`,
        async t => {
          const errors = uncaught(t)
          const { ws, peer } = await serve(t)
          const told: HandshakeError[] = []
          ws.on('error', error => told.push(error as HandshakeError))
          ws.on('request', listener)
          if (!parsed) peer.write(requestHead(), peer.frame(TEXT, 'early'))
          t.equal((await peer.head()).status, 500)
          await peer.rest()
          peer.end()
          t.match(await rejection(ws.opened), { code: 'WS_ERR_REJECTED', status: 500 })
          t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
          await settle()
          t.match(errors, [{ message: /the application/ }])
          t.match(told, [{ status: 500, cause: errors[0], message: /: a request listener threw$/ }])
        }
      )
    }

    t.test(`an exception after the answer does not affect the client: ${name}`, async t => {
      const errors = uncaught(t)
      const { ws, peer } = await serve(t)
      ws.on('request', () => {
        ws.accept()
        throws()
      })
      if (!parsed) peer.write(requestHead())
      t.equal((await peer.head()).status, 101)
      peer.text('hello')
      t.same(await once(ws, 'message'), ['hello'])
      t.match(errors, [{ message: 'the application' }])
      ws.destroy()
    })
  }
}

t.test('over HTTP/2 it is the same', async t => {
  for (const event of ['open', 'request'] as const) {
    const errors = uncaught(t)
    const server = makeServer('h2c')
    server.on('stream', (stream, headers) => {
      const ws = WebSocketStream.http2(stream, headers).on('error', () => {})
      ws.on(event, throws)
      ws.on('message', message => void ws.text(`echo ${message}`))
    })
    ;(server as unknown as { updateSettings(s: object): void }).updateSettings({ enableConnectProtocol: true })
    const { status, peer } = await connectStream(await session(t, await listen(t, server), false))
    t.equal(status, event === 'open' ? 200 : 500)
    t.match(errors, [{ message: 'the application' }])
    if (event === 'request') continue
    peer.text('hello')
    t.equal(String((await peer.nextFrame())?.payload), 'echo hello')
  }
})

t.test('an exception that the application catches around accept() does not affect the connection', async t => {
  const { ws, peer } = await rawServer(t, { wire: 'memory', join: 'attach' })
  ws.on('open', throws)
  const asked = once(ws, 'request')
  peer.write(requestHead(), peer.frame(TEXT, 'early'))
  await asked
  t.throws(() => ws.accept(), { message: 'the application' })
  t.equal(ws.readyState, 'open')
  t.same(await once(ws, 'message'), ['early'])
  ws.destroy()
})

t.test('destroyed by the application that caught the exception, it does not continue', async t => {
  const { ws, peer } = await rawServer(t, { wire: 'memory', join: 'attach' })
  ws.on('open', throws)
  ws.on('message', () => t.fail('a message'))
  const asked = once(ws, 'request')
  peer.write(requestHead(), peer.frame(TEXT, 'early'))
  await asked
  t.throws(() => ws.accept(), { message: 'the application' })
  ws.destroy()
  t.match(await ws.whenClosed(), { code: 1006 })
})

t.test('if a function among the options throws, the client gets 500, and error is emitted', async t => {
  const errors = uncaught(t)
  for (const [name, options] of [
    ['protocols', { protocols: throws }],
    ['origins', { origins: throws }]
  ] as const) {
    for (const asks of [false, true]) {
      const { ws, peer, errors: told } = await rawServer(t, { wire: 'memory', join: 'pipe' }, options)
      if (asks) ws.on('request', () => t.equal(ws.accept(), false))
      peer.write(requestHead({ 'Sec-WebSocket-Protocol': 'a', Origin: 'http://a' }))
      t.equal((await peer.head()).status, 500)
      await peer.rest()
      peer.end()
      await ws.whenClosed()
      await settle()
      const message = `the application rejected the handshake: the ${name} callback threw`
      t.match(told, [{ name: 'HandshakeError', status: 500, message, cause: { message: 'the application' } }])
    }
  }
  t.same(errors, [])
})

t.test('over the wire of node:http no exception is swallowed either', async t => {
  const errors = uncaught(t)
  const server = makeServer('http')
  let open: WebSocketStream | undefined
  server.on('upgrade', (request, socket, head) => {
    open = WebSocketStream.http(request, head)
    open.on('open', throws)
    open.on('message', message => void open!.text(`echo ${message}`))
    socket.pipe(open).pipe(socket)
  })
  const { peer, head } = await upgrade(t, await listen(t, server))
  t.equal(head.status, 101)
  peer.text('hello')
  t.equal(String((await peer.nextFrame())?.payload), 'echo hello')
  t.match(errors, [{ message: 'the application' }])
  open?.destroy()
})
