// A15: heads that two parsers could read differently. A request gets 400 and the connection ends; a response is an error.

import { once } from 'node:events'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { greet, http2Server, requestWith } from './support.js'

const SMUGGLED = Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')

/** Lines in an otherwise valid head, and the rules that they break. */
const IN_ANY_HEAD: [name: string, lines: string][] = [
  ['a folded line', 'X-A: a\r\n b\r\n'],
  ['a folded line with a tab', 'X-A: a\r\n\tb\r\n'],
  ['a space before the colon', 'X-A : a\r\n'],
  ['a tab before the colon', 'X-A\t: a\r\n'],
  ['a space before the name', ' X-A: a\r\n'],
  ['no colon', 'X-A\r\n'],
  ['no name', ': a\r\n'],
  ['a bare CR', 'X-A: a\rb\r\n'],
  ['a bare LF', 'X-A: a\nX-B: b\r\n'],
  ['NUL', 'X-A: a\0b\r\n'],
  ['NUL in a name', 'X\0A: a\r\n'],
  ['DEL', 'X-A: a\x7f\r\n']
]
const IN_A_REQUEST: typeof IN_ANY_HEAD = [
  ...IN_ANY_HEAD,
  ['two Content-Lengths', 'Content-Length: 0\r\nContent-Length: 0\r\n'],
  ['a list of Content-Lengths', 'Content-Length: 0, 5\r\n'],
  ['a Content-Length', `Content-Length: ${SMUGGLED.length}\r\n`],
  ['a Content-Length with a sign', 'Content-Length: +5\r\n'],
  ['Transfer-Encoding', 'Transfer-Encoding: chunked\r\n'],
  ['Transfer-Encoding that is none', 'Transfer-Encoding: identity\r\n'],
  ['both', 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'],
  ['two Hosts', 'Host: b\r\n'],
  ['two keys', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'],
  ['two versions', 'Sec-WebSocket-Version: 13\r\n'],
  ['two Origins', 'Origin: http://a\r\nOrigin: http://b\r\n']
]

/** A head with more lines after its first one. */
function withLines(head: Buffer, lines: string): Buffer {
  const at = head.indexOf('\r\n') + 2
  return Buffer.concat([head.subarray(0, at), Buffer.from(lines, 'latin1'), head.subarray(at)])
}

for (const [name, lines] of IN_A_REQUEST) {
  t.test(`server: ${name} gets 400 and an end, and the bytes after it are not read as a request`, async t => {
    const { ws, peer } = await greet(t, 'server')
    let requests = 0
    ws.on('request', () => requests++)
    peer.write(withLines(requestWith(), lines), SMUGGLED)
    const head = await peer.head()
    t.equal(head.status, 400)
    t.equal(head.headers['connection'], 'close')
    const body = await peer.rest()
    t.equal(body.length, Number(head.headers['content-length'] ?? 0), 'one response, and nothing after it')
    t.equal(requests, 0)
    peer.end()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })
}

for (const [name, lines] of IN_ANY_HEAD) {
  t.test(`client: ${name} is an error`, async t => {
    const { ws, peer } = await greet(t, 'client')
    peer.write(withLines(answerHead(await peer.head()), lines))
    t.match(await rejection(ws.opened), { code: 'WS_ERR_MALFORMED_HEAD' })
  })
}

t.test('a request that other code has parsed is checked as well', async t => {
  const right = { host: 'a', upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13' }
  const headers = { ...right, 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  const wrong: { headers: Record<string, string | string[]>; rawHeaders?: string[] }[] = [
    { headers: { ...headers, 'content-length': '5' } },
    { headers: { ...headers, 'transfer-encoding': 'chunked' } },
    { headers: { ...headers, host: ['a', 'b'] } },
    { headers, rawHeaders: ['Host', 'a', 'host', 'b'] },
    { headers, rawHeaders: ['Content-Length', '0', 'content-length', '0'] }
  ]
  for (const request of wrong) {
    const ws = WebSocketStream.http({ method: 'GET', url: '/', ...request }, SMUGGLED)
    const [chunk] = await once(ws, 'data')
    t.match(String(chunk), /^HTTP\/1\.1 400 /)
    ws.destroy()
  }
})

t.test('http2: a request with a body is refused', async t => {
  const { ask } = await http2Server(t)
  t.not((await ask({ 'content-length': '5' }).catch(() => ({ status: 0 }))).status, 200)
})

t.test('the same heads without these lines are valid', async t => {
  const server = await greet(t, 'server')
  server.peer.write(withLines(requestWith(), 'X-A: a\r\nContent-Length: 0\r\n'))
  t.equal((await server.peer.head()).status, 101)
  const client = await greet(t, 'client')
  client.peer.write(withLines(answerHead(await client.peer.head()), 'X-A: a\r\n'))
  t.match(await client.ws.opened, { status: 101 })
})
