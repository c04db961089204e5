// Warns the developer about a listener for an unknown event whose name resembles a known one.

import { nearest } from './checks.js'
import { warn } from './runtime/node.js'

const warned = new Set<string>()

/**
 * Warns once for each name.
 * @param known - the names of the events
 * @param hints - hints for names of other libraries
 */
export function hintEvent(event: string | symbol, known: readonly string[], hints: ReadonlyMap<string, string>): void {
  if (typeof event !== 'string' || known.includes(event) || warned.has(event)) return
  const near = nearest(event, known)
  const hint = hints.get(event) ?? (near === undefined ? undefined : `did you mean '${near}'?`)
  if (hint === undefined) return
  warned.add(event)
  warn(`there is no event '${event}'; ${hint}`, 'WS_UNKNOWN_EVENT')
}
