// A10: millions of empty or one-byte fragments, or one byte in each TCP segment.

import t from 'tap'
import { TEXT } from '../support/raw-peer.js'
import { fate, inProcess, meet, pour, WAYS } from './support.js'

for (const way of WAYS) {
  for (const payload of ['', 'a']) {
    t.test(`${way}: the number of fragments of ${payload.length} bytes is limited`, async t => {
      const met = await meet(t, way)
      const { peer } = met
      peer.send(TEXT, payload, { fin: false })
      const some = Buffer.concat(Array.from({ length: 1000 }, () => peer.frame(0, payload, { fin: false })))
      const poured = await pour(peer, some, some.length * 1000)
      t.ok(poured < some.length * 400, `${poured / some.length} thousand were taken`)
      t.match(await fate(met), { said: 1008, code: 1008, error: 'WS_ERR_TOO_MANY_FRAGMENTS' })
    })
  }

  t.test(`${way}: the maximum number arrives, and one more does not`, async t => {
    for (const [count, code] of [
      [10, 1000],
      [11, 1008]
    ] as const) {
      const met = await meet(t, way, { maxFragments: 10 })
      for (let i = 0; i < count; i++) met.peer.send(i === 0 ? TEXT : 0, i % 2 ? 'a' : '', { fin: i === count - 1 })
      met.peer.close()
      t.match(await fate(met), { code })
      t.same(met.got, code === 1000 ? ['aaaaa'] : [])
    }
  })
}

t.test('without a limit, memory is bounded by the bytes on the wire', { timeout: 120_000 }, async t => {
  const { naive, ...ours } = await inProcess<Record<string, number>>('a10')
  t.ok(naive! > 8, `who keeps each piece as it came holds ${naive!.toFixed(1)} bytes for each on the wire`)
  for (const [name, held] of Object.entries(ours)) t.ok(held < 4, `${name}: ${held.toFixed(2)}`)
})
