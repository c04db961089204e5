// connect(url, { http2: true }): streams of one session if the server offers them, HTTP/1.1 otherwise.

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { connect, permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { AUTHORITY } from '../support/certificates.js'
import { isSecure, listen, makeServer, type ServerKind, type TestServer } from './web-servers.js'

/** An echo server, by HTTP/2 if `offers` says so and by HTTP/1.1 if it speaks it. */
async function echo(t: Test, kind: ServerKind, offers = true) {
  const server: TestServer = makeServer(kind)
  const sessions = new Set<ServerHttp2Session>()
  const greet = (ws: WebSocketStream): void => {
    ws.messages.pipe(ws.messages)
  }
  if (offers && 'updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  server.on('session', (session: ServerHttp2Session) => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, headers: object) => {
    const options = { protocols: ['chat'], extensions: [permessageDeflate()] }
    greet(WebSocketStream.http2(stream, headers as never, options))
  })
  server.on('upgrade', (request: IncomingMessage | Http2ServerRequest, socket: Duplex, head: Buffer) => {
    greet(WebSocketStream.http(request as IncomingMessage, head, { protocols: ['chat'] }).attach(socket))
  })
  const port = await listen(t, server)
  const url = `${isSecure(kind) ? 'wss' : 'ws'}://localhost:${port}/chat?a=b`
  const options = { http2: true, protocols: ['chat'], extensions: [permessageDeflate()] }
  return { url, sessions, options: { ...options, tls: isSecure(kind) ? { ca: AUTHORITY } : undefined } }
}

async function converse(t: Test, ws: WebSocketStream, version: string): Promise<void> {
  t.match(await ws.opened, { version, protocol: 'chat' })
  ws.text('hällo'.repeat(1000))
  t.equal((await once(ws, 'message'))[0], 'hällo'.repeat(1000))
  ws.close(3000, 'bye')
  t.match(await ws.whenClosed(), { code: 3000, reason: 'bye', wasClean: true })
}

const CASES: [kind: ServerKind, offers: boolean, version: string][] = [
  ['h2', true, 'rfc8441'],
  ['h2c', true, 'rfc8441'],
  ['h2+h1', true, 'rfc8441'],
  ['h2+h1', false, 'hybi-13'],
  ['https', false, 'hybi-13'],
  ['http', false, 'hybi-13']
]
for (const [kind, offers, version] of CASES) {
  t.test(`${kind}${offers ? '' : ' without extended CONNECT'} is reached over ${version}`, async t => {
    const { url, options } = await echo(t, kind, offers)
    const ws = connect(url, options)
    ws.setHeader('X-A', '1')
    t.equal(ws.url, url)
    await converse(t, ws, version)
  })
}

t.test('connections to one origin share a session, which ends with the last of them', async t => {
  const { url, sessions, options } = await echo(t, 'h2')
  const some = Array.from({ length: 5 }, () => connect(url, options))
  await Promise.all(some.map(ws => ws.opened))
  const later = connect(url, options)
  await later.opened
  t.equal(sessions.size, 1)
  const apart = connect(url, { ...options, tls: { ...options.tls } })
  await apart.opened
  t.equal(sessions.size, 2, 'not where TLS has options of its own')
  const [first] = sessions
  await Promise.all([...some, later, apart].map(ws => converse(t, ws, 'rfc8441')))
  if (!first!.destroyed) await once(first!, 'close')
  t.ok(first!.destroyed)
})

t.test('a connection that is destroyed while dialling leaves nothing behind', async t => {
  const { url, sessions, options } = await echo(t, 'h2')
  const ws = connect(url, options)
  ws.destroy()
  t.match(await ws.whenClosed(), { code: 1006 })
  await t.rejects(ws.opened)
  const other = connect(url, options)
  await converse(t, other, 'rfc8441')
  t.ok(sessions.size <= 2)
})

t.test('A19: an untrusted certificate is refused', async t => {
  const { url, options } = await echo(t, 'h2')
  const error = await connect(url, { ...options, tls: {} }).opened.catch(error => error)
  t.match(error, { code: 'WS_ERR_CONNECTION_LOST', cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } })
})

t.test('a refusal is an error with status and body', async t => {
  const server = makeServer('h2')
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  server.on('stream', (stream: ServerHttp2Stream, headers: object) => {
    const ws = WebSocketStream.http2(stream, headers as never)
    ws.on('request', () => ws.reject(403, { body: 'not you' }))
  })
  const port = await listen(t, server)
  const ws = connect(`wss://localhost:${port}/`, { http2: true, tls: { ca: AUTHORITY } })
  const error = await ws.opened.catch(error => error)
  t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403 })
  t.equal(String(error.body), 'not you')
})
