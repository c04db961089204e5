import t from 'tap'
import { Queue } from '../../lib/stages/queue.js'

t.test('items come out in the order in which they went in', async t => {
  const queue = new Queue<number>()
  t.equal(queue.shift(), undefined)
  const out: number[] = []
  let next = 0
  // it grows, shrinks, and is emptied several times
  for (const [pushed, taken] of [
    [1, 1],
    [5000, 4000],
    [10, 500],
    [3000, 3510],
    [2, 1]
  ] as const) {
    for (let i = 0; i < pushed; i++) queue.push(next++)
    for (let i = 0; i < taken; i++) out.push(queue.shift()!)
    t.equal(queue.length, next - out.length)
  }
  t.same(
    out,
    Array.from({ length: out.length }, (_, i) => i)
  )
  queue.clear()
  t.equal(queue.length, 0)
  t.equal(queue.shift(), undefined)
})

t.test('it does not keep removed items alive', async t => {
  const queue = new Queue<object>()
  for (let i = 0; i < 3000; i++) queue.push({})
  for (let i = 0; i < 2900; i++) queue.shift()
  const { items } = queue as unknown as { items: unknown[] }
  t.ok(items.length < 1000 + 1024, `${items.length} places for 100 items`)
  t.equal(items.filter(item => item !== undefined).length, 100)
})
