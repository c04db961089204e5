// A tunnel over a wire in memory or over TCP, with a proxy written by hand: its request, the responses that open it, what passes through it,
// and how it ends.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type Duplex, PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { type HandshakeError, WebSocketStream } from '../../lib/index.js'
import { ProxyTunnel, type ProxyTunnelOptions } from '../../lib/net/proxy-tunnel.js'
import { byteByByte, pattern } from '../support/frames.js'
import { pair } from '../support/pair.js'
import { answerHead, RawPeer, requestHead } from '../support/raw-peer.js'
import { collect, rejection, settle, tcpPair } from '../websocket-stream/sides.js'

const OPEN = Buffer.from('HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n')

type Join = 'attach' | 'pipe'
interface Setup {
  join: Join
  wire: 'memory' | 'tcp'
}

const SETUPS: Setup[] = (['attach', 'pipe'] as const).flatMap(join =>
  (['memory', 'tcp'] as const).map((wire): Setup => ({ join, wire }))
)
const PLAIN: Setup = { join: 'attach', wire: 'memory' }
const nameOf = ({ join, wire }: Setup): string => `${join}, ${wire}`

interface Sides {
  tunnel: ProxyTunnel
  /** Our end of the wire to the proxy. */
  socket: Duplex
  proxy: RawPeer
}

async function fresh(t: Test, { join, wire }: Setup, options: ProxyTunnelOptions = {}): Promise<Sides> {
  const [socket, theirs] = wire === 'memory' ? pair() : await tcpPair(t, true)
  const tunnel = new ProxyTunnel('a.example:443', options)
  t.teardown(() => {
    tunnel.destroy()
    socket.destroy()
    theirs.destroy()
  })
  if (join === 'attach') tunnel.attach(socket)
  else socket.pipe(tunnel).pipe(socket)
  return { tunnel, socket, proxy: new RawPeer(theirs, 'server') }
}

async function open(t: Test, setup: Setup, options?: ProxyTunnelOptions): Promise<Sides> {
  const sides = await fresh(t, setup, options)
  await sides.proxy.head()
  sides.proxy.write(OPEN)
  await sides.tunnel.opened
  return sides
}

// events.once would reject with the error first
const closed = (stream: Duplex): Promise<unknown> =>
  stream.destroyed ? settle() : new Promise(resolve => stream.once('close', resolve))

/** All bytes up to the end. An iterator would also destroy the other direction. */
async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', chunk => chunks.push(chunk as Buffer))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** The errors that a stream emits from now on. */
function errorsOf(stream: Duplex): Error[] {
  const errors: Error[] = []
  stream.on('error', error => errors.push(error))
  return errors
}

for (const setup of SETUPS) {
  t.test(`2xx opens the tunnel, and bytes pass in both directions: ${nameOf(setup)}`, async t => {
    const { tunnel, proxy } = await fresh(t, setup, { authorization: 'Basic x', headers: { 'X-A': '1' } })
    t.same([tunnel.status, tunnel.headers], [0, {}])
    const request = await proxy.head()
    t.equal(request.first, 'CONNECT a.example:443 HTTP/1.1')
    t.same(request.headers, { host: 'a.example:443', 'proxy-authorization': 'Basic x', 'x-a': '1' })
    proxy.write(OPEN, Buffer.from('early '))
    t.match(await tunnel.opened, { status: 200, headers: { via: 'x' } })
    t.match(tunnel, { status: 200, headers: { via: 'x' } })
    tunnel.target.write('up')
    tunnel.target.end()
    proxy.write(Buffer.from('late'))
    proxy.end()
    t.equal(String(await readAll(tunnel.target)), 'early late')
    t.equal(String(await proxy.rest()), 'up')
  })

  t.test(`nothing is tunnelled before the proxy has agreed (A22): ${nameOf(setup)}`, async t => {
    const { tunnel, proxy } = await fresh(t, setup)
    tunnel.target.write('secret')
    tunnel.target.end('s')
    await proxy.head()
    proxy.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n'))
    await settle(20)
    t.equal(proxy.input.length, 0)
    proxy.write(Buffer.from('\r\n'))
    t.equal(String(await proxy.rest()), 'secrets')
  })

  t.test(`one direction ends alone, and the other continues: ${nameOf(setup)}`, async t => {
    const one = await open(t, { ...setup, wire: 'memory' })
    one.tunnel.target.end('over')
    t.equal(String(await one.proxy.rest()), 'over')
    one.proxy.write(Buffer.from('still here'))
    t.equal(String((await once(one.tunnel.target, 'data'))[0]), 'still here')
    one.proxy.end()
    await closed(one.tunnel.target)
    await closed(one.tunnel)

    const other = await open(t, { ...setup, wire: 'memory' })
    other.proxy.end()
    other.tunnel.target.resume()
    await once(other.tunnel.target, 'end')
    other.tunnel.target.write('still ')
    await settle()
    other.tunnel.target.end('here')
    t.equal(String(await other.proxy.rest()), 'still here')
  })

  t.test(`a refusal is an error with status, fields and body, on all sides: ${nameOf(setup)}`, async t => {
    const { tunnel, proxy, socket } = await fresh(t, setup)
    const [errors, inside] = [errorsOf(tunnel), errorsOf(tunnel.target)]
    await proxy.head()
    proxy.write(
      Buffer.from('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 8\r\n\r\ngo away!')
    )
    const error = (await rejection(tunnel.opened)) as unknown as HandshakeError
    t.match(error, {
      name: 'HandshakeError',
      code: 'WS_ERR_PROXY',
      status: 407,
      headers: { 'proxy-authenticate': 'Basic realm="x"' }
    })
    t.equal(String(error.body), 'go away!')
    await closed(socket)
    await settle()
    t.same([errors, inside], [[error], [error]])
    t.same([tunnel.destroyed, tunnel.target.destroyed, tunnel.status], [true, true, 0])
  })

  t.test(`a reset before the response is an error with its cause: ${nameOf(setup)}`, async t => {
    const { tunnel, proxy } = await fresh(t, setup)
    const inside = errorsOf(tunnel.target)
    await proxy.head()
    proxy.reset()
    const error = await rejection(tunnel.opened)
    t.match(error, { code: 'WS_ERR_CONNECTION_LOST', status: 0, cause: { code: 'ECONNRESET' } })
    await closed(tunnel.target)
    t.same(inside, [error['cause']])
  })

  t.test(`a reset in an open tunnel reaches the target: ${nameOf(setup)}`, async t => {
    const { tunnel, proxy } = await open(t, setup)
    const inside = errorsOf(tunnel.target)
    proxy.reset()
    await closed(tunnel.target)
    t.match(inside, [{ code: 'ECONNRESET' }])
  })

  t.test(`destroying the target destroys the wire: ${nameOf(setup)}`, async t => {
    const { tunnel, socket, proxy } = await open(t, setup)
    const [errors, outside] = [errorsOf(tunnel), errorsOf(socket)]
    tunnel.target.destroy(new Error('enough'))
    await proxy.ended()
    t.same([socket.destroyed, tunnel.destroyed], [true, true])
    t.match(errors, [{ message: 'enough' }])
    t.same(outside, [])
  })

  t.test(`destroying the wire destroys the target: ${nameOf(setup)}`, async t => {
    const { tunnel, socket } = await open(t, setup)
    socket.destroy()
    await closed(tunnel.target)
    t.equal(tunnel.target.readableEnded, false)
    t.equal(tunnel.destroyed, true)
  })

  t.test(`destroying a tunnel that is not open is an abort: ${nameOf(setup)}`, async t => {
    const { tunnel, socket, proxy } = await fresh(t, setup)
    await proxy.head()
    tunnel.destroy()
    t.match(await rejection(tunnel.opened), { name: 'HandshakeError', code: 'WS_ERR_ABORTED', fault: 'local' })
    await closed(tunnel.target)
    t.equal(socket.destroyed, true)
  })

  t.test(`backpressure works in both directions: ${nameOf(setup)}`, async t => {
    const limit = 65536
    const chunk = pattern(16384)
    const { tunnel, proxy } = await open(t, setup, { highWaterMark: limit })
    // the target is not read: the proxy has to stop
    let sent = 0
    while (sent < 2 ** 26 && (proxy.stream.write(chunk) || (await drained(proxy.stream)))) sent += chunk.length
    t.ok(sent < 2 ** 26, `${sent} bytes went in`)
    t.ok(tunnel.writableLength <= limit + 65536, `${tunnel.writableLength} bytes are held`)
    t.ok(tunnel.target.readableLength <= limit, `${tunnel.target.readableLength} bytes are held`)
    let read = 0
    tunnel.target.on('data', (bytes: Buffer) => (read += bytes.length))
    proxy.end()
    await once(tunnel.target, 'end')
    t.ok(read >= sent)

    // the proxy does not read: the writer of the target has to stop
    proxy.stream.pause()
    let written = 0
    while (written < 2 ** 26 && (tunnel.target.write(chunk) || (await drained(tunnel.target)))) written += chunk.length
    t.ok(written < 2 ** 26, `${written} bytes went out`)
    t.ok(tunnel.target.writableLength <= limit + chunk.length)
    t.ok(tunnel.readableLength <= limit)
  })
}

/** Whether a stream drains, within as many turns as any pending work may take. */
async function drained(stream: Duplex): Promise<boolean> {
  let is = false
  stream.once('drain', () => (is = true))
  for (let i = 0; i < 200 && !is; i++) await settle(1)
  return is
}

t.test('bytes of a tunnel arrive however they are split and read', async t => {
  const bytes = pattern(3000)
  for (const cut of [(all: Buffer) => [all], byteByByte]) {
    const { tunnel, proxy } = await fresh(t, PLAIN)
    for (const piece of cut(Buffer.concat([OPEN, bytes]))) proxy.write(piece)
    proxy.end()
    const { got, error } = await collect(tunnel.target)
    t.equal(error, null)
    t.ok(bytes.equals(Buffer.concat(got as Buffer[])))
  }
})

t.test('data that arrived before the socket closed can still be read, and later writes are dropped', async t => {
  // a socket of net closes as soon as both sides have ended, and ends its own side automatically
  const [socket, theirs] = await tcpPair(t, false)
  const tunnel = new ProxyTunnel('a:1').attach(theirs)
  const proxy = new RawPeer(socket, 'server')
  await proxy.head()
  const bytes = pattern(100_000)
  proxy.write(OPEN, bytes)
  proxy.end()
  await tunnel.opened
  theirs.end()
  // the end is not seen until the data before it is read
  const got = await readAll(tunnel.target)
  await closed(theirs)
  t.ok(got.equals(bytes))
  tunnel.target.end(pattern(300_000))
  await closed(tunnel.target)
  await closed(tunnel)
})

t.test('an end before the response is an error', async t => {
  for (const [response, expected] of [
    ['', { code: 'WS_ERR_BAD_RESPONSE', status: 0 }],
    ['HTTP/1.1 200 OK\r\n', { code: 'WS_ERR_BAD_RESPONSE', status: 0 }],
    ['HTTP/1.1 503 No\r\n\r\nbusy', { code: 'WS_ERR_PROXY', status: 503, body: Buffer.from('busy') }]
  ] as const) {
    const { tunnel, proxy } = await fresh(t, PLAIN)
    await proxy.head()
    proxy.stream.end(response)
    t.match(await rejection(tunnel.opened), expected)
    await closed(tunnel.target)
  }
})

t.test('a wire that closes without an end, before the response', async t => {
  const { tunnel, proxy, socket } = await fresh(t, PLAIN)
  await proxy.head()
  socket.destroy()
  t.match(await rejection(tunnel.opened), { code: 'WS_ERR_CONNECTION_LOST' })

  const late = new ProxyTunnel('a:1').attach(socket)
  t.match(await rejection(late.opened), { code: 'WS_ERR_CONNECTION_LOST' })
  await closed(late.target)
})

t.test('other streams may be piped between the socket and the tunnel', async t => {
  const [socket, theirs] = pair()
  const tunnel = new ProxyTunnel('a:1')
  socket.pipe(new PassThrough()).pipe(tunnel).pipe(new PassThrough()).pipe(socket)
  const proxy = new RawPeer(theirs, 'server')
  await proxy.head()
  proxy.write(OPEN, Buffer.from('abc'))
  proxy.end()
  t.equal(String(await readAll(tunnel.target)), 'abc')
  tunnel.target.end('def')
  t.equal(String(await proxy.rest()), 'def')
})

t.test('A03: an endless head is an error', async t => {
  const { tunnel, proxy, socket } = await fresh(t, PLAIN, { maxHeaderSize: 1000 })
  proxy.write(Buffer.from(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(1000)}`))
  t.match(await rejection(tunnel.opened), { code: 'WS_ERR_HEAD_TOO_LARGE' })
  t.equal(socket.destroyed, true)
  const many = await fresh(t, PLAIN, { maxHeaders: 3 })
  many.proxy.write(Buffer.from(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(4)}`))
  t.match(await rejection(many.tunnel.opened), { code: 'WS_ERR_HEAD_TOO_LARGE' })
})

t.test('A25: the endless body of a refusal is cut', async t => {
  const { tunnel, proxy } = await fresh(t, PLAIN)
  proxy.write(Buffer.from('HTTP/1.1 407 No\r\n\r\n'))
  proxy.write(Buffer.alloc(100_000, 'x'))
  t.equal(((await rejection(tunnel.opened))['body'] as Buffer).length, 65536)
})

t.test('A26: a proxy that does not answer in time', async t => {
  const { tunnel, proxy, socket } = await fresh(t, PLAIN, { handshakeTimeout: 20 })
  proxy.write(Buffer.from('HTTP/1.1 200'))
  t.match(await rejection(tunnel.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT', status: 0 })
  await closed(tunnel.target)
  t.equal(socket.destroyed, true)
  const slow = await fresh(t, PLAIN, { handshakeTimeout: 20 })
  slow.proxy.write(Buffer.from('HTTP/1.1 407 No\r\n\r\nhold on'))
  t.match(await rejection(slow.tunnel.opened), { status: 407, body: Buffer.from('hold on') })
  // an open tunnel has no timeout
  const open = await fresh(t, PLAIN, { handshakeTimeout: 30 })
  open.proxy.write(OPEN)
  await open.tunnel.opened
  await new Promise(resolve => setTimeout(resolve, 60))
  t.equal(open.tunnel.destroyed, false)
})

t.test('A14: values that cannot be sent throw before anything is sent', async t => {
  for (const mark of ['\r', '\n', '\0', '\r\nX: y']) {
    t.throws(() => new ProxyTunnel(`a${mark}:1`), TypeError)
    t.throws(() => new ProxyTunnel({ host: `a${mark}`, port: 1 }), TypeError)
    t.throws(() => new ProxyTunnel('a:1', { headers: { 'X-A': `b${mark}` } }), TypeError)
    t.throws(() => new ProxyTunnel('a:1', { headers: { [`X-A${mark}`]: 'b' } }), TypeError)
    t.throws(() => new ProxyTunnel('a:1', { authorization: `b${mark}` }), TypeError)
    t.throws(() => new ProxyTunnel('a:1', { proxy: `http://u${mark}:p@b/` }), TypeError)
  }
})

t.test('an invalid option throws at once, and undefined is ignored', async t => {
  const make = (options: unknown) => () => new ProxyTunnel('a:1', options as ProxyTunnelOptions)
  t.throws(make(null), TypeError)
  t.throws(make(5), TypeError)
  t.throws(make({ protocols: ['a'] }), { name: 'TypeError', message: "unknown option 'protocols'" })
  t.throws(make({ authorization: 5 }), TypeError)
  t.throws(make({ proxy: 5 }), TypeError)
  t.throws(make({ proxy: 'nonsense' }), SyntaxError)
  t.throws(make({ handshakeTimeout: -1 }), RangeError)
  t.throws(make({ maxHeaders: Number.NaN }), RangeError)
  t.throws(() => new ProxyTunnel(null as unknown as string), TypeError)
  t.throws(() => new ProxyTunnel('a:0'), RangeError)
  const names = [
    'headers',
    'authorization',
    'proxy',
    'maxHeaderSize',
    'maxHeaders',
    'handshakeTimeout',
    'highWaterMark'
  ]
  const tunnel = new ProxyTunnel('a:1', Object.fromEntries(names.map(name => [name, undefined])))
  tunnel.destroy()
})

t.test("a user in the proxy's URL becomes Basic authorization, unless another is given", async t => {
  const basic = (text: string): string => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`
  const cases: [ProxyTunnelOptions, string | undefined][] = [
    [{ proxy: 'http://proxy:3128' }, undefined],
    [{ proxy: 'http://u%40x:p%3A%20%C3%A9@proxy' }, basic('u@x:p: \xc3\xa9')],
    [{ proxy: new URL('https://u@proxy') }, basic('u:')],
    [{ proxy: 'http://u:p@proxy', authorization: 'Bearer x' }, 'Bearer x'],
    [{ proxy: 'http://u:p@proxy', headers: { 'Proxy-Authorization': 'y' } }, 'y']
  ]
  for (const [options, wanted] of cases) {
    const { proxy } = await fresh(t, PLAIN, { ...options, handshakeTimeout: Number.POSITIVE_INFINITY })
    t.equal((await proxy.head()).headers['proxy-authorization'], wanted)
  }
})

t.test('a WebSocket works through a tunnel', async t => {
  const { tunnel, proxy } = await fresh(t, PLAIN)
  const ws = WebSocketStream.client('ws://a.example:443/').attach(tunnel.target)
  await proxy.head()
  proxy.write(OPEN)
  proxy.write(answerHead(await proxy.head()))
  await ws.opened
  ws.text('hello')
  t.equal(String((await proxy.nextFrame())?.payload), 'hello')
  ws.close()
  await proxy.answerClose()
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
})

t.test('A22: a proxy that acts as the server does not open a WebSocket', async t => {
  for (const bytes of ['', 'HTTP/1.1 200 OK\r\n\r\n', `${requestHead()}`]) {
    const { tunnel, proxy } = await fresh(t, PLAIN)
    const ws = WebSocketStream.client('ws://a.example:443/').attach(tunnel.target)
    await proxy.head()
    proxy.write(OPEN, Buffer.from(bytes))
    proxy.end()
    t.match(await rejection(ws.opened), { name: 'HandshakeError' })
    t.match(await ws.whenClosed(), { code: 1006 })
  }
})

t.test("Nagle's algorithm and the timeout of a socket are turned off", async t => {
  const [ours] = await tcpPair(t, true)
  const calls: unknown[] = []
  const socket = ours as Socket
  const record = (name: string) => (value?: unknown) => {
    calls.push([name, value])
    return socket
  }
  Object.assign(socket, { setNoDelay: record('delay'), setTimeout: record('timeout') })
  const tunnel = new ProxyTunnel('a:1').attach(socket)
  t.same(calls, [
    ['delay', true],
    ['timeout', 0]
  ])
  tunnel.destroy()
})

t.test('bytes behind the response of the proxy apply backpressure until they are read', async t => {
  const tunnel = new ProxyTunnel('a.example:443')
  t.teardown(() => tunnel.destroy())
  let isTaken = false
  tunnel.write(Buffer.concat([OPEN, Buffer.from('behind')]), () => {
    isTaken = true
  })
  await tunnel.opened
  await settle()
  t.equal(isTaken, false)
  const [chunk] = await once(tunnel.target, 'data')
  t.equal(String(chunk), 'behind')
  await settle()
  t.equal(isTaken, true)
})

t.test('a tunnel that is destroyed leaves no timer', async t => {
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const tunnel = new ProxyTunnel('a.example:443')
  t.equal(timers(), before + 1)
  tunnel.destroy()
  await settle()
  t.equal(timers(), before)
})
