// acceptWebSockets on Node's own servers: which requests it takes, what happens to the others, its limits, and how it is closed.
// The peers are written by hand; test/interop/acceptor-peers.test.ts has real ones.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import {
  type HandshakeError,
  WebSocketStream as OurStream,
  WebSocketError,
  type WebSocketStream
} from '../../lib/index.js'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import type { Acceptor } from '../../lib/net/acceptor.js'
import type { AcceptorOptions, AcceptorRequest } from '../../lib/net/acceptor-options.js'
import { ANSWER, BODY, request76 } from '../support/draft-requests.js'
import { Inbox } from '../support/inbox.js'
import { type RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import {
  connectStream,
  dialHttp1,
  isSecure,
  listen,
  makeServer,
  type ServerKind,
  session,
  type TestServer,
  upgrade
} from './web-servers.js'

type Over = 'http/1.1' | 'http/2'

/** The client's view of the response to its request. */
interface Answer {
  peer: RawPeer
  status: number
  headers: Record<string, unknown>
}

type Ask = (path?: string, fields?: Record<string, string>) => Promise<Answer>

const WAYS: [ServerKind, Over][] = [
  ['http', 'http/1.1'],
  ['https', 'http/1.1'],
  ['h2', 'http/2'],
  ['h2c', 'http/2'],
  ['h2+h1', 'http/1.1'],
  ['h2+h1', 'http/2']
]
const ONE_OF_EACH: [ServerKind, Over][] = [
  ['http', 'http/1.1'],
  ['h2', 'http/2']
]
const opens = (over: Over): number => (over === 'http/2' ? 200 : 101)

/** Listens, and returns a function that asks for a WebSocket. */
async function start(t: Test, server: TestServer, kind: ServerKind, over: Over): Promise<Ask> {
  const port = await listen(t, server)
  const secure = isSecure(kind)
  if (over === 'http/2') {
    const client = await session(t, port, secure)
    return async (path = '/', fields = {}) => connectStream(client, { ':path': path, ...fields })
  }
  return async (path = '/', fields = {}) => {
    const { peer, head } = await upgrade(t, port, { path, fields, secure })
    return { peer, ...head }
  }
}

interface Accepted<C> {
  ws: WebSocketStream
  request: AcceptorRequest
  context: C
}

/** A server with one acceptor; `next` resolves with its connections. */
async function accept<C = undefined>(
  t: Test,
  [kind, over]: [ServerKind, Over],
  options: AcceptorOptions<C> = {},
  handle: (accepted: Accepted<C>) => unknown = () => {}
): Promise<{ acceptor: Acceptor<C>; ask: Ask; next: () => Promise<Accepted<C>>; server: TestServer }> {
  const server = makeServer(kind)
  const inbox = new Inbox<Accepted<C>>()
  const acceptor = acceptWebSockets(server, options, (ws, request, context) => {
    inbox.put({ ws, request, context })
    return handle({ ws, request, context })
  })
  const ask = await start(t, server, kind, over)
  return { acceptor, ask, next: async () => (await inbox.take())!, server }
}

const refusedBy = (acceptor: EventEmitter): Promise<[HandshakeError, AcceptorRequest]> =>
  once(acceptor, 'refused') as Promise<[HandshakeError, AcceptorRequest]>

for (const way of WAYS) {
  const [kind, over] = way
  t.test(`over ${over} on a server of ${kind}`, async t => {
    t.test('a request becomes a connection, and a message is echoed', async t => {
      const { acceptor, ask, next } = await accept(t, way, { protocols: ['chat'] }, ({ ws }) => {
        ws.on('message', message => ws.text(`you said ${message}`))
      })
      const { peer, status, headers } = await ask('/chat?a=b', { 'sec-websocket-protocol': 'chat' })
      t.equal(status, opens(over))
      t.equal(headers['sec-websocket-protocol'], 'chat')
      const { ws, request, context } = await next()
      t.equal(ws.readyState, 'open')
      t.equal(request.url, '/chat?a=b')
      t.type(request.socket!.remotePort, 'number')
      t.equal(context, undefined)
      t.ok(ws.url.startsWith(isSecure(kind) ? 'wss://' : 'ws://'), ws.url)
      peer.text('hello')
      t.equal(String((await peer.nextFrame())!.payload), 'you said hello')
      t.strictSame([...acceptor.connections], [ws])
      const kept = (['request', 'open', 'error'] as const).filter(event => ws.listenerCount(event) > 0)
      t.same(kept, [], 'nothing of the handshake is kept')
      peer.close()
      t.same(readClose(await peer.nextFrame()), { code: 1000, reason: '' })
      peer.end()
      await ws.whenClosed()
      t.equal(acceptor.size, 0)
    })

    t.test('ordinary requests are answered as usual', async t => {
      const server = makeServer(kind) as http.Server
      server.on('request', (_request, response) => response.end('an answer'))
      acceptWebSockets(server, {}, () => {})
      const port = await listen(t, server)
      if (over === 'http/1.1') {
        const peer = await dialHttp1(t, port, isSecure(kind))
        peer.write(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))
        t.match(String(await peer.rest()), /an answer/)
        return
      }
      const client = await session(t, port, isSecure(kind))
      const stream = client.request({ ':path': '/' })
      t.match(await once(stream, 'response'), [{ ':status': 200 }])
      t.match(String(await once(stream, 'data')), 'an answer')
      const plain = client.request({ ':method': 'CONNECT', ':authority': 'localhost:1' })
      t.match(await once(plain, 'response'), [{ ':status': 405 }])
      // also an extended CONNECT, which a server with only a 'request' listener answers with 405
      t.equal((await connectStream(client)).status, 200)
    })
  })
}

for (const way of ONE_OF_EACH) {
  const over = way[1]

  t.test(`paths, over ${over}`, async t => {
    const server = makeServer(way[0])
    const got = new Inbox<string>()
    const handler = (name: string) => () => got.put(name)
    acceptWebSockets(server, { path: '/string' }, handler('string'))
    acceptWebSockets(server, { path: /^\/rooms\/\d+$/g }, handler('pattern'))
    acceptWebSockets(server, { path: ({ url }) => url === '/function?x' }, handler('function'))
    acceptWebSockets(server, { path: '/string' }, handler('second'))
    const ask = await start(t, server, ...way)
    const cases: [string, string][] = [
      ['/string', 'string'],
      ['/string?query', 'string'],
      ['/rooms/7', 'pattern'],
      ['/rooms/8?a', 'pattern'],
      ['/function?x', 'function']
    ]
    for (const [path, name] of cases) {
      t.equal((await ask(path)).status, opens(over), path)
      t.equal(await got.take(), name)
    }
    for (const path of ['/', '/String', '/string/', '/rooms/x', '/function', '/%73tring']) {
      const { status, peer } = await ask(path)
      t.equal(status, 404, path)
      t.equal(String(await peer.rest()), 'Not Found')
    }
  })

  t.test(`verify, over ${over}`, async t => {
    t.test('its verdicts are obeyed, synchronous or not', async t => {
      type Context = { name: string }
      const verdicts: Record<string, unknown> = {
        '/true': true,
        '/false': false,
        '/context': { context: { name: 'Ada' }, headers: { 'X-A': 'a' }, protocol: 'b' },
        '/answer': { status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'who are you?' },
        '/both': { status: 403, context: { name: 'Eve' } }
      }
      const verify = ({ url = '' }: AcceptorRequest) => {
        const [path = '', later] = url.split('?')
        return (later === undefined ? verdicts[path] : Promise.resolve(verdicts[path])) as never
      }
      const { ask, next } = await accept<Context>(t, way, { verify })
      for (const later of ['', '?later']) {
        t.equal((await ask(`/true${later}`)).status, opens(over))
        t.equal((await next()).context, undefined)
        t.equal((await ask(`/false${later}`)).status, 403)
        const offer = { 'sec-websocket-protocol': 'a, b' }
        const { status, headers } = await ask(`/context${later}`, offer)
        t.equal(status, opens(over))
        t.match(headers, { 'x-a': 'a', 'sec-websocket-protocol': 'b' })
        const { context, ws } = await next()
        t.same(context, { name: 'Ada' })
        t.equal(ws.protocol, 'b')
        const refused = await ask(`/answer${later}`)
        t.match(refused, { status: 401, headers: { 'www-authenticate': 'Basic' } })
        t.equal(String(await refused.peer.rest()), 'who are you?')
        t.equal((await ask(`/both${later}`)).status, 403)
      }
    })

    t.test('any other value is refused with 500, and reported as an error', async t => {
      const wrong = [
        undefined,
        null,
        'yes',
        1,
        {},
        { status: 200 },
        { status: 'active' },
        { context: 1, protocol: 'x' }
      ]
      const verify = ({ url = '' }: AcceptorRequest) => {
        const verdict = wrong[Number(url.slice(1).split('?')[0])]
        return (url.endsWith('later') ? Promise.resolve(verdict) : verdict) as never
      }
      const { acceptor, ask } = await accept(t, way, { verify })
      for (const i of wrong.keys()) {
        for (const later of ['', '?later']) {
          const told = once(acceptor, 'error')
          t.equal((await ask(`/${i}${later}`)).status, 500, `${i}${later}`)
          const [error, request] = (await told) as [Error, AcceptorRequest]
          t.ok(error instanceof TypeError || error instanceof RangeError, error.message)
          t.equal(request.url, `/${i}${later}`)
        }
      }
    })

    t.test('exceptions are answered with 500, and reported unchanged', async t => {
      const boom = new Error('boom')
      const { acceptor, ask } = await accept(t, way, {
        verify: ({ url }) => {
          if (url === '/later') return Promise.reject(boom)
          if (url === '/odd') throw 'a string'
          throw boom
        }
      })
      for (const path of ['/', '/later']) {
        const told = once(acceptor, 'error')
        t.equal((await ask(path)).status, 500)
        t.equal((await told)[0], boom)
      }
      const told = once(acceptor, 'error')
      t.equal((await ask('/odd')).status, 500)
      t.match((await told)[0], { cause: 'a string' })
    })

    t.test('exceptions of the functions origins, protocols and path are reported too', async t => {
      const boom = new Error('boom')
      const fail = () => {
        throw boom
      }
      for (const options of [{ origins: fail }, { protocols: fail }, { path: fail }] as AcceptorOptions[]) {
        const { acceptor, ask } = await accept(t, way, options)
        const told = once(acceptor, 'error')
        const { status } = await ask('/', { 'sec-websocket-protocol': 'a' })
        // with no path given, no acceptor takes the request
        t.equal(status, 'path' in options ? 404 : 500)
        t.equal((await told)[0], boom)
      }
    })

    t.test('it is not asked about an invalid request, or one of a forbidden origin', async t => {
      const { acceptor, ask } = await accept(t, way, {
        origins: ['https://example.com'],
        verify: () => t.fail('it was asked') as never
      })
      for (const origin of ['https://evil.test', 'null', 'https://example.com.evil.test', 'http://example.com']) {
        const told = refusedBy(acceptor)
        t.equal((await ask('/', { origin })).status, 403)
        const [error, request] = await told
        t.match(error, { code: 'WS_ERR_FORBIDDEN_ORIGIN', status: 403 })
        t.equal(request.headers['origin'], origin)
      }
      t.equal((await ask()).status, 403)
      t.equal(
        (await ask('/', { origin: 'https://example.com', 'Sec-WebSocket-Version': '99' })).status,
        over === 'http/2' ? 400 : 426
      )
    })

    t.test('a connection that is destroyed while it decides is reported as refused', async t => {
      const cause = new Error('not this one')
      const observe = (event: unknown): void => {
        const { stream, role } = event as { stream: WebSocketStream; role: string }
        if (role === 'server') stream.destroy(cause)
      }
      subscribe('websocket-duplex:handshake', observe)
      t.teardown(() => unsubscribe('websocket-duplex:handshake', observe))
      const { acceptor, ask } = await accept(t, way, {}, () => t.fail('it was opened'))
      const told = refusedBy(acceptor)
      ask().catch(() => {})
      t.match(await told, [{ code: 'WS_ERR_CONNECTION_LOST', cause }])
      t.equal(acceptor.handshakes, 0)
    })

    t.test('A26: it has handshakeTimeout to decide, and a later verdict is ignored', async t => {
      let decide: (verdict: boolean) => void = () => {}
      const verify = () => new Promise<boolean>(resolve => (decide = resolve))
      const { acceptor, ask } = await accept(t, way, { verify, handshakeTimeout: 20 }, () => t.fail('it was opened'))
      const told = refusedBy(acceptor)
      const { status, peer } = await ask()
      t.equal(status, 408)
      peer.end()
      t.match(await told, [{ code: 'WS_ERR_HANDSHAKE_TIMEOUT' }])
      t.equal(acceptor.handshakes, 0)
      decide(true)
      await new Promise(resolve => setImmediate(resolve))
      t.equal(acceptor.size, 0)
    })
  })

  t.test(`limits, over ${over}`, async t => {
    t.test('connections beyond maxConnections get 503, until one has ended', async t => {
      const { acceptor, ask, next } = await accept(t, way, { maxConnections: 2 })
      const first = await ask()
      await ask()
      const { ws } = await next()
      t.equal((await ask()).status, 503)
      t.equal(acceptor.size, 2)
      first.peer.close()
      await first.peer.ended()
      first.peer.end()
      await ws.whenClosed()
      t.equal((await ask()).status, opens(over))
    })

    t.test('handshakes accepted at the same time do not exceed the limit', async t => {
      let asked = 0
      let decide: (verdict: boolean) => void = () => {}
      const decided = new Promise<boolean>(resolve => (decide = resolve))
      const verify = () => {
        if (++asked === 5) decide(true)
        return decided
      }
      const { acceptor, ask } = await accept(t, way, { maxConnections: 2, verify })
      const statuses = (await Promise.all(Array.from({ length: 5 }, () => ask()))).map(({ status }) => status)
      t.same(statuses.sort(), [opens(over), opens(over), 503, 503, 503])
      t.equal(acceptor.size, 2)
    })

    t.test('handshakes beyond maxHandshakes get 503, until one is decided', async t => {
      const waiting = new Inbox<() => void>()
      const verify = () => new Promise<boolean>(resolve => waiting.put(() => resolve(true)))
      const { acceptor, ask, next } = await accept(t, way, { maxHandshakes: 1, verify })
      const first = ask()
      const decide = (await waiting.take())!
      t.equal(acceptor.handshakes, 1)
      t.equal((await ask()).status, 503)
      decide()
      t.equal((await first).status, opens(over))
      await next()
      t.equal(acceptor.handshakes, 0)
      const third = ask()
      ;(await waiting.take())!()
      t.equal((await third).status, opens(over))
    })

    t.test('A07: a peer that leaves while verify decides is forgotten', async t => {
      const asked = new Inbox<boolean>()
      const server = makeServer(way[0])
      const acceptor = acceptWebSockets(
        server,
        {
          verify: () => {
            asked.put(true)
            return new Promise<boolean>(() => {})
          }
        },
        () => t.fail('it was opened')
      )
      const port = await listen(t, server)
      const told = refusedBy(acceptor)
      if (over === 'http/1.1') {
        const peer = await dialHttp1(t, port)
        peer.write(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'))
        peer.write(Buffer.from('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'))
        await asked.take()
        peer.reset()
      } else {
        const client = await session(t, port)
        const stream = client.request(
          { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' },
          { endStream: false }
        )
        stream.on('error', () => {})
        await asked.take()
        stream.close(8)
      }
      t.match(await told, [{ code: 'WS_ERR_CONNECTION_LOST' }])
      t.equal(acceptor.handshakes, 0)
    })
  })

  t.test(`a handler that fails, over ${over}`, async t => {
    t.test('closes its connection with 1011, and its exception is reported', async t => {
      const boom = new Error('boom')
      const handlers = [
        () => {
          throw boom
        },
        async () => {
          throw boom
        },
        async ({ ws }: Accepted<undefined>) => {
          ws.close(1011)
          await ws.whenClosed()
          throw boom
        },
        async ({ ws }: Accepted<undefined>) => {
          for await (const _ of ws.messages) throw boom
        }
      ]
      for (const handle of handlers) {
        const { acceptor, ask } = await accept(t, way, {}, handle)
        const told = once(acceptor, 'error')
        const { peer } = await ask('/here')
        peer.text('a message')
        t.equal((await peer.answerClose()).code, 1011)
        t.match(await told, [boom, { url: '/here' }])
      }
    })

    t.test('fails if another connection, or another pipe, broke', async t => {
      const broken = Object.assign(new Error('a file'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
      for (const reason of [
        broken,
        new WebSocketError('WS_ERR_CONNECTION_LOST'),
        new WebSocketError('WS_ERR_NOT_OPEN')
      ]) {
        const { acceptor, ask } = await accept(t, way, {}, () => Promise.reject(reason))
        const told = once(acceptor, 'error')
        const { peer } = await ask()
        t.equal((await told)[0], reason)
        t.equal((await peer.answerClose()).code, 1011)
      }
    })

    t.test('fails if it used the library incorrectly', async t => {
      const wrong = new WebSocketError('WS_ERR_EXTENSION')
      const { acceptor, ask } = await accept(t, way, {}, () => Promise.reject(wrong))
      const told = once(acceptor, 'error')
      const { peer } = await ask()
      t.equal((await told)[0], wrong)
      await peer.answerClose()
    })

    t.test('does not fail if it destroys its connection', async t => {
      const { acceptor, ask, next } = await accept(t, way, {}, async ({ ws }) => {
        ws.destroy()
        await ws.ping()
      })
      acceptor.on('error', error => t.fail(error.message))
      // over HTTP/2 the reset may overtake the response
      ask().catch(() => {})
      t.match(await (await next()).ws.whenClosed(), { code: 1006, initiator: 'local' })
    })

    t.test('may throw any value', async t => {
      const { acceptor, ask } = await accept(t, way, {}, async ({ ws }) => {
        ws.close()
        throw undefined
      })
      const told = once(acceptor, 'error')
      const { peer } = await ask()
      t.match((await told)[0], { message: 'a value that is not an Error was thrown', cause: undefined })
      await peer.answerClose()
    })

    t.test('A28: does not fail if its connection ended', async t => {
      const ended = new Inbox<string>()
      const watch = (run: () => Promise<unknown>) =>
        run().catch(error => {
          ended.put((error as Error).name)
          throw error
        }) as Promise<void>
      const handlers: ((accepted: Accepted<undefined>) => Promise<void>)[] = [
        ({ ws }) =>
          watch(async () => {
            for await (const _ of ws.messages);
          }),
        ({ ws }) => watch(() => pipeline(ws.messages, ws.messages)),
        ({ ws }) => watch(() => pipeline(new Readable({ read() {} }), ws.messages)),
        ({ ws }) => watch(() => ws.ping())
      ]
      for (const handle of handlers) {
        const { acceptor, ask, next } = await accept(t, way, {}, handle)
        acceptor.on('error', error => t.fail(error.message))
        const { peer } = await ask()
        const { ws } = await next()
        if (over === 'http/2') (peer.stream as unknown as { close(code: number): void }).close(8)
        else peer.reset()
        t.match(await ws.whenClosed(), { code: 1006 })
        t.type(await ended.take(), 'string')
        await new Promise(resolve => setImmediate(resolve))
      }
    })
  })

  t.test(`the end, over ${over}`, async t => {
    t.test('closes all connections, refuses new ones, and waits for the answers', async t => {
      const { acceptor, ask, server } = await accept(t, way)
      const peers = [(await ask()).peer, (await ask()).peer]
      const over = acceptor.close({ code: 1012, reason: 'back soon' })
      for (const peer of peers) {
        t.same(readClose(await peer.nextFrame()), { code: 1012, reason: 'back soon' })
      }
      const refusal = await ask()
      t.equal(refusal.status, 503)
      t.equal(acceptor.size, 2)
      for (const peer of peers) {
        peer.close(1012)
        void peer.ended().then(() => peer.end())
      }
      await over
      t.equal(acceptor.size, 0)
      t.equal(server.listenerCount('upgrade'), 0, 'nothing is listened to any more')
      t.equal(await acceptor.close(), undefined)
    })

    t.test('refuses handshakes that are not decided', async t => {
      const asked = new Inbox<boolean>()
      const verify = () => {
        asked.put(true)
        return new Promise<boolean>(() => {})
      }
      const { acceptor, ask } = await accept(t, way, { verify })
      const response = ask()
      await asked.take()
      const ended = acceptor.close()
      const { status, peer } = await response
      t.equal(status, 503)
      peer.end()
      await ended
    })

    t.test('A24: is not later than the timeout, whether or not a peer answers', async t => {
      const { acceptor, ask, next } = await accept(t, way)
      await ask()
      const { ws } = await next()
      await acceptor.close({ timeout: 20 })
      t.match(ws.closeInfo, { code: 1006, wasClean: false, initiator: 'local' })
    })

    t.test('leaves no timer if all connections end before the timeout', async t => {
      const { acceptor } = await accept(t, way)
      const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
      const before = timers()
      const ended = acceptor.close({ timeout: 60_000 })
      t.equal(timers(), before + 1)
      await ended
      t.equal(timers(), before)
    })

    t.test('may be hastened, and works with `await using`', async t => {
      const { acceptor, ask } = await accept(t, way)
      await ask()
      const disposed = acceptor[Symbol.asyncDispose]()
      await acceptor.close({ timeout: 0 })
      await disposed
      t.equal(acceptor.size, 0)
    })

    t.test('throws if code or reason cannot be sent', async t => {
      const { acceptor } = await accept(t, way)
      t.throws(() => acceptor.close({ code: 1005 }), RangeError)
      t.throws(() => acceptor.close({ reason: 'x'.repeat(124) }), RangeError)
      t.throws(() => acceptor.close({ timeout: -1 }), RangeError)
      t.throws(() => acceptor.close({ timeout: '1' as never }), TypeError)
    })

    t.test('detach does not affect connections', async t => {
      const { acceptor, ask, server } = await accept(t, way, {}, ({ ws }) => {
        ws.on('message', () => ws.text('still here'))
      })
      const { peer } = await ask()
      acceptor.detach()
      acceptor.detach()
      t.equal(server.listenerCount('upgrade'), 0)
      peer.text('anyone?')
      t.equal(String((await peer.nextFrame())!.payload), 'still here')
      // and another acceptor may take its place
      acceptWebSockets(server, { path: '/new' }, () => {})
      t.equal((await ask('/new')).status, opens(over))
    })
  })
}

t.test('a client of hixie-76 that holds back the body of its request', async t => {
  const begin = async (t: Test, maxConnections?: number) => {
    const made = await accept(t, ['http', 'http/1.1'], { allowDrafts: true, maxConnections })
    const { port } = made.server.address() as AddressInfo
    const hold = async (): Promise<{ peer: RawPeer; status: number }> => {
      const peer = await dialHttp1(t, port)
      peer.write(request76())
      return { peer, status: (await peer.head()).status }
    }
    return { ...made, hold }
  }

  t.test('counts as a connection', async t => {
    const { acceptor, hold, next } = await begin(t, 1)
    const first = await hold()
    t.equal((await hold()).status, 503)
    first.peer.write(BODY)
    t.strictSame(await first.peer.take(16), ANSWER)
    await next()
    t.equal(acceptor.size, 1)
    t.equal((await hold()).status, 503)
  })

  t.test('counts no more when it has left', async t => {
    const { acceptor, hold } = await begin(t, 1)
    const refused = refusedBy(acceptor)
    const { peer } = await hold()
    peer.reset()
    await refused
    t.equal((await hold()).status, 101)
  })

  t.test('is cut off by close()', async t => {
    const { acceptor, hold, next } = await begin(t)
    const { peer } = await hold()
    const closed = acceptor.close().then(() => 'closed')
    peer.write(BODY)
    const opened = next().then(() => 'opened')
    t.equal(await Promise.race([opened, closed]), 'closed')
    t.equal(acceptor.handshakes, 0)
  })
})

t.test('other listeners on the same server', async t => {
  t.test('get the upgrades that no acceptor takes, to any protocol', async t => {
    const server = http.createServer()
    const theirs = new Inbox<string>()
    acceptWebSockets(server, { path: '/ours' }, () => {})
    server.on('upgrade', (request, socket: Duplex) => {
      if (request.url === '/ours') return
      theirs.put(String(request.headers.upgrade))
      socket.end('HTTP/1.1 200 Theirs\r\nConnection: close\r\n\r\n')
    })
    const ask = await start(t, server, 'http', 'http/1.1')
    t.equal((await ask('/theirs')).status, 200)
    t.equal(await theirs.take(), 'websocket')
    t.equal((await ask('/other', { Upgrade: 'other' })).status, 200)
    t.equal(await theirs.take(), 'other')
    t.equal((await ask('/ours')).status, 101)
  })

  t.test('if there are none, an upgrade to another protocol is refused', async t => {
    const { ask } = await accept(t, ['http', 'http/1.1'])
    t.equal((await ask('/', { Upgrade: 'other' })).status, 400)
  })

  t.test("get the streams that no acceptor takes, and 'connect'", async t => {
    const server = makeServer('h2')
    acceptWebSockets(server, { path: '/ours' }, () => {})
    const theirs = (stream: ServerHttp2Stream, headers: Record<string, unknown>) => {
      if (headers[':path'] !== '/ours') stream.respond({ ':status': 299 }, { endStream: true })
    }
    server.on('stream', theirs)
    const ask = await start(t, server, 'h2', 'http/2')
    t.equal((await ask('/theirs')).status, 299)
    t.equal((await ask('/theirs', { ':protocol': 'other' })).status, 299)
    t.equal((await ask('/ours')).status, 200)
    server.off('stream', theirs)
    t.equal((await ask('/theirs')).status, 404)
    t.equal((await ask('/ours', { ':protocol': 'other' })).status, 501)
    server.on('request', () => {})
    t.equal((await ask('/theirs')).status, 404)
    server.on('connect', (_request, response: http.ServerResponse) => {
      if (_request.url !== '/ours') response.writeHead(298).end()
    })
    t.equal((await ask('/theirs')).status, 298)
    t.equal((await ask('/ours')).status, 200)
  })

  t.test('a CONNECT of HTTP/1.1 ends as without an acceptor', async t => {
    const { server } = await accept(t, ['h2+h1', 'http/1.1'])
    const peer = await dialHttp1(t, (server.address() as { port: number }).port, true)
    peer.write(Buffer.from('CONNECT example.com:1 HTTP/1.1\r\nHost: example.com:1\r\n\r\n'))
    t.equal((await peer.rest()).length, 0)
  })

  t.test("get a CONNECT of HTTP/1.1, if they listen for 'connect'", async t => {
    const { server } = await accept(t, ['h2+h1', 'http/1.1'])
    server.on('connect', (_request, socket: Duplex) => socket.end('HTTP/1.1 200 Theirs\r\n\r\n'))
    const peer = await dialHttp1(t, (server.address() as { port: number }).port, true)
    peer.write(Buffer.from('CONNECT example.com:1 HTTP/1.1\r\nHost: example.com:1\r\n\r\n'))
    t.equal((await peer.head()).first, 'HTTP/1.1 200 Theirs')
  })
})

t.test('A04: a malformed target is refused, and matches no path', async t => {
  const { ask } = await accept(t, ['http', 'http/1.1'], { path: '/chat' })
  for (const target of ['*', 'chat', 'http://', 'http://a b/', '/\u00e4']) {
    t.ok([400, 404].includes((await ask(target)).status), target)
  }
  t.equal((await ask('http://example.com/chat?x')).status, 101)
})

t.test('the path of an absolute target is compared as sent, too', async t => {
  const { ask } = await accept(t, ['http', 'http/1.1'], { path: '/chat' })
  for (const path of ['/a/../chat', '/./chat', '\\chat', '']) {
    t.ok([400, 404].includes((await ask(`http://example.com${path}`)).status), path)
  }
  const { ask: askRoot } = await accept(t, ['http', 'http/1.1'], { path: '/' })
  t.equal((await askRoot('http://example.com?x')).status, 101)
})

t.test('A07: a request without required fields is refused', async t => {
  const { acceptor, server } = await accept(t, ['http', 'http/1.1'])
  const { port } = server.address() as { port: number }
  const heads: [string, number][] = [
    ['GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: \r\nConnection: Upgrade\r\nUpgrade: websocket\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n', 426],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n', 405]
  ]
  for (const [head, status] of heads) {
    const peer = await dialHttp1(t, port)
    peer.write(Buffer.from(`${head}\r\n`))
    t.equal((await peer.head()).status, status, head)
  }
  t.same([acceptor.size, acceptor.handshakes], [0, 0])
})

t.test('A29: a socket that breaks between the request and the response affects nothing else', async t => {
  const { next, server } = await accept(t, ['http', 'http/1.1'])
  server.prependOnceListener('upgrade', (_request, socket: Duplex) => {
    process.nextTick(() => socket.destroy(new Error('broken')))
  })
  const peer = await dialHttp1(t, (server.address() as { port: number }).port)
  peer.write(requestHead())
  t.equal((await peer.rest()).length, 0)
  t.match(await (await next()).ws.whenClosed(), { code: 1006, initiator: 'peer' })
})

t.test('a socket without an error listener does not crash the process', async t => {
  const { acceptor, ask, next } = await accept(t, ['http', 'http/1.1'])
  const { peer } = await ask()
  peer.send(TEXT, 'a', { masked: false })
  t.match(readClose(await peer.nextFrame()), { code: 1002 })
  peer.end()
  t.match(await (await next()).ws.whenClosed(), { code: 1002 })
  t.equal(acceptor.size, 0)
})

t.test('an error of the application without a listener is thrown', async t => {
  const { ask } = await accept(t, ['http', 'http/1.1'], {}, () => {
    throw new Error('nobody listens')
  })
  const thrown = new Promise(resolve => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', error => {
      for (const listener of others) process.on('uncaughtException', listener)
      resolve(error)
    })
  })
  const { peer } = await ask()
  t.match(await thrown, { message: 'nobody listens' })
  t.equal((await peer.answerClose()).code, 1011)
})

t.test('A14: invalid options throw at once', async t => {
  const server = http.createServer()
  const wrong: AcceptorOptions[] = [
    { path: 1 as never },
    { path: 'chat' },
    { verify: true as never },
    { maxConnections: '1' as never },
    { protocols: ['a\r\nb'] },
    { headers: { 'X-A': 'a\r\nb' } },
    { unknown: 1 } as never
  ]
  for (const options of wrong) t.throws(() => acceptWebSockets(server, options, () => {}), TypeError)
  t.throws(() => acceptWebSockets(server, { maxHandshakes: -1 }, () => {}), RangeError)
  t.throws(() => acceptWebSockets(server, {}, undefined as never), TypeError)
  const message = /third argument: acceptWebSockets\(server, options, handler\)/
  t.throws(() => acceptWebSockets(server, (() => {}) as never, undefined as never), { name: 'TypeError', message })
  for (const nothing of [undefined, null, {}, { on() {} }]) {
    t.throws(() => acceptWebSockets(nothing as never, {}, () => {}), TypeError)
  }
  t.equal(server.listenerCount('upgrade'), 0)
  t.equal(acceptWebSockets(server, undefined, () => {}).size, 0)
})

for (const path of ['/', '/other']) {
  t.test(`a socket that another 'upgrade' listener has attached stays with it: path ${path}`, async t => {
    const server = http.createServer()
    const first = new Promise<WebSocketStream>(resolve => {
      server.on('upgrade', (request, socket, head) => resolve(OurStream.http(request, head).attach(socket)))
    })
    const acceptor = acceptWebSockets(server, { path: '/' }, () => t.fail('it was accepted'))
    t.teardown(() => acceptor.close())
    const ask = await start(t, server, 'http', 'http/1.1')
    const refused = path === '/' ? refusedBy(acceptor) : null
    const { peer, status } = await ask(path)
    t.equal(status, 101)
    const ws = await first
    ws.send('hello')
    t.match(await peer.nextFrame(), { opcode: TEXT, payload: Buffer.from('hello') })
    if (refused !== null) t.match((await refused)[0], { cause: { message: /already belongs to a connection/ } })
    t.equal(acceptor.size, 0)
    ws.destroy()
  })
}
