// The reverse proxy example: what passes through it, and what its page shows of that.

import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { listenOnLoopback } from '../interop/our-side.js'
import { launchBrowser } from '../support/browser.js'
import { start } from './program.js'

const http = createServer()
const asked: string[] = []
new WebSocketServer({ server: http }).on('connection', (ws, { url, headers }) => {
  asked.push(`${url} for ${headers['x-forwarded-for']}`)
  ws.on('message', (data, binary) => ws.send(data, { binary }))
})
const target = `ws://127.0.0.1:${await listenOnLoopback(t, http)}/base`
const example = await start(t, 'reverse-proxy/server.js', [target])
const url = example.url.replace('http', 'ws')

t.test('messages pass in both directions, and the close of the other side too', async t => {
  const ws = new WebSocket(`${url}chat?room=1`)
  await once(ws, 'open')
  t.strictSame(asked, ['/chat?room=1 for 127.0.0.1'])
  for (const size of [0, 5, 100_000]) {
    ws.send(Buffer.alloc(size, 'm'))
    const [data] = (await once(ws, 'message')) as [Buffer]
    t.equal(data.length, size)
  }
  ws.close(4000, 'done')
  t.strictSame((await once(ws, 'close')).map(String), ['4000', 'done'])
})

t.test('the page lists each connection', async t => {
  const browser = await launchBrowser(t)
  if (!browser) return
  const page = await browser.newPage()
  await page.goto(example.url)
  await page.locator('tbody tr', { hasText: 'closed 4000 done' }).waitFor()
  const ws = new WebSocket(`${url}second`)
  await once(ws, 'open')
  ws.send('hello')
  const row = page.locator('tbody tr', { hasText: '/second' })
  await row.filter({ hasText: /127\.0\.0\.1\/secondopenframes1515/ }).waitFor()
  ws.terminate()
  await row.filter({ hasText: 'closed 1006' }).waitFor()
})

t.test('an open connection is closed when the proxy shuts down', async t => {
  const ws = new WebSocket(url)
  await once(ws, 'open')
  const closed = once(ws, 'close')
  t.equal(await example.stop(), 0)
  t.strictSame((await closed).map(String), ['1001', 'the proxy is shutting down'])
})

t.test('without a target it prints its usage', async t => {
  await t.rejects(start(t, 'reverse-proxy/server.js'))
})
