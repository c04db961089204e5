import t from 'tap'
import { type Holder, IdleSweeper } from '../../lib/extensions/idle-sweeper.js'

interface Counted extends Holder {
  released: number
}

function holder(): Counted {
  const one: Counted = {
    lastUsed: 0,
    released: 0,
    release: () => {
      one.released++
    }
  }
  return one
}

t.test('a holder that was not used for a whole interval is released, once', async t => {
  const sweeper = new IdleSweeper(1e6)
  const [idle, busy] = [holder(), holder()]
  sweeper.add(idle)
  sweeper.add(busy)
  for (let i = 0; i < 4; i++) {
    busy.lastUsed = sweeper.time
    sweeper.sweep()
    t.equal(idle.released, i === 0 ? 0 : 1)
  }
  t.equal(busy.released, 0)
  t.equal(sweeper.size, 1)
  sweeper.delete(busy)
  sweeper.sweep()
  t.equal(sweeper.size, 0)
})

t.test('a holder that adds itself again is released again', async t => {
  const sweeper = new IdleSweeper(1e6)
  const one = holder()
  const release = one.release
  one.release = () => {
    release()
    if (one.released < 3) sweeper.add(one)
  }
  sweeper.add(one)
  for (let i = 0; i < 10; i++) sweeper.sweep()
  t.equal(one.released, 3)
})

t.test('it sweeps by itself while there are holders', async t => {
  const sweeper = new IdleSweeper(5)
  const alive = setInterval(() => {}, 1000)
  for (let round = 0; round < 2; round++) {
    const one = holder()
    await new Promise<void>(resolve => {
      one.release = resolve
      sweeper.add(one)
    })
    t.equal(sweeper.size, 0)
  }
  clearInterval(alive)
})
