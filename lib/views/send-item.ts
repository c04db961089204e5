// The items of the SendQueue.

import type { OrderedControl, Outgoing } from '../protocol/message-splitter.js'

/** A message written in pieces, waiting for its turn or being sent. */
export interface PiecewiseMessage {
  /** Bytes that wait in it; `recount` of the SendQueue must be called when they have changed. */
  readonly size: number
  /** Whether the application has ended it. */
  readonly isEnded: boolean
  /** Whether the application writes and ends it itself; a Readable that was written to a view ends by itself. */
  readonly isByHand: boolean
  /** Its turn has come: it sends with `pieces` and `done` of the SendQueue. */
  begin(): void
  /** The wire takes more of it. */
  proceed(): void
  /** Calls back when what was written to it so far has been written to the wire, or will not be. */
  whenTaken(callback: () => void): void
  /** Nothing can be sent any more. */
  connectionOver(): void
}

/** Anything the application may write. */
export type SendItem = Outgoing | OrderedControl | PiecewiseMessage
