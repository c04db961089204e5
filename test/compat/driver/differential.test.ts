// The same bytes and the same calls for npm's websocket-driver and for the replacement: 3,000 random conversations as server, as client
// and in both drafts. The application must see the same, and the peer must get the same. DRIVER_SEEDS and DRIVER_FROM select others.

import { createRequire } from 'node:module'
import t from 'tap'
import ours from '../../../lib/compat/driver/index.js'
import { type AnyPackage, converse, type Outcome } from './conversation.js'

const theirs = createRequire(import.meta.url)('websocket-driver') as AnyPackage
const FROM = Number(process.env['DRIVER_FROM'] ?? 0)
const SEEDS = Number(process.env['DRIVER_SEEDS'] ?? 3000)
/** Number of differences that are shown in full. */
const TOLD = 5

/** If an error ends the conversation, each side sends its own close code. */
function settled({ log, close, ...rest }: Outcome): unknown {
  const hasFailed = log.some(entry => Array.isArray(entry) && entry[0] === 'error')
  return { log, close: hasFailed && close === 1003 ? 1002 : close, ...rest }
}

t.test("the application and the peer get the same as with npm's driver", async t => {
  let different = 0
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const [wanted, found] = [converse(theirs, seed), converse(ours as unknown as AnyPackage, seed)].map(o => settled(o))
    const isSame = JSON.stringify(wanted) === JSON.stringify(found)
    if (!isSame && ++different <= TOLD) t.same(found, wanted, `DRIVER_FROM=${seed} DRIVER_SEEDS=1`)
    if (seed % 100 === 0) await new Promise(setImmediate)
  }
  t.equal(different, 0, `of ${SEEDS} conversations`)
})
