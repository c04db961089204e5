// What programs written for `ws` see: errors of the core that `ws` does not have, options that lift a limit, refusals.

import { PassThrough } from 'node:stream'
import t from 'tap'
import { errorOf } from '../../../lib/compat/ws/errors.js'
import { coreOptions, SharedCoreOptions } from '../../../lib/compat/ws/options.js'
import { refuse } from '../../../lib/compat/ws/server-request.js'
import { type ErrorDetails, HandshakeError, WebSocketError } from '../../../lib/index.js'

t.test('an error that ws does not know is emitted unchanged, and a lost wire emits none', async t => {
  const own = new WebSocketError('WS_ERR_EXTENSION')
  t.equal(errorOf(own), own)
  t.equal(errorOf(new WebSocketError('WS_ERR_CONNECTION_LOST')), null)
  t.equal(errorOf(new HandshakeError('WS_ERR_ABORTED'))?.message, new HandshakeError('WS_ERR_ABORTED').message)
})

t.test('errors are told apart by code and details, not by their text', async t => {
  const told = (details: ErrorDetails): unknown =>
    errorOf(new HandshakeError('WS_ERR_BAD_RESPONSE', { message: 'x', details }))?.message
  t.equal(told({ field: 'sec-websocket-accept' }), 'Invalid Sec-WebSocket-Accept header')
  t.equal(told({ field: 'sec-websocket-extensions' }), 'Invalid Sec-WebSocket-Extensions header')
  const extension = 'x-tension'
  t.equal(
    told({ field: 'sec-websocket-extensions', extension }),
    'Server indicated an extension that was not requested'
  )
  t.equal(told({ field: 'upgrade' }), 'x')
  const zlib = new WebSocketError('WS_ERR_INVALID_COMPRESSED_DATA', {
    message: 'x',
    details: { zlib: 'Z_BUF_ERROR', zlibMessage: 'unexpected end of file' }
  })
  t.match(errorOf(zlib), { message: 'unexpected end of file', code: 'Z_BUF_ERROR', errno: -5, cause: zlib })
  const extensionError = new WebSocketError('WS_ERR_INVALID_COMPRESSED_DATA', { message: 'x' })
  t.match(errorOf(extensionError), { message: 'x', code: 'Z_DATA_ERROR', errno: -3 })
})

t.test('0 removes the limits maxPayload and maxFragments', async t => {
  t.match(coreOptions({ maxPayload: 0, maxFragments: 0 }), {
    maxMessageSize: Number.POSITIVE_INFINITY,
    maxFrameSize: Number.POSITIVE_INFINITY,
    maxFragments: Number.POSITIVE_INFINITY
  })
  t.match(coreOptions({ maxPayload: 5, maxFragments: 6 }), { maxMessageSize: 5, maxFrameSize: 5, maxFragments: 6 })
})

t.test('a refusal with a status without a name', async t => {
  const socket = new PassThrough()
  refuse(socket, 599)
  t.match(String(socket.read()), /^HTTP\/1.1 599 \r\n/)
})

t.test("the connections of a server share the core's options until a program changes the server's", async t => {
  const shared = new SharedCoreOptions()
  const options: { maxPayload: number } = { maxPayload: 5 }
  const first = shared.of(options)
  t.match(first, { maxMessageSize: 5 })
  t.equal(shared.of(options), first)
  options.maxPayload = 6
  t.match(shared.of(options), { maxMessageSize: 6 })
  t.match(first, { maxMessageSize: 5 })
})
