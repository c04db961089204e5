import t from 'tap'
import { JobQueue } from '../../lib/extensions/zlib-jobs.js'

t.test('a limited number of jobs runs at once, in order', async t => {
  const queue = new JobQueue()
  const begun: number[] = []
  for (let i = 0; i < 5; i++) queue.enter({ begin: () => begun.push(i) }, 2)
  t.same(begun, [0, 1])
  queue.leave()
  t.same(begun, [0, 1, 2])
  queue.leave()
  queue.leave()
  t.same(begun, [0, 1, 2, 3, 4])
  queue.leave()
  queue.leave()
  queue.enter({ begin: () => begun.push(5) }, 1)
  t.same(begun, [0, 1, 2, 3, 4, 5])
})

t.test('each job has its own limit, and none overtakes another', async t => {
  const queue = new JobQueue()
  const begun: string[] = []
  const enter = (name: string, limit: number): void => queue.enter({ begin: () => begun.push(name) }, limit)
  enter('a', 1)
  enter('b', Number.POSITIVE_INFINITY)
  enter('c', 1)
  enter('d', Number.POSITIVE_INFINITY)
  t.same(begun, ['a', 'b'])
  queue.leave()
  t.same(begun, ['a', 'b'])
  queue.leave()
  t.same(begun, ['a', 'b', 'c', 'd'])
})

t.test('a hundred thousand jobs that finish as soon as they start', async t => {
  const queue = new JobQueue()
  let over = 0
  const job = {
    begin: (): void => {
      over++
      queue.leave()
    }
  }
  queue.enter({ begin: () => {} }, 1)
  for (let i = 0; i < 100_000; i++) queue.enter(job, 1)
  t.equal(over, 0)
  queue.leave()
  t.equal(over, 100_000)
})
