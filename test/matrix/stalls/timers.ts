// Constants and types that the test and its processes share.

/** Milliseconds for keepalive and all timeouts; each shorter than the stall. */
export const TIMERS = { interval: 200, timeout: 1500 }
export const STALL = 2000

/** How many connections of each kind there are. */
export interface Counts {
  keepalive: number
  close: number
  handshake: number
}

/** How many of them are unharmed after a stall, and what went wrong with the others. */
export interface Fates extends Counts {
  faults: string[]
}
