// How long a client waits for the rest of a refusal whose head is there.

import { setImmediate } from './runtime/node.js'

/**
 * Milliseconds. The body of a refusal is told along with it, and comes with its head as a rule; but some bodies have no end: the server
 * keeps the connection open, or is a proxy that has lost the server behind it.
 */
export const REFUSAL_GRACE = 500

/** Runs `late` when that time is over, and what had arrived by then has been read. */
export function startGrace(late: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(late), REFUSAL_GRACE)
}
