import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { MASK, pattern } from '../support/frames.js'

const mask = MASK.readInt32LE(0)
const masked = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, i) => byte ^ MASK[i % 4]!))

t.test('a frame of bytes is final, whole, and shares their memory', async t => {
  const bytes = pattern(10)
  const frame = new Frame(Opcode.Binary, bytes)
  t.match(frame, { opcode: 2, fin: true, rsv: 0, length: 10, size: 10, offset: 0, first: true, complete: true })
  t.equal(frame.payload.buffer, bytes.buffer)
  t.equal(frame.payload.byteOffset, bytes.byteOffset)
  t.same(frame.payload, bytes)
})

t.test('a frame of text counts the bytes of its UTF-8', async t => {
  for (const text of ['', 'abc', 'gr\u00fc\u00df', '\u20ac\u{1f600}', '\ufeffa', 'x'.repeat(1000)]) {
    const frame = new Frame(Opcode.Text, text, false, 4)
    t.match(frame, { opcode: 1, fin: false, rsv: 4, length: Buffer.byteLength(text), complete: true })
    const target = Buffer.alloc(frame.size + 2, 0xee)
    frame.copy(target, 1)
    t.same(target, Buffer.concat([Buffer.from([0xee]), Buffer.from(text), Buffer.from([0xee])]))
    t.same(frame.payload, Buffer.from(text))
    t.same(frame.payload, Buffer.from(text), 'as often as one asks')
    t.equal(frame.size, Buffer.byteLength(text))
  }
})

t.test('the payload of any Uint8Array is a Buffer', async t => {
  const frame = new Frame(Opcode.Binary, new Uint8Array([1, 2, 3]).subarray(1))
  t.ok(Buffer.isBuffer(frame.payload))
  t.same(frame.payload, Buffer.from([2, 3]))
})

t.test('a part knows the whole frame, and whether it is its end', async t => {
  const part = (offset: number, size: number) => new Frame(Opcode.Binary, pattern(size)).asPart(offset, 10)
  t.match(part(0, 0), { length: 10, size: 0, offset: 0, complete: false })
  t.match(part(0, 4), { length: 10, size: 4, offset: 0, complete: false })
  t.match(part(4, 5), { length: 10, size: 5, offset: 4, complete: false, first: false })
  t.match(part(4, 6), { length: 10, size: 6, offset: 4, complete: true, first: false })
})

t.test('a masked payload is unmasked in other memory if its chunk is not ours', async t => {
  for (const size of [0, 1, 5, 63, 64, 1000]) {
    const chunk = Buffer.concat([Buffer.from('ahead'), masked(pattern(size)), Buffer.from('behind')])
    const before = Buffer.from(chunk)
    for (const owner of ['wire', 'us'] as const) {
      const frame = new Frame(Opcode.Binary, chunk).within(5, size, mask, owner)
      const target = Buffer.alloc(size + 1)
      frame.copy(target, 1)
      t.same(target.subarray(1), pattern(size))
      t.same(frame.payload, pattern(size))
      t.same(frame.payload, pattern(size), 'as often as one asks')
      frame.copy(target, 0)
      t.same(target.subarray(0, size), pattern(size), 'and is copied right afterwards')
      if (owner === 'wire') t.same(chunk, before)
    }
  }
})

t.test('an unmasked payload is a view of its chunk only if the chunk is ours', async t => {
  for (const owner of ['wire', 'us', 'application'] as const) {
    const chunk = Buffer.concat([Buffer.from('ahead'), pattern(2000), Buffer.from('behind')])
    const frame = new Frame(Opcode.Binary, chunk).within(5, 2000, 0, owner)
    const target = Buffer.alloc(2002, 0xee)
    frame.copy(target, 1)
    t.same(target, Buffer.concat([Buffer.from([0xee]), pattern(2000), Buffer.from([0xee])]), 'copied from its place')
    t.same(frame.payload, pattern(2000))
    t.equal(frame.payload.buffer === chunk.buffer, owner !== 'wire', owner)
  }
})
