import t from 'tap'
import { growth, LINEAR } from './feed.js'

/** Iterations of a loop that the engine cannot optimise away. */
function spin(turns: number): number {
  let sum = 0
  for (let i = 0; i < turns; i++) sum = (sum + i) | 0
  return sum
}

t.test('the growth test distinguishes quadratic from linear work', async t => {
  t.ok(growth(size => () => void spin(size * 16)) < LINEAR)
  // the smaller one takes long enough on the fastest machine too
  t.ok(growth(size => () => void spin(size * size), 8192) > LINEAR)
})
