// One connection after the other: when the next one is dialled, which errors end the loop, and how it ends.

import { getEventListeners } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import {
  type ErrorCode,
  HandshakeError,
  jsonMessages,
  type ReconnectOptions,
  type RetryInfo,
  reconnect,
  WebSocketError,
  type WebSocketStream
} from '../../lib/index.js'
import { delayAfter, readReconnectOptions } from '../../lib/net/reconnect-options.js'
import { isFinal, retryAfter } from '../../lib/net/retry.js'
import { SELF_SIGNED } from '../support/certificates.js'
import { answerHead, type Head, type RawPeer } from '../support/raw-peer.js'
import { rejection, settle, within } from '../websocket-stream/sides.js'
import { serve } from './servers.js'

type Talk = (peer: RawPeer, head: Head) => unknown

const FAST: ReconnectOptions = { initialDelay: 0, keepalive: false }

interface Script {
  url: string
  /** The heads of all requests. */
  heads: Head[]
}

/** A server that calls the next function for each connection, and repeats the last one. */
async function script(t: Test, ...talks: Talk[]): Promise<Script> {
  const heads: Head[] = []
  const port = await serve(t, async peer => {
    const head = await peer.head()
    heads.push(head)
    await (talks.length > 1 ? talks.shift()! : talks[0]!)(peer, head)
  })
  return { url: `ws://127.0.0.1:${port}/`, heads }
}

/** Opens the connection, and continues with the peer. */
const accept =
  (then: (peer: RawPeer) => unknown = peer => peer.answerClose()): Talk =>
  (peer, head) => {
    peer.write(answerHead(head))
    return then(peer)
  }

const refuse =
  (status: number, fields = ''): Talk =>
  peer => {
    peer.write(Buffer.from(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n${fields}\r\n`))
    peer.end()
  }

/** Closes with this code. */
const leave = (code: number, reason = ''): Talk =>
  accept(async peer => {
    peer.close(code, reason)
    await peer.nextFrame()
    peer.end()
  })

/** Options under which the test fails if two sockets are open at a time, and the number of sockets. */
function oneAtATime(t: Test): { createConnection: (url: URL) => Socket; count(): number } {
  let now = 0
  let count = 0
  const createConnection = ({ port }: URL): Socket => {
    t.equal(++now, 1, 'one socket at a time')
    count++
    return connectTcp(Number(port), '127.0.0.1').on('close', () => now--)
  }
  return { createConnection, count: () => count }
}

/** Runs a loop until it ends by itself. */
async function all(
  connections: AsyncIterable<WebSocketStream>,
  body: (ws: WebSocketStream, count: number) => unknown = () => {}
): Promise<number> {
  let count = 0
  for await (const ws of connections) await body(ws, ++count)
  return count
}

/** Options that record the errors, and end the loop after this many. */
function noting(most: number, options: ReconnectOptions = {}): { options: ReconnectOptions; notes: RetryInfo[] } {
  const notes: RetryInfo[] = []
  const control = new AbortController()
  const onRetry = (info: RetryInfo): void => {
    notes.push(info)
    if (notes.length === most) control.abort()
  }
  return { options: { ...FAST, signal: control.signal, onRetry, ...options }, notes }
}

t.test('each connection is followed by the next, however it ended, one at a time', async t => {
  const { createConnection, count } = oneAtATime(t)
  const { url } = await script(
    t,
    leave(1000, 'bye'),
    leave(1001),
    leave(4001, 'again'),
    accept(peer => peer.reset()),
    accept(peer => peer.end()),
    refuse(503),
    peer => peer.reset(),
    accept(peer => {
      peer.text('hello')
      return peer.answerClose()
    })
  )
  const { options, notes } = noting(99, { createConnection })
  const got: string[] = []
  for await (const ws of reconnect(url, options)) {
    for await (const message of ws.messages) {
      got.push(String(message))
      ws.close()
    }
    if (got.length === 3) break
  }
  t.same(got, ['hello', 'hello', 'hello'])
  t.equal(count(), 10)
  const saw = (message: string, closeCode: number, code = 'WS_ERR_CLOSED') => ({ error: { message, closeCode, code } })
  t.match(notes, [
    saw('the server closed the connection: 1000 bye', 1000),
    saw('the server closed the connection: 1001', 1001),
    saw('the server closed the connection: 4001 again', 4001),
    { error: { code: 'WS_ERR_CONNECTION_LOST' } },
    { error: { code: 'WS_ERR_CONNECTION_LOST' } },
    { error: { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503 } },
    { error: { code: 'WS_ERR_CONNECTION_LOST' } },
    saw('the application closed the connection: 1000', 1000),
    saw('the application closed the connection: 1000', 1000)
  ])
  t.same(
    notes.map(({ attempt }) => attempt),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    'none of them has lasted'
  )
})

t.test('if the body ends while its connection is open, its listeners keep it', async t => {
  const talk = accept(async peer => {
    peer.text('hello')
    peer.close(1001)
    await peer.nextFrame()
    peer.end()
  })
  const { createConnection, count } = oneAtATime(t)
  const { url } = await script(t, talk)
  const { options } = noting(3, { createConnection })
  const got: unknown[] = []
  t.equal(await all(reconnect(url, options), ws => void ws.on('message', message => got.push(message))), 3)
  t.same(got, ['hello', 'hello', 'hello'])
  t.equal(count(), 3)
})

for (const [name, leaveBody] of [
  [
    'break',
    async (connections: AsyncIterable<WebSocketStream>) => {
      for await (const ws of connections) return ws
      throw new Error('no connection')
    }
  ],
  [
    'an exception',
    async (connections: AsyncIterable<WebSocketStream>) => {
      let last: WebSocketStream | undefined
      const run = async (): Promise<void> => {
        for await (const ws of connections) {
          last = ws
          throw new Error('thrown in the body')
        }
      }
      const { message } = await rejection(run())
      if (message !== 'thrown in the body') throw new Error(message)
      return last!
    }
  ]
] as const) {
  t.test(`${name} closes the connection with 1000, and waits for its end`, async t => {
    let said: object | undefined
    const { url, heads } = await script(
      t,
      accept(async peer => {
        said = await peer.answerClose()
      })
    )
    const ws = await leaveBody(reconnect(url, FAST))
    t.same(said, { code: 1000, reason: '' })
    t.match(ws.closeInfo, { code: 1000, wasClean: true })
    await settle()
    t.equal(heads.length, 1)
  })
}

t.test('a lost connection ends ws.messages, and onRetry gets the error', async t => {
  const { url } = await script(
    t,
    accept(peer => {
      peer.text('one')
      peer.write(Buffer.from([0x81]))
      peer.end()
    })
  )
  const { options, notes } = noting(2)
  const got: unknown[] = []
  await all(reconnect(url, options), async ws => {
    for await (const message of ws.messages) got.push(message)
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })
  t.same(got, ['one', 'one'])
  t.match(notes, [{ error: { code: 'WS_ERR_CONNECTION_LOST' } }, { error: { code: 'WS_ERR_CONNECTION_LOST' } }])
})

t.test('other views fail as usual, and so does sending', async t => {
  const { url } = await script(
    t,
    accept(peer => peer.reset())
  )
  const { options } = noting(1)
  await all(reconnect(url, options), async ws => {
    const ping = rejection(ws.ping())
    t.match(await rejection((async () => ws.streams.toArray())()), { code: 'WS_ERR_CONNECTION_LOST' })
    t.match(await ping, { code: 'WS_ERR_NOT_OPEN' })
  })
})

t.test('an invalid JSON message ends the loop with its error', async t => {
  const { url } = await script(
    t,
    accept(peer => {
      peer.text('[1]')
      peer.text('nothing')
      return peer.answerClose()
    })
  )
  const got: unknown[] = []
  const failed = all(reconnect(url, FAST), async ws => {
    for await (const value of jsonMessages(ws)) got.push(value)
  })
  t.match(await rejection(failed), { code: 'WS_ERR_INVALID_MESSAGE', closeCode: 1007, cause: { name: 'SyntaxError' } })
  t.same(got, [[1]])
})

t.test('keepalive detects a server that hangs', async t => {
  const { url } = await script(
    t,
    accept(peer => peer.stream.pause()),
    leave(1008)
  )
  const { options, notes } = noting(9, { keepalive: { interval: 20 }, initialDelay: 0 })
  t.match(await rejection(all(reconnect(url, options))), { closeCode: 1008 })
  t.match(notes, [{ error: { code: 'WS_ERR_KEEPALIVE_TIMEOUT' } }])
})

for (const status of [400, 401, 403, 404, 410, 426, 301, 200]) {
  t.test(`a refusal with ${status} is thrown`, async t => {
    const { url, heads } = await script(t, refuse(status))
    t.match(await rejection(all(reconnect(url, FAST))), { name: 'HandshakeError', status })
    t.equal(heads.length, 1)
  })
}

t.test('temporary refusals, and an unreachable server, are tried again', async t => {
  const refusals = [408, 425, 429, 500, 502, 503].map(status => refuse(status))
  const { url, heads } = await script(t, ...refusals, accept())
  const end = await rejection(all(reconnect(url, { ...FAST, maxAttempts: 7 }), ws => ws.close(1008)))
  t.match(end, { code: 'WS_ERR_CLOSED', closeCode: 1008 }, 'the connection after them was opened')
  t.equal(heads.length, 7)
  const { options, notes } = noting(3)
  t.equal(await all(reconnect('ws://127.0.0.1:1/', options)), 0)
  t.match(notes[2], { attempt: 3, error: { message: 'connect ECONNREFUSED 127.0.0.1:1' } })
})

t.test('an invalid response, a subprotocol that was not offered, and a peer that is not HTTP are thrown', async t => {
  const answers: [Talk, ErrorCode][] = [
    [(peer, head) => peer.write(answerHead(head, { 'Sec-WebSocket-Accept': 'x' })), 'WS_ERR_BAD_RESPONSE'],
    [(peer, head) => peer.write(answerHead(head, { 'Sec-WebSocket-Protocol': 'chat' })), 'WS_ERR_BAD_RESPONSE'],
    [peer => peer.write(Buffer.from('SSH-2.0-OpenSSH_9.2\r\n\r\n')), 'WS_ERR_MALFORMED_HEAD']
  ]
  for (const [talk, code] of answers) {
    const { url, heads } = await script(t, talk)
    t.match(await rejection(all(reconnect(url, FAST))), { name: 'HandshakeError', code })
    t.equal(heads.length, 1)
  }
})

t.test('an invalid certificate is thrown', async t => {
  const port = await serve(t, () => {}, SELF_SIGNED)
  const error = await rejection(all(reconnect(`wss://localhost:${port}/`, FAST)))
  t.match(error, { name: 'HandshakeError', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
})

for (const code of [1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]) {
  t.test(`an end with ${code} is thrown`, async t => {
    const { url } = await script(t, leave(code, 'why'))
    t.match(await rejection(all(reconnect(url, FAST))), {
      name: 'WebSocketError',
      code: 'WS_ERR_CLOSED',
      fault: 'peer',
      closeCode: code,
      message: `the server closed the connection: ${code} why`
    })
  })
}

t.test('a rule that the server breaks is thrown', async t => {
  const { url } = await script(
    t,
    accept(peer => {
      peer.send(1, 'masked', { masked: true })
      return peer.answerClose()
    })
  )
  t.match(await rejection(all(reconnect(url, FAST))), { code: 'WS_ERR_UNEXPECTED_MASK', closeCode: 1002 })
})

t.test('retry decides instead of the default, synchronously or not', async t => {
  const { url, heads } = await script(t, refuse(404), leave(1008), leave(1000, 'enough'))
  const asked: [unknown, number][] = []
  const retry = async (error: Error, attempt: number): Promise<boolean | undefined> => {
    const { status, closeCode } = error as HandshakeError
    asked.push([status ?? closeCode, attempt])
    return status === 404 || closeCode === 1008
  }
  t.match(await rejection(all(reconnect(url, { ...FAST, retry }))), { message: /1000 enough/ })
  t.same(asked, [
    [404, 1],
    [1008, 2],
    [1000, 3]
  ])
  t.equal(heads.length, 3)
  const undecided = await script(t, refuse(500), refuse(404))
  t.match(await rejection(all(reconnect(undecided.url, { ...FAST, retry: () => undefined }))), { status: 404 })
})

t.test('exceptions of retry and onRetry end the loop', async t => {
  const { url } = await script(t, refuse(503))
  const thrown = new Error('thrown by the application')
  const fail = (): never => {
    throw thrown
  }
  t.equal(await rejection(all(reconnect(url, { ...FAST, retry: fail }))), thrown)
  t.equal(await rejection(all(reconnect(url, { ...FAST, onRetry: fail }))), thrown)
})

t.test('after maxAttempts in a row the last error is thrown', async t => {
  const { url, heads } = await script(t, refuse(503), refuse(502), refuse(500))
  t.match(await rejection(all(reconnect(url, { ...FAST, maxAttempts: 3 }))), { status: 500 })
  t.equal(heads.length, 3)
})

t.test('a connection that lasted resets the number of attempts', async t => {
  const { url } = await script(t, refuse(503), leave(1001))
  const { options, notes } = noting(4, { minUptime: 0 })
  await all(reconnect(url, options))
  t.same(
    notes.map(({ attempt }) => attempt),
    [1, 1, 1, 1],
    'a refusal after it counts as the first'
  )
  t.match(notes[0], { error: { status: 503 } })
})

t.test('the loop waits for the time in Retry-After', async t => {
  const { url, heads } = await script(t, refuse(503, 'Retry-After: 1\r\n'), accept())
  const delays: number[] = []
  const began = performance.now()
  for await (const _ws of reconnect(url, { ...FAST, onRetry: ({ delay }) => delays.push(delay) })) break
  t.same(delays, [1000])
  t.ok(performance.now() - began >= 990)
  t.equal(heads.length, 2)
})

t.test('Retry-After is seconds or a date, and anything else is ignored', async t => {
  const after = (value: string | undefined): number =>
    retryAfter(new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 429, headers: { 'retry-after': value } }))
  t.equal(after('120'), 120_000)
  t.equal(after('0'), 0)
  t.equal(after('soon'), 0)
  t.equal(after('-1'), 0)
  t.equal(after(undefined), 0)
  t.equal(after(new Date(Date.now() - 60_000).toUTCString()), 0)
  const inAnHour = after(new Date(Date.now() + 3_600_000).toUTCString())
  t.ok(inAnHour > 3_500_000 && inAnHour <= 3_600_000)
  t.equal(retryAfter(new Error('other')), 0)
})

t.test('pauses grow, are random, and have a maximum', async t => {
  const { random } = Math
  t.teardown(() => Object.assign(Math, { random }))
  const longest = (options: ReconnectOptions, asked = 0): number[] =>
    [1, 2, 3, 10, 2000].map(attempt => delayAfter(attempt, asked, readReconnectOptions(options)))
  Object.assign(Math, { random: () => 1 })
  t.same(longest({}), [1000, 2000, 4000, 30_000, 30_000])
  t.same(longest({ initialDelay: 100, factor: 3, maxDelay: 1000 }), [100, 300, 900, 1000, 1000])
  t.same(longest({ initialDelay: 100, factor: 1 }), [100, 100, 100, 100, 100])
  t.same(longest({ initialDelay: 0 }), [0, 0, 0, 0, 0])
  t.same(longest({ maxDelay: Number.POSITIVE_INFINITY }).at(-1), 2 ** 31 - 1)
  t.same(longest({}, 5000), [6000, 7000, 9000, 35_000, 35_000], 'behind what the server asks for')
  t.same(longest({}, 1e12)[0], 2 ** 31 - 1, 'which a timer must be able to wait for')
  Object.assign(Math, { random: () => 0.5 })
  t.same(longest({})[0], 500)
  Object.assign(Math, { random: () => 0 })
  t.same(longest({}, 5000)[0], 5000)
})

t.test('a server that closes without a response, or in the middle of one, is tried again', async t => {
  const end: Talk = peer => peer.end()
  const cut: Talk = peer => {
    peer.write(Buffer.from('HTTP/1.1 101 Swi'))
    peer.end()
  }
  const { url, heads } = await script(t, end, cut, leave(1001), end)
  const { options, notes } = noting(4)
  t.equal(await all(reconnect(url, options)), 1)
  t.equal(heads.length, 4)
  const lost = { error: { name: 'HandshakeError', code: 'WS_ERR_BAD_RESPONSE' } }
  t.match(notes, [lost, lost, { error: { closeCode: 1001 } }, lost])
})

t.test('temporary errors are not final', async t => {
  const tls = (code: string): Error =>
    new HandshakeError('WS_ERR_CONNECTION_LOST', { cause: Object.assign(new Error(code), { code }) })
  t.equal(isFinal(tls('CERT_HAS_EXPIRED')), false)
  t.equal(isFinal(tls('CERT_NOT_YET_VALID')), false)
  t.equal(isFinal(tls('ENOTFOUND')), false)
  t.equal(isFinal(tls('ERR_TLS_CERT_ALTNAME_INVALID')), true)
  t.equal(isFinal(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT')), false)
  t.equal(isFinal(new HandshakeError('WS_ERR_PROXY', { status: 407 })), true)
  t.equal(isFinal(new HandshakeError('WS_ERR_PROXY', { status: 502 })), false)
  t.equal(isFinal(new WebSocketError('WS_ERR_EXTENSION')), false)
  t.equal(isFinal(new TypeError('fetch failed')), false)
})

t.test('the URL and the headers may be functions, called for each attempt', async t => {
  const { url, heads } = await script(t, refuse(503), leave(1001))
  let tickets = 0
  const { options } = noting(3, {
    headers: async () => ({ Authorization: `Bearer ${tickets}` }),
    protocols: []
  })
  await all(reconnect(() => `${url}?ticket=${++tickets}`, options))
  t.same(
    heads.map(({ first, headers }) => [first, headers['authorization']]),
    [1, 2, 3].map(n => [`GET /?ticket=${n} HTTP/1.1`, `Bearer ${n}`])
  )
  const fixed = await script(t, leave(1008))
  const asURL = (): Promise<URL> => Promise.resolve(new URL(fixed.url))
  t.match(await rejection(all(reconnect(asURL, { ...FAST, headers: { 'X-A': 'b' } }))), { closeCode: 1008 })
  t.equal(fixed.heads[0]!.headers['x-a'], 'b')
})

t.test('exceptions of these functions are tried again, and an invalid URL is thrown', async t => {
  const { url } = await script(t, leave(1008))
  const fails: (() => string)[] = [
    () => {
      throw new Error('no ticket')
    },
    () => Promise.reject('no ticket') as unknown as string,
    () => url
  ]
  const { options, notes } = noting(9)
  t.match(await rejection(all(reconnect(() => fails.shift()!(), options))), { closeCode: 1008 })
  t.match(notes, [
    { error: { message: 'no ticket' } },
    { error: { message: 'a value that is not an Error was thrown', cause: 'no ticket' } }
  ])
  t.match(await rejection(all(reconnect(() => 'nonsense', FAST))), { name: 'SyntaxError' })
})

t.test('a function that does not answer fails after handshakeTimeout', async t => {
  const { url } = await script(t, leave(1008))
  const answers = [new Promise<string>(() => {}), Promise.resolve(url)]
  const { options, notes } = noting(9, { handshakeTimeout: 300 })
  t.match(await rejection(all(reconnect(() => answers.shift()!, options))), { closeCode: 1008 })
  t.match(notes, [{ error: { code: 'WS_ERR_HANDSHAKE_TIMEOUT', fault: 'local' } }])
})

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

t.test('an answer that comes after handshakeTimeout does not disturb the pause', async t => {
  const { url } = await script(t, accept())
  let answer = (_url: string): void => {}
  const late = (): Promise<string> =>
    new Promise(resolve => {
      answer = resolve
    })
  let calls = 0
  const { options, notes } = noting(9, { handshakeTimeout: 50, initialDelay: 200, maxDelay: 200 })
  const onRetry = (info: RetryInfo): void => {
    options.onRetry!(info)
    // now it pauses
    answer(url)
  }
  for await (const ws of reconnect(() => (++calls === 1 ? late() : url), { ...options, onRetry })) {
    t.equal(ws.readyState, 'open')
    break
  }
  t.equal(calls, 2)
  t.equal(notes.length, 1)

  calls = 0
  const stuck = reconnect(() => (++calls === 1 ? late() : url), {
    ...options,
    onRetry,
    initialDelay: 60_000,
    maxDelay: 60_000
  })
  const next = stuck.next()
  while (notes.length < 2) await settle()
  await settle()
  t.same(await stuck.return!(), { value: undefined, done: true })
  t.same(await next, { value: undefined, done: true })
})

t.test('an aborted signal ends the loop without an error, wherever it is', async t => {
  const { url } = await script(t, accept())
  const silent = await script(t, () => {})
  const aborted = AbortSignal.abort()
  t.equal(await all(reconnect(url, { ...FAST, signal: aborted })), 0)

  const abortIn = async (
    target: Parameters<typeof reconnect>[0],
    options: ReconnectOptions,
    when: (control: AbortController) => unknown,
    body?: (ws: WebSocketStream, control: AbortController) => unknown
  ): Promise<number> => {
    const control = new AbortController()
    const { signal } = control
    const loop = all(reconnect(target, { ...FAST, signal, ...options }), ws => body?.(ws, control))
    await when(control)
    const count = await loop
    t.equal(listeners(signal), 0, 'no listener is left')
    return count
  }
  const forever = { initialDelay: 1_000_000, maxDelay: 1_000_000 }
  const soon = async (control: AbortController): Promise<void> => {
    await settle()
    control.abort()
  }
  // while it dials
  t.equal(
    await abortIn(silent.url, {}, async control => {
      while (silent.heads.length === 0) await settle(1)
      control.abort()
    }),
    0
  )
  // while it waits
  let control: AbortController | undefined
  t.equal(
    await abortIn(
      'ws://127.0.0.1:1/',
      { ...forever, onRetry: () => setImmediate(() => control!.abort()) },
      given => (control = given)
    ),
    0
  )
  // while a function is asked
  t.equal(await abortIn(() => new Promise<string>(() => {}), {}, soon), 0)
  t.equal(await abortIn(() => new Promise<string>(() => {}), { handshakeTimeout: Number.POSITIVE_INFINITY }, soon), 0)
  // while retry decides
  t.equal(
    await abortIn(
      'ws://127.0.0.1:1/',
      {
        async retry() {
          control!.abort()
          return false
        }
      },
      given => (control = given)
    ),
    0
  )
  // while it is open
  t.equal(
    await abortIn(
      url,
      {},
      () => {},
      (_ws, given) => given.abort()
    ),
    1
  )
  t.equal(
    await abortIn(
      url,
      {},
      () => {},
      async (ws, given) => {
        setImmediate(() => given.abort())
        for await (const _message of ws.messages);
      }
    ),
    1
  )
})

t.test('an aborted signal does not wait for functions of the application', async t => {
  const never = (): Promise<never> => new Promise(() => {})
  for (const options of [
    { url: never },
    { url: () => 'ws://127.0.0.1:9/', headers: never },
    { url: () => 'ws://127.0.0.1:9/', retry: never }
  ]) {
    const control = new AbortController()
    let headers = 0
    const { url, ...rest } = options
    const made = {
      ...FAST,
      handshakeTimeout: Number.POSITIVE_INFINITY,
      signal: control.signal,
      headers: () => {
        headers++
        return {}
      },
      ...rest
    }
    const next = reconnect(url as () => Promise<string>, made as ReconnectOptions).next()
    await settle(20)
    control.abort()
    t.same(await next, { value: undefined, done: true })
    if (url === never) t.equal(headers, 0)
  }
})

for (const end of ['return', 'an aborted signal']) {
  t.test(`${end} during a call of url, headers or retry ends the loop at once`, async t => {
    for (const name of ['url', 'headers', 'retry']) {
      const control = new AbortController()
      const leaving = (): Promise<never> => {
        if (end === 'return') void connections.return!()
        else control.abort()
        return new Promise(() => {})
      }
      const { url = 'ws://127.0.0.1:9/', ...functions } = { [name]: leaving }
      const options = { ...FAST, signal: control.signal, handshakeTimeout: Number.POSITIVE_INFINITY, ...functions }
      const connections = reconnect(url, options as ReconnectOptions)
      t.same(await connections.next(), { value: undefined, done: true }, name)
      t.equal(listeners(control.signal), 0)
    }
  })
}

t.test('an abandoned loop leaves no listener on a signal', async t => {
  const { url } = await script(t, leave(1001))
  const { signal } = new AbortController()
  const connections = reconnect(url, { ...FAST, signal })
  t.equal(listeners(signal), 0)
  const { value: ws } = await connections.next()
  t.equal(listeners(signal), 1)
  await ws.whenClosed()
  t.equal(listeners(signal), 0)
})

t.test('return ends the loop at once, whatever next waits for', async t => {
  const silent = await script(t, () => {})
  const open = await script(t, accept())
  const cases: [string, Parameters<typeof reconnect>[0], ReconnectOptions][] = [
    ['a handshake', silent.url, {}],
    ['a function', () => new Promise<string>(() => {}), {}],
    ['the pause', 'ws://127.0.0.1:1/', { initialDelay: 1_000_000, maxDelay: 1_000_000 }]
  ]
  for (const [name, target, options] of cases) {
    const paused = new Promise<void>(resolve => Object.assign(options, { onRetry: () => resolve() }))
    const connections = reconnect(target, { ...FAST, ...options })
    const next = connections.next()
    if (name === 'a handshake') while (silent.heads.length === 0) await settle(1)
    if (name === 'the pause') await paused
    await settle()
    await within(2000, connections.return!())
    t.same(await within(1, next), { value: undefined, done: true }, name)
  }
  const connections = reconnect(open.url, FAST)
  const { value: ws } = await connections.next()
  const next = connections.next()
  await settle()
  await connections.return!()
  t.same(await next, { value: undefined, done: true }, 'the end of a connection')
  t.match(ws.closeInfo, { code: 1000, wasClean: true })
  t.same(await reconnect(open.url).return!(), { value: undefined, done: true }, 'before it began')
})

t.test('nothing is dialled before the first connection is asked for', async t => {
  const { url, heads } = await script(t, accept())
  const connections = reconnect(url, FAST)
  await settle()
  t.equal(heads.length, 0)
  t.equal(connections[Symbol.asyncIterator](), connections)
})

t.test('invalid arguments throw at once, and name the right option', async t => {
  const url = 'ws://127.0.0.1:1/'
  t.throws(() => reconnect('nonsense'), { name: 'SyntaxError' })
  t.throws(() => reconnect(5 as never), { name: 'TypeError' })
  const wrong: [object, RegExp][] = [
    [{ initalDelay: 1 }, /unknown option 'initalDelay'; did you mean 'initialDelay'\?/],
    [{ maxRetries: 1 }, /did you mean 'maxAttempts'\?/],
    [{ minDelay: 1 }, /did you mean 'initialDelay'\?/],
    [{ perMessageDeflate: true }, /did you mean 'extensions: \[permessageDeflate\(\)\]'\?/],
    [{ initialDelay: '1' }, /initialDelay must be a number of milliseconds/],
    [{ maxDelay: -1 }, /maxDelay must not be negative/],
    [{ factor: 0.5 }, /factor must be a number of at least 1, not 0.5/],
    [{ factor: Number.NaN }, /factor must be a number of at least 1/],
    [{ factor: '2' }, /factor must be a number/],
    [{ maxAttempts: 0 }, /maxAttempts must be a whole number of at least 1/],
    [{ minUptime: Number.NaN }, /minUptime must not be negative or NaN/],
    [{ retry: 3 }, /retry must be a function/],
    [{ onRetry: true }, /onRetry must be a function/],
    [{ signal: 'no' }, /signal must be an AbortSignal/],
    [{ headers: 'no' }, /headers must be an object/],
    [{ maxRedirects: -1 }, /maxRedirects/]
  ]
  for (const [options, message] of wrong) t.throws(() => reconnect(url, options), { message })
  t.throws(() => reconnect(url, ['chat'] as never), { message: /subprotocols go in it: \{ protocols: \['chat'\] \}/ })
  const defaults = Object.fromEntries(Object.keys(readReconnectOptions()).map(name => [name, undefined]))
  delete defaults['connection']
  t.same(Object.keys(readReconnectOptions(defaults)), Object.keys(readReconnectOptions()))
  t.match(readReconnectOptions().connection, { keepalive: { interval: 30_000 } })
  t.match(readReconnectOptions({ keepalive: false }).connection, { keepalive: false })
})

t.test('closing its own connection with a final code is an error of the application', async t => {
  const { url } = await script(t, accept())
  const loop = all(reconnect(url, FAST), ws => void ws.close(1003, 'not mine'))
  t.match(await rejection(loop), { message: 'the application closed the connection: 1003 not mine', fault: 'local' })
})

t.test('a connection that the application destroys is followed by the next', async t => {
  const { url } = await script(
    t,
    accept(peer => peer.closed),
    leave(1008)
  )
  const { options, notes } = noting(9)
  const loop = all(reconnect(url, options), ws => void ws.destroy())
  t.match(await rejection(loop), { name: 'WebSocketError' })
  t.match(notes[0], { error: { code: 'WS_ERR_DESTROYED' } })
})
