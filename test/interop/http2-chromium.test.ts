// Chromium over TLS, where its WebSockets are streams of the HTTP/2 session that loaded the page (RFC 8441), and over HTTP/1.1 if
// the server offers nothing else: the same conversation in both cases.

import http2, { type ServerHttp2Session } from 'node:http2'
import https from 'node:https'
import t, { type Test } from 'tap'
import type { WebSocketStream } from '../../lib/index.js'
import { acceptWebSockets } from '../../lib/net/accept-web-sockets.js'
import { listen, type TestServer } from '../net/web-servers.js'
import { launchBrowser } from '../support/browser.js'
import { LOCALHOST } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'

/** The page's report on one connection. */
interface Seen {
  protocol: string
  messages: unknown[]
  close: { code: number; reason: string; wasClean: boolean } | null
}

/** Runs in the page: sends, waits for as many messages, and closes if it is told to. */
const TALK = `async (url, protocols, send, close) => {
  const socket = new WebSocket(url, protocols)
  socket.binaryType = 'arraybuffer'
  const seen = { protocol: '', messages: [], close: null }
  return new Promise(resolve => {
    socket.onopen = () => {
      seen.protocol = socket.protocol
      for (const text of send) socket.send(text)
    }
    socket.onmessage = ({ data }) => {
      seen.messages.push(typeof data === 'string' ? data : data.byteLength)
      if (close !== null && seen.messages.length === send.length) socket.close(...close)
    }
    socket.onclose = ({ code, reason, wasClean }) => resolve({ ...seen, close: { code, reason, wasClean } })
  })
}`

const browser = await launchBrowser(t)

if (browser) {
  for (const over of ['http/2', 'http/1.1'] as const) {
    t.test(`Chromium over ${over} with TLS`, async t => {
      const { port, sessions, connects, opened } = await serve(t, over)
      const page = await browser.newPage()
      t.teardown(() => page.close())
      // the certificate authority of the tests
      const inspector = await browser.newCDPSession(page)
      await inspector.send('Security.setIgnoreCertificateErrors', { ignore: true })
      await page.goto(`https://localhost:${port}/`)
      const talk = (path: string, send: string[], close: unknown[] | null = [1000]): Promise<Seen> =>
        page.evaluate(
          `(${TALK})(${[`wss://localhost:${port}${path}`, ['x', 'echo'], send, close].map(item => JSON.stringify(item))})`
        )

      t.test('negotiates a subprotocol, and its messages are echoed', async t => {
        const sent = ['hello', 'Grüße, 世界 😀', 'x'.repeat(200_000)]
        const seen = await talk('/echo', sent, [3000, 'done'])
        t.same(seen.messages, sent)
        t.equal(seen.protocol, 'echo')
        t.same(seen.close, { code: 3000, reason: 'done', wasClean: true })
        const ws = (await opened.take())!
        t.match(await ws.whenClosed(), { code: 3000, reason: 'done', wasClean: true, initiator: 'peer' })
        t.equal(ws.version, over === 'http/2' ? 'rfc8441' : 'hybi-13')
        t.equal(ws.url, `wss://localhost:${port}/echo`)
      })

      t.test('is closed by the server', async t => {
        const seen = await talk('/close', [], null)
        t.same(seen.close, { code: 4001, reason: 'good night', wasClean: true })
        t.match(await (await opened.take())!.whenClosed(), { code: 4001, wasClean: true, initiator: 'local' })
      })

      t.test('reports a reset as 1006', async t => {
        const seen = await talk('/reset', [], null)
        t.match(seen.close, { code: 1006, wasClean: false })
        await opened.take()
      })

      t.test('reports a refusal as 1006, also for a page of a forbidden origin', async t => {
        t.match((await talk('/nowhere', [])).close, { code: 1006, wasClean: false })
        await page.goto(`https://127.0.0.1:${port}/`)
        t.match((await talk('/echo', ['a'])).close, { code: 1006, wasClean: false })
        await page.goto(`https://localhost:${port}/`)
      })

      t.test('has many connections at the same time', async t => {
        const before = sessions.length
        const all = await Promise.all(Array.from({ length: 50 }, (_, i) => talk('/echo', [`one ${i}`, `two ${i}`])))
        t.same(
          all.map(({ messages }) => messages),
          all.map((_, i) => [`one ${i}`, `two ${i}`])
        )
        if (over === 'http/2') t.equal(sessions.length, before, 'all on the session of the page')
      })

      t.test('used extended CONNECT', async t => {
        if (over === 'http/1.1') {
          t.same(connects, [])
          return
        }
        t.ok(connects.length > 50, `${connects.length} streams`)
        for (const headers of connects) {
          t.match(headers, { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https' })
        }
      })
    })
  }
}

interface Served {
  port: number
  sessions: ServerHttp2Session[]
  /** The heads of the streams that were not ordinary requests. */
  connects: http2.IncomingHttpHeaders[]
  opened: Inbox<WebSocketStream>
}

/** A server with an empty page, and an echo for that page only. */
async function serve(t: Test, over: 'http/2' | 'http/1.1'): Promise<Served> {
  const sessions: ServerHttp2Session[] = []
  const connects: http2.IncomingHttpHeaders[] = []
  const opened = new Inbox<WebSocketStream>()
  const server: TestServer = over === 'http/2' ? http2.createSecureServer(LOCALHOST) : https.createServer(LOCALHOST)
  const page = '<!doctype html><title>a page</title><link rel="icon" href="data:,">'
  ;(server as https.Server).on('request', (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(page)
  })
  ;(server as http2.Http2Server).on('session', session => {
    sessions.push(session)
    session.on('stream', (_stream, headers) => headers[':method'] === 'CONNECT' && connects.push(headers))
  })
  const port = await listen(t, server)
  const options = { protocols: ['echo'], origins: [`https://localhost:${port}`] }
  acceptWebSockets(server, { ...options, path: '/echo' }, ws => {
    opened.put(ws)
    ws.messages.pipe(ws.messages)
  })
  acceptWebSockets(server, { ...options, path: '/close' }, ws => {
    opened.put(ws)
    ws.close(4001, 'good night')
  })
  acceptWebSockets(server, { ...options, path: '/reset' }, ws => {
    opened.put(ws)
    ws.destroy()
  })
  return { port, sessions, connects, opened }
}
