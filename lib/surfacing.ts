// Where the application is called. What one of its functions throws is its own, and surfaces as an uncaught exception with the stack of
// the place, in a tick of its own: it breaks off neither a loop of this library, nor one of Node's streams, which from Node 24 on catch
// what a write throws, and on every Node what `_read`, `_final` and `_destroy` throw.

import { nextTick } from './runtime/node.js'

/** Calls what may call a function of the application. */
export function surfacing(run: () => void): void {
  try {
    run()
  } catch (error) {
    surface(error)
  }
}

/** Throws where nothing catches it. */
export function surface(error: unknown): void {
  nextTick(() => {
    throw error
  })
}
