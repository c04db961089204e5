// `relay`: what it joins, what it shows, and how it ends.

import { once } from 'node:events'
import { createServer, get as httpGet, type IncomingMessage } from 'node:http'
import t from 'tap'
import {
  type ConnectOptions,
  connect,
  type HandshakeError,
  permessageDeflate,
  WebSocketStream
} from '../../lib/index.js'
import { echo, listen } from '../net/servers.js'
import { Inbox } from '../support/inbox.js'
import { finish, startServer, type TestLike } from './support.js'

function dial(t: TestLike, url: string, options?: ConnectOptions): WebSocketStream {
  const ws = connect(url, options)
  t.teardown(() => ws.destroy())
  return ws
}

/** The status of the response that refuses. */
async function refusal(t: TestLike, url: string, options?: ConnectOptions): Promise<number> {
  const error = await dial(t, url, options).opened.catch(error => error)
  return (error as HandshakeError).status
}

async function relayTo(t: TestLike, target: string, ...args: string[]) {
  return startServer(t, ['relay', '0', target, ...args])
}

async function echoUrl(t: TestLike): Promise<string> {
  return `ws://127.0.0.1:${(await echo(t)).port}/there`
}

t.test('messages and a Close are passed, and counted', async t => {
  const { url, stderr } = await relayTo(t, await echoUrl(t))
  t.match(url, /^ws:\/\/127\.0\.0\.1:\d+\/$/)
  const ws = dial(t, url)
  ws.text('hello')
  t.strictSame(await once(ws, 'message'), ['hello'])
  ws.close(4000, 'bye')
  t.match(await ws.whenClosed(), { code: 4000 })
  await stderr.saw(
    /^#1 open: \/ from 127\.0\.0\.1:\d+\n#1 closed: client 4000 'bye', target 4000 'bye'; 5 bytes →, 5 bytes ←\n$/
  )
})

t.test('--show prints the frames of both sides, in colour on a terminal', async t => {
  const { url, stderr } = await startServer(t, ['relay', '0', await echoUrl(t), '--show'], { tty: { stderr: true } })
  const other = dial(t, url)
  await other.opened
  const ws = dial(t, url)
  ws.text('hello')
  await once(ws, 'message')
  ws.close()
  await ws.whenClosed()
  await stderr.saw(/#2 closed/)
  const frames = stderr.text.replace(/\x1b\[\d+m/g, '').match(/^#2 [→←].*$/gm)
  t.strictSame(frames, [
    '#2 → text         5 bytes        hello',
    '#2 ← text         5 bytes        hello',
    '#2 → close        2 bytes        1000 (normal)',
    '#2 ← close        2 bytes        1000 (normal)'
  ])
  t.match(stderr.text, '#2 → \x1b[32mtext')
})

t.test('frames in the first chunk of the target are printed too', async t => {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head)
    ws.attach(socket)
    ws.on('open', () => ws.text('at once'))
  })
  const { url, stderr } = await relayTo(t, `ws://127.0.0.1:${await listen(t, server)}`, '--show')
  dial(t, url)
  await stderr.saw(/#1 ← text {9}7 bytes {8}at once\n/)
})

t.test('the client and the target negotiate subprotocol and extensions', async t => {
  const { port } = await echo(t, 'ours', { stream: { protocols: ['b'], extensions: [permessageDeflate()] } })
  const { url, stderr } = await relayTo(t, `ws://127.0.0.1:${port}`)
  const ws = dial(t, url, { protocols: ['a', 'b'], extensions: [permessageDeflate()] })
  t.match(await ws.opened, { protocol: 'b', extensions: /permessage-deflate/ })
  await stderr.saw(/#1 open: .*, subprotocol b, permessage-deflate/)
})

t.test('--path, --forward and --header pass more to the target', async t => {
  const { port, requests } = await echo(t)
  const args = ['--path', '--forward', 'Cookie', '--forward', 'x-one', '--header', 'X-Two: 2']
  const { url } = await relayTo(t, `ws://127.0.0.1:${port}/left/out`, ...args)
  const ws = dial(t, `${url}chat?room=1`, { headers: { cookie: 'a=b', 'X-One': '1', 'X-Three': '3' } })
  await ws.opened
  t.match(requests[0], { url: '/chat?room=1', headers: { cookie: 'a=b', 'x-one': '1', 'x-two': '2' } })
  t.notOk('x-three' in requests[0]!.headers)
})

t.test('a target that refuses, and one that is unreachable', async t => {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head)
    ws.reject(418, { body: 'short and stout' })
    ws.attach(socket)
  })
  const refused = await relayTo(t, `ws://127.0.0.1:${await listen(t, server)}`)
  t.equal(await refusal(t, refused.url), 418)
  await refused.stderr.saw(/#1 refused: \/ from .*: the server answered 418 I'm a Teapot\nshort and stout\n/)
  const absent = await relayTo(t, 'ws://127.0.0.1:1')
  t.equal(await refusal(t, absent.url), 502)
  await absent.stderr.saw(/#1 refused: \/ from .*: cannot connect: connect ECONNREFUSED/)
  await absent.stderr.saw(/#1 closed: /)
})

t.test('pages of other origins are refused unless they are listed', async t => {
  const { url, stderr } = await relayTo(t, await echoUrl(t), '--origin', 'http://page.example')
  t.equal(await refusal(t, url, { origin: 'http://other.example' }), 403)
  await stderr.saw(/#1 refused: .*this origin is not allowed/)
  await dial(t, url, { origin: 'http://page.example' }).opened
})

t.test('SIGINT closes all connections with 1001 and ends', async t => {
  const { url, interrupt, code } = await relayTo(t, await echoUrl(t))
  const ws = dial(t, url)
  await ws.opened
  interrupt()
  t.match(await ws.whenClosed(), { code: 1001, wasClean: true })
  t.equal(await code, 0)
})

t.test('a client that does not answer the Close is soon dropped', { timeout: 60_000 }, async t => {
  const { url, interrupt, code } = await relayTo(t, await echoUrl(t))
  const sockets = new Inbox<{ pause(): unknown }>()
  const { connect: connectTo } = await import('node:net')
  const ws = dial(t, url, {
    createConnection: ({ port }) => {
      const socket = connectTo(Number(port), '127.0.0.1')
      sockets.put(socket)
      return socket
    }
  })
  await ws.opened
  ;(await sockets.take())!.pause()
  interrupt()
  t.equal(await code, 0)
})

t.test('ordinary requests get 426', async t => {
  const { url } = await relayTo(t, await echoUrl(t))
  const [response] = (await once(httpGet(url.replace('ws', 'http')), 'response')) as [IncomingMessage]
  response.resume()
  t.equal(response.statusCode, 426)
})

t.test('wrong usage', async t => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, err } = await finish(t, ['relay', ...args])
    t.equal(code, 2, args.join(' '))
    return err
  }
  t.match(await wrong(), 'relay needs PORT and TARGET')
  t.match(await wrong('80'), 'relay needs PORT and TARGET')
  t.match(await wrong('x', 'ws://x'), "PORT must be a whole number from 0 to 65535, not 'x'")
  t.match(await wrong('0', 'x:80'), 'did you mean ws://x:80 ?')
  t.match(await wrong('0', 'ws://'), 'not a URL')
  t.match(await wrong('0', 'ws://x', '--forward', 'a b'), 'invalid header name')
  t.match(await wrong('0', 'ws://x', '--header', 'Upgrade: x'), 'written by the handshake itself')
  t.match(await wrong('0', 'ws://x', 'more'), "relay does not know what to do with 'more'")
})
