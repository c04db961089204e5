// The writes of a view that its stream has not begun.

import t from 'tap'
import { PendingWrites } from '../../lib/views/pending-writes.js'

t.test('bytes count until the write begins', async t => {
  const pending = new PendingWrites()
  const [first, second] = [pending.make(null), pending.make(null)]
  for (const number of [first, second]) t.equal(pending.has(number), true)
  pending.hold(first, 3)
  pending.hold(second, 4)
  t.equal(pending.size, 7)
  t.equal(pending.begin(), first)
  t.equal(pending.has(first), false)
  t.equal(pending.has(second), true)
  t.equal(pending.takeSize(first), 3)
  t.equal(pending.size, 4)
  t.equal(pending.takeSize(first), undefined, 'only once')
  t.equal(pending.size, 4)
})

t.test('a callback is given once, and to its own write', async t => {
  const pending = new PendingWrites()
  const callback = () => {}
  t.equal(pending.takeCallback(pending.make(null)), null, 'none')
  const [other, number] = [pending.make(() => {}), pending.make(callback)]
  t.equal(pending.takeCallback(number), callback)
  t.equal(pending.takeCallback(number), null)
  t.not(pending.takeCallback(other), callback)
})

t.test('a write that the stream refuses leaves its number and no callback', async t => {
  for (const isFirst of [true, false]) {
    const pending = new PendingWrites()
    if (!isFirst) pending.make(() => {})
    const refused = pending.make(isFirst ? null : () => {})
    pending.undo()
    t.equal(pending.takeCallback(refused), null)
    t.equal(pending.make(null), refused)
  }
})
