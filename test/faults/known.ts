// Bugs that these runs have found and that are not fixed yet: each has a small test in findings.test.ts, with the name given here. When
// one is fixed, its line is removed, and the runs check that it stays fixed.

import type { Outcome } from './invariants.js'

interface Known {
  /** The name of its test. */
  readonly finding: string
  /** Whether a violation is caused by it. */
  explains(violation: string, outcome: Outcome): boolean
}

export const KNOWN: readonly Known[] = []
