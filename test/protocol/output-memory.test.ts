// Memory for output, which is lent to one writer at a time.

import t from 'tap'
import { borrow, dropLent, giveBack } from '../../lib/protocol/output-memory.js'

t.test('written memory is reused', async t => {
  const first = borrow(5000)
  t.equal(first.length, 5000)
  giveBack(first, true)
  const second = borrow(8000)
  t.equal(second.length, 8000)
  t.equal(second.buffer, first.buffer)
  giveBack(second, true)
})

t.test('a buffer is at most four times as large as its content, from 2 KiB on', async t => {
  for (const size of [2048, 2049, 8192, 8193, 32_768, 32_769, 131_072]) {
    const bytes = borrow(size)
    t.equal(bytes.length, size)
    t.ok(bytes.buffer.byteLength <= 4 * size, `${bytes.buffer.byteLength} for ${size}`)
    giveBack(bytes, false)
  }
})

t.test('memory that is in use is not', async t => {
  const first = borrow(5000)
  giveBack(first, false)
  const second = borrow(5000)
  t.not(second.buffer, first.buffer)
  giveBack(second, true)
  giveBack(first, true)
  const third = borrow(5000)
  t.equal(third.buffer, second.buffer)
  giveBack(third, true)
})

t.test('overlapping, small and large requests get their own memory', async t => {
  const lent = borrow(5000)
  const others = [borrow(5000), borrow(2047), borrow(131_073)]
  for (const other of others) {
    t.not(other.buffer, lent.buffer)
    giveBack(other, true)
    giveBack(other, false)
  }
  t.not(borrow(5000).buffer, lent.buffer, 'it is still lent')
  giveBack(lent, true)
  const next = borrow(5000)
  t.equal(next.buffer, lent.buffer)
  giveBack(next, true)
})

t.test('behind a write that threw, other memory is lent, and reused', async t => {
  const lost = borrow(5000)
  dropLent()
  const next = borrow(5000)
  t.not(next.buffer, lost.buffer)
  giveBack(lost, true)
  giveBack(next, true)
  const third = borrow(5000)
  t.equal(third.buffer, next.buffer)
  giveBack(third, true)
  dropLent()
})
