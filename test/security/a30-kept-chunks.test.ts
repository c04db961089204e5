// A30: small payloads from large chunks of a socket, kept by the application: they do not keep the chunks alive.

import t from 'tap'
import { inProcess, MIB } from './support.js'

t.test('a kept message takes its own size, not that of its chunk', { timeout: 120_000 }, async t => {
  const { control, ...ours } = await inProcess<Record<string, number>>('a30')
  t.ok(control! > 15 * MIB, `hundreds of slices of chunks of 64 KiB keep ${control} bytes`)
  for (const [name, kept] of Object.entries(ours)) t.ok(kept < control! / 20, `${name}: ${kept}`)
})
