// connect through a proxy: given or found in the environment, by HTTP or HTTPS, which accepts or refuses.

import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import type { HandshakeError, WebSocketStream } from '../../lib/index.js'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { AUTHORITY, LOCALHOST, OTHER, SELF_SIGNED } from '../support/certificates.js'
import { rejection, settle } from '../websocket-stream/sides.js'
import { echo, listen, proxy, serve } from './servers.js'

const TRUST = { ca: AUTHORITY }
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

/** The error of the proxy: `opened` rejects with it, or with an error that has it as its cause. */
async function proxyError(ws: WebSocketStream): Promise<HandshakeError> {
  const error = (await rejection(ws.opened)) as unknown as HandshakeError
  t.match(error, { name: 'HandshakeError' })
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  return (error.cause ?? error) as HandshakeError
}

async function hello(ws: WebSocketStream): Promise<void> {
  ws.text('hello')
  t.same(await once(ws, 'message'), ['hello'])
  ws.close()
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
}

for (const scheme of ['ws', 'wss']) {
  const tls = scheme === 'wss' ? { ...LOCALHOST } : undefined
  const client: ConnectOptions = scheme === 'wss' ? { tls: TRUST } : {}

  t.test(`${scheme} through an HTTP proxy, with authorization`, async t => {
    const { port, requests } = await echo(t, 'ours', tls && { tls })
    const { port: proxyPort, requests: asked, sent } = await proxy(t, { authorization: basic('u@x:p ü') })
    const url = `http://u%40x:p%20%C3%BC@localhost:${proxyPort}`
    await hello(connect(`${scheme}://localhost:${port}/`, { ...client, proxy: url }))
    t.match(asked[0], `CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n`)
    // credentials for the proxy are not sent to the server
    t.equal(requests[0]!.headers['proxy-authorization'], undefined)
    if (scheme === 'wss') t.notMatch(Buffer.concat(sent).toString('latin1'), /GET|hello/)
    await hello(connect(`${scheme}://127.0.0.1:${port}/`, { ...client, proxy: new URL(url) }))
  })

  t.test(`${scheme} through an HTTPS proxy`, async t => {
    const { port } = await echo(t, 'ws', tls && { tls })
    const { port: proxyPort } = await proxy(t, { tls: LOCALHOST, authorization: basic('u:p') })
    const options = { ...client, proxy: `https://u:p@localhost:${proxyPort}`, proxyTls: TRUST }
    await hello(connect(`${scheme}://localhost:${port}/`, options))
  })

  t.test(`A19: ${scheme} through an HTTPS proxy with an unknown or wrong certificate`, async t => {
    const { port } = await echo(t, 'ours', tls && { tls })
    const cases = [
      [SELF_SIGNED, undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      [OTHER, TRUST, 'ERR_TLS_CERT_ALTNAME_INVALID']
    ] as const
    for (const [certificate, proxyTls, code] of cases) {
      const { port: proxyPort, requests } = await proxy(t, { tls: certificate })
      // the authority trusted for the server is not trusted for the proxy
      const options = { ...client, proxy: `https://u:p@localhost:${proxyPort}`, proxyTls }
      t.match(await proxyError(connect(`${scheme}://localhost:${port}/`, options)), { code })
      t.same(requests, [], 'no password was sent')
    }
  })

  t.test(`${scheme}: a refusal of the proxy is an error with status, fields and body`, async t => {
    const { port } = await echo(t)
    const { port: proxyPort } = await proxy(t, { authorization: basic('u:p') })
    for (const user of ['', 'u:wrong@']) {
      const ws = connect(`${scheme}://localhost:${port}/`, { proxy: `http://${user}127.0.0.1:${proxyPort}` })
      const error = await proxyError(ws)
      t.match(error, { name: 'HandshakeError', code: 'WS_ERR_PROXY', status: 407 })
      t.match(error.headers, { 'proxy-authenticate': 'Basic realm="test"' })
      t.equal(String(error.body), 'denied!')
    }
  })

  t.test(`${scheme}: an invalid response of the proxy is an error`, async t => {
    const responses: [name: string, response: string, expected: object][] = [
      ['A03: an endless head', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20000)}`, { code: 'WS_ERR_HEAD_TOO_LARGE' }],
      ['A03: endless lines', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(101)}`, { code: 'WS_ERR_HEAD_TOO_LARGE' }],
      ['A25: an endless body', `HTTP/1.1 403 No\r\n\r\n${'x'.repeat(70000)}`, { status: 403 }],
      ['no HTTP', 'SSH-2.0-x\r\n', { code: 'WS_ERR_MALFORMED_HEAD' }],
      ['A22: another protocol', 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n', { code: 'WS_ERR_BAD_RESPONSE' }]
    ]
    for (const [name, response, expected] of responses) {
      const port = await serve(t, async (peer, socket) => {
        await peer.head()
        socket.write(response)
      })
      const error = await proxyError(connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}` }))
      t.match(error, expected, name)
      t.ok(error.body.length <= 65536)
    }
  })

  t.test(`${scheme}: limits on the head of a response apply to the proxy's`, async t => {
    const port = await serve(t, async (peer, socket) => {
      await peer.head()
      socket.write('HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n')
    })
    for (const limit of [{ maxHeaders: 1 }, { maxHeaderSize: 20 }]) {
      const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}`, ...limit })
      t.match(await proxyError(ws), { code: 'WS_ERR_HEAD_TOO_LARGE' })
    }
  })

  t.test(`A22: ${scheme}, a proxy that acts as the server opens nothing`, async t => {
    const port = await serve(t, async (peer, socket) => {
      await peer.head()
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x81\x01a')
    })
    const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}` })
    const messages: unknown[] = []
    ws.on('message', message => messages.push(message))
    await proxyError(ws)
    t.same(messages, [])
  })

  t.test(`A22: ${scheme}, only CONNECT is sent before the proxy has agreed`, async t => {
    let input = ''
    const port = await serve(t, async (peer, socket) => {
      await peer.head()
      await settle(20)
      input = String(peer.input)
      socket.destroy()
    })
    const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}` })
    ws.text('secret')
    t.match(await proxyError(ws), { code: 'WS_ERR_BAD_RESPONSE' })
    t.equal(input, '')
  })

  t.test(`A26: ${scheme}, handshakeTimeout covers the proxy as well`, async t => {
    const port = await serve(t, (_peer, socket) => socket.write('HTTP/1.1 20'))
    const deaf = await proxy(t, { redirect: await serve(t, () => {}) })
    for (const proxyPort of [port, deaf.port]) {
      const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${proxyPort}`, handshakeTimeout: 40 })
      t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
      await ws.whenClosed()
    }
  })

  t.test(`${scheme}: a signal aborts the way through a proxy, and destroys its socket`, async t => {
    let gone: Promise<unknown> = Promise.resolve()
    const port = await serve(t, (_peer, socket) => {
      gone = once(socket, 'close')
    })
    const abort = new AbortController()
    const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}`, signal: abort.signal })
    await settle(20)
    abort.abort()
    t.match(await rejection(ws.opened), { code: 'WS_ERR_ABORTED' })
    await ws.whenClosed()
    await gone
  })

  t.test(`${scheme}: a proxy that is unreachable, or closes the tunnel`, async t => {
    const server = createServer()
    const port = await listen(t, server)
    server.close()
    await once(server, 'close')
    const ws = connect(`${scheme}://a.example/`, { proxy: `http://127.0.0.1:${port}` })
    t.match(await proxyError(ws), { code: 'ECONNREFUSED' })

    const { port: far } = await echo(t, 'ours', tls && { tls })
    const falls = await proxy(t)
    const through = connect(`${scheme}://localhost:${far}/`, { ...client, proxy: `http://127.0.0.1:${falls.port}` })
    await through.opened
    falls.cut()
    t.match(await through.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
  })
}

// bytes that have come from the server, or gone to the proxy: in the head, in TLS, in the handshake, in a frame
const MOMENTS = [0, 1, 20, 100, 700, 1500, 3000, 20_000, 200_000]

for (const scheme of ['ws', 'wss']) {
  for (const end of ['end', 'reset', 'destroy'] as const) {
    t.test(`A29, A34: ${scheme}, a tunnel that breaks at any moment (${end}) ends the connection once`, async t => {
      const { port } = await echo(t, 'ours', {
        // limits how long unsent output waits for the application to read what has arrived
        stream: { closeTimeout: 500 },
        ...(scheme === 'wss' && { tls: { ...LOCALHOST } })
      })
      for (const moment of MOMENTS) {
        const { port: proxyPort } = await proxy(t, { fall: { after: moment, end: end === 'end' ? 'end' : 'reset' } })
        const ws = connect(`${scheme}://localhost:${port}/`, {
          proxy: `http://127.0.0.1:${proxyPort}`,
          ...(scheme === 'wss' && { tls: TRUST })
        })
        let closes = 0
        let count = 0
        ws.on('close', () => closes++)
        ws.on('message', message => {
          count += message.length
          if (end === 'destroy' && count > moment) ws.destroy()
        })
        for (let i = 0; i < 100; i++) ws.binary(Buffer.alloc(10_000))
        t.match(await ws.whenClosed(), { code: 1006, wasClean: false }, `${moment}`)
        await settle()
        t.equal(closes, 1)
      }
    })
  }
}

t.test('A14: CR, LF and NUL in the URL of a proxy are a TypeError', async t => {
  for (const mark of ['\r', '\n', '\0']) {
    for (const url of [`http://a${mark}b/`, `http://u${mark}:p@a/`]) {
      t.throws(() => connect('ws://a/', { proxy: url }), TypeError)
    }
  }
})

t.test('a proxy from the environment, if requested', async t => {
  const { port } = await echo(t, 'ours')
  const { port: proxyPort, requests } = await proxy(t)
  const { env } = process
  t.teardown(() => {
    process.env = env
  })
  process.env = { ...env, HTTP_PROXY: `127.0.0.1:${proxyPort}`, NO_PROXY: '127.0.0.1' }
  await hello(connect(`ws://localhost:${port}/`))
  await hello(connect(`ws://127.0.0.1:${port}/`, { proxy: 'environment' }))
  t.equal(requests.length, 0)
  await hello(connect(`ws://localhost:${port}/`, { proxy: 'environment' }))
  t.equal(requests.length, 1)
  process.env['HTTP_PROXY'] = 'socks5://127.0.0.1:1'
  t.throws(() => connect(`ws://localhost:${port}/`, { proxy: 'environment' }), SyntaxError)
})

t.test('options of the socket apply to the connection to the proxy', async t => {
  const { port } = await echo(t)
  const { port: proxyPort } = await proxy(t)
  const names: string[] = []
  const lookup: NonNullable<ConnectOptions['socket']>['lookup'] = (name, _options, callback) => {
    names.push(name)
    callback(null, '127.0.0.1', 4)
  }
  const socket = { lookup, autoSelectFamily: false }
  await hello(connect(`ws://localhost:${port}/`, { proxy: `http://proxy.example:${proxyPort}`, socket }))
  t.same(names, ['proxy.example'])
  t.throws(() => connect('wss://a/', { proxy: 'http://127.0.0.1:1', socket: { localAddress: 'nonsense' } }), TypeError)
  t.throws(() => connect('wss://a/', { proxy: 'http://127.0.0.1:1', tls: { cert: 'nonsense' } }))
})
