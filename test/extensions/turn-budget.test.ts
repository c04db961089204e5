import t from 'tap'
import { TurnBudget } from '../../lib/extensions/turn-budget.js'

/** A budget of ten milliseconds whose clock advances by the duration of each piece of work. */
function budget(takes: number) {
  let time = 0
  const made = new TurnBudget(10, () => time)
  const done: number[] = []
  const work = (id: number) => {
    time += takes
    done.push(id)
  }
  return { made, done, work }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('little work in a turn is done at once', async t => {
  const { made, done, work } = budget(100)
  for (let id = 0; id < 16; id++) if (made.take()) work(id)
  t.equal(done.length, 16)
})

t.test('work beyond the budget waits for later turns, in order, a few milliseconds in each', async t => {
  const { made, done, work } = budget(1)
  for (let id = 0; id < 100; id++) {
    if (made.take()) work(id)
    else made.wait({ turnCame: () => work(id) })
  }
  const seen = [done.length]
  for (let i = 0; i < 20 && done.length < 100; i++) {
    await turn()
    seen.push(done.length)
  }
  t.same(seen, [26, 36, 46, 56, 66, 76, 86, 96, 100])
  t.same(
    done,
    Array.from({ length: 100 }, (_, id) => id)
  )
  await turn()
  t.equal(made.take(), true, 'and a new turn has all of it')
})

t.test('new work queues after work that waits, and a slow piece does not stop the rest', async t => {
  const { made, done, work } = budget(50)
  for (let id = 0; id < 20; id++) {
    if (made.take()) work(id)
    else made.wait({ turnCame: () => work(id) })
  }
  t.equal(made.take(), false)
  await turn()
  t.equal(done.length, 18, 'one slow piece in a turn')
  t.equal(made.take(), false, 'a new turn too is for those that wait')
  for (let i = 0; i < 10; i++) await turn()
  t.same(
    done,
    Array.from({ length: 20 }, (_, id) => id)
  )
})
