// Our permessage-deflate against Chromium's: on an http server with every window that a server can request, and over HTTP/2.

import { createServer } from 'node:http'
import http2 from 'node:http2'
import type { Page } from 'playwright-core'
import t from 'tap'
import { acceptWebSockets, WebSocketStream } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { listen } from '../net/web-servers.js'
import { launchBrowser } from '../support/browser.js'
import { LOCALHOST } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'
import {
  BITS,
  combinations,
  conversation,
  converse,
  differences,
  endWith,
  extensionFor,
  json,
  ourOptions,
  type Sent,
  windows
} from './compressed-talk.js'
import { listenOnLoopback } from './our-side.js'

/** Runs in the page: echoes until the other side closes. */
const ECHO = `url => {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  socket.onmessage = ({ data }) => socket.send(data)
  return new Promise(resolve => { socket.onclose = ({ code }) => resolve(code) })
}`

const PAGE = '<!doctype html><title>a page</title><link rel="icon" href="data:,">'
const SIZES = [1, 126, 16_385, 32_769, 65_536, 2 ** 20]
const MESSAGES = SIZES.flatMap((size, i): Sent[] => [
  { data: json(size), way: i % 2 === 0 ? 'in pieces' : 'whole' },
  { data: noise(size), way: i % 2 === 0 ? 'whole' : 'in pieces' }
])

const browser = await launchBrowser(t)

if (browser) {
  t.test('Chromium over HTTP/1.1', async t => {
    const connections = new Inbox<WebSocketStream>()
    const http = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(PAGE))
    http.on('upgrade', (request, socket, head) => {
      const options = JSON.parse(decodeURIComponent(request.url!.slice(2)))
      const ws = WebSocketStream.http(request, head, { extensions: [extensionFor(options)] })
      connections.put(endWith(t, ws).attach(socket))
    })
    const port = await listenOnLoopback(t, http)
    const page = await browser.newPage()
    t.teardown(() => page.close())
    await page.goto(`http://127.0.0.1:${port}/`)
    const meet = async (options: object) => {
      const code = echo(page, `ws://127.0.0.1:${port}/?${encodeURIComponent(JSON.stringify(options))}`)
      return { ours: (await connections.take())!, theirs: () => code.then(judge) }
    }

    for (const [what, all] of combinations(windows(BITS, 'some').filter(([server]) => server > 8))) {
      t.test(`windows as we request them, ${what}`, async t => {
        const wrong: string[] = []
        for (const agreed of all) {
          wrong.push(...(await converse(await meet(ourOptions('server', agreed)), agreed, true)))
        }
        t.strictSame(wrong, [])
      })
    }

    t.test('messages of 1 B to 1 MiB', async t => {
      const met = await meet({})
      t.strictSame(await differences(met, MESSAGES), [])
      t.ok(met.ours.stats.compressionSent > 1.5 && met.ours.stats.compressionReceived > 1.5)
    })
  })

  t.test('Chromium over HTTP/2', async t => {
    const connections = new Inbox<WebSocketStream>()
    const server = http2.createSecureServer(LOCALHOST)
    server.on('request', (_request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE))
    acceptWebSockets(server, { extensions: [extensionFor({})] }, ws => connections.put(endWith(t, ws)))
    const port = await listen(t, server)
    const page = await browser.newPage()
    t.teardown(() => page.close())
    // the certificate authority of the tests
    const inspector = await browser.newCDPSession(page)
    await inspector.send('Security.setIgnoreCertificateErrors', { ignore: true })
    await page.goto(`https://localhost:${port}/`)
    const code = echo(page, `wss://localhost:${port}/`)
    const ours = (await connections.take())!
    t.equal(ours.version, 'rfc8441')
    t.match(ours.extensions, 'permessage-deflate')
    const list = [...conversation(12), ...MESSAGES]
    t.strictSame(await differences({ ours, theirs: () => code.then(judge) }, list), [])
  })
}

function echo(page: Page, url: string): Promise<number> {
  return page.evaluate(`(${ECHO})(${JSON.stringify(url)})`)
}

/** A page cannot ping, and learns of an error only from the close code. */
function judge(code: number): { pings: number; pongs: number; errors: string[] } {
  return { pings: 0, pongs: 0, errors: code === 1000 ? [] : [`the page saw ${code}`] }
}
