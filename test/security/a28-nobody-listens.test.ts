// A28: no `error` listener, and a peer that breaks the protocol. In a separate process, which must stay alive.

import t from 'tap'
import { inProcess, WAYS } from './support.js'

interface Result {
  ended: [way: string, violation: string, code: number][]
  uncaught: string[]
  control: string[]
}

t.test('without any listener each connection ends, and the process survives', { timeout: 60_000 }, async t => {
  const { ended, uncaught, control } = await inProcess<Result>('a28')
  t.same(uncaught, [])
  t.equal(ended.length, WAYS.length * 7)
  const codes: Record<string, number> = {
    opcode: 1002,
    utf8: 1007,
    size: 1009,
    close: 1002,
    reset: 1006,
    garbage: 1002
  }
  for (const [way, violation, code] of ended) {
    if (violation in codes) t.equal(code, codes[violation], `${way}, ${violation}`)
  }
  t.same(control, ['nobody listens'], 'where an error of a stream is left alone, it is thrown')
})
