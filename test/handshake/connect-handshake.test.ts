// CONNECT: the request for a tunnel, and how a proxy's response is read.

import t from 'tap'
import {
  type Authority,
  type Connected,
  ConnectHandshake,
  readAuthority
} from '../../lib/handshake/connect-handshake.js'
import { readHeaders } from '../../lib/options.js'
import { growth, LINEAR, latin1, WAYS } from './feed.js'
import { caught } from './requests.js'

const LIMITS = { maxHeaderSize: 16384, maxHeaders: 100 }

function handshake(changes: Partial<ConstructorParameters<typeof ConnectHandshake>[0]> = {}): ConnectHandshake {
  return new ConnectHandshake({ authority: 'a.example:443', headers: [], authorization: '', ...LIMITS, ...changes })
}

/** Feeds all chunks up to the one that completes the response; the bytes after it are appended to its `rest`. */
function received(side: ConnectHandshake, chunks: Buffer[]): Connected | null {
  for (const [i, chunk] of chunks.entries()) {
    const response = side.receive(chunk)
    if (response !== null) return { ...response, rest: Buffer.concat([response.rest, ...chunks.slice(i + 1)]) }
  }
  return null
}

t.test('a target is a host and a port, in either form', async t => {
  const right: [string | Authority, string][] = [
    ['a.example:443', 'a.example:443'],
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['[::1]:65535', '[::1]:65535'],
    [{ host: 'a.example', port: 80 }, 'a.example:80'],
    [{ host: '::1', port: 80 }, '[::1]:80'],
    [{ host: '[::1]', port: 80 }, '[::1]:80']
  ]
  for (const [target, authority] of right) t.equal(readAuthority(target), authority)
})

t.test('an invalid target is an error', async t => {
  const wrong: unknown[] = [
    'a',
    'a:',
    ':1',
    'a:b',
    'a:123456',
    'a b:1',
    'a/b:1',
    'u@a:1',
    '[::1:1',
    '[z]:1',
    '1.2.3.400:1'
  ]
  wrong.push(
    5,
    null,
    undefined,
    {},
    { host: 'a' },
    { host: 'a', port: '1' },
    { host: 5, port: 1 },
    { host: '', port: 1 }
  )
  for (const target of wrong) t.throws(() => readAuthority(target as string), TypeError, JSON.stringify(target))
  for (const port of [0, -1, 1.5, Number.NaN, 65536]) t.throws(() => readAuthority({ host: 'a', port }), RangeError)
  t.throws(() => readAuthority('a:99999'), RangeError)
})

t.test('A14: CR, LF and NUL in a host are a TypeError', async t => {
  for (const mark of ['\r', '\n', '\0', '\r\nX: y\r\n']) {
    t.throws(() => readAuthority(`a${mark}b:1`), TypeError)
    t.throws(() => readAuthority(`a:1${mark}`), TypeError)
    t.throws(() => readAuthority({ host: `a${mark}`, port: 1 }), TypeError)
    t.throws(() => handshake({ authorization: `Basic a${mark}` }), TypeError)
  }
})

t.test('the request contains the target twice, authorization, and header fields of the application', async t => {
  t.equal(String(handshake().request()), 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n')
  const headers = readHeaders({ 'User-Agent': 'x', host: 'b' })
  t.equal(
    String(handshake({ authorization: 'Basic dTpw', headers }).request()),
    'CONNECT a.example:443 HTTP/1.1\r\nProxy-Authorization: Basic dTpw\r\nUser-Agent: x\r\nhost: b\r\n\r\n'
  )
})

t.test('any 2xx opens the tunnel, and the bytes after the head come from it', async t => {
  for (const first of ['HTTP/1.1 200 OK', 'HTTP/1.0 200 Connection established', 'HTTP/1.1 299', 'HTTP/1.1 204 No']) {
    for (const rest of ['', 'abc']) {
      for (const [way, cut] of Object.entries(WAYS)) {
        // RFC 9110 §9.3.6: these fields are ignored
        const head = `${first}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\nVia: x\r\n\r\n`
        const response = received(handshake(), cut(latin1(head + rest)))
        t.match(response, { status: Number(first.slice(9, 12)), headers: { via: 'x' } }, `${first}, ${way}`)
        t.equal(String(response?.rest), rest)
      }
    }
  }
})

t.test('interim responses are skipped, up to the size of 16 heads, and an empty line before the response', async t => {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\n'
  const most = Math.floor((16 * 100) / interim.length)
  for (const [way, cut] of Object.entries(WAYS)) {
    const text = latin1(`${interim.repeat(most)}\r\nHTTP/1.1 200 OK\r\n\r\n`)
    t.ok(received(handshake({ maxHeaderSize: 100 }), cut(text)), way)
    const error = caught(() => received(handshake({ maxHeaderSize: 100 }), cut(latin1(interim.repeat(most + 1)))))
    t.match(error, { code: 'WS_ERR_HEAD_TOO_LARGE', message: /interim/, status: 0 }, way)
  }
})

t.test('A22: 101 opens no tunnel', async t => {
  const error = caught(() => handshake().receive(latin1('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n')))
  t.match(error, { code: 'WS_ERR_BAD_RESPONSE', status: 101, headers: { upgrade: 'websocket' } })
})

t.test('any other response is an error with status, fields and body', async t => {
  for (const status of [302, 403, 407, 502]) {
    for (const [way, cut] of Object.entries(WAYS)) {
      const text = `HTTP/1.1 ${status} No\r\nContent-Length: 3\r\nProxy-Authenticate: Basic realm="x"\r\n\r\nabcdef`
      const error = caught(() => received(handshake(), cut(latin1(text))))
      const headers = { 'proxy-authenticate': 'Basic realm="x"' }
      t.match(error, { code: 'WS_ERR_PROXY', status, headers, fault: 'peer' }, way)
      t.equal(error.message, `unexpected proxy response: ${status}`)
      t.equal(String(error.body), 'abc')
    }
  }
})

t.test('the end, or a timeout, is an error with what has arrived', async t => {
  t.match(handshake().ended(), { code: 'WS_ERR_BAD_RESPONSE', status: 0, fault: 'peer' })
  t.match(handshake().late(), { code: 'WS_ERR_HANDSHAKE_TIMEOUT', status: 0, fault: 'peer' })
  const side = handshake()
  t.equal(side.receive(latin1('HTTP/1.1 407 No\r\n\r\nabc')), null)
  t.equal(side.receive(latin1('def')), null)
  for (const error of [side.ended(), side.late()]) {
    t.match(error, { code: 'WS_ERR_PROXY', status: 407 })
    t.equal(String(error.body), 'abcdef')
  }
})

t.test('a response that is not HTTP is an error', async t => {
  t.match(
    caught(() => handshake().receive(latin1('SSH-2.0-x\r\n'))),
    { code: 'WS_ERR_MALFORMED_HEAD', status: 0 }
  )
})

t.test('A03: an endless head is an error: its size, its lines and its first line are limited', async t => {
  const endless = {
    'one line': `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20000)}`,
    lines: `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(101)}`,
    'the first line': `HTTP/1.1 200 ${'O'.repeat(20000)}`
  }
  for (const [what, text] of Object.entries(endless)) {
    for (const [way, cut] of Object.entries(WAYS)) {
      const error = caught(() => received(handshake(), cut(latin1(text))))
      t.match(error, { code: 'WS_ERR_HEAD_TOO_LARGE', status: 0 }, `${what}, ${way}`)
    }
  }
})

t.test('A16: a response one byte at a time takes linear time', async t => {
  const limits = { maxHeaderSize: Number.POSITIVE_INFINITY, maxHeaders: Number.POSITIVE_INFINITY }
  const feed = (size: number) => () => {
    const side = handshake(limits)
    const bytes = latin1(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(size)}`)
    for (let i = 0; i < bytes.length; i++) side.receive(bytes.subarray(i, i + 1))
  }
  t.ok(growth(feed) < LINEAR)
})

t.test('A25: the endless body of a refusal is cut at 64 KiB', async t => {
  const side = handshake()
  t.equal(side.receive(latin1('HTTP/1.1 407 No\r\n\r\n')), null)
  let count = 0
  const error = caught(() => {
    for (; count < 100; count++) side.receive(Buffer.alloc(1000, 97))
  })
  t.equal(count, 65)
  t.equal(error.body.length, 65536)
})
