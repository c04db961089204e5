// One short conversation, with a fault at every byte of it.

import { type Run, run, type Scenario } from './scenario.js'
import type { Fault } from './transport.js'

const KINDS = ['reset', 'end', 'stall'] as const
/** The bytes of a direction at which faults are placed: the handshake, and some frames. */
const BYTES = 300

const plan = { reader: 'listener', actions: 4, ending: 'close', usesView: false } as const

function scenario(faults: Scenario['faults'], join: 'attach' | 'pipe'): Scenario {
  return {
    faults,
    capacity: 65536,
    largest: Number.POSITIVE_INFINITY,
    allowHalfOpen: true,
    joins: [join, join],
    plans: [plan, plan],
    options: [{}, {}],
    enders: [0, 1]
  }
}

/** All runs: one for each byte, kind of fault and direction. */
export async function* sweep(): AsyncGenerator<{ run: Run; says: string }> {
  for (let after = 0; after < BYTES; after++) {
    for (const kind of KINDS) {
      for (const direction of [0, 1]) {
        const fault: Fault = { kind, after }
        const join = (after + direction) % 2 === 0 ? 'attach' : 'pipe'
        const faults = direction === 0 ? ([fault, null] as const) : ([null, fault] as const)
        const says = `${kind} after ${after} bytes ${direction === 0 ? 'to the server' : 'to the client'}, ${join}`
        yield { run: await run(after + 1, scenario(faults, join)), says }
      }
    }
  }
}
