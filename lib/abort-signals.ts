// AbortSignals shared by many connections: one listener for each signal, removed when the last connection no longer follows it. A listener
// for each connection would leak on a long-lived signal, and Node would warn.

import { surfacing } from './surfacing.js'

interface Follower {
  /** Called when the signal is aborted. */
  aborted(): void
}

interface Followed {
  readonly followers: Set<Follower>
  readonly listener: () => void
}

const signals = new WeakMap<AbortSignal, Followed>()

/** Calls `follower.aborted()` when the signal is aborted, until `unfollow`. */
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
    // an exception of one connection must not keep the signal from the others
    for (const follower of [...followers]) surfacing(() => follower.aborted())
  }
  const followed = { followers, listener }
  signals.set(signal, followed)
  signal.addEventListener('abort', listener)
  return followed
}
