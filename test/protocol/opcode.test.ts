import t from 'tap'
import { isControl, isKnown, Opcode } from '../../lib/protocol/opcode.js'

const all = Array.from({ length: 16 }, (_, opcode) => opcode)

t.test('opcodes 0-2 and 8-10 are known, 3-7 and 11-15 are reserved (RFC 6455 §5.2)', async t => {
  t.same(all.filter(isKnown), [0x0, 0x1, 0x2, 0x8, 0x9, 0xa])
})

t.test('opcodes from 8 on are control frames (RFC 6455 §5.5)', async t => {
  t.same(all.filter(isControl), [0x8, 0x9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf])
})

t.test('each known opcode has its name', async t => {
  t.same(Opcode, { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 })
})
