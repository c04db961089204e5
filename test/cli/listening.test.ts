// The part of `serve` and `relay` that listens: errors of the server, and clients in log lines.

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { describeRequest, Listening } from '../../lib/cli/listening.js'
import { Notes } from '../../lib/cli/terminal.js'
import { LOCALHOST } from '../support/certificates.js'
import { makeIo } from './support.js'

t.test('errors of a server that listens are noted, and end nothing', async t => {
  const { io, stderr } = makeIo()
  const server = createServer()
  const listening = new Listening(server, '127.0.0.1', false)
  await listening.begin(0, new Notes(io))
  t.teardown(() => listening.end())
  server.emit('error', new Error('accept EMFILE'))
  server.emit('error', new Error('accept ENFILE'))
  t.match(stderr.text, /: accept EMFILE\n.*: accept ENFILE\n$/)
  t.equal(server.listening, true)
})

for (const [kind, server, dial] of [
  ['http', createServer(), (port: number) => connect(port, '127.0.0.1')],
  [
    'https',
    createTlsServer(LOCALHOST),
    (port: number) => connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  ]
] as const) {
  t.test(`a client of ${kind} that has left keeps its address in the log`, async t => {
    const listening = new Listening(server, '127.0.0.1', kind === 'https')
    await listening.begin(0, new Notes(makeIo().io))
    t.teardown(() => listening.end())
    dial((server.address() as { port: number }).port)
      .on('error', () => {})
      .write('GET /chat HTTP/1.1\r\nHost: a.example\r\n\r\n')
    const [request] = (await once(server, 'request')) as [IncomingMessage]
    request.socket.destroy()
    await once(request.socket, 'close')
    t.match(describeRequest(request), /^\/chat from 127\.0\.0\.1:\d+$/)
  })
}

t.test('a client without an address has left', async t => {
  t.equal(describeRequest({ url: '/' }), '/ from a client that has left')
  t.equal(describeRequest({ url: '/', socket: new Duplex() as Socket }), '/ from a client that has left')
})

t.test('the address of a client of IPv6 has brackets', async t => {
  const socket = { remoteAddress: '::1', remotePort: 80 } as Socket
  t.equal(describeRequest({ url: '/', socket }), '/ from [::1]:80')
})
