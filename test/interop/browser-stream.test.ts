// One program for the WebSocketStream of browsers: with Chromium's own, and with ours. Both must see the same.

import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import t from 'tap'
import ts from 'typescript'
import { kEndpoint } from '../../lib/endpoint.js'
import { WebSocketStream } from '../../lib/index.js'
import { BrowserWebSocketError, BrowserWebSocketStream } from '../../lib/net/browser-stream.js'
import { launchBrowser } from '../support/browser.js'
import type { TestLike } from '../support/peers.js'
import { type ErrorClass, run, type StreamClass } from './browser-stream-program.js'
import { listenOnLoopback } from './our-side.js'

const closeClean = { closeCode: 1005, reason: '' }

const EXPECTED: Record<string, unknown> = {
  'echoes text and bytes': [
    true,
    'text 😀',
    '',
    ['bytes', 1, 2, 3, 4],
    ['bytes', 1, 2, 3, 4],
    ['bytes', 3, 4],
    ['bytes', 2, 3, 4],
    '5',
    'null',
    closeClean
  ],
  'chooses a subprotocol': ['chat', 'string', { closeCode: 1000, reason: '' }],
  'closes with what it is told': [
    ...[closeClean, closeClean, closeClean].flatMap(info => [info, true, 'InvalidStateError']),
    ...[
      { closeCode: 1000, reason: 'why' },
      { closeCode: 3456, reason: '' },
      { closeCode: 4999, reason: 'ü' }
    ].flatMap(info => [info, true, 'InvalidStateError'])
  ],
  'refuses what cannot be sent': [
    ...Array(4).fill('InvalidAccessError'),
    'SyntaxError',
    'TypeError',
    'SyntaxError',
    'TypeError',
    'InvalidAccessError',
    'SyntaxError'
  ],
  'closes when its writable is closed': ['last', true, 'done', closeClean, 'done'],
  'closes when a stream is not wanted': [
    ...[closeClean, closeClean, { closeCode: 3333, reason: 'so' }, closeClean].flatMap(info => [
      'done',
      info,
      'done',
      info
    ])
  ],
  'hears of the other side’s close': [
    ...[closeClean, { closeCode: 1000, reason: '' }, { closeCode: 4000, reason: 'enough' }].flatMap(info => [
      info,
      true,
      'InvalidStateError'
    ])
  ],
  'fails where the connection is cut': Array(4).fill(['WebSocketError', 1006, '']),
  'fails where there is no connection': [null, 1006, null, 1006].map(code => ['WebSocketError', code, '']),
  'ends the handshake by a signal': [...Array(4).fill('AbortError'), 'still here', closeClean],
  'waits for a reader': [true, 48, `${48 * 2 ** 20}`]
}

// before the first test: tap ends a file whose tests are done while it still waits
const browser = await launchBrowser(t)

t.test('ours', { timeout: 60_000 }, async t => {
  const url = await serve(t)
  const seen = await run(
    BrowserWebSocketStream as unknown as StreamClass,
    BrowserWebSocketError as unknown as ErrorClass,
    url
  )
  for (const [name, expected] of Object.entries(EXPECTED)) t.strictSame(seen[name], expected, name)
  t.strictSame(Object.keys(seen), Object.keys(EXPECTED))
})

if (browser) {
  t.test('Chromium', { timeout: 60_000 }, async t => {
    const url = await serve(t)
    const page = await browser.newPage()
    await page.goto(url.replace('ws', 'http'))
    const has = await page.evaluate("typeof WebSocketStream === 'function' && typeof WebSocketError === 'function'")
    if (!has) return t.pass('has no WebSocketStream', { skip: 'a newer Chromium has one' })
    const seen = (await page.evaluate(
      `import('/program.js').then(({ run }) => run(WebSocketStream, WebSocketError, '${url}'))`
    )) as Record<string, unknown>
    for (const [name, expected] of Object.entries(EXPECTED)) t.strictSame(seen[name], expected, name)
  })
}

/** The server, made with this library, that the program needs; resolves with its URL. */
async function serve(t: TestLike): Promise<string> {
  const waiting: (() => void)[] = []
  const server = createServer((request, response) => {
    if (request.url === '/release') for (const go of waiting.splice(0)) go()
    const isProgram = request.url === '/program.js'
    response.setHeader('Content-Type', isProgram ? 'text/javascript' : 'text/html')
    response.end(isProgram ? program() : '<!doctype html><link rel="icon" href="data:,">')
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://a.test')
    const ws = WebSocketStream.http(request, head, { protocols: ['chat'] })
    if (pathname === '/refuse') ws.reject(403)
    else if (pathname === '/slow') ws.on('request', () => {})
    else act(ws, socket, pathname, searchParams, waiting)
    ws.attach(socket)
  })
  return `ws://127.0.0.1:${await listenOnLoopback(t, server)}`
}

function act(ws: WebSocketStream, socket: Duplex, path: string, query: URLSearchParams, waiting: (() => void)[]): void {
  if (path === '/echo') ws.messages.pipe(ws.messages)
  else if (path === '/cut') ws.on('open', () => setImmediate(() => socket.destroy()))
  else if (path === '/slow-reader') countLate(ws, waiting)
  else ws.on('open', () => closeAs(ws, query))
}

function closeAs(ws: WebSocketStream, query: URLSearchParams): void {
  if (query.has('code')) ws.close(Number(query.get('code')), query.get('reason') ?? '')
  else ws[kEndpoint].sender.close(Buffer.alloc(0))
}

/** Reads nothing until it is told to; then reports the number of bytes. */
function countLate(ws: WebSocketStream, waiting: (() => void)[]): void {
  let size = 0
  ws.messages.pause()
  ws.messages.on('data', message => {
    size += Buffer.byteLength(message)
    if (size === 48 * 2 ** 20) ws.text(String(size))
  })
  waiting.push(() => ws.messages.resume())
}

function program(): string {
  const source = readFileSync(new URL('browser-stream-program.ts', import.meta.url), 'utf8')
  return ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  }).outputText
}
