// A05: quoted strings of backslashes, and long runs of spaces and commas, in the lists of header fields.

import t from 'tap'
import { inProcess } from './support.js'

const FACTOR = 8

t.test('a list of 64 KiB takes time linear in its length', { timeout: 120_000 }, async t => {
  const { control, ...ours } = await inProcess<Record<string, number>>('a05', { args: [FACTOR] })
  t.ok(
    control! > FACTOR * 4,
    `an expression that takes back its choices: ${control} times for ${FACTOR} times the length`
  )
  for (const [name, growth] of Object.entries(ours)) {
    t.ok(growth < FACTOR * 3, `${name}: ${growth.toFixed(1)} times`)
  }
  t.ok(Object.keys(ours).length >= 18)
})
