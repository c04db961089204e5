// A function given to an acceptor, or in a connection's options, throws once: the exception surfaces once, the client gets an error,
// and the next client is served.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { AcceptorOptions } from '../../../lib/index.js'
import { acceptWebSockets, connect, HandshakeError } from '../../../lib/index.js'
import { isSecure, listen, makeServer, type ServerKind } from '../../net/web-servers.js'
import { AUTHORITY } from '../../support/certificates.js'
import { settle } from '../../websocket-stream/sides.js'
import { close, whenClosed } from '../adapter.js'
import { Uncaught } from './uncaught.js'

t.setTimeout(120_000)

const ERROR = new Error('thrown by the application')

/** Throws on the first call, and returns `otherwise` from then on. */
function throwsOnce<T>(otherwise: T): () => T {
  let calls = 0
  return () => {
    if (calls++ === 0) throw ERROR
    return otherwise
  }
}
const later = <T>(run: () => T): (() => Promise<T>) => {
  return async () => {
    await settle(1)
    return run()
  }
}

interface Case {
  options?: () => AcceptorOptions
  handler?: () => () => unknown
  /** The result for the first client: the status that refuses it, or its close code. */
  status?: number
  code?: number
}

const CASES: Record<string, Case> = {
  verify: { options: () => ({ verify: throwsOnce(true) }), status: 500 },
  'verify, later': { options: () => ({ verify: later(throwsOnce(true)) }), status: 500 },
  origins: { options: () => ({ origins: throwsOnce(true) }), status: 500 },
  protocols: { options: () => ({ protocols: throwsOnce(undefined) }), status: 500 },
  handler: { handler: () => throwsOnce(undefined), code: 1011 },
  'handler, later': { handler: () => later(throwsOnce(undefined)), code: 1011 }
}

async function serve(t: Test, kind: ServerKind, { options, handler }: Case) {
  const server = makeServer(kind)
  const handle = handler?.()
  const acceptor = acceptWebSockets(server, { closeTimeout: 1000, ...options?.() }, ws => {
    ws.on('message', message => ws.text(`${message}`))
    return handle?.() as undefined
  })
  const url = `${isSecure(kind) ? 'wss' : 'ws'}://localhost:${await listen(t, server)}/`
  const dial = () => {
    const ws = connect(url, {
      protocols: ['chat'],
      origin: 'http://localhost',
      closeTimeout: 1000,
      ...(isSecure(kind) && { http2: kind === 'h2', tls: { ca: AUTHORITY } })
    })
    t.teardown(() => ws.destroy())
    return ws
  }
  return { acceptor, dial }
}

async function meetAll(t: Test, kind: ServerKind, each: Case, listens: boolean): Promise<void> {
  const uncaught = new Uncaught()
  t.teardown(() => uncaught.stop())
  const { acceptor, dial } = await serve(t, kind, each)
  const heard: unknown[] = []
  if (listens) acceptor.on('error', error => heard.push(error))
  uncaught.start()
  const first = dial()
  let closes = 0
  first.on('close', () => closes++)
  const refusal = await first.opened.then(
    () => null,
    error => error
  )
  const { code } = await whenClosed(first)
  if (each.status === undefined) t.equal(refusal, null)
  else if (t.type(refusal, HandshakeError)) t.equal(refusal.status, each.status)
  if (each.code !== undefined) t.equal(code, each.code)

  const second = dial()
  await second.opened
  second.text('hello')
  t.equal((await once(second, 'message'))[0], 'hello', 'the next client is served')
  t.equal((await close(second)).code, 1000)
  await settle(20)
  uncaught.stop()
  t.equal(closes, 1, 'one close event')
  t.same([uncaught.errors, heard], listens ? [[], [ERROR]] : [[ERROR], []], 'it surfaces once')
  t.equal(acceptor.size + acceptor.handshakes, 0, 'nothing is left')
}

for (const kind of ['http', 'https', 'h2'] as const) {
  for (const [name, each] of Object.entries(CASES)) {
    for (const listens of [true, false]) {
      const text = `${kind}: ${name} throws, ${listens ? 'and' : 'and no'} 'error' listener hears of it`
      t.test(text, { timeout: 60_000 }, t => meetAll(t, kind, each, listens))
    }
  }
}

for (const event of ['error', 'refused'] as const) {
  t.test(`the acceptor's '${event}' listener throws`, { timeout: 60_000 }, async t => {
    const uncaught = new Uncaught()
    t.teardown(() => uncaught.stop())
    const given = event === 'error' ? { verify: throwsOnce(true) } : { origins: 'http://example.com' }
    const { acceptor, dial } = await serve(t, 'http', { options: () => given })
    acceptor.on(event, throwsOnce(undefined))
    uncaught.start()
    const first = dial()
    await t.rejects(first.opened)
    t.equal(first.status || (await first.opened.catch(error => error.status)), event === 'error' ? 500 : 403)
    await whenClosed(first)
    const second = dial()
    await second.opened.catch(() => {})
    second.close()
    await whenClosed(second)
    await settle(20)
    uncaught.stop()
    t.same(uncaught.errors, [ERROR], 'it surfaces once')
    t.equal(acceptor.size + acceptor.handshakes, 0, 'nothing is left')
  })
}
