import t from 'tap'
import { CloseCode, isSendable, readCloseBody, writeCloseBody } from '../../lib/protocol/close-code.js'
import { INVALID, VALID } from './utf8-cases.js'

const body = (code: number, reason: Uint8Array | string = ''): Buffer =>
  Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)])

/** Every two-byte code that RFC 6455 §7.4 and the registry allow on the wire. */
function mayStand(code: number): boolean {
  if (code < 1000 || code > 4999) return false
  if (code >= 3000) return true
  return [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].includes(code)
}

t.test('1000-1003, 1007-1014 and 3000-4999 may be sent, and nothing else (RFC 6455 §7.4)', async t => {
  const wrong = Array.from({ length: 65536 }, (_, code) => code).filter(code => isSendable(code) !== mayStand(code))
  t.same(wrong, [])
})

t.test('each code of 1000-1003, 1007-1014 and 3000-4999 is read, and every other fails with 1002', async t => {
  const wrong: number[] = []
  for (let code = 0; code < 65536; code++) {
    try {
      if (readCloseBody(body(code)).code !== code || !mayStand(code)) wrong.push(code)
    } catch (error) {
      const { code: name, closeCode } = error as { code?: string; closeCode?: number }
      if (mayStand(code) || name !== 'WS_ERR_INVALID_CLOSE_CODE' || closeCode !== 1002) wrong.push(code)
    }
  }
  t.same(wrong, [])
})

t.test('an empty body means that there is no code: 1005', async t => {
  t.same(readCloseBody(Buffer.alloc(0)), { code: 1005, reason: '' })
})

t.test('a body of one byte fails with 1002 (RFC 6455 §5.5.1)', async t => {
  for (const byte of [0x00, 0x03, 0xff]) {
    t.throws(() => readCloseBody(Buffer.from([byte])), {
      code: 'WS_ERR_INVALID_CLOSE_PAYLOAD',
      closeCode: 1002,
      fault: 'peer'
    })
  }
})

t.test('a reason is read as UTF-8', async t => {
  t.same(readCloseBody(Buffer.from('03e8', 'hex')), { code: 1000, reason: '' })
  t.same(readCloseBody(body(1000, 'bye')), { code: 1000, reason: 'bye' })
  t.same(readCloseBody(body(4999, '\ufeffb\u00e4\u20ac\u{1f600}')), {
    code: 4999,
    reason: '\ufeffb\u00e4\u20ac\u{1f600}'
  })
  t.same(readCloseBody(body(3000, 'x'.repeat(123))).reason.length, 123)
  for (const hex of VALID) t.equal(readCloseBody(body(1000, Buffer.from(hex, 'hex'))).code, 1000, hex)
})

t.test('a reason that is not UTF-8 is refused (RFC 6455 §5.5.1, §8.1)', async t => {
  for (const [says, hex] of INVALID) {
    t.throws(
      () => readCloseBody(body(1000, Buffer.from(hex, 'hex'))),
      { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 },
      says
    )
  }
})

t.test('a body is written: two bytes of code, then the reason as UTF-8', async t => {
  t.equal(writeCloseBody(1000, '').toString('hex'), '03e8')
  t.equal(writeCloseBody(1001, 'a\u00e4\u{1f600}').toString('hex'), '03e961c3a4f09f9880')
  t.equal(writeCloseBody(4999, '').toString('hex'), '1387')
  t.equal(writeCloseBody(1000, '\ud800').toString('hex'), '03e8efbfbd', 'a lone surrogate is replaced')
})

t.test('a written body is read again', async t => {
  for (const code of [1000, 1003, 1007, 1014, 3000, 4999]) {
    t.same(readCloseBody(writeCloseBody(code, 'gr\u00fc\u00dfe')), { code, reason: 'gr\u00fc\u00dfe' })
  }
})

t.test('a reason of 123 bytes is written, one of 124 is a RangeError (RFC 6455 §5.5)', async t => {
  t.equal(writeCloseBody(1000, 'x'.repeat(123)).length, 125)
  t.equal(writeCloseBody(1000, '\u00e4'.repeat(61)).length, 124)
  t.throws(() => writeCloseBody(1000, 'x'.repeat(124)), RangeError)
  t.throws(() => writeCloseBody(1000, '\u00e4'.repeat(62)), RangeError, 'bytes count, not characters')
})

t.test('the application cannot send a reserved code', async t => {
  for (const code of [
    -1,
    0,
    999,
    1004,
    1005,
    1006,
    1015,
    2999,
    5000,
    65536 + 1000,
    Number.NaN,
    Number.POSITIVE_INFINITY
  ]) {
    t.throws(() => writeCloseBody(code, ''), RangeError, String(code))
  }
  t.throws(() => writeCloseBody(1000.5, ''), RangeError, 'a code is a whole number')
})

t.test('A08: a code that is not a number, or a reason that is not a string, is a TypeError', async t => {
  for (const code of ['1000', undefined, {}, [1000], 1000n]) {
    t.throws(() => writeCloseBody(code as number, ''), TypeError)
  }
  for (const reason of [5, null, undefined, {}, Buffer.from('x'), new Uint16Array(2)]) {
    t.throws(() => writeCloseBody(1000, reason as string), TypeError)
  }
})

t.test('the codes have the names of the registry', async t => {
  t.same(CloseCode, {
    Normal: 1000,
    GoingAway: 1001,
    ProtocolError: 1002,
    UnsupportedData: 1003,
    NoStatus: 1005,
    Abnormal: 1006,
    InvalidPayload: 1007,
    PolicyViolation: 1008,
    MessageTooBig: 1009,
    MandatoryExtension: 1010,
    InternalError: 1011,
    ServiceRestart: 1012,
    TryAgainLater: 1013,
    BadGateway: 1014,
    TlsHandshake: 1015
  })
})
