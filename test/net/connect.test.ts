// connect without a proxy: the schemes, other I/O, and all that can go wrong before a connection is open.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, PassThrough } from 'node:stream'
import t from 'tap'
import { type HandshakeError, WebSocketStream } from '../../lib/index.js'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { pattern } from '../support/frames.js'
import { pair } from '../support/pair.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection, settle } from '../websocket-stream/sides.js'
import { echo, KINDS, listen, serve } from './servers.js'

for (const kind of KINDS) {
  t.test(`a message written at once is echoed, by a server of ${kind === 'ws' ? 'ws' : 'our own'}`, async t => {
    const { port } = await echo(t, kind)
    for (const scheme of ['ws', 'http']) {
      const ws = connect(`${scheme}://localhost:${port}/a?b`)
      t.ok(ws instanceof WebSocketStream)
      t.same([ws.readyState, ws.url], ['connecting', `ws://localhost:${port}/a?b`])
      const large = pattern(300_000)
      ws.messages.write('hello')
      ws.messages.end(large)
      const got: unknown[] = []
      for await (const message of ws.messages) got.push(message)
      t.same(got, ['hello', large])
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
    }
  })

  t.test(`a unix socket, of ${kind === 'ws' ? 'ws' : 'our own'}`, async t => {
    const path = join(t.testdir(), 'a b.sock')
    const { requests } = await echo(t, kind, { where: { path } })
    const ws = connect(`ws+unix://${encodeURI(path)}:/chat?a=b:c`)
    const { url } = await ws.opened
    t.equal(url, 'ws://localhost/chat?a=b:c')
    t.match(requests[0], { url: '/chat?a=b:c', headers: { host: 'localhost' } })
    ws.text('hello')
    t.same(await once(ws, 'message'), ['hello'])
    ws.close()
    await ws.whenClosed()
  })
}

t.test('the options of the connection are those of every WebSocketStream', async t => {
  const { port, requests } = await echo(t, 'ours', { stream: { protocols: ['b'] } })
  const ws = connect(`ws://u:p@127.0.0.1:${port}/`, {
    protocols: ['a', 'b'],
    headers: { 'X-A': '1' },
    origin: 'http://a.example',
    socket: { family: 4, keepAlive: true }
  })
  ws.setHeader('X-B', '2')
  t.equal((await ws.opened).protocol, 'b')
  const { authorization } = requests[0]!.headers
  t.match(requests[0]!.headers, { 'x-a': '1', 'x-b': '2', origin: 'http://a.example' })
  t.equal(authorization, `Basic ${Buffer.from('u:p').toString('base64')}`)
  ws.destroy()
  await ws.whenClosed()
})

t.test('an invalid URL throws at once', async t => {
  for (const url of ['', 'nonsense', 'ftp://a/', 'ws://a/#b', 'ws+unix://host/x']) {
    t.throws(() => connect(url), SyntaxError, url)
  }
  t.throws(() => connect(5 as unknown as string), TypeError)
  for (const mark of ['\r', '\n', '\0']) t.throws(() => connect(`ws://a/${mark}`), TypeError, 'A14')
})

t.test('an invalid option throws at once', async t => {
  const wrong: [unknown, new () => Error][] = [
    [null, TypeError],
    [5, TypeError],
    [{ nonsense: 1 }, TypeError],
    [{ maxRedirects: -1 }, RangeError],
    [{ handshakeTimeout: 'soon' }, TypeError],
    [{ handshakeTimeout: Number.NaN }, RangeError],
    [{ protocols: () => 'a' }, TypeError],
    [{ proxy: 'socks5://a' }, SyntaxError],
    [{ proxy: 'http://a\rb' }, TypeError],
    [{ headers: { 'X-A': 'b\r\nc' } }, TypeError],
    [{ http2: 1 }, TypeError],
    [{ socket: { lookup: 5 } }, TypeError],
    [{ socket: { localAddress: 'nonsense' } }, TypeError],
    [{ createConnection: () => 5 }, TypeError],
    [{ createConnection: () => null }, TypeError],
    [{ createConnection: () => new PassThrough().pipe }, TypeError]
  ]
  for (const [options, type] of wrong) {
    t.throws(() => connect('ws://127.0.0.1:1/', options as ConnectOptions), type, JSON.stringify(options))
  }
  t.throws(() => connect('wss://127.0.0.1:1/', { tls: { cert: 'nonsense' } }))
  t.throws(() => connect('ws+unix:///run/a:/', { proxy: 'http://a' }), TypeError)
  t.throws(
    () =>
      connect('ws://a', {
        createConnection() {
          throw new Error('enough')
        }
      }),
    { message: 'enough' }
  )
})

t.test('port 0 is not replaced by the port of the scheme', async t => {
  const message = 'the URL has port 0, to which nothing can connect: ws://127.0.0.1:0'
  t.throws(() => connect('ws://127.0.0.1:0/'), { name: 'RangeError', message })
  t.throws(() => connect('wss://127.0.0.1:0/'), RangeError)
  t.throws(() => connect('ws://127.0.0.1:0/', { proxy: 'http://127.0.0.1:1' }), RangeError)
  t.throws(() => connect('ws://127.0.0.1/', { proxy: 'http://127.0.0.1:0' }), SyntaxError)
  const http2 = connect('ws://127.0.0.1:0/', { http2: true })
  t.match(await rejection(http2.opened), { cause: { message } })
  // createConnection may use these
  let given: URL | undefined
  const createConnection = (url: URL) => {
    given = url
    return pair()[0]
  }
  connect('ws://a:0/', { createConnection }).destroy()
  t.equal(given?.port, '0')
})

t.test('a socket that cannot connect is an error with its cause', async t => {
  const server = createServer()
  const port = await listen(t, server)
  server.close()
  await once(server, 'close')
  // the path of a unix socket has at most 107 bytes
  const folder = mkdtempSync(join(tmpdir(), 'none-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const urls: Record<string, string> = {
    [`ws://127.0.0.1:${port}/`]: 'ECONNREFUSED',
    [`wss://127.0.0.1:${port}/`]: 'ECONNREFUSED',
    [`ws+unix://${folder}/none:/`]: 'ENOENT'
  }
  for (const [url, code] of Object.entries(urls)) {
    const ws = connect(url)
    const errors: Error[] = []
    let closes = 0
    ws.on('error', error => errors.push(error)).on('close', () => closes++)
    ws.text('never')
    const error = await rejection(ws.opened)
    const where = url.includes('unix') ? `${folder}/none` : `127.0.0.1:${port}`
    const message = `connect ${code} ${where}`
    t.match(error, { name: 'HandshakeError', code: 'WS_ERR_CONNECTION_LOST', message, status: 0, cause: { code } }, url)
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    await settle()
    t.same(errors, [error])
    t.equal(closes, 1)
    t.equal(ws.readyState, 'closed')
  }
})

t.test('a name without an address is an error with its cause, and lookup is used', async t => {
  const ws = connect('ws://a.example/', {
    socket: {
      lookup: (name, _options, callback) => callback(Object.assign(new Error(name), { code: 'ENOTFOUND' }), '')
    }
  })
  t.match(await rejection(ws.opened), { cause: { code: 'ENOTFOUND', message: 'a.example' } })
  await ws.whenClosed()
})

t.test('the error of a name with several addresses contains the error of each', async t => {
  const ws = connect('ws://a.example:1/', {
    socket: {
      lookup: (_name, _options, callback) =>
        callback(null, [
          { address: '127.0.0.2', family: 4 },
          { address: '127.0.0.1', family: 4 }
        ]),
      autoSelectFamily: true
    }
  })
  const message = 'connect ECONNREFUSED 127.0.0.2:1, connect ECONNREFUSED 127.0.0.1:1'
  t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST', message, cause: { name: 'AggregateError' } })
})

t.test('a wire that closes without an error gives the time', async t => {
  const [wire] = pair()
  const ws = connect('ws://a/', { createConnection: () => wire })
  wire.destroy()
  t.match(await rejection(ws.opened), { message: 'the connection was closed before the handshake was done' })
})

t.test('all addresses of a name are tried', async t => {
  const { port, requests } = await echo(t)
  const ws = connect(`ws://a.example:${port}/`, {
    socket: {
      lookup: (_name, _options, callback) =>
        callback(null, [
          { address: '127.0.0.2', family: 4 },
          { address: '127.0.0.1', family: 4 }
        ]),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: 50
    }
  })
  await ws.opened
  t.equal(requests[0]!.headers.host, `a.example:${port}`)
  ws.destroy()
  await ws.whenClosed()
})

t.test('A26: handshakeTimeout covers dialling and the handshake', async t => {
  const silent = await serve(t, () => {})
  const dripping = await serve(t, peer => peer.stream.write('HTTP/1.1 101'))
  const options: [string, ConnectOptions][] = [
    [`ws://127.0.0.1:${silent}/`, {}],
    [`wss://127.0.0.1:${silent}/`, {}],
    [`ws://127.0.0.1:${dripping}/`, {}],
    ['ws://a.example/', { socket: { lookup: () => {} } }],
    ['ws://a.example/', { createConnection: () => new Promise(() => {}) }]
  ]
  for (const [url, other] of options) {
    const ws = connect(url, { ...other, handshakeTimeout: 30 })
    t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' }, url)
    t.match(await ws.whenClosed(), { code: 1006 })
  }
})

t.test('a signal, or destroy, aborts dialling as well', async t => {
  let gone: Promise<unknown> | undefined
  const port = await serve(t, (_peer, socket) => {
    gone = once(socket, 'close')
  })
  for (const [url, options] of [
    [`ws://127.0.0.1:${port}/`, {}],
    [`wss://127.0.0.1:${port}/`, {}],
    ['ws://a.example/', { socket: { lookup: () => {} } }],
    ['ws://a.example/', { createConnection: () => new Promise(() => {}) }]
  ] as [string, ConnectOptions][]) {
    const abort = new AbortController()
    const aborted = connect(url, { ...options, signal: abort.signal })
    await settle(3)
    abort.abort(new Error('enough'))
    t.match(await rejection(aborted.opened), { code: 'WS_ERR_ABORTED', cause: { message: 'enough' } })
    await aborted.whenClosed()
    await gone

    const destroyed = connect(url, options)
    await settle(3)
    destroyed.destroy()
    t.match(await rejection(destroyed.opened), { code: 'WS_ERR_ABORTED' })
    await destroyed.whenClosed()
    await gone
  }
})

t.test('a signal that is already aborted dials nothing', async t => {
  let dialled = 0
  const createConnection = () => {
    dialled++
    return new PassThrough()
  }
  const ws = connect('ws://a/', { signal: AbortSignal.abort(), createConnection })
  t.match(await rejection(ws.opened), { code: 'WS_ERR_ABORTED' })
  await ws.whenClosed()
  t.equal(dialled, 0)
})

t.test('createConnection returns the wire, or a promise of it', async t => {
  const { port, requests } = await echo(t)
  const calls: [URL, ConnectOptions][] = []
  const dial = (url: URL, options: ConnectOptions): Socket => {
    calls.push([url, options])
    return connectTcp(port, '127.0.0.1')
  }
  for (const createConnection of [dial, async (url: URL, options: ConnectOptions) => dial(url, options)]) {
    const ws = connect('wss://a.example/b', { createConnection, protocols: 'c' })
    ws.text('hello')
    t.same(await once(ws, 'message'), ['hello'])
    t.equal(requests.at(-1)!.headers.host, 'a.example')
    const [url, options] = calls.at(-1)!
    t.equal(url.href, 'wss://a.example/b')
    t.same(options, { createConnection, protocols: 'c' })
    ws.close()
    await ws.whenClosed()
  }
  const [ours, theirs] = pair()
  const server = WebSocketStream.server().attach(theirs)
  const ws = connect('ws://a/', { createConnection: () => ours })
  await Promise.all([ws.opened, server.opened])
  ws.close()
  await Promise.all([ws.whenClosed(), server.whenClosed()])
})

t.test('calls before createConnection has returned the wire wait, or are an error that says so', async t => {
  const { port } = await echo(t)
  const late = (): { ws: WebSocketStream; give: () => void } => {
    let give: () => void = () => {}
    const createConnection = (): Promise<Duplex> =>
      new Promise(resolve => {
        give = () => resolve(connectTcp(port, '127.0.0.1'))
      })
    const ws = connect('ws://a/', { createConnection })
    return { ws, give: () => give() }
  }
  const message = /^the bytes of the wire come from the attached stream; to send a message, use send/

  t.test('writing wire bytes to it is an error of that write', async t => {
    const { ws, give } = late()
    const errors: Error[] = []
    ws.on('error', error => errors.push(error))
    const told = new Promise(resolve => ws.write('hello', resolve))
    t.equal(ws.write(Buffer.from('hello')), false)
    t.match(await told, { name: 'TypeError', message })
    give()
    await ws.opened
    ws.write('hello')
    ws.text('goes on')
    t.equal(await new Promise(resolve => ws.once('message', resolve)), 'goes on')
    t.match(errors, [{ message }, { message }, { message }])
    ws.close()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
  })

  t.test('ending it is an error of that call, and leaves the connection open', async t => {
    const { ws, give } = late()
    give()
    await ws.opened
    const told = await new Promise<Error>(resolve => ws.end('hello', resolve as () => void))
    t.match(told, {
      name: 'TypeError',
      message: /^the bytes of the wire come from the attached stream; .* use send\(\) and close\(\)$/
    })
    t.equal(ws.end(), ws)
    t.equal(ws.readyState, 'open')
    ws.close()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    t.equal(ws.end(), ws)
  })

  t.test('reading it gives nothing, and a warning says so', async t => {
    const { ws, give } = late()
    give()
    await ws.opened
    const [warning] = await Promise.all([once(process, 'warning'), ws.on('data', () => t.fail('no data comes'))])
    t.match(warning, [{ code: 'WS_ATTACHED' }])
    ws.close()
    await ws.whenClosed()
  })

  t.test('without an error listener nothing is thrown', async t => {
    const { ws, give } = late()
    ws.write('hello')
    give()
    await ws.opened
    ws.close()
    t.match(await ws.whenClosed(), { wasClean: true })
  })

  t.test('pipes into and out of it carry nothing', async t => {
    const { ws, give } = late()
    const source = new PassThrough()
    source.pipe(ws).pipe(new PassThrough()).resume()
    source.write('hello')
    await settle()
    ws.resume().on('data', () => t.fail('no bytes come out'))
    give()
    await ws.opened
    ws.destroy()
    await ws.whenClosed()
  })

  t.test('another wire is refused', async t => {
    const { ws, give } = late()
    t.throws(() => ws.attach(pair()[0]), { name: 'TypeError', message: /^connect\(\) opens the wire/ })
    give()
    await ws.opened
    ws.destroy()
    await ws.whenClosed()
  })

  t.test('messages and a close wait', async t => {
    const { ws, give } = late()
    ws.text('one')
    ws.messages.write('two')
    ws.createMessage('text').end('three')
    const received: unknown[] = []
    ws.on('message', message => received.push(message))
    ws.close(3000, 'done')
    give()
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
    t.same(received, ['one', 'two', 'three'])
  })

  t.test('a write between the two wires of a redirect is an error that says so', async t => {
    const first = await serve(t, async (peer, socket) => {
      await peer.head()
      socket.write('HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n')
    })
    let dialled = 0
    let told: unknown
    const ws = connect('ws://a/', {
      maxRedirects: 1,
      async createConnection() {
        if (dialled++ === 0) return connectTcp(first, '127.0.0.1')
        ws.write('hello', (error: unknown) => {
          told = error
        })
        await settle(2)
        return connectTcp(port, '127.0.0.1')
      }
    })
    await ws.opened
    t.match(told, { message })
    ws.destroy()
    await ws.whenClosed()
  })
})

t.test('a rejected promise of a wire is an error with its cause', async t => {
  const cases: [unknown, object][] = [
    [Promise.reject(new Error('enough')), { message: 'enough' }],
    [Promise.reject('enough'), { cause: 'enough' }],
    [Promise.resolve(5), { name: 'TypeError' }],
    [Promise.resolve(null), { name: 'TypeError' }]
  ]
  for (const [wire, cause] of cases) {
    const ws = connect('ws://a/', { createConnection: () => wire as Promise<Duplex> })
    t.match(await rejection(ws.opened), { code: 'WS_ERR_CONNECTION_LOST', cause })
    t.match(await ws.whenClosed(), { code: 1006 })
  }
})

t.test('a wire that arrives too late is destroyed', async t => {
  const [wire] = pair()
  let give: (wire: Duplex) => void = () => {}
  let fail: (error: Error) => void = () => {}
  const late = (): Promise<Duplex> =>
    new Promise((resolve, reject) => {
      give = resolve
      fail = reject
    })
  for (const settleIt of [() => give(wire), () => fail(new Error('late'))]) {
    const ws = connect('ws://a/', { createConnection: late })
    ws.destroy()
    await ws.whenClosed()
    settleIt()
    await settle()
  }
  t.equal(wire.destroyed, true)
  t.doesNotThrow(() => wire.emit('error', new Error('later still')))
})

t.test('A22: a server that does not upgrade opens nothing', async t => {
  for (const response of [
    'HTTP/1.1 200 OK\r\n\r\n\x81\x01a',
    'HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n\x81\x01a'
  ]) {
    const port = await serve(t, async (peer, socket) => {
      await peer.head()
      socket.end(Buffer.from(response, 'latin1'))
    })
    const ws = connect(`ws://127.0.0.1:${port}/`)
    const messages: unknown[] = []
    ws.on('message', message => messages.push(message))
    t.match(await rejection(ws.opened), { code: 'WS_ERR_UNEXPECTED_STATUS' })
    await ws.whenClosed()
    t.same(messages, [])
  }
})

t.test('a redirect is not followed by default (A21)', async t => {
  let asked = 0
  const port = await serve(t, async (peer, socket) => {
    asked++
    await peer.head()
    socket.end('HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 3\r\n\r\nbye')
  })
  const ws = connect(`ws://127.0.0.1:${port}/`)
  const error = (await rejection(ws.opened)) as unknown as HandshakeError
  t.match(error, { status: 302, headers: { location: '/b' } })
  t.equal(String(error.body), 'bye')
  await ws.whenClosed()
  t.equal(asked, 1)
})

t.test('frames directly after the response are read', async t => {
  const port = await serve(t, async peer => {
    peer.write(answerHead(await peer.head()), peer.frame(1, 'early'))
  })
  const ws = connect(`ws://127.0.0.1:${port}/`)
  t.same(await once(ws, 'message'), ['early'])
  ws.destroy()
  await ws.whenClosed()
})
