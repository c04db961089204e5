// How long a client waits for the body of a refusal.

import { setImmediate } from './runtime/node.js'

/**
 * Time in ms. The body of a refusal is part of the error, and usually arrives with its head; but some bodies do not end, because the server
 * keeps the connection open, or because a proxy has lost the server behind it.
 */
export const REFUSAL_GRACE = 500

/** Calls `late` when that time has passed, and what arrived in it has been read. */
export function startGrace(late: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(late), REFUSAL_GRACE)
}
