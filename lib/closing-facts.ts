// The facts recorded while a connection closes, and the CloseInfo that follows from them. Acts on nothing.

import { HandshakeError, type WebSocketError } from './errors.js'
import { type CloseBody, CloseCode } from './protocol/close-code.js'
import type { Buffer } from './runtime/node.js'

/** How a connection ended (RFC 6455 §7.1). */
export interface CloseInfo {
  /** The code of the peer's Close: 1005 if it had none, 1006 if none came; or the code with which this side failed the connection. */
  readonly code: number
  /** The reason that belongs to the code. */
  readonly reason: string
  /** Whether both Close frames were exchanged and neither side broke the protocol. */
  readonly wasClean: boolean
  /** The side that started to end the connection. */
  readonly initiator: 'local' | 'peer'
}

/** What has happened so far while a connection closes. */
export interface ClosingFacts {
  closeSent: boolean
  closeReceived: CloseBody | null
  initiator: 'local' | 'peer' | null
  wireEnded: boolean
  /** This side ended the connection before all data was written. */
  isCut: boolean
  /** Requested before the connection was open. */
  queuedClose: Buffer | null
  /** A Close follows when the queued messages are sent. */
  closesSoon: boolean
}

export const NOTHING_YET: Readonly<ClosingFacts> = {
  closeSent: false,
  closeReceived: null,
  initiator: null,
  wireEnded: false,
  isCut: false,
  queuedClose: null,
  closesSoon: false
}

/**
 * @param failure - why the connection did not end cleanly; null if nothing was wrong
 * @param output - tells whether our Close was written
 */
export function howItEnded(
  facts: Readonly<ClosingFacts>,
  failure: WebSocketError | null,
  output: { closeHasLeft(): boolean }
): CloseInfo {
  const initiator = facts.initiator!
  if (failure instanceof HandshakeError) return { code: CloseCode.Abnormal, reason: '', wasClean: false, initiator }
  if (failure !== null) {
    const reason = failure.closeCode === CloseCode.Abnormal ? '' : closeReason(failure)
    return { code: failure.closeCode, reason, wasClean: false, initiator }
  }
  // Without a failure the peer's Close has arrived; ours may be left to the application, or may not have been written.
  const { code, reason } = facts.closeReceived!
  return { code, reason, wasClean: facts.closeSent && !facts.isCut && output.closeHasLeft(), initiator }
}

/** The text of an error, cut to the 123 bytes a Close frame has room for (RFC 6455 §5.5). Our texts are ASCII. */
export function closeReason(error: WebSocketError): string {
  return error.message.slice(0, 123)
}
