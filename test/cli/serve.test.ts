// `serve`: what it does with messages, which clients it accepts, and how it ends.

import { once } from 'node:events'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type ConnectOptions, connect, type WebSocketStream } from '../../lib/index.js'
import { listen } from '../net/servers.js'
import { dialHttp1 } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { requestHead } from '../support/raw-peer.js'
import { finish, startServer, type TestLike } from './support.js'

const file = (name: string): string => fileURLToPath(new URL(`../support/certificates/${name}.pem`, import.meta.url))
const KEY = file('localhost-key')
const CERT = file('localhost')

function dial(t: TestLike, url: string, options?: ConnectOptions): WebSocketStream {
  const ws = connect(url, options)
  t.teardown(() => ws.destroy())
  return ws
}

async function next(ws: WebSocketStream): Promise<unknown> {
  const [message] = await once(ws, 'message')
  return message
}

const serve = (t: TestLike, ...args: string[]) => startServer(t, ['serve', '--port', '0', ...args])

async function statusOf(url: string, options: ConnectOptions = {}): Promise<number> {
  const ws = connect(url, options)
  try {
    return (await ws.opened).status
  } catch (error) {
    return (error as { status: number }).status
  } finally {
    ws.destroy()
  }
}

t.test('it prints its URL, and echoes', async t => {
  const { url, stdout, stderr } = await serve(t)
  t.match(stdout.text, /^ws:\/\/127\.0\.0\.1:\d+\/\n$/)
  const ws = dial(t, `${url}chat`)
  ws.text('hello')
  t.equal(await next(ws), 'hello')
  ws.binary(Buffer.from([1, 2]))
  t.strictSame(await next(ws), Buffer.from([1, 2]))
  ws.close(4000, 'bye')
  await stderr.saw(/^#\d+ open: \/chat from 127\.0\.0\.1:\d+\n#\d+ closed: 4000 'bye'\n/)
})

t.test('--broadcast sends to all others', async t => {
  const { url } = await serve(t, '--broadcast')
  const [one, two, three] = [dial(t, url), dial(t, url), dial(t, url)]
  await Promise.all([one.opened, two.opened, three.opened])
  const got: unknown[] = []
  one.on('message', message => got.push(message))
  one.text('to all')
  t.strictSame(await Promise.all([next(two), next(three)]), ['to all', 'to all'])
  two.binary(Buffer.from([7]))
  await next(one)
  t.strictSame(got, [Buffer.from([7])])
})

t.test('--broadcast closes clients that are too slow', { timeout: 60_000 }, async t => {
  const { url, stderr } = await serve(t, '--broadcast')
  const slow = dial(t, url)
  await slow.opened
  const fast = dial(t, url)
  await fast.opened
  const chunk = Buffer.alloc(2 ** 20)
  const timer = setInterval(() => fast.bufferedAmount < 2 ** 24 && fast.binary(chunk), 5)
  t.teardown(() => clearInterval(timer))
  // `slow` does not read, so its socket is paused
  slow.once('close', () => {})
  await stderr.saw(/closed: 10(13|06)/)
  t.equal(fast.readyState, 'open')
})

t.test('SIGINT closes all connections with 1001 and ends', async t => {
  const { url, interrupt, code } = await serve(t)
  const ws = dial(t, url)
  await ws.opened
  interrupt()
  t.match(await ws.whenClosed(), { code: 1001, wasClean: true })
  t.equal(await code, 0)
})

t.test('without a folder, ordinary requests get 426', async t => {
  const { url } = await serve(t)
  const [response] = (await once(httpGet(url.replace('ws', 'http')), 'response')) as [IncomingMessage]
  response.resume()
  t.equal(response.statusCode, 426)
})

t.test('--path, --protocol, --compress and the limits', async t => {
  const args = ['--path', '/chat', '--protocol', 'b', '--compress', '--max-size', '10', '--max-connections', '2']
  const { url } = await serve(t, ...args)
  t.match(url, /\/chat$/)
  t.equal(await statusOf(url.replace('chat', 'other')), 404)
  const { permessageDeflate } = await import('../../lib/index.js')
  const ws = dial(t, `${url}?query`, { protocols: ['a', 'b'], extensions: [permessageDeflate()] })
  t.match(await ws.opened, { protocol: 'b', extensions: /permessage-deflate/ })
  const second = dial(t, url)
  await second.opened
  t.equal(await statusOf(url), 503)
  ws.text('12345678901')
  t.match(await ws.whenClosed(), { code: 1009 })
})

t.test('pages of other origins are refused, whatever their Host', async t => {
  const { url, stderr } = await serve(t)
  const { port } = new URL(url)
  const status = (origin?: string, headers = {}) => statusOf(url, { origin, headers })
  t.equal(await status(), 101)
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) t.equal(await status(`http://${host}:${port}`), 101, host)
  t.equal(await status(`http://rebound.example:${port}`), 403)
  t.equal(await status(`https://localhost:${port}`), 403)
  t.equal(await status('http://localhost'), 403)
  t.equal(await status('null'), 403)
  t.match(stderr.text, /refused: \/ from 127\.0\.0\.1:\d+: .* \(--origin null allows it\)/)
})

t.test('control characters of a client do not reach the terminal', async t => {
  const { url, stderr } = await serve(t)
  const peer = await dialHttp1(t, Number(new URL(url).port))
  peer.write(requestHead({ Origin: 'http://\x9b2Jx' }))
  t.equal((await peer.head()).status, 403)
  await stderr.saw(/\(--origin http:\/\/\\x9b2Jx allows it\)\n/)
})

t.test('--origin allows the listed origins, and a star all of them', async t => {
  const some = await serve(t, '--origin', 'http://one.example', '--origin', 'http://two.example')
  t.equal(await statusOf(some.url, { origin: 'http://two.example' }), 101)
  t.equal(await statusOf(some.url, { origin: 'http://three.example' }), 403)
  const all = await serve(t, '--origin', '*')
  t.equal(await statusOf(all.url, { origin: 'http://three.example' }), 101)
  for (const command of [
    ['serve', '--port', '0'],
    ['relay', '0', 'ws://localhost/']
  ]) {
    const { code, err } = await finish(t, [...command, '--origin', '*', '--origin', 'http://one.example/'])
    t.equal(code, 2)
    t.match(err, /not 'http:\/\/one\.example\/'; did you mean 'http:\/\/one\.example'\?/)
  }
})

t.test('on an address that is not loopback, its own origin is that address', async t => {
  const { Listening } = await import('../../lib/cli/listening.js')
  const server = createServer()
  const listening = new Listening(server, 'example.com', true)
  const check = listening.originCheck([])
  const request = { headers: {} }
  t.equal(check('https://example.com:0', request), true)
  t.equal(check('https://localhost:0', request), false)
  t.equal(new Listening(createServer(), '::1', false).url('ws'), 'ws://[::1]:0')
})

t.test('--tls, with --http2 and without', async t => {
  for (const more of [[], ['--http2']]) {
    const { url } = await serve(t, '--tls', KEY, CERT, ...more)
    t.match(url, /^wss:/)
    const ws = dial(t, url.replace('127.0.0.1', 'localhost'), { http2: true, tls: { ca: AUTHORITY } })
    t.match(await ws.opened, { version: more.length === 0 ? 'hybi-13' : 'rfc8441' })
    ws.text('hello')
    t.equal(await next(ws), 'hello')
  }
})

t.test('--show prints the frames of each connection', async t => {
  const { url, stderr } = await serve(t, '--show')
  const ws = dial(t, url)
  ws.text('hello')
  await next(ws)
  await stderr.saw(/#(\d+) ← text {9}5 bytes {8}hello\n#\1 → text {9}5 bytes {8}hello\n/)
})

t.test('--command starts a process for each connection', async t => {
  const { url, stderr } = await serve(t, '--command', 'node -e "process.stdin.pipe(process.stdout)"')
  const ws = dial(t, `${url}x?y`)
  ws.text('one')
  t.equal(await next(ws), 'one')
  ws.close()
  await stderr.saw(/closed: 1000/)
  t.notMatch(stderr.text, /the command/)
})

t.test('--shell starts a shell that knows its client; its failure is reported', async t => {
  const command = 'echo $WEBSOCKET_TARGET $WEBSOCKET_CLIENT; echo oops >&2; exit 3'
  const { url, stderr } = await serve(t, '--shell', '--command', command)
  const ws = dial(t, `${url}x?y`)
  t.equal(await next(ws), '/x?y 127.0.0.1')
  t.match(await ws.whenClosed(), { code: 1011, reason: 'the command ended with exit code 3' })
  await stderr.saw(/oops\n/)
  await stderr.saw(/the command ended with exit code 3\n/)
})

t.test('SIGINT ends the processes too', async t => {
  const { url, interrupt, code } = await serve(t, '--command', 'cat')
  const ws = dial(t, url)
  ws.text('x')
  await next(ws)
  interrupt()
  t.match(await ws.whenClosed(), { code: 1001 })
  t.equal(await code, 0)
})

t.test('a port that is in use', async t => {
  const port = await listen(t, createServer())
  const { code, err } = await finish(t, ['serve', '--port', String(port)])
  t.equal(code, 1)
  t.match(err, `cannot listen on 127.0.0.1:${port}: it is in use; port 0 picks a free one`)
})

t.test('an address that is not local', async t => {
  const { code, err } = await finish(t, ['serve', '--port', '0', '--host', '192.0.2.1'])
  t.equal(code, 1)
  t.match(err, 'cannot listen on 192.0.2.1:0: ')
})

t.test('options that cannot be combined are wrong usage', async t => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, err } = await finish(t, ['serve', '--port', '0', ...args])
    t.equal(code, 2, args.join(' '))
    return err
  }
  t.match(await wrong('--echo', '--broadcast'), '--echo, --broadcast, --command and --tcp exclude each other')
  t.match(await wrong('--broadcast', '--command', 'cat'), 'exclude each other')
  t.match(await wrong('--shell'), '--shell and --stream go with --command')
  t.match(await wrong('--stream'), '--shell and --stream go with --command')
  t.match(await wrong('--command', '"'), 'a quote is not closed')
  t.match(await wrong('--http2'), '--http2 needs --tls')
  t.match(await wrong('--tls', KEY, KEY), 'are not a certificate and its key')
  t.match(await wrong('--tls', '/not/there', CERT), 'cannot read /not/there')
  t.match(await wrong('--path', 'chat'), "--path must begin with '/'")
  t.match(await wrong('--protocol', 'a b'), 'must be a token')
  t.match(await wrong('/not/there'), 'there is no folder /not/there')
})
