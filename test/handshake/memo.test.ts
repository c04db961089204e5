// What is left of a handshake when it is done says all that the handshake said.

import t from 'tap'
import { HandshakeMemo } from '../../lib/handshake/memo.js'
import type { OpenInfo } from '../../lib/handshake/open-info.js'
import { answerFields } from '../../lib/handshake/server-handshake.js'
import type { UpgradeRequest } from '../../lib/index.js'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const BROWSER = [
  ...['Host', 'a.example', 'Connection', 'Upgrade', 'Pragma', 'no-cache', 'Cache-Control', 'no-cache'],
  ...['User-Agent', 'Some/1.0 (engine)', 'Upgrade', 'websocket', 'Origin', 'http://a.example'],
  ...['Sec-WebSocket-Version', '13', 'Accept-Encoding', 'gzip, deflate, br, zstd', 'Accept-Language', 'en'],
  ...['Sec-WebSocket-Key', KEY, 'Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits']
]

function ask(rawHeaders: string[], socket?: object): UpgradeRequest {
  const headers: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i]!.toLowerCase()] = rawHeaders[i + 1]!
  return { method: 'GET', url: '/chat?x=1', httpVersion: '1.1', rawHeaders, headers, socket }
}

function answer(more: Partial<OpenInfo> = {}, fields: [string, string][] = []): OpenInfo {
  const headers = Object.fromEntries(
    [...answerFields(KEY), ...fields].map(([name, value]) => [name.toLowerCase(), value])
  )
  return {
    version: 'hybi-13',
    protocol: '',
    extensions: '',
    url: 'ws://a.example/chat?x=1',
    status: 101,
    headers,
    request: null,
    ...more
  } as unknown as OpenInfo
}

t.test('the request, word by word', async t => {
  const socket = {}
  const request = ask(BROWSER, socket)
  const memo = HandshakeMemo.of(request, answer())!
  t.same(memo.request, request)
  t.equal(memo.request.socket, socket)
  t.equal(memo.url, 'ws://a.example/chat?x=1')
  t.equal(memo.status, 101)
})

t.test('the answer', async t => {
  const plain = answer()
  const memo = HandshakeMemo.of(ask(BROWSER), plain)!
  t.same([memo.version, memo.protocol, memo.extensions], ['hybi-13', '', ''])
  t.same({ ...memo.headers }, { ...plain.headers })
  const rich = answer({ protocol: 'chat', extensions: 'x-one', url: 'wss://a.example/' }, [
    ['Sec-WebSocket-Protocol', 'chat'],
    ['X-More', '13']
  ])
  const other = HandshakeMemo.of(ask(BROWSER), rich)!
  t.same([other.version, other.protocol, other.extensions], ['hybi-13', 'chat', 'x-one'])
  t.equal(other.url, 'wss://a.example/chat?x=1')
  t.same({ ...other.headers }, { ...rich.headers })
})

t.test('a request that another could be taken for is not packed', async t => {
  for (let code = 0x80; code < 0xa0; code++) {
    const request = ask([...BROWSER, 'X-Odd', String.fromCharCode(code)])
    const memo = HandshakeMemo.of(request, answer())
    if (memo !== null) t.same(memo.request, request, String(code))
    else t.ok(code < 0x80 + 32)
  }
  t.equal(HandshakeMemo.of(ask([...BROWSER, 'X-Odd', '\u0080']), answer()), null)
})

t.test('a request without lines, and one of a draft, are kept as they are', async t => {
  const { rawHeaders, ...rest } = ask(BROWSER)
  t.equal(HandshakeMemo.of(rest, answer()), null)
  t.equal(HandshakeMemo.of(ask(BROWSER), answer({ version: 'hixie-76' })), null)
})
