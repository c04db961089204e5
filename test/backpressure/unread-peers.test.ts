// The memory that a server holds for peers that do not read is what `bufferedAmount` says: a small message does not keep a large one's memory.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startChild } from './child.js'

const SCRIPT = fileURLToPath(new URL('unread-peers.ts', import.meta.url))

for (const join of ['attach', 'pipe'] as const) {
  for (const way of ['messages', 'send'] as const) {
    t.test(`small messages for peers that do not read, by ${way}, ${join}`, { timeout: 60_000 }, async t => {
      const highWaterMark = 4096
      const child = startChild(t, SCRIPT, [join, way, highWaterMark], ['--expose-gc'])
      const [held, counted, ownOfSocket] = (await child.hear('held')) as number[]
      const bound = 4 * (highWaterMark + ownOfSocket!)
      t.ok(held! < bound, `${Math.round(held!)} bytes of memory each; ${bound} are allowed`)
      t.ok(counted! < 2 * (highWaterMark + ownOfSocket!), `bufferedAmount says ${counted}`)
      t.ok(counted! > highWaterMark / 2)
    })
  }
}
