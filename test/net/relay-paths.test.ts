// A gateway with forwardPath: the target gets the same path and query that the application has seen, byte for byte, over
// HTTP/1.1 and HTTP/2 on either side.

import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { relay, WebSocketStream } from '../../lib/index.js'
import { connectStream, listen, makeServer, session, type TestServer, upgrade } from './web-servers.js'

type Kind = 'http' | 'h2c'

/** Characters that new URL() resolves, escapes or drops. */
const PATHS = [
  '/public/a?b=c',
  '/public/../admin',
  '/public/%2e%2e/admin',
  '/public/.%2E/admin?a/../b',
  '/public/..\\admin',
  '/public/a\\..\\..\\admin',
  '/public/a/./b/..',
  '/public//a//',
  `/public/'"\`<>{}|^?'"\`<>{}|^`,
  '/public/signed?',
  '/public/?a=%zz&b=%41%c3%A9',
  '//public'
]

/** Calls back with each WebSocket request of a server. */
function onWebSocket(server: TestServer, kind: Kind, take: (ws: WebSocketStream, path: string) => void): void {
  if (kind === 'http') {
    ;(server as EventEmitter).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const ws = WebSocketStream.http(request, head)
      take(ws, request.url!)
      ws.attach(socket)
    })
    return
  }
  ;(server as unknown as { updateSettings(settings: object): void }).updateSettings({ enableConnectProtocol: true })
  ;(server as EventEmitter).on('stream', (stream: ServerHttp2Stream, headers: Record<string, string>) => {
    take(WebSocketStream.http2(stream, headers), headers[':path']!)
  })
}

async function statusFor(t: Test, kind: Kind, port: number, path: string): Promise<number> {
  if (kind === 'http') return (await upgrade(t, port, { path })).head.status
  const { status, stream } = await connectStream(await session(t, port, false), { ':path': path })
  stream.close()
  return status
}

for (const near of ['http', 'h2c'] as const) {
  for (const far of ['http', 'h2c'] as const) {
    t.test(`a path passes from ${near} to ${far} byte for byte`, async t => {
      const asked: string[] = []
      const target = makeServer(far)
      onWebSocket(target, far, (ws, path) => {
        asked.push(path)
        ws.reject(418)
      })
      const inner = await listen(t, target)
      const gateway = makeServer(near)
      onWebSocket(gateway, near, ws => {
        relay(ws, `ws://127.0.0.1:${inner}/base?q`, { forwardPath: true, connect: { http2: far === 'h2c' } })
      })
      const port = await listen(t, gateway)
      for (const path of PATHS) t.equal(await statusFor(t, near, port, path), 418, path)
      t.strictSame(asked, PATHS)
    })
  }
}

t.test('a path that HTTP does not allow is refused, and nothing is dialled', async t => {
  const gateway = makeServer('http')
  onWebSocket(gateway, 'http', ws => {
    ws.on('error', () => {})
    relay(ws, () => t.fail('it was dialled') as never, { forwardPath: true })
  })
  const port = await listen(t, gateway)
  for (const path of ['/a#b', '/\u00e9', '/a\x01b', 'a']) {
    t.equal((await upgrade(t, port, { path })).head.status, 400, JSON.stringify(path))
  }
})

t.test('the connection to the target has the requested path in its url', async t => {
  const target = makeServer('http')
  onWebSocket(target, 'http', ws => ws.on('open', () => ws.close()))
  const inner = await listen(t, target)
  const gateway = makeServer('http')
  const urls: string[] = []
  onWebSocket(gateway, 'http', ws => {
    const joined = relay(ws, `ws://u:p@127.0.0.1:${inner}`, { forwardPath: true })
    void joined.opened.then(() => urls.push(joined.target!.url))
  })
  const { head } = await upgrade(t, await listen(t, gateway), { path: '/a/../b?' })
  t.equal(head.status, 101)
  t.strictSame(urls, [`ws://127.0.0.1:${inner}/a/../b?`])
})
