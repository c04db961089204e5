// What these runs have found and the library does not hold yet: each is small in findings.test.ts, under the name given here. When
// it holds, its line goes, and the runs see to it that it goes on holding.

import type { Outcome } from './invariants.js'

interface Known {
  /** Its test. */
  readonly finding: string
  /** Whether a violation comes of it. */
  explains(violation: string, outcome: Outcome): boolean
}

export const KNOWN: readonly Known[] = []
