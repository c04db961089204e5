import t from 'tap'
import { applyMask, freshMask, loadNative, shiftMask } from '../../lib/protocol/mask.js'
import { MASK, pattern } from '../support/frames.js'

const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 31, 62, 63, 64, 65, 66, 67, 68, 95, 96, 97, 127, 128, 1000, 1003]
const MASKS = [
  MASK,
  ...['00000000', 'ffffffff', '80000001', '01020380', 'ff00ff00'].map(hex => Buffer.from(hex, 'hex'))
]

const number = (mask: Buffer): number => mask.readInt32LE(0)

/** RFC 6455 §5.3, word for word. */
const reference = (bytes: Buffer, mask: Buffer, offset = 0): Buffer =>
  Buffer.from(bytes.map((byte, i) => byte ^ mask[(i + offset) % 4]!))

t.test('bytes of every length are masked as in RFC 6455 §5.3, from and to any position', async t => {
  for (const mask of MASKS) {
    const wrong: string[] = []
    for (const length of LENGTHS) {
      for (let from = 0; from < 5; from++) {
        for (let to = 0; to < 5; to++) {
          const source = pattern(length + 10)
          const target = Buffer.alloc(length + 10, 0xee)
          applyMask(source, from, from + length, target, to, number(mask))
          const expected = Buffer.alloc(length + 10, 0xee)
          reference(source.subarray(from, from + length), mask).copy(expected, to)
          if (!target.equals(expected)) wrong.push(`${length} bytes from ${from} to ${to}`)
          if (!source.equals(pattern(length + 10))) wrong.push(`${length} bytes from ${from}: the source was changed`)
        }
      }
    }
    t.same(wrong, [], mask.toString('hex'))
  }
})

t.test('bytes are masked in place, at any alignment, and no others', async t => {
  const wrong: string[] = []
  for (const length of LENGTHS) {
    for (let from = 0; from < 9; from++) {
      // memory that does not begin at a multiple of four either
      const bytes = Buffer.from(new ArrayBuffer(length + 30), 3, length + 20)
      pattern(length + 20).copy(bytes)
      applyMask(bytes, from, from + length, bytes, from, number(MASK))
      const expected = pattern(length + 20)
      reference(expected.subarray(from, from + length), MASK).copy(expected, from)
      if (!bytes.equals(expected)) wrong.push(`${length} bytes at ${from}`)
    }
  }
  t.same(wrong, [])
})

t.test('large data, and data in large memory, is masked the same, with native help and without', async t => {
  for (const length of [100, 255, 256, 257, 5000]) {
    const bytes = Buffer.from(new ArrayBuffer(2 ** 18), 5, length)
    pattern(length).copy(bytes)
    applyMask(bytes, 0, length, bytes, 0, number(MASK))
    t.ok(bytes.equals(reference(pattern(length), MASK)), `${length} bytes in place`)
    const target = Buffer.alloc(length + 3)
    applyMask(pattern(length), 0, length, target, 3, number(MASK))
    t.ok(target.subarray(3).equals(reference(pattern(length), MASK)), `${length} bytes elsewhere`)
    const moved = Buffer.concat([pattern(length), Buffer.alloc(7)])
    applyMask(moved, 0, length, moved, 7, number(MASK))
    t.ok(moved.subarray(7).equals(reference(pattern(length), MASK)), `${length} bytes, moved a little`)
  }
})

t.test('a module that is not installed is not needed', async t => {
  t.equal(loadNative('no-such-module-as-this'), null)
})

t.test('large data is moved within the same memory and masked', async t => {
  const bytes = pattern(300)
  applyMask(bytes, 10, 210, bytes, 50, number(MASK))
  t.same(bytes.subarray(50, 250), reference(pattern(300).subarray(10, 210), MASK))
})

t.test('masking twice changes nothing', async t => {
  const bytes = pattern(1003)
  applyMask(bytes, 1, 1000, bytes, 1, number(MASK))
  t.notSame(bytes, pattern(1003))
  applyMask(bytes, 1, 1000, bytes, 1, number(MASK))
  t.same(bytes, pattern(1003))
})

t.test('a mask can be applied from any byte of a payload on', async t => {
  for (const mask of MASKS) {
    for (const offset of [0, 1, 2, 3, 4, 5, 6, 7, 126, 65535, 2 ** 31 + 1, 2 ** 40 + 2]) {
      const bytes = Buffer.alloc(8)
      applyMask(bytes, 0, 8, bytes, 0, shiftMask(number(mask), offset))
      t.same(bytes, reference(Buffer.alloc(8), mask, offset % 4), `${mask.toString('hex')} from ${offset}`)
    }
  }
})

t.test('A18: each mask is new', async t => {
  const masks = Array.from({ length: 10_000 }, freshMask)
  // 10,000 of 2^32: the expected number of equal pairs is 0.012
  t.ok(new Set(masks).size > 9990, `${new Set(masks).size} different masks`)
  t.ok(
    masks.every(mask => Number.isInteger(mask) && (mask | 0) === mask),
    '32-bit numbers'
  )
  for (let bit = 0; bit < 32; bit++) {
    const set = masks.filter(mask => (mask >>> bit) & 1).length
    // 5000 expected, with a standard deviation of 50
    if (Math.abs(set - 5000) > 400) t.fail(`bit ${bit} is set in ${set} of 10000`)
  }
})
