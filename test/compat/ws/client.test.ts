// The client of `ws` over ours: its request, agents, redirects, and how it takes responses.

import { once } from 'node:events'
import { Agent, type ClientRequest, createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import type { ClientOptions } from '../../../lib/compat/ws/index.js'
import { AUTHORITY, LOCALHOST } from '../../support/certificates.js'
import { acceptFor, wireFrame } from '../../support/raw-peer.js'
import type { TestLike } from '../../websocket-stream/sides.js'
import { portOf, serve, WebSocket, WebSocketServer } from './support.js'

async function listening(t: TestLike, server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A server that answers each upgrade with these lines, made from the accept value. */
async function answering(
  t: TestLike,
  respond: (accept: string) => string[],
  body: Buffer = Buffer.alloc(0)
): Promise<string> {
  const server = createServer()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    const lines = respond(acceptFor(request.headers['sec-websocket-key'] as string))
    socket.write(
      Buffer.concat([Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`), body])
    )
  })
  return `ws://127.0.0.1:${await listening(t, server)}/`
}

/** The error, and the `close` after it. */
async function failure(client: WebSocket): Promise<{ message: string; code: number }> {
  const closed = new Promise<number>(resolve => client.on('close', resolve))
  const [error] = (await once(client, 'error')) as [Error]
  return { message: error.message, code: await closed }
}

t.test('invalid addresses and subprotocols are a SyntaxError; other options behave as in ws', async t => {
  const cases: [string | URL, string][] = [
    ['nonsense', 'Invalid URL: nonsense'],
    ['ftp://a.example', `The URL's protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"`],
    ['ws+unix:', "The URL's pathname is empty"],
    ['ws://a.example/#part', 'The URL contains a fragment identifier'],
    [new URL('ftp://a.example'), `The URL's protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"`]
  ]
  for (const [url, message] of cases) t.throws(() => new WebSocket(url), { name: 'SyntaxError', message })
  for (const name of ['', 'a b', null, ['a', 'a']]) {
    const message = 'An invalid or duplicated subprotocol was specified'
    t.throws(() => new WebSocket('ws://a.example', name as string), { name: 'SyntaxError', message })
  }
  t.throws(() => new WebSocket('ws://a.example', { protocolVersion: 12 }), {
    name: 'RangeError',
    message: 'Unsupported protocol version: 12 (supported versions: 8, 13)'
  })
  t.throws(() => new WebSocket('ws://a.example', { generateMask: 5 as never }), TypeError)
})

t.test('the request: fields, subprotocols, origin, authorization, version 8', async t => {
  const { wss, url } = await serve(t)
  const seen: IncomingMessage[] = []
  wss.on('connection', (_socket, request) => seen.push(request))
  const client = new WebSocket(url.replace('ws://', 'http://us%40er:sec%zzret@'), ['chat', 'b'], {
    headers: { cookie: 'a=b' },
    origin: 'http://page.example',
    perMessageDeflate: { threshold: 5, zlibDeflateOptions: { level: -1, windowBits: 10 } }
  })
  t.match(client.url, /^ws:\/\/us%40er:/)
  const upgraded = once(client, 'upgrade')
  await once(client, 'open')
  t.equal(((await upgraded)[0] as IncomingMessage).statusCode, 101)
  t.equal(client.protocol, 'chat')
  const { headers } = seen[0]!
  t.match(headers, {
    cookie: 'a=b',
    origin: 'http://page.example',
    'sec-websocket-protocol': 'chat,b',
    'sec-websocket-version': '13',
    'sec-websocket-extensions': /^permessage-deflate/,
    authorization: `Basic ${Buffer.from('us@er:sec%zzret').toString('base64')}`,
    host: new URL(url).host
  })
  client.terminate()
  const old = new WebSocket(url, undefined, {
    protocolVersion: 8,
    origin: 'http://page.example',
    perMessageDeflate: false,
    auth: 'a:b'
  })
  await once(old, 'open')
  t.match(seen[1]?.headers, { 'sec-websocket-version': '8', 'sec-websocket-origin': 'http://page.example' })
  t.equal(seen[1]?.headers.authorization, `Basic ${Buffer.from('a:b').toString('base64')}`)
  t.equal(seen[1]?.headers['sec-websocket-extensions'], undefined)
  old.terminate()
})

t.test('the options agent, createConnection and finishRequest are used', async t => {
  const { wss, url } = await serve(t)
  const agent = new Agent()
  const options: ClientOptions[] = [
    { agent },
    { createConnection: (() => connect(portOf(wss), '127.0.0.1')) as never },
    {
      finishRequest(request, websocket) {
        t.equal((websocket as unknown as { _req: ClientRequest })._req, request)
        request.setHeader('x-mine', 'yes')
        request.end()
      }
    }
  ]
  for (const option of options) {
    const connected = once(wss, 'connection') as Promise<[WebSocket, IncomingMessage]>
    const client = new WebSocket(url, option)
    await once(client, 'open')
    const [, request] = await connected
    if (option.finishRequest) t.equal(request.headers['x-mine'], 'yes')
    t.equal((client as unknown as { _req: null })._req, null)
    client.terminate()
    await once(client, 'close')
  }
  agent.destroy()
})

t.test('addresses may lead to TLS, IPv6 and unix sockets', async t => {
  const secure = createTlsServer(LOCALHOST)
  const wss = new WebSocketServer({ server: secure, verifyClient: ({ secure }: { secure: boolean }) => secure })
  const port = await listening(t, secure as unknown as Server)
  for (const [url, options] of [
    [`wss://localhost:${port}/`, { ca: AUTHORITY }],
    [`https://127.0.0.1:${port}/`, { ca: AUTHORITY }],
    [`wss://127.0.0.1:${port}/`, { ca: AUTHORITY, servername: 'localhost' }]
  ] as const) {
    const client = new WebSocket(url, { ...options, family: 4 })
    await once(client, 'open')
    client.terminate()
  }
  wss.close()
  const path = join(tmpdir(), `ws-${process.pid}.sock`)
  const server = createServer()
  const unix = new WebSocketServer({ server })
  const urls: string[] = []
  unix.on('connection', (_socket, request) => urls.push(request.url!))
  server.listen(path)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = new WebSocket(`ws+unix:${path}:/room?a=b`)
  await once(client, 'open')
  t.same(urls, ['/room?a=b'])
  client.terminate()
  const six = new WebSocket(`ws://[::1]:${port}/`, {
    createConnection: ((options: { host: string }) => {
      t.equal(options.host, '::1')
      return connect(1, '127.0.0.1')
    }) as never
  })
  await failure(six)
})

t.test('an invalid response is an error with the message of ws', async t => {
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade']
  const right = (accept: string) => [...upgrade, `Sec-WebSocket-Accept: ${accept}`]
  const cases: [(accept: string) => string[], string, string[]?, ClientOptions?][] = [
    [() => ['Upgrade: other', 'Connection: Upgrade'], 'Invalid Upgrade header'],
    [() => [...upgrade, 'Sec-WebSocket-Accept: wrong'], 'Invalid Sec-WebSocket-Accept header'],
    [accept => right(accept), 'Server sent no subprotocol', ['chat']],
    [accept => [...right(accept), 'Sec-WebSocket-Protocol: b'], 'Server sent an invalid subprotocol', ['chat']],
    [accept => [...right(accept), 'Sec-WebSocket-Protocol: b'], 'Server sent a subprotocol but none was requested'],
    [
      accept => [...right(accept), 'Sec-WebSocket-Extensions: x'],
      'Server sent a Sec-WebSocket-Extensions header but no extension was requested',
      [],
      { perMessageDeflate: false }
    ],
    [
      accept => [...right(accept), 'Sec-WebSocket-Extensions: x'],
      'Server indicated an extension that was not requested'
    ],
    [
      accept => [...right(accept), 'Sec-WebSocket-Extensions: permessage-deflate; nonsense'],
      'Invalid Sec-WebSocket-Extensions header'
    ]
  ]
  for (const [respond, message, protocols, options] of cases) {
    const client = new WebSocket(await answering(t, respond), protocols, options)
    t.same(await failure(client), { message, code: 1006 })
    t.equal(client.readyState, 3)
  }
})

t.test('frames after the response are emitted after open', async t => {
  const url = await answering(
    t,
    accept => ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`],
    wireFrame(1, 'early')
  )
  const client = new WebSocket(url)
  const order: string[] = []
  client.on('open', () => {
    order.push('open')
    process.nextTick(() => order.push('a tick later'))
  })
  client.on('message', data => order.push(String(data)))
  await once(client, 'message')
  t.same(
    order.filter(line => line !== 'a tick later'),
    ['open', 'early']
  )
  client.terminate()
})

t.test('a refusal is an error, or passed to the application', async t => {
  const server = createServer((_request, response) => response.writeHead(401).end('no'))
  const url = `ws://127.0.0.1:${await listening(t, server)}/`
  t.same(await failure(new WebSocket(url)), { message: 'Unexpected server response: 401', code: 1006 })
  const client = new WebSocket(url)
  const [request, response] = (await once(client, 'unexpected-response')) as [ClientRequest, IncomingMessage]
  t.equal(response.statusCode, 401)
  t.equal(client.readyState, 0)
  response.resume()
  const failed = failure(client)
  client.terminate()
  await failed
  t.equal(request.destroyed, true)
})

t.test('a listener of upgrade may terminate the WebSocket', async t => {
  const { url } = await serve(t)
  const client = new WebSocket(url)
  client.on('upgrade', () => client.terminate())
  client.on('open', () => t.fail('it was opened nevertheless'))
  t.same(await failure(client), {
    message: 'WebSocket was closed before the connection was established',
    code: 1006
  })
})

t.test('a server that does not answer in time is an error', async t => {
  const server = createServer()
  server.on('upgrade', (_request, socket) => t.teardown(() => socket.destroy()))
  const client = new WebSocket(`ws://127.0.0.1:${await listening(t, server)}/`, { handshakeTimeout: 20 })
  t.same(await failure(client), { message: 'Opening handshake has timed out', code: 1006 })
})

t.test('redirects: followed on request, up to a limit, and not to invalid URLs', async t => {
  const { wss, url } = await serve(t)
  const seen: IncomingMessage[] = []
  wss.on('connection', (_socket, request) => seen.push(request))
  const server = createServer()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    const to = new URLSearchParams(request.url!.slice(2)).get('to')!
    const location = to === 'loop' ? request.url : to === 'target' ? url : to
    seen.push(request)
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`)
  })
  const base = `ws://127.0.0.1:${await listening(t, server)}`
  t.match(await failure(new WebSocket(`${base}/?to=target`)), { message: 'Unexpected server response: 302' })
  const options = { followRedirects: true, headers: { Cookie: 'secret', Host: 'a.example', 'X-Mine': 'yes' } }
  seen.length = 0
  const client = new WebSocket(`${base.replace('ws://', 'ws://user:pass@')}/?to=target`, options)
  await once(client, 'open')
  t.equal(client.url, url)
  t.match(seen[0]?.headers, { cookie: 'secret', authorization: /^Basic/ })
  t.equal(seen[1]?.headers.cookie, undefined, 'another host gets no secrets')
  t.equal(seen[1]?.headers.authorization, undefined)
  t.equal(seen[1]?.headers['x-mine'], 'yes')
  t.equal(seen[1]?.headers.host, new URL(url).host)
  client.terminate()

  const listened = new WebSocket(`${base}/?to=target`, options)
  const told: string[] = []
  listened.on('redirect', to => told.push(to))
  await once(listened, 'open')
  t.same(told, [url])
  t.equal(seen.at(-1)?.headers.cookie, 'secret', 'who listens sees to it')
  listened.terminate()

  const own = new WebSocket(`${base.replace('ws://', 'ws://user:pass@')}/?to=loop`, {
    followRedirects: true,
    maxRedirects: 2,
    headers: { authorization: 'mine' }
  })
  t.match(await failure(own), { message: 'Maximum redirects exceeded' })
  t.equal(seen.at(-1)?.headers.authorization, 'mine')
  for (const [to, message] of [
    ['http://', 'Invalid URL: http://'],
    ['ftp://a.example/', /protocol must be one of/]
  ] as const) {
    t.match(await failure(new WebSocket(`${base}/?to=${encodeURIComponent(to)}`, { followRedirects: true })), {
      message
    })
  }
})

t.test('redirects: credentials of the address are sent to the same host only, and not from wss to ws', async t => {
  const seen: IncomingMessage[] = []
  const server = createServer()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    seen.push(request)
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${request.url}\r\n\r\n`)
  })
  const port = await listening(t, server)
  const again = new WebSocket(`ws://user:pass@127.0.0.1:${port}/`, { followRedirects: true, maxRedirects: 1 })
  t.match(await failure(again), { message: 'Maximum redirects exceeded' })
  t.match(
    seen.map(({ headers }) => headers.authorization),
    [/^Basic/, /^Basic/]
  )
  const secure = createTlsServer(LOCALHOST)
  let lead = ''
  secure.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${lead}\r\n\r\n`)
  })
  const securePort = await listening(t, secure as unknown as Server)
  lead = `ws://localhost:${securePort}/`
  // the same host and port: the second wire leads to the server without TLS
  let dialled = 0
  const down = new WebSocket(`wss://user:pass@localhost:${securePort}/`, {
    followRedirects: true,
    maxRedirects: 1,
    headers: { Cookie: 'a=b', 'X-A': '1' },
    createConnection: () =>
      dialled++ === 0
        ? connectTls({ port: securePort, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY })
        : connect(port, '127.0.0.1')
  } as ClientOptions)
  t.match(await failure(down), { message: 'Maximum redirects exceeded', code: 1006 })
  t.equal(seen.length, 3)
  t.match(seen[2]!.headers, {
    'x-a': '1',
    host: `localhost:${securePort}`,
    authorization: undefined,
    cookie: undefined
  })
})

t.test('compression: the offer of a client', async t => {
  const { wss, url } = await serve(t, { perMessageDeflate: { zlibDeflateOptions: { windowBits: 9 } } })
  const offers: unknown[] = []
  wss.on('connection', (_socket, { headers }) => offers.push(headers['sec-websocket-extensions']))
  for (const perMessageDeflate of [
    { clientMaxWindowBits: true, serverMaxWindowBits: 10 },
    { clientMaxWindowBits: 10, serverNoContextTakeover: true, concurrencyLimit: 2, threshold: 0 }
  ]) {
    const client = new WebSocket(url, { perMessageDeflate })
    await new Promise(resolve => client.on('close', resolve).on('error', resolve).on('open', resolve))
    client.terminate()
  }
  t.ok(offers.every(offer => String(offer).startsWith('permessage-deflate')))
})
