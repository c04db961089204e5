// AbortSignals that many connections are given: one listener for each signal, and none where no connection is left that obeys it. A
// listener for each connection would be a leak on a signal that lives as long as the process, and Node warns of it.

import { nextTick } from './runtime/node.js'

interface Follower {
  /** What is to be done when the signal is aborted. */
  aborted(): void
}

interface Followed {
  readonly followers: Set<Follower>
  readonly listener: () => void
}

const signals = new WeakMap<AbortSignal, Followed>()

/** Has `follower.aborted()` called when the signal is aborted, until `unfollow`. */
export function follow(signal: AbortSignal, follower: Follower): void {
  const followed = signals.get(signal) ?? begin(signal)
  followed.followers.add(follower)
}

/** Undoes `follow`. */
export function unfollow(signal: AbortSignal, follower: Follower): void {
  const followed = signals.get(signal)
  if (!followed?.followers.delete(follower) || followed.followers.size > 0) return
  signals.delete(signal)
  signal.removeEventListener('abort', followed.listener)
}

function begin(signal: AbortSignal): Followed {
  const followers = new Set<Follower>()
  const listener = (): void => {
    for (const follower of [...followers]) tell(follower)
  }
  const followed = { followers, listener }
  signals.set(signal, followed)
  signal.addEventListener('abort', listener)
  return followed
}

/** An exception of the application's surfaces as from any listener of a signal, and the other connections are told all the same. */
function tell(follower: Follower): void {
  try {
    follower.aborted()
  } catch (error) {
    nextTick(() => {
      throw error
    })
  }
}
