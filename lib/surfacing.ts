// Calls functions of the application. Their exceptions surface as uncaught exceptions, with the original stack, in their own tick. Thrown
// directly, they would interrupt a loop of this library or of a Node stream, or be caught: Node's streams catch exceptions of `_read`,
// `_final` and `_destroy`, and from Node 24 on those of a write.

import { nextTick } from './runtime/node.js'

/** Runs code that may call a function of the application. */
export function surfacing(run: () => void): void {
  try {
    run()
  } catch (error) {
    surface(error)
  }
}

/** Throws the error where nothing catches it. */
export function surface(error: unknown): void {
  nextTick(() => {
    throw error
  })
}
