// A16: a head of 64 KiB, one byte at a time.

import t from 'tap'
import { inProcess } from './support.js'

const FACTOR = 8

t.test('a head takes time linear in its length', { timeout: 120_000 }, async t => {
  const { control, ...ours } = await inProcess<Record<string, number>>('a16', { args: [FACTOR] })
  t.ok(control! > FACTOR * 3, `searching all that came, each time: ${control} times for ${FACTOR} times the length`)
  for (const [name, growth] of Object.entries(ours)) t.ok(growth < FACTOR * 2, `${name}: ${growth.toFixed(1)} times`)
})
