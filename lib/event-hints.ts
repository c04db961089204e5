// Warns the developer of a listener for an event that does not exist, but whose name resembles one that does.

import { nearest } from './checks.js'
import { warn } from './runtime/node.js'

const warned = new Set<string>()

/**
 * Warns once for each name.
 * @param known - the events that exist
 * @param hints - what to say about names that other libraries have
 */
export function hintEvent(event: string | symbol, known: readonly string[], hints: ReadonlyMap<string, string>): void {
  if (typeof event !== 'string' || known.includes(event) || warned.has(event)) return
  const near = nearest(event, known)
  const hint = hints.get(event) ?? (near === undefined ? undefined : `did you mean '${near}'?`)
  if (hint === undefined) return
  warned.add(event)
  warn(`there is no event '${event}'; ${hint}`, 'WS_UNKNOWN_EVENT')
}
