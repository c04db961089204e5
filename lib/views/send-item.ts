// What an application writes to a view or sends beside it, as far as it waits for its turn.

import type { OrderedControl, Outgoing } from '../protocol/message-splitter.js'

/** A message in pieces, waiting for its turn, or having it. */
export interface PiecewiseMessage {
  /** Bytes that wait in it. */
  readonly size: number
  /** Whether the application has ended it. */
  readonly isEnded: boolean
  /** Whether the application writes and ends it by itself; a Readable that was written ends in its own time. */
  readonly isByHand: boolean
  /** It is the next to be sent, by `pieces` and `done` of the SendQueue; those before it are gone. */
  begin(): void
  /** The wire takes more of it. */
  proceed(): void
  /** Nothing can be sent any more. */
  connectionOver(): void
}

/** What the application may write. */
export type SendItem = Outgoing | OrderedControl | PiecewiseMessage
