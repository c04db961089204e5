// The WebSocket of undici, which is Node's own, as a client of our server.

import t from 'tap'
import { WebSocket } from 'undici'
import { ALL, agree, describe, plansUpTo, SMALL } from './agreement.js'
import { pathOf } from './converse.js'
import { type Join, listen, type Mode } from './our-side.js'
import { type StandardSocketClass, talk } from './peers/standard.js'
import { SCRIPT } from './script.js'

const SERVERS: [Mode, Join, number][] = [
  ['http', 'attach', ALL],
  ['raw', 'pipe', SMALL]
]

for (const [mode, join, most] of SERVERS) {
  t.test(`undici as client against our ${mode} server joined by ${join}`, async t => {
    const server = await listen(t, mode, join)
    for (const plan of plansUpTo(most)) {
      t.test(describe(plan), async t => {
        const theirs = await talk(WebSocket as unknown as StandardSocketClass, server.origin + pathOf(plan), SCRIPT)
        agree(t, plan, await server.report(), theirs, { pings: false, pieces: false, repeatsReason: false })
      })
    }
  })
}
