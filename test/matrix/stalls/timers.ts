// What the test and its processes have agreed on.

/** Milliseconds: of keepalive, and of all timeouts; each shorter than the stall. */
export const TIMERS = { interval: 200, timeout: 1500 }
export const STALL = 2000

/** How many connections of each kind there are. */
export interface Counts {
  keepalive: number
  close: number
  handshake: number
}

/** How many of them are as they should be after a stall, and what went wrong. */
export interface Fates extends Counts {
  faults: string[]
}
