import t from 'tap'
import { HandshakeError } from '../../lib/errors.js'
import { refusal, refusalFor, ServerHandshake } from '../../lib/handshake/server-handshake.js'
import { caught, lines, request, settings } from './requests.js'

t.test('a refusal closes the connection, and gives the reason in plain text', async t => {
  const { bytes, status, headers, body } = refusal(404)
  t.same(lines(bytes), [
    'HTTP/1.1 404 Not Found',
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Length: 9',
    '',
    'Not Found'
  ])
  t.equal(status, 404)
  t.match(headers, { connection: 'close', 'content-length': '9' })
  t.equal(body.toString(), 'Not Found')
})

t.test('the application may set header fields, a body and a reason', async t => {
  const page = refusal(401, {
    headers: { 'WWW-Authenticate': 'Basic', 'content-type': 'text/html' },
    body: '<p>\u00e9',
    reason: 'No'
  })
  t.same(lines(page.bytes), [
    'HTTP/1.1 401 No',
    'Connection: close',
    'Content-Length: 5',
    'WWW-Authenticate: Basic',
    'content-type: text/html',
    '',
    '<p>\xc3\xa9'
  ])
  const bytes = new Uint8Array([0, 255])
  const binary = refusal(403, { body: bytes })
  bytes[0] = 1
  t.same(binary.body, Buffer.from([0, 255]), 'which are copied')
  t.notOk('content-type' in binary.headers)
  t.same(lines(refusal(403, { body: '' }).bytes).slice(-3), ['Content-Length: 0', '', ''])
  t.same(lines(refusal(599).bytes)[0], 'HTTP/1.1 599 ', 'a status without a usual reason')
  t.equal(refusal(599).body.toString(), '599')
  t.equal(refusal(302, { headers: [['Location', '/a']] }).headers['location'], '/a')
})

t.test('a status has the header fields that it requires', async t => {
  t.match(refusal(405).headers, { allow: 'GET', connection: 'close' })
  t.same(lines(refusal(426).bytes).slice(0, 4), [
    'HTTP/1.1 426 Upgrade Required',
    'Connection: close, Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13, 8, 7'
  ])
})

t.test('a 204 and a 304 have neither a body nor a length, and a 205 has an empty body', async t => {
  t.same(lines(refusal(304, { body: 'a' }).bytes), ['HTTP/1.1 304 Not Modified', 'Connection: close', '', ''])
  t.same(lines(refusal(204, { body: 'a' }).bytes), ['HTTP/1.1 204 No Content', 'Connection: close', '', ''])
  const reset = ['HTTP/1.1 205 Reset Content', 'Connection: close', 'Content-Length: 0', '', '']
  t.same(lines(refusal(205, { body: 'a' }).bytes), reset)
})

t.test('the response to HEAD has no body, but the length of the body', async t => {
  const { bytes, head, body } = refusal(200, { body: 'alive' })
  t.same(Buffer.concat([head, body]), bytes)
  t.same(lines(head).slice(0, 1), ['HTTP/1.1 200 OK'])
  t.ok(lines(head).includes('Content-Length: 5'))
})

t.test('only a status from 200 to 599 can be sent', async t => {
  for (const status of [200, 299, 300, 599]) t.equal(refusal(status).status, status)
  for (const status of [199, 101, 100, 600, 0, -400, 400.5, Number.NaN, '400' as unknown as number]) {
    t.throws(() => refusal(status), RangeError, String(status))
  }
})

t.test('A14: values that cannot be sent are a TypeError', async t => {
  for (const reason of ['a\r\nb', 'a\x00', ' a', 5 as unknown as string]) {
    t.throws(() => refusal(400, { reason }), { name: 'TypeError', message: /reason/ })
  }
  t.throws(() => refusal(400, { body: 5 as unknown as string }), { name: 'TypeError', message: /body/ })
  t.throws(() => refusal(400, { headers: { X: 'a\r\nb' } }), TypeError)
  t.throws(() => refusal(400, { headers: { 'Content-Length': '1' } }), TypeError)
})

t.test('the response to a handshake error has its status and message', async t => {
  const version = caught(() => new ServerHandshake(request({ 'Sec-WebSocket-Version': '9' }), settings()))
  const response = refusalFor(version)
  t.same(lines(response.bytes), [
    'HTTP/1.1 426 Upgrade Required',
    'Connection: close, Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13, 8, 7',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${version.message.length}`,
    '',
    version.message
  ])
  t.match(response.headers, version.headers, 'and the error names the fields')
  t.equal(refusalFor(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { status: 408 })).status, 408)
  t.equal(refusalFor(new HandshakeError('WS_ERR_MALFORMED_HEAD')).status, 400, 'which is 400 where there is none')
})
