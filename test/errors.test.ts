// The table of errors: stable names, whose fault each is, and the code of the Close frame.

import t from 'tap'
import { type ErrorCode, HandshakeError, WebSocketError } from '../lib/index.js'

const FRAMES: Record<string, readonly [closeCode: number, fault: 'local' | 'peer']> = {
  WS_ERR_UNEXPECTED_RSV: [1002, 'peer'],
  WS_ERR_INVALID_OPCODE: [1002, 'peer'],
  WS_ERR_EXPECTED_MASK: [1002, 'peer'],
  WS_ERR_UNEXPECTED_MASK: [1002, 'peer'],
  WS_ERR_INVALID_LENGTH: [1002, 'peer'],
  WS_ERR_FRAME_TOO_LARGE: [1009, 'peer'],
  WS_ERR_CONTROL_FRAGMENTED: [1002, 'peer'],
  WS_ERR_CONTROL_TOO_LARGE: [1002, 'peer'],
  WS_ERR_UNEXPECTED_CONTINUATION: [1002, 'peer'],
  WS_ERR_EXPECTED_CONTINUATION: [1002, 'peer'],
  WS_ERR_INVALID_UTF8: [1007, 'peer'],
  WS_ERR_MESSAGE_TOO_LARGE: [1009, 'peer'],
  WS_ERR_TOO_MANY_FRAGMENTS: [1008, 'peer'],
  WS_ERR_INVALID_CLOSE_PAYLOAD: [1002, 'peer'],
  WS_ERR_INVALID_CLOSE_CODE: [1002, 'peer'],
  WS_ERR_CONNECTION_LOST: [1006, 'peer'],
  WS_ERR_CLOSE_TIMEOUT: [1006, 'peer'],
  WS_ERR_KEEPALIVE_TIMEOUT: [1006, 'peer'],
  WS_ERR_DESTROYED: [1006, 'local'],
  WS_ERR_NOT_OPEN: [1006, 'local'],
  WS_ERR_MEMORY_TRANSFERRED: [1011, 'local'],
  WS_ERR_EXTENSION: [1011, 'local']
}

const HANDSHAKE: Record<string, 'local' | 'peer'> = {
  WS_ERR_MALFORMED_HEAD: 'peer',
  WS_ERR_TARGET_TOO_LONG: 'peer',
  WS_ERR_HEAD_TOO_LARGE: 'peer',
  WS_ERR_HTTP_VERSION: 'peer',
  WS_ERR_METHOD: 'peer',
  WS_ERR_UPGRADE_REQUIRED: 'peer',
  WS_ERR_UNSUPPORTED_VERSION: 'peer',
  WS_ERR_BAD_REQUEST: 'peer',
  WS_ERR_FORBIDDEN_ORIGIN: 'peer',
  WS_ERR_HANDSHAKE_TIMEOUT: 'peer',
  WS_ERR_REJECTED: 'local',
  WS_ERR_UNEXPECTED_STATUS: 'peer',
  WS_ERR_BAD_RESPONSE: 'peer',
  WS_ERR_ABORTED: 'local'
}

t.test('errors of a connection', async t => {
  for (const [code, [closeCode, fault]] of Object.entries(FRAMES)) {
    const error = new WebSocketError(code as ErrorCode)
    t.match(error, { name: 'WebSocketError', code, closeCode, fault })
    t.ok(error instanceof Error)
    t.ok(error.message.length > 0 && error.message.length <= 123, 'fits into a Close frame')
    t.match(error.message, /^[\x20-\x7e]+$/)
    t.equal(error.cause, undefined)
  }
})

t.test('errors of a handshake', async t => {
  for (const [code, fault] of Object.entries(HANDSHAKE)) {
    const error = new HandshakeError(code as ErrorCode)
    t.match(error, { name: 'HandshakeError', code, closeCode: 1006, fault, status: 0, headers: {} })
    t.equal(error.body.length, 0)
    t.ok(error instanceof WebSocketError)
  }
})

t.test('an error has details, cause, fault and the response', async t => {
  const cause = new Error('why')
  const plain = new WebSocketError('WS_ERR_EXTENSION', { detail: 'of a kind', cause, fault: 'peer' })
  t.equal(plain.message, 'an extension failed: of a kind')
  t.match(plain, { cause, fault: 'peer', closeCode: 1011 })
  t.match(String(plain), 'WebSocketError: an extension failed: of a kind')
  t.match(plain.stack, /^WebSocketError: /)
  const body = Buffer.from('no')
  const answer = new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status: 404, headers: { a: 'b' }, body, cause })
  t.match(answer, { status: 404, headers: { a: 'b' }, cause })
  t.equal(answer.body, body)
})

t.test('an error can be given another name, like any JavaScript error', async t => {
  for (const error of [new WebSocketError('WS_ERR_DESTROYED'), new HandshakeError('WS_ERR_REJECTED')]) {
    t.notOk(Object.keys(error).includes('name'))
    error.name = 'ChatError'
    t.equal(error.name, 'ChatError')
    t.match(String(error), /^ChatError: /)
  }
  t.equal(new WebSocketError('WS_ERR_DESTROYED').name, 'WebSocketError', 'that of others stays')
  t.equal(new HandshakeError('WS_ERR_REJECTED').name, 'HandshakeError')
})
