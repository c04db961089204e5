// Data frames checked against the rules for messages: order, number and size.

import t from 'tap'
import { FragmentRules } from '../../lib/protocol/fragment-rules.js'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'

const { Text, Binary, Continuation } = Opcode
const rules = (maxMessageSize = 100, maxFragments = 4): FragmentRules =>
  new FragmentRules({ maxMessageSize, maxFragments })
const frame = (opcode: Opcode, size: number, fin = true): Frame => new Frame(opcode, Buffer.alloc(size), fin)

function part(opcode: Opcode, size: number, length: number, offset: number, fin = true): Frame {
  return new Frame(opcode, Buffer.alloc(size), fin).asPart(offset, length)
}

t.test('a message ends with its last frame, and the last part of that', async t => {
  const each = rules()
  t.equal(each.add(frame(Text, 5)), true)
  t.equal(each.inMessage, false)
  t.equal(each.add(frame(Binary, 5, false)), false)
  t.equal(each.inMessage, true)
  t.equal(each.size, 5)
  t.equal(each.add(part(Continuation, 2, 6, 0)), false)
  t.equal(each.add(part(Continuation, 3, 6, 2)), false)
  t.equal(each.size, 10)
  t.equal(each.add(part(Continuation, 1, 6, 5)), true)
  t.equal(each.size, 0)
  t.equal(each.inMessage, false)
})

t.test('a continuation needs a message, and a new message must not begin inside one (RFC 6455 §5.4)', async t => {
  t.throws(() => rules().add(frame(Continuation, 1)), { code: 'WS_ERR_UNEXPECTED_CONTINUATION', closeCode: 1002 })
  const behind = rules()
  behind.add(frame(Text, 1))
  t.throws(() => behind.add(frame(Continuation, 1)), { code: 'WS_ERR_UNEXPECTED_CONTINUATION' })
  for (const opcode of [Text, Binary]) {
    const inside = rules()
    inside.add(frame(Text, 1, false))
    t.throws(() => inside.add(frame(opcode, 1)), { code: 'WS_ERR_EXPECTED_CONTINUATION', closeCode: 1002 })
  }
})

t.test('A10: fragments are counted, including empty ones, and parts are not', async t => {
  const each = rules(100, 3)
  each.add(frame(Text, 0, false))
  each.add(part(Continuation, 1, 5, 0, false))
  for (let offset = 1; offset < 5; offset++) each.add(part(Continuation, 1, 5, offset, false))
  each.add(frame(Continuation, 0, false))
  t.throws(() => each.add(frame(Continuation, 0)), { code: 'WS_ERR_TOO_MANY_FRAGMENTS', closeCode: 1008 })
  const again = rules(100, 3)
  for (let i = 0; i < 5; i++) {
    again.add(frame(Text, 0, false))
    again.add(frame(Continuation, 0, false))
    t.equal(again.add(frame(Continuation, 0)), true, 'each message has its own count')
  }
})

t.test('A11: sizes are added from the header on, and the limit itself is allowed', async t => {
  t.equal(rules().add(frame(Binary, 100)), true)
  t.throws(() => rules().add(frame(Binary, 101)), { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009 })
  t.throws(
    () => rules().add(part(Binary, 0, 101, 0)),
    { code: 'WS_ERR_MESSAGE_TOO_LARGE' },
    'before there is any of it'
  )
  const summed = rules()
  summed.add(frame(Binary, 60, false))
  t.equal(summed.add(frame(Continuation, 40, false)), false)
  t.throws(() => summed.add(part(Continuation, 0, 1, 0)), { message: /101 bytes/ })
  const large = rules(Number.MAX_SAFE_INTEGER)
  large.add(part(Binary, 1, Number.MAX_SAFE_INTEGER, 0, false))
  t.equal(large.size, 1)
})

t.test('a payload of unknown length is checked as it arrives', async t => {
  const each = rules()
  t.equal(each.add(part(Binary, 60, -1, 0)), false)
  t.throws(() => each.add(part(Binary, 41, -1, 60)), { code: 'WS_ERR_MESSAGE_TOO_LARGE' })
  const whole = rules()
  whole.add(part(Binary, 60, -1, 0))
  t.equal(whole.add(part(Binary, 40, 100, 60)), true)
})
