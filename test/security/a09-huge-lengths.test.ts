// A09: a frame header that declares 2^62 or 2^63 bytes.

import t from 'tap'
import { BINARY } from '../support/raw-peer.js'
import { fate, inProcess, MIB, meet, WAYS } from './support.js'

const UNLIMITED = { maxFrameSize: Number.POSITIVE_INFINITY, maxMessageSize: Number.POSITIVE_INFINITY }

for (const way of WAYS) {
  t.test(`${way}: it fails at the header, before any payload`, async t => {
    const cases = [
      [2 ** 62, 1009],
      [2 ** 63, 1002],
      [2 ** 53, 1009],
      [2 ** 26, 1009]
    ] as const
    for (const [declared, code] of cases) {
      const met = await meet(t, way)
      met.peer.send(BINARY, '', { declared })
      t.match(await fate(met), { said: code, code, wasClean: false }, `${declared}`)
    }
  })

  t.test(`${way}: a length beyond 2^53-1 fails even without a limit`, async t => {
    for (const declared of [2 ** 53, 2 ** 62, 2 ** 63]) {
      const met = await meet(t, way, UNLIMITED)
      met.peer.send(BINARY, '', { declared })
      t.match(await fate(met), { code: declared === 2 ** 63 ? 1002 : 1009 }, `${declared}`)
    }
  })
}

t.test('a length that is only announced takes no memory, even without a limit', { timeout: 120_000 }, async t => {
  const { declared, naive } = await inProcess<Record<string, number>>('a09')
  t.ok(naive! > 200 * MIB, `who makes room for 256 MiB grows by ${naive}`)
  t.ok(declared! < naive! / 16, `ours by ${declared}, for three frames of 1 GiB`)
})
